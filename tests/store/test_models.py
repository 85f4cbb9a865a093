"""What a store knows of its models: tags written with the config, changed later, joined to the index."""

import multiprocessing

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import run, serially
from support.serial import compute, planned
from support.shared import config, write

from distcari.errors import InputError
from distcari.store import open_store
from distcari.store.models import Models, read_models, update_models

FAMILY = [
    {"name": f"net_{camera}_{n}", "factory": "tiny:net", "init_seed": i, "tags": {"images": 1000 * n}}
    for i, (camera, n) in enumerate([("one", 1), ("one", 2), ("all", 1)])
]
TAGGED = config(models=FAMILY, layers=["conv2"], images=["photos/one.png"], tags_from="net_{camera}_{run:d}")


def test_tags_come_with_the_config_change_without_a_cell_and_join_the_table(work):
    assert compute(work, TAGGED).done == 3
    models = pd.read_parquet("store/models.parquet").set_index("model")
    assert models.loc["net_one_2", ["camera", "run", "images"]].tolist() == ["one", 2, 2000]
    assert (models["parameters"] > 100).all() and models["checksum"].nunique() == 3
    index = pd.read_parquet("store/index")
    assert models["checksum"].to_dict() == index.set_index("model")["model_sha256"].to_dict()
    assert index.merge(models.reset_index(), on=["experiment", "model"])["camera"].notna().all()
    assert sorted(open_store().table()["images"]) == [1000, 1000, 2000]

    again = TAGGED | {"tags_from": "net_{lens}_{run:d}", "tag_order": {"lens": ["one", "all"]}}
    assert compute(work, again).done == 0
    lens = open_store().models("small")["lens"]
    assert lens.cat.ordered and list(lens.cat.categories) == ["one", "all"] and lens.min() == "one"
    assert "camera" in open_store().models(), "what a config does not name stays"


def test_the_command_tags_lists_orders_and_takes_away(work):
    compute(work, TAGGED)
    write(work / "t.csv", "")
    (work / "t.csv").write_text("model,epoch,note\nnet_one_1,3,\nnet_all_1,12,good\nunknown,1,\n")
    code, said = run(
        "tag", "store", "--from", "t.csv", "size=small", "--model", "net_one_*", "--order", "size=small,big"
    )
    assert code == 0 and "epoch: number" in said and "size: ordered: small < big" in said, said
    frame = open_store().models().set_index("model")
    assert frame["epoch"].tolist()[0] == 12 and frame.loc["net_all_1", "note"] == "good"
    assert frame["size"].isna().tolist() == [True, False, False]
    code, said = run("tag", "store", "epoch=", "note=", "size=")
    assert code == 0 and not {"epoch", "note", "size"} & {*open_store().models()}
    assert "camera: text" in run("tag", "store")[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["images=many", "--model", "net_one_1"], "Give numbers to all, or text to all"),
        (["gain=3"], "is a column of the index"),
        (["a b=3"], "letters, digits and underscores"),
        (["nothing"], "name=value"),
        (["x=1", "--model", "nit_*"], "There are: net_all_1"),
        (["--from", "other_{x}"], "says nothing of any model"),
        (["--from", "net_{}"], "must name what it finds"),
        (["--from", "missing.csv"], "cannot be read"),
        (["--order", "camera=one,two"], "its order leaves out"),
        (["--order", "camera"], "name=a,b,c"),
        (["x=1", "--experiment", "smell"], "There are: small"),
    ],
)
def test_bad_tags_are_refused_and_change_nothing(work, arguments, says):
    compute(work, TAGGED)
    before = (work / "store/models.parquet").read_bytes()
    code, said = run("tag", "store", *arguments)
    assert code == 2 and says in said, said
    assert (work / "store/models.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tags_from": "other_{x}"}, "says nothing of any model"),
        ({"tags_from": "no_field"}, "must name what it finds"),
        ({"tags_from": "{a:q}"}, "cannot be read"),
        ({"tag_order": {"camera": ["one"]}}, "its order leaves out"),
        ({"tags_from": "net_{cosine}_{run:d}"}, "is a column of the index"),
        (
            {"tags_from": "net_{images}_{run:d}", "models": [{**FAMILY[0], "tags": {}}, FAMILY[1]]},
            "Give numbers to all",
        ),
    ],
)
def test_a_config_whose_tags_do_not_fit_is_refused_before_any_work(work, changes, says):
    code, said = serially(write(work / "c.yaml", TAGGED | changes))
    assert code == 2 and says in said and not (work / "store/index").exists(), said


def test_groups_are_compared_by_their_tags(work):
    compute(work, TAGGED)
    code, said = run("compare", "store", "camera=one", "camera=all", "--figures", "colourfulness")
    assert code == 0 and "net_one (2 networks)" in said and "net_all_1" in said, said
    code, said = run("compare", "store", "camera=one,images=2000", "net_all_1", "--figures", "colourfulness")
    assert code == 0 and "net_one_2" in said and "networks" not in said.splitlines()[0], said
    for text, says in (
        ("camera=two", "Values of camera: "),
        ("lens=one", "There are: "),
        ("camera=all,run=2", "them all"),
    ):
        code, said = run("compare", "store", text, "net_one_1")
        assert code == 2 and says in said, said


def test_damage_is_said_costs_the_tags_alone_and_ends_with_the_next_submit(work):
    compute(work, TAGGED)
    path = work / "store/models.parquet"
    whole = open_store().models()
    for content in (b"", path.read_bytes()[:-9], path.read_bytes().replace(b"net_one", b"net_two", 1)):
        path.write_bytes(content)
        with pytest.warns(UserWarning, match="tags with it"):
            assert len(open_store().table()) == 3
        with pytest.warns(UserWarning, match="damaged"):
            compute(work, TAGGED)
        pd.testing.assert_frame_equal(open_store().models(), whole)


def _put(url, name, start):
    start.wait()
    for n in range(5):
        update_models(open_store(url).files, [{"experiment": "e", "model": f"{name}{n}", "t": n}])


def test_of_many_writers_none_loses_anything(work):
    context = multiprocessing.get_context("fork")
    start = context.Event()
    writers = [context.Process(target=_put, args=(str(work / "s"), name, start)) for name in "abc"]
    for writer in writers:
        writer.start()
    start.set()
    for writer in writers:
        writer.join()
    assert len(read_models(open_store(str(work / "s")).files).rows) == 15


def test_a_bucket_keeps_them_too(s3):
    store = open_store(s3.url(), options=s3.options())
    update_models(store.files, [{"experiment": "e", "model": "a", "epoch": 3}])
    update_models(store.files, [{"experiment": "e", "model": "b", "epoch": 4.5}])
    assert store.models()["epoch"].tolist() == [3, 4.5]


VALUES = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5))
ROWS = st.dictionaries(
    st.tuples(st.sampled_from("ef"), st.sampled_from("mno")), st.dictionaries(st.sampled_from("xyz"), VALUES)
)


@given(ROWS)
def test_what_goes_together_comes_back_and_the_rest_is_refused(rows):
    given = [{"experiment": e, "model": m, **tags} for (e, m), tags in rows.items()]
    mixed = {name for name in "xyz" if len({isinstance(tags[name], str) for tags in rows.values() if name in tags}) > 1}
    try:
        models = Models().merged(given)
    except InputError as error:
        assert mixed and error.where.removeprefix("tag ") in mixed
        return
    assert not mixed
    back = {(r["experiment"], r["model"]): r for r in models.table().to_pylist()}
    for place, tags in rows.items():
        assert {name: back[place][name] for name in tags} == tags
    assert models.merged([{"experiment": e, "model": m, "x": None} for e, m in rows]).tags.keys() <= {"y", "z"}


def test_tags_are_no_part_of_any_key(work):
    plain, _ = planned(work, TAGGED | {"tags_from": [], "models": [{**m, "tags": {}} for m in FAMILY]})
    tagged, _ = planned(work, TAGGED)
    assert [cell.key for cell in plain.wanted] == [cell.key for cell in tagged.wanted]
