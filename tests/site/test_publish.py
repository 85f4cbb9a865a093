"""`distcari publish` as files: whole or the old one, only what changed, nothing foreign, nothing secret."""

import errno
import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.analysis_store import make
from support.commands import run
from support.dashboard_store import finish, grid, prepare
from support.natural import exemplars

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.distances import distances_of
from distcari.dashboard.data.findings import findings_of
from distcari.dashboard.data.notes import Notes
from distcari.dashboard.data.questions import question
from distcari.dashboard.data.state import State
from distcari.errors import InputError
from distcari.site.answers import answers
from distcari.site.folder import MARK, SiteFolder
from distcari.site.likeness import likeness
from distcari.site.page import about
from distcari.site.publish import publish
from distcari.store import Store
from distcari.store.arrays import to_8_bit


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def store(tmp_path):
    store = Store(str(tmp_path / "store"), writable=True)
    g = grid(models=("m",), seeds=(0,))
    finish(store, prepare(store, g), g, g.cells())
    return store


def test_again_it_writes_only_what_changed(store, tmp_path):
    out = tmp_path / "deep/er/site"
    first = publish(store, out)
    assert first.cells == 6 and first.written.files == len(contents(out)) - 1 and first.bytes > 0
    before = contents(out)
    again = publish(store, out)
    assert (again.written.files, again.written.removed) == (0, 0) and contents(out) == before
    g = grid(models=("m", "n"), seeds=(0,))
    finish(store, prepare(store, g), g, list(g.cells())[6:], first=6)
    more = publish(store, out)
    after = contents(out)
    assert more.cells == 12 and {name for name in before if name.startswith("pictures")} < set(after)
    assert all(after[name] == before[name] for name in set(before) & set(after) - {"index.html", MARK})
    assert more.written.files == len(set(after) - set(before)) + 1  # and the page
    publish(store, out, only={"model": ["m"]})
    assert {name for name in contents(out) if name.startswith("pictures")} < set(after)
    assert not [path for path in out.glob("pictures/*") if not any(path.iterdir())]


def test_pictures_are_the_stores_in_two_sizes(store, tmp_path):
    publish(store, tmp_path / "site", lossless=True)
    files = contents(tmp_path / "site")
    large = {np.asarray(Image.open(io.BytesIO(c)).convert("RGB")).tobytes() for n, c in files.items() if "large" in n}
    stored = {to_8_bit(store.picture(key)).tobytes() for key in store.table()["key"]}
    assert stored < large and len([name for name in files if "small" in name]) == len(large) == 6 + 2  # and the inputs


def test_a_folder_with_other_files_is_refused_and_left_alone(store, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        publish(store, out)
    assert contents(out) == {"thesis.tex": b"mine"}
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no folder"):
        publish(store, tmp_path / "link")
    (tmp_path / "site.zip").write_bytes(b"mine too")
    with pytest.raises(InputError, match="no zip of a site"):
        publish(store, tmp_path / "site", zipped=True)
    assert not (tmp_path / "site").exists()


def test_files_of_others_in_a_site_stay(store, tmp_path):
    out = tmp_path / "site"
    publish(store, out)
    for name in ("CNAME", "pictures/mine.webp", "data/note.txt"):
        (out / name).write_text("mine")
    publish(store, out, only={"layer": ["x"]})
    assert all((out / name).read_text() == "mine" for name in ("CNAME", "pictures/mine.webp", "data/note.txt"))


@pytest.mark.parametrize("after", [0, 1, 5, 20])
def test_without_room_the_old_site_stays_whole(store, tmp_path, monkeypatch, after):
    out, new = tmp_path / "site", tmp_path / "new/site"
    publish(store, out, only={"image": ["cat"]})
    before, left, write = contents(out), [after], Path.write_bytes

    def full(path, content):
        left[0] -= 1
        if left[0] < 0:
            write(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        publish(store, out, lossless=True)
    assert contents(out) == before
    left[0] = after
    with pytest.raises(InputError, match="No space left"):
        publish(store, new)
    assert not new.parent.exists()


def test_what_a_killed_publication_left_is_swept_and_two_at_once_are_refused(store, tmp_path):
    out = tmp_path / "site"
    publish(store, out)
    before = contents(out)
    (out / "data/_tmp-abc").write_bytes(b"torn")
    (out / f"data/{'0' * 20}.js").write_bytes(b"of a site that was never shown")
    with SiteFolder(out), pytest.raises(InputError, match="just now"):
        publish(store, out)
    publish(store, out)
    assert contents(out) == before


def test_nothing_secret_is_published_and_notes_only_if_asked(mixed, tmp_path):
    Notes(mixed).add("?view=compare", "the <b>left</b> one")
    out = tmp_path / "site"
    done = publish(mixed, out)
    assert (done.cells, done.failed, done.unread, done.running) == (30 + 1, 1, 0, True)
    whole = b"".join(content for name, content in contents(out).items() if not name.startswith("pictures"))
    assert mixed.url.encode() not in whole and b"left</b>" not in whole and b"<img" not in contents(out)["index.html"]
    publish(mixed, out, notes=True)
    assert any(b"left</b> one" in c for name, c in contents(out).items() if name.startswith("data/"))


def test_the_map_of_models_is_the_dashboards_and_left_out_of_a_choice(mixed, tmp_path):
    catalog = Catalog(mixed)
    found = likeness(catalog, "e")
    matrix = distances_of(catalog).matrix(["e"], {})
    assert found["models"] == list(matrix.models) == ["m", "n", "o"]
    apart = [[round(float(np.hypot(*np.subtract(p, q))), 2) for p in found["at"]] for q in found["at"]]
    assert np.allclose(apart, matrix.mean, rtol=0.01)  # three points lie in a plane
    assert len(found["pairs"]) == 3 and [line[0] for line in found["layers"]] == ["x", "y", "z"]
    assert likeness(catalog, "f") is None
    publish(mixed, tmp_path / "site", only={"model": ["m", "n"]})
    assert not any(b"squared distances" in content for content in contents(tmp_path / "site").values())


def test_findings_are_the_dashboards_and_computed_once(tmp_path, monkeypatch):
    catalog = Catalog(make(tmp_path / "two", models=("a", "c"), images=("cat", "cup")))
    (found,) = answers(catalog, "e")
    asked = question(catalog, State("findings", ("e",)))
    answer = findings_of(catalog).ask(asked).answer
    assert found["asked"] == str(asked) == "a against c" and len(found["squares"]) == len(answer.rows)
    assert [square[-1] for square in found["squares"]] == answer.rows["told"].tolist()
    alone = Catalog(make(tmp_path / "one", models=("a",), images=("cat",)))
    assert answers(alone, "e") == [] and likeness(alone, "e") is None
    publish(catalog.store, tmp_path / "site")
    monkeypatch.setattr("distcari.site.publish.answers", None)
    monkeypatch.setattr("distcari.site.publish.likeness", None)
    assert publish(catalog.store, tmp_path / "site").written.files == 0  # neither is asked again


def test_about_is_text_and_links_never_markup_or_pictures_from_elsewhere():
    told = about("# Seen\n\n<script>x</script> ![p](http://e.org/p.png) [a](javascript:x) [b](https://e.org)")
    assert "<h1>Seen</h1>" in told and "<script" not in told and "<img" not in told and 'href="https://e.org"' in told
    assert 'href="javascript' not in told


def test_damaged_pixels_are_said_and_the_rest_is_published(store, tmp_path):
    folder = tmp_path / "store/arrays.zarr/e/caricature"
    next(path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "zarr.json").write_bytes(b"no")
    code, said = run("publish", store.url, "--out", tmp_path / "site")
    assert code == 1 and "5 cells published" in said and "distcari verify" in said
    shutil.rmtree(folder)
    code, said = run("publish", store.url, "--out", tmp_path / "none", "--lossless")
    assert code in (1, 2) and "Traceback" not in said


def test_the_command_and_its_refusals(mixed, tmp_path):
    (tmp_path / "about.md").write_text("Hello **there**")
    out = tmp_path / "a b/ü"
    code, said = run(
        "publish", mixed.url, "--out", out, "--zip", "--title", "A & <B>", "--about", tmp_path / "about.md",
        "--only", "model=m",
    )  # fmt: skip
    assert code == 0 and "12 cells published" in said and "1 cells failed" in said and "at work" in said
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "<title>A &amp; &lt;B&gt;</title>" in page and "<strong>there</strong>" in page
    with zipfile.ZipFile(tmp_path / "a b/ü.zip") as archive:
        packed = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert packed == contents(out) and MARK in packed
    for wrong in (
        ["--only", "model=z"],
        ["--experiment", "no"],
        ["--about", tmp_path / "none.md"],
        ["--title", "a\nb"],
    ):
        code, said = run("publish", mixed.url, "--out", tmp_path / "other", *wrong)
        assert code == 2 and "error:" in said and not (tmp_path / "other").exists(), said


def test_labels_with_any_character_give_safe_names(tmp_path):
    store = Store(str(tmp_path / "store"), writable=True)
    g = grid(
        models=("../up", "</script>", "é", "\u2028", "m" * 200), images=("a/b",), layers=("__proto__",), seeds=(0,)
    )
    finish(store, prepare(store, g), g, g.cells())
    publish(store, tmp_path / "site")
    assert all(name.isascii() and ".." not in name for name in contents(tmp_path / "site"))
    assert {path.name for path in tmp_path.iterdir()} == {"store", "site"}


def test_exemplars_are_published_once_and_go_with_the_store_s(store, tmp_path):
    frame = store.table()
    assert frame["model_sha256"].isna().all()
    exemplars(store, "photos", cat=None)
    assert not [name for name in contents(site(store, tmp_path)) if "exemplar" in name], "of unknown weights"
    g = grid(models=("m",), seeds=(1, 2))
    finish(store, prepare(store, g), g, g.cells(), more=lambda cell: {"model_sha256": "now"})
    exemplars(store, "photos", cat="now")
    out = site(store, tmp_path)
    assert len([name for name in contents(out) if name.endswith("-exemplar.webp")]) == 6, "seeds share theirs"
    assert publish(store, out).written.files == 0
    store.files.delete("exemplars/e.parquet")
    publish(store, out)
    assert not [name for name in contents(out) if "exemplar" in name]


def site(store, tmp_path):
    publish(store, tmp_path / "site")
    return tmp_path / "site"
