"""Configs nobody would write: each loads, or is refused by place, problem and remedy; nothing else, and soon."""

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.shared import config

from distcari.config.experiment import Experiment
from distcari.config.load import load_experiment, parse_experiment
from distcari.errors import InputError

pytestmark = pytest.mark.timeout(300)


def attempts(number):
    """So many, the same in every run."""
    return settings(
        max_examples=number, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


FIELDS = [
    "name",
    "models",
    "images",
    "layers",
    "seeds",
    "render",
    "resources",
    "steps",
    "store",
    "sweeps",
    "mean",
    "std",
    "options",
    "args",
    "checkpoint",
    "factory",
    "timm",
    "url",
    "file",
    "a",
    "b",
    "contrast",
    "custom",
    "shard",
    "differences",
    "normalization",
    "input_size",
    "steps_by_layer",
    "num_cpus",
    "compat",
    "rotate",
    "",
    "x\ny",
]
STRANGE = ["tiny:net", "*", "[", "~root", "lucent", "../up", "\ud800", "nan"]
texts = st.text(max_size=20) | st.sampled_from([*FIELDS, *STRANGE])
numbers = st.integers() | st.floats() | st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**400, 1e308, True, -0.0])
leaves = st.none() | st.booleans() | numbers | texts | st.dates() | st.binary(max_size=5)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)
FULL = config(
    description="all of it",
    seeds=[0, 3],
    shard=2,
    store_options={"endpoint": "x"},
    steps_by_layer={"conv*": 5},
    differences=[{"a": "a", "b": "b", "contrast": 0.5, "layers": {"conv2": "conv1"}}],
    render={"size": 32, "steps": 3, "rotate": [1, 2.5], "views": "both"},
    picture_dtype="float16",
    resources={"num_cpus": 2, "batch": 3},
    store="store",
    images=["photos/*.png", {"url": "http://127.0.0.1/x", "sha256": "0" * 64}, {"sample": "chelsea", "name": "cat"}],
    models=[
        {"name": "a", "factory": "tiny:net", "options": {"width": 8}, "normalization": "half"},
        {"name": "b", "timm": "x", "weights": True, "normalization": {"mean": [0, 0, 0], "std": [1, 1, 1]}},
    ],
)


def places(document, place=()):
    """Every place in a document."""
    yield place
    for name, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield from places(value, (*place, name)) if isinstance(value, dict | list) else [(*place, name)]


PLACES = list(places(FULL))[1:]


def put(document, place, value):
    """A copy of the document with the value at the place."""
    if not place:
        return value
    copied = document.copy()
    copied[place[0]] = put(copied[place[0]] if len(place) > 1 else None, place[1:], value)
    return copied


def loads_or_says(text):
    """The experiment in the text, or None where it is refused as users should see it."""
    try:
        experiment = parse_experiment(text, "c.yaml")
    except InputError as error:
        assert error.where == "c.yaml" and error.problem and error.remedy and len(str(error)) < 5000
        return None
    again = Experiment.model_validate(yaml.safe_load(yaml.safe_dump(experiment.model_dump(mode="json"))))
    assert again == experiment
    return experiment


def test_the_config_that_is_changed_is_a_good_one():
    assert loads_or_says(yaml.safe_dump(FULL, allow_unicode=True)).sweeps == {"rotate": [1.0, 2.5]}


@attempts(150)
@given(st.lists(st.tuples(st.sampled_from(PLACES), values), min_size=1, max_size=2))
def test_any_value_at_any_place(changes):
    document = FULL
    for place, value in changes:
        try:
            document = put(document, place, value)
        except (TypeError, KeyError, IndexError, AttributeError):
            continue  # the first change took the second one's place away
    loads_or_says(dump(document))


@attempts(60)
@given(values)
def test_any_document(document):
    loads_or_says(dump(document))


def dump(document):
    """YAML of the document; lone surrogates, which no file can hold, by their escapes."""
    return yaml.safe_dump(document).encode("utf-8", "backslashreplace").decode()


PIECES = [
    "&a ",
    "*a",
    "<<: *a",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "? ",
    "|\n",
    ">\n",
    "\t",
    "---\n",
    "...\n",
    "\n  ",
    "#",
    "!!binary ",
    "!!set ",
    "!!float ",
    "!!python/name:os ",
    "%YAML 1.2\n",
    "'",
    '"',
    "\\ud800",
    "\0",
    "\ufeff",
    "\u2028",
    ".inf",
    "0o7",
    "1:30:00",
    "2024-01-01",
    "2024-99-99",
    "true",
    "~",
    "=",
    "9" * 5000,
    "[" * 60,
    "- " * 60,
    "{a: " * 60,
]


@attempts(200)
@given(st.data())
def test_any_text_in_a_config(data):
    text = yaml.safe_dump(FULL, sort_keys=False)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(st.sampled_from(PIECES) | st.text(max_size=8)) + text[end:]
    loads_or_says(text)


@attempts(60)
@given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=30).map(lambda p: "".join(p).encode()))
@example(b"\xff\xfe\x00a")
@example(b"")
def test_any_bytes(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_experiment(path)
    assert error.value.remedy


@attempts(60)
@given(st.lists(texts, min_size=1, max_size=3), st.text(max_size=10) | st.sampled_from(PIECES))
def test_any_override(names, value):
    override = f"{'.'.join(names)}={value}"
    try:
        parse_experiment(yaml.safe_dump(FULL), "c.yaml", [override])
    except InputError as error:
        assert error.remedy and (error.where == "c.yaml" or error.where.startswith("--set"))
