import pytest
from support.shared import config, write

from distcari.cli.main import main
from distcari.config.load import load_experiment
from distcari.errors import InputError


def load(work, document, *overrides):
    return load_experiment(write(work / "c.yaml", document), overrides)


def test_loads_with_defaults_and_overrides(work):
    experiment = load(work, config(), "render.steps=7", "resources.batch=2", "name=other")
    assert (experiment.render.steps, experiment.resources.batch, experiment.name) == (7, 2, "other")
    assert experiment.seeds == [0] and experiment.images[0].file == "photos/*.png"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"layrs": ["x"]}, ["layrs", "unknown field", "layers"]),
        ({"render": {"stepps": 3}}, ["render.stepps", "unknown field", "steps"]),
        ({"render": {"steps": 0}}, ["render.steps"]),
        ({"render": {"size": 7}}, ["render.size"]),
        ({"models": []}, ["models", "empty"]),
        ({"images": []}, ["images", "empty"]),
        ({"layers": []}, ["layers", "empty"]),
        ({"layers": ["a.b", "a_b"]}, ["layers", "duplicate layer 'a_b'"]),
        ({"seeds": [1, 1]}, ["seeds", "duplicate seed 1"]),
        ({"seeds": [-1]}, ["seeds", "-1 is not a seed"]),
        ({"seeds": ["x"]}, ["seeds[0]"]),
        ({"models": [{"name": "x"}]}, ["models[0]", "exactly one of torchvision, timm, factory"]),
        ({"models": [{"factory": "nocolon"}]}, ["models[0]", "module:function"]),
        ({"images": [{"file": "a", "url": "http://b"}]}, ["images[0]", "exactly one of file, url, sample"]),
        ({"name": "../evil"}, ["name"]),
        ({"models": [{"factory": "a:b", "normalization": {"mean": [0, 0, 0], "std": [0, 1, 1]}}]}, ["greater than 0"]),
    ],
)
def test_names_the_line_the_field_and_the_remedy(work, changes, says):
    with pytest.raises(InputError) as error:
        load(work, config(**changes))
    text = str(error.value)
    assert "c.yaml" in text and "line " in text and "->" in text
    for words in says:
        assert words in text


@pytest.mark.parametrize(
    ("content", "says"), [("a: [", "not valid YAML"), ("just text", "no fields"), ("", "no fields")]
)
def test_refuses_what_is_no_config(work, content, says):
    (work / "c.yaml").write_text(content)
    with pytest.raises(InputError, match=says):
        load_experiment(work / "c.yaml")


def test_missing_config_shows_the_nearest(work):
    write(work / "demo.yaml", config())
    with pytest.raises(InputError, match=r"Did you mean .*demo\.yaml"):
        load_experiment(work / "dmeo.yaml")


@pytest.mark.parametrize("override", ["render.steps", "=3", "name.x=3"])
def test_bad_overrides_are_refused(work, override):
    with pytest.raises(InputError, match="--set"):
        load(work, config(), override)


def test_the_command_checks_and_prints_the_schema(work, capsys):
    assert main(["config", "check", write(work / "c.yaml", config())]) == 0
    assert main(["config", "check", write(work / "c.yaml", config(layers=[]))]) == 2
    assert main(["config", "schema"]) == 0
    assert "| render | `cossim_pow` |" in capsys.readouterr().out
