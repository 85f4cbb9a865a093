"""What a config must not say, each once found to be taken without a word, to hang or to end in a trace."""

import os

import pytest
import yaml
from support.shared import config, write

from distcari.config.document import MOST_NODES, parse
from distcari.config.experiment import Experiment
from distcari.config.load import load_experiment
from distcari.errors import InputError
from distcari.grid import alike, check_experiment_name, check_label

FACTORY = {"factory": "tiny:net"}


def refused(work, document, *overrides):
    """The message for a config, given as a mapping or as text."""
    path = work / "c.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_experiment(path, overrides)
    assert "c.yaml" in str(error.value) or "--set" in str(error.value)
    return str(error.value)


def bomb(levels, width=10):
    """YAML of a few lines that stands for width ** levels values."""
    lines = ["l0: &l0 [x]"] + [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nseeds: [1]\nname: b\n", ["line 3", "'name' a second time", "line 1"]),
        ("render: {steps: 3, steps: 4}\n", ["'steps' a second time"]),
        ('a: 1\n"a": 2\n', ["'a' a second time"]),
        ("? [a, b]\n: 1\n", ["a key that is no text"]),
        (bomb(40), ["aliases that stand for more than"]),
        (f"layers: {bomb(9)}".replace("layers: l0", "l0"), ["aliases that stand for more than"]),
        ("a: &a [*a]\n", ["an alias to what it stands in"]),
        ("a: &a {b: {c: *a}}\n", ["an alias to what it stands in"]),
        ("a: " + "[" * 900 + "]" * 900, ["nested deeper than"]),
        ("".join(f"{'  ' * i}a:\n" for i in range(900)), ["nested deeper than"]),
        ("seeds: [" + "9" * 10_000 + "]", ["line 1", "cannot be read"]),
        ("seeds: [0x" + "f" * 10_000 + "]", ["line 1", "more than 64 bits"]),
        ("a: [" + "1," * (MOST_NODES + 2) + "]", [f"more than {MOST_NODES} values"]),
        ('name: "\\ud800"', ["line 1", "cannot be read"]),
        ("a: !!timestamp 2024-13-45", ["line 1", "cannot be read"]),
        ("a: !!int x", ["line 1", "cannot be read"]),
        ("a: !!python/object/apply:os.system [id]", ["not valid YAML"]),
        ("a: 1\n---\nb: 2\n", ["not valid YAML", "single document"]),
        ("\0", ["not valid YAML"]),
    ],
)
def test_yaml_is_refused_while_it_is_parsed(work, text, says):
    message = refused(work, text)
    assert all(words in message for words in says), message


def test_merges_and_plain_aliases_are_taken():
    text = "base: &b {x: 1, y: 2}\nown: {<<: *b, x: 3}\nagain: [*b, *b]\n"
    values, lines = parse(text, "c.yaml")
    assert values["own"] == {"x": 3, "y": 2} and values["again"] == [values["base"]] * 2
    assert lines["own", "x"] == 2 and lines["again", 1] == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seeds": [True]}, ["seeds[0]", "valid integer"]),
        ({"seeds": [1, 1.0]}, ["seeds[1]", "valid integer"]),
        ({"seeds": [1, "1"]}, ["seeds[1]", "valid integer"]),
        ({"seeds": [2**63]}, ["is not a seed"]),
        ({"render": {"steps": True}}, ["render.steps", "is true, but must be a number"]),
        ({"render": {"steps": [3, True]}}, ["render.steps[1]", "is true"]),
        ({"render": {"rotate": float("nan")}}, ["render.rotate"]),
        ({"render": {"rotate": float("inf")}}, ["render.rotate"]),
        ({"render": {"rotate": [1.0, float("nan")]}}, ["render.rotate[1]"]),
        ({"input_size": True}, ["input_size", "is true"]),
        ({"shard": True}, ["shard", "is true"]),
        ({"steps_by_layer": {"x": True}}, ["steps_by_layer", "is true"]),
        ({"models": [FACTORY | {"init_seed": True}]}, ["models[0].init_seed", "is true"]),
        ({"models": [FACTORY | {"normalization": {"mean": [0, float("nan"), 0], "std": [1, 1, 1]}}]}, ["finite"]),
        ({"models": [FACTORY | {"normalization": {"mean": [0, 0, 0], "std": [1, float("inf"), 1]}}]}, ["finite"]),
        ({"models": [FACTORY | {"normalization": {"mean": [0, 0, 0], "std": [1, True, 1]}}]}, ["is true"]),
        ({"models": [FACTORY | {"normalization": {"mean": [123.0, 116.0, 103.0], "std": [1, 1, 1]}}]}, ["255th"]),
        ({"models": [FACTORY | {"normalization": {"mean": [0, 0, 0], "std": [1, 1e-30, 1]}}]}, ["255th"]),
        ({"models": [FACTORY | {"options": {"a": {1: 2}}}]}, ["is no text"]),
        ({"resources": {"num_cpus": float("inf")}}, ["resources.num_cpus", "less than"]),
        ({"resources": {"num_cpus": 1e300}}, ["resources.num_cpus"]),
        ({"resources": {"timeout": float("nan")}}, ["resources.timeout"]),
        ({"resources": {"custom": {"GPU": 1}}}, ["no custom resource"]),
        ({"resources": {"custom": {"x": -1}}}, ["0 to 10^9"]),
        ({"sweeps": {"steps": [1, 2]}}, ["sweeps", "unknown field"]),
        ({"name": "zarr.json"}, ["store needs itself"]),
        ({"name": "a.partial"}, ["store needs itself"]),
        ({"name": "A.PARTIAL"}, ["store needs itself"]),
        ({"name": "c"}, ["store needs itself"]),
        ({"name": "_index"}, ["name"]),
        ({"name": ".hidden"}, ["name"]),
        ({"name": "a\n"}, ["name"]),
        ({"models": [FACTORY | {"name": "x" * 201}]}, ["models[0].name", "201 characters"]),
        ({"models": [FACTORY | {"name": ""}]}, ["is empty"]),
        ({"models": [FACTORY | {"name": " x"}]}, ["begins or ends with a space"]),
        ({"models": [FACTORY | {"name": "a\nb"}]}, ["'\\n', which cannot be printed"]),
        ({"models": [FACTORY | {"name": "a\u202eb"}]}, ["'\\u202e', which cannot be printed"]),
        ({"images": [{"file": "x", "name": "a\x7f"}]}, ["images[0].name", "cannot be printed"]),
        ({"layers": [0]}, ["layers[0]", 'in quotes, "0"']),  # a Sequential's first layer
        ({"layers": ["a\tb"]}, ["layers[0]", "cannot be printed"]),
        ({"differences": [{"a": "a", "b": "b", "name": "\u200b"}]}, ["differences[0].name", "cannot be printed"]),
        ({"models": [FACTORY | {"name": "1"}, FACTORY | {"name": "1.0"}]}, ["'1' and '1.0'", "told apart"]),
        ({"models": [FACTORY | {"name": "é"}, FACTORY | {"name": "e\u0301"}]}, ["told apart"]),
        ({"images": [{"file": "x", "name": "Cat"}, {"file": "y", "name": "cat"}]}, ["'Cat' and 'cat'", "told apart"]),
        ({"models": [FACTORY | {"name": "a - b"}, FACTORY | {"name": "a — b"}]}, ["told apart"]),
        (
            {"models": [FACTORY | {"name": "a - b"}], "differences": [{"a": "a", "b": "b", "name": "a − b"}]},
            ["told apart"],
        ),
    ],
)
def test_fields_are_refused_by_place_and_reason(work, changes, says):
    message = refused(work, config(**changes))
    assert all(words in message for words in ["->", *says]), message


def test_names_that_people_do_give_are_taken(work):
    names = ["ResNet-50 (v2)", "猫", "a [/bold] b", "x=1, y", "1", "01", "10", "1.5", "=SUM(A1)", "../up", "Ø − 2"]
    experiment = load_experiment(write(work / "c.yaml", config(models=[FACTORY | {"name": n} for n in names])))
    assert [source.name for source in experiment.models] == names


def test_labels_that_look_alike_are_found():
    assert alike(["a", "b", "a"]) == ("a", "a") and alike(["0.5", "0.50"]) == ("0.5", "0.50")
    assert alike(["a b", "a_b", "10", "1", "100", "v1.0", "v1"]) is None
    assert alike([]) is None and check_label("a") == "a" and check_experiment_name("c1") == "c1"


@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "large", "latin-1", "long", "nul"])
def test_a_config_that_is_no_text_file_is_refused_at_once(work, kind):
    path = work / "c.yaml"

    def large():
        path.touch()
        os.truncate(path, 2**30)

    make = {
        "folder": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "large": large,
        "latin-1": lambda: path.write_bytes("name: é".encode("latin-1")),
    }
    make.get(kind, str)()
    with pytest.raises(InputError, match=r"is no file|too large|cannot be read"):
        load_experiment({"long": "x" * 5000, "nul": "a\0b"}.get(kind, path))


@pytest.mark.parametrize(
    "override",
    [
        "render.steps=&a [*a]",
        "seeds=[1,1",
        "name=\ud800",
        "render.steps=true",
        "a.b=1",
        "seeds=[0x" + "f" * 5000 + "]",
        "models.0.name=x",
        "name.x=1",
        ".=1",
        "..a=1",
    ],
)
def test_overrides_are_parsed_as_the_file_is(work, override):
    refused(work, config(), override)


def test_what_nobody_foresaw_is_still_place_problem_remedy(work, monkeypatch):
    def stumble(_document):
        raise ZeroDivisionError("a surprise\x1b[31m")

    monkeypatch.setattr(Experiment, "model_validate", stumble)
    message = refused(work, config())
    assert "cannot be read: ZeroDivisionError: a surprise\\x1b[31m" in message and "->" in message
