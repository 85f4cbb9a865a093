import csv
import io
import threading

import pytest
from dash._callback_context import context_value
from dash._utils import AttributeDict
from support.dashboard_store import grid, prepare
from support.pages import follow

from distcari.cli.main import main
from distcari.dashboard.app import create_app
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.notes import PATH, NoteRefused, Notes, canonical
from distcari.dashboard.data.state import parse
from distcari.dashboard.page import note_drawer
from distcari.dashboard.views import notes as view
from distcari.store import Store


@pytest.fixture
def kept(store):
    prepare(store, grid())
    return store


def test_a_note_is_kept_changed_and_removed(kept):
    notes = Notes(kept)
    assert notes.all() == [] and notes.refused() == ""
    first, second = notes.add("?view=compare&exp=e", " one "), notes.add("?view=explore", "two\nlines \u2028 ü 😀")
    assert [n.text for n in Notes(kept).all()] == ["two\nlines \u2028 ü 😀", "one"]
    notes.edit(first.id, "one more")
    assert Notes(kept).of("?view=compare&exp=e")[0].text == "one more" and Notes(kept).all()[1].edited
    notes.remove(second.id)
    assert [n.id for n in Notes(kept).all()] == [first.id]
    for gone in (lambda: notes.remove(second.id), lambda: notes.edit(second.id, "x"), lambda: notes.add("?", " ")):
        with pytest.raises(NoteRefused):
            gone()


def test_two_dashboards_lose_no_note_and_strange_lines_stay(kept):
    kept.files.write(PATH, b'not json\n{"id": 1}\n')
    both = [Notes(Store(kept.url)), Notes(Store(kept.url))]
    threads = [threading.Thread(target=lambda n=n, i=i: n.add("?view=run", f"{i}")) for i, n in enumerate(both * 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(n.text) for n in Notes(kept).all()) == list(range(10))
    assert kept.files.read(PATH).startswith(b'not json\n{"id": 1}\n')


def test_what_cannot_be_written_says_why(kept, tmp_path, monkeypatch):
    assert "read-only" in Notes(kept, read_only=True).refused()
    assert "no store" in Notes(Store(str(tmp_path / "none"))).refused()
    with pytest.raises(NoteRefused, match="read-only"):
        Notes(kept, read_only=True).add("?", "x")
    notes = Notes(kept)

    def full(*_):
        raise OSError("no space left: /secret/path")

    monkeypatch.setattr(kept.files, "swap", full)
    with pytest.raises(NoteRefused, match="OSError") as refusal:
        notes.add("?", "x")
    assert "secret" not in str(refusal.value) and not (tmp_path / "none").exists()


def test_the_field_keeps_a_note_with_its_view(kept):
    catalog = Catalog(kept)
    assert note_drawer.keep(catalog, "seen", "?view=explore&explore.x=gain&nonsense=1")[0] == ""
    note = catalog.notes.all()[0]
    assert note.url == "?view=explore&exp=e&explore.x=gain"  # the experiment is named, whatever comes later
    assert "needs some text" in note_drawer.keep(catalog, "  ", "?")[2]
    catalog.notes.read_only = True
    text, _, why = note_drawer.keep(catalog, "mine", "?")
    assert text == "mine" and "read-only" in why, "what was typed is not lost"


def test_a_read_only_dashboard_disables_the_field(kept):
    catalog = Catalog(kept)
    catalog.notes.add("?view=compare", "x")
    said = str(view.layout(catalog, parse("?view=notes")))
    assert "Edit" in said.replace("Edit the note", "")
    catalog.notes.read_only = True
    said = str(view.layout(catalog, parse("?view=notes")))
    assert "read-only" in said and "notes.edit" not in said
    assert main(["dashboard", "--help"]) == 0


def test_notes_are_listed_edited_and_deleted(kept):
    catalog = Catalog(kept)
    note = catalog.notes.add("?view=side&a.model=m&b.model=n", "<script>alert(1)</script>")
    listed = view.listed(catalog, parse("?view=notes"))
    assert "Side by side · m | n" in str(listed) and note.url in str(listed)
    state = parse(f"?view=notes&notes.edit={note.id}")
    assert view.change(catalog, state, "better", delete=False)[0] == "?view=notes"
    assert catalog.notes.all()[0].text == "better"
    assert "not there" in view.change(catalog, parse("?view=notes&notes.edit=0"), "x", delete=True)[2]
    view.change(catalog, state, "", delete=True)
    assert catalog.notes.all() == []


def test_a_url_in_the_file_cannot_lead_away(kept):
    assert canonical("javascript:alert(1)") == "?view=overview" == canonical("https://evil.example/")
    kept.files.write(PATH, b'{"id": "a", "time": "2026", "url": "javascript:alert(1)", "text": "x"}\n')
    assert Notes(kept).all()[0].url == "?view=overview"


def test_exports_hold_every_note_and_no_html(kept):
    Notes(kept).add("?view=compare", 'one "quoted", <img src=x onerror=alert(1)>\nsecond')
    Notes(kept).add("?view=cell&cell=" + "a" * 32, "two")
    client = create_app(kept).server.test_client()
    rows = list(csv.DictReader(io.StringIO(client.get("/notes.csv").text)))
    assert [row["view"] for row in rows] == ["cell", "compare"] and rows[1]["text"].endswith("\nsecond")
    said = client.get("/notes.md").text
    assert "<img" not in said and "> second" in said and "](<http://localhost/?view=compare>)" in said


def test_the_callbacks_follow_the_url(kept):
    note = Notes(kept).add("?view=notes", "x")
    app = create_app(kept)
    context_value.set(AttributeDict(triggered_inputs=[{"prop_id": "url.search"}]))
    try:
        search = f"?view=notes&notes.edit={note.id}"
        body, opened, text, _ = follow(app, "notes-dialog.opened", search, None, None, 1)
        assert opened and text == "x" and body
    finally:
        context_value.set(AttributeDict())


def test_notes_are_bounded_in_length_number_and_pace(kept, monkeypatch):
    from distcari.dashboard.data import notes as kept_notes

    notes = Notes(kept)
    with pytest.raises(NoteRefused, match="at most 4,000"):
        notes.add("?", "x" * 4001)
    for i in range(kept_notes.PER_MINUTE):
        notes.add("?", f"{i}")
    with pytest.raises(NoteRefused, match="wait a little"):
        notes.add("?", "one too many")
    monkeypatch.setattr(kept_notes, "MOST", kept_notes.PER_MINUTE)
    with pytest.raises(NoteRefused, match="30 notes already"):
        Notes(kept).add("?", "one too many")
    Notes(kept).remove(notes.all()[0].id)
    assert len(Notes(kept).all()) == kept_notes.PER_MINUTE - 1


def test_ten_thousand_notes_of_others_cost_their_reading_once(kept, monkeypatch):
    from distcari.dashboard.data import notes as kept_notes

    line = b'{"id": "%d", "time": "2026", "url": "?view=run", "text": "x"}\n'
    kept.files.write(PATH, b"[" * 100_000 + b"\n" + b"".join(line % i for i in range(10_000)))
    notes, read = Notes(kept), []
    inner = kept_notes._note
    monkeypatch.setattr(kept_notes, "_note", lambda line: read.append(1) or inner(line))
    for _ in range(5):
        assert len(notes.of("?view=run")) == 10_000 and notes.of("?view=table") == []
        notes._read_at = float("-inf")
    assert len(read) == 10_001


def test_exports_compute_nothing_and_lead_nowhere_else(kept):
    for text in ("=cmd|' /C calc'!A0", "+1", "-1", "@x", "[a](javascript:alert(1)) ![p](http://evil.example/x.png)"):
        Notes(kept).add("?view=compare", text)
    client = create_app(kept).server.test_client()
    texts = [row["text"] for row in csv.DictReader(io.StringIO(client.get("/notes.csv").text))]
    assert texts[1:] == ["'@x", "'-1", "'+1", "'=cmd|' /C calc'!A0"]
    said = client.get("/notes.md").text
    assert "\\[a\\](javascript" in said and "\\!\\[p\\]" in said


def test_notes_are_found_by_words_in_them_and_in_their_views(kept):
    catalog = Catalog(kept)
    catalog.notes.add("?view=compare&exp=e", "A blue cheek")
    catalog.notes.add("?view=explore&exp=e", "violins of blue")

    def shown(words):
        parts = view.listed(catalog, parse(f"?view=notes&notes.find={words}"))
        return [p for p in parts if type(p).__name__ == "Article"], "".join(str(p) for p in parts)

    assert len(shown("BLUE")[0]) == 2 and "2 of 2" in shown("blue")[1]
    assert len(shown("blue%20cheek")[0]) == 1 and len(shown("blue%20explore")[0]) == 1
    assert shown("green")[0] == [] and "0 of 2" in shown("green")[1]
