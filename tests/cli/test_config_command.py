"""`distcari config`: what init writes is valid whatever the answers, and comments explain it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.shared import config, write
from typer.testing import CliRunner

from distcari.cli.main import app, main
from distcari.config.load import load_experiment, parse_experiment
from distcari.config.starter import image_entry, model_entry, starting_config
from distcari.errors import InputError

FLAGS = [
    "--models",
    "resnet50=checkpoints/*.pth,timm:vit_tiny_patch16_224,my.nets:build",
    "--images",
    "images/*.png,sample:chelsea,https://example.org/x.png",
    "--layers",
    "layer3,layer4_*",
]


def test_init_writes_what_the_flags_say(work, capsys):
    assert main(["config", "init", "lab.yaml", *FLAGS]) == 0
    experiment = load_experiment("lab.yaml")
    assert experiment.name == "lab" and experiment.layers == ["layer3", "layer4_*"]
    assert [(m.architecture, m.checkpoint, m.weights) for m in experiment.models] == [
        ("resnet50", "checkpoints/*.pth", None),
        ("vit_tiny_patch16_224", None, True),
        ("build", None, None),
    ]
    assert [(i.file, i.sample, i.url) for i in experiment.images] == [
        ("images/*.png", None, None),
        (None, "chelsea", None),
        (None, None, "https://example.org/x.png"),
    ]
    text = Path("lab.yaml").read_text()
    for field in yaml.safe_load(text):
        at = text.splitlines().index(next(line for line in text.splitlines() if line.startswith(f"{field}:")))
        assert text.splitlines()[at - 1].startswith("#"), f"{field} is explained"
    assert "distcari layers lab.yaml" in capsys.readouterr().out


def test_init_asks_for_what_is_not_given(work):
    said = CliRunner().invoke(app, ["config", "init", "--name", "mine"], input="resnet18\n\nlayer1,layer2\n")
    assert said.exit_code == 0, said.output
    experiment = load_experiment("experiment.yaml")
    assert (experiment.name, experiment.models[0].torchvision, experiment.layers) == (
        "mine",
        "resnet18",
        ["layer1", "layer2"],
    )
    assert [image.sample for image in experiment.images] == ["chelsea", "coffee"], "an empty answer takes the default"


def test_init_writes_over_nothing_unasked(work, capsys):
    Path("lab.yaml").write_text("mine")
    assert main(["config", "init", "lab.yaml", *FLAGS]) == 2
    assert "--force" in capsys.readouterr().err and Path("lab.yaml").read_text() == "mine"
    assert main(["config", "init", "lab.yaml", *FLAGS, "--force"]) == 0 and load_experiment("lab.yaml").name == "lab"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([*FLAGS, "--name", "no/name"], "name"),
        ([*FLAGS[:-1], ","], "layers: is empty"),
        (["--models", "=x", *FLAGS[2:]], "ARCHITECTURE=CHECKPOINT"),
        (["--models", "a:b:c", *FLAGS[2:]], "factory"),
    ],
)
def test_init_writes_nothing_that_is_not_valid(flags, says, work, capsys):
    assert main(["config", "init", "lab.yaml", *flags]) == 2
    assert says in capsys.readouterr().err and not Path("lab.yaml").exists()


def test_init_says_which_flag_is_missing_where_nobody_answers(work):
    said = CliRunner().invoke(app, ["config", "init"], input="")
    assert isinstance(said.exception, InputError) and said.exception.where == "--models"
    assert not Path("experiment.yaml").exists()


TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(lambda t: t.strip())


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=3), st.lists(TEXT, min_size=1, max_size=3))
def test_any_layer_and_file_comes_back_as_it_was_given(layers, files):
    try:
        text = starting_config("x", ["resnet50"], files, layers, "x.yaml")
    except InputError:
        with pytest.raises(InputError):  # refused by the config itself, not by how it was written
            parse_experiment(yaml.safe_dump(document(files, layers)), "x.yaml")
        return
    experiment = parse_experiment(text, "x.yaml")
    assert experiment.layers == layers
    assert experiment.images == parse_experiment(yaml.safe_dump(document(files, layers)), "x.yaml").images


def document(files, layers):
    return {
        "name": "x",
        "models": [model_entry("resnet50")],
        "images": [image_entry(f) for f in files],
        "layers": layers,
    }


def test_show_prints_every_default_and_check_prints_none(work, capsys):
    path = write("c.yaml", config())
    assert main(["config", "show", path, "--set", "render.steps=7"]) == 0
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown)["render"]["steps"] == 7 and yaml.safe_load(shown)["shard"] == 1
    assert load_experiment(write("again.yaml", yaml.safe_load(shown))) == load_experiment(path, ["render.steps=7"])
    assert main(["config", "check", path]) == 0
    assert "a valid experiment called small" in capsys.readouterr().out


def test_schema_names_every_field_in_one_row(capsys):
    assert main(["config", "schema"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert all(row.startswith("| ") and row.endswith(" |") for row in rows)
    assert any("`seeds`" in row for row in rows) and any("| render | `steps`" in row for row in rows)
