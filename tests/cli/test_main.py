"""The command itself: help with examples, exit codes in one place, names printed as they are, nothing heavy loaded."""

import os
import subprocess
import sys

import pytest
import typer
from support.shared import config, write
from typer.testing import CliRunner

from distcari import __version__
from distcari.cli.main import app, main
from distcari.cli.options import console
from distcari.errors import InputError, needs

COMMANDS = [
    "submit",
    "demo",
    "models",
    "layers",
    "dashboard",
    "compare",
    "distances",
    "trend",
    "match",
    "similarity",
    "cross",
    "verify",
    "compact",
    "export",
    "publish",
    "exemplars",
    "adopt",
    "tag",
    "config",
    "config check",
    "config show",
    "config schema",
    "config init",
]


def test_there_are_no_commands_but_those_tested_here():
    command = typer.main.get_command(app)
    shown = {name for name, child in command.commands.items() if not child.hidden}
    inner = {f"config {name}" for name in command.commands["config"].commands}
    assert shown | inner == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_an_example(command, capsys):
    assert main([*command.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert f"Usage: distcari {command} " in said and "Example" in said
    assert f"\n    distcari {command}" in said, "the example stands on a line of its own, ready to copy"


def test_help_is_whole_in_the_runner_too():
    said = CliRunner().invoke(app, ["--help"])
    assert said.exit_code == 0 and all(f"\n  {name.split()[0]} " in said.stdout for name in COMMANDS)
    assert "--install-completion" in said.stdout and "130 interrupted" in said.stdout.replace("\n", " ")


def test_the_version_is_the_package_s(capsys):
    assert main(["--version"]) == 0 and capsys.readouterr().out == f"distcari {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["submti", "x"], "submti"),
        (["submit"], "CONFIG"),
        (["submit", "c.yaml", "--no-such"], "--no-such"),
        (["submit", "c.yaml", "--wait", "-5"], "from 0 on"),
        (["submit", "c.yaml", "--wait", "nan"], "from 0 on"),
        (["submit", "c.yaml", "--wait", "inf"], "from 0 on"),
        (["submit", "c.yaml", "--wait", "soon"], "--wait"),
        (["verify", "s", "--jobs", "0"], "--jobs"),
        (["compare", "s", "a", "b", "--correction", "x"], "--correction"),
    ],
)
def test_wrong_usage_ends_with_2_and_how_it_should_be(typed, says, capsys):
    assert main(typed) == 2
    said = capsys.readouterr()
    assert says in said.err and "--help" in said.err and said.out == ""


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["submit", "nowhere.yaml"], "no such config file"),
        (["verify", "nowhere"], "no distcari store"),
        (["submit", "c.yaml", "--only", "model"], "axis=label"),
        (["submit", "c.yaml", "--set", "x"], "field=value"),
        (["verify", "s", "--option", "x"], "name=value"),
        (["verify", "s", "--option", "x=["], "not valid YAML"),
        (["adopt", "nowhere"], "is no folder"),
        (["config", "check", "nowhere.yaml"], "no such config file"),
    ],
)
def test_bad_input_ends_with_2_place_problem_and_remedy(typed, says, work, capsys):
    write("c.yaml", config())
    assert main(typed) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and says in said and "\n  -> " in said


@pytest.mark.parametrize("raised", [KeyboardInterrupt, EOFError, typer.Abort])
def test_an_interruption_ends_with_130(raised, monkeypatch, capsys):
    def interrupted(*_):
        raise raised

    monkeypatch.setattr("distcari.config.load.load_experiment", interrupted)
    assert main(["config", "check", "c.yaml"]) == 130 and "interrupted" in capsys.readouterr().err


def test_a_missing_extra_is_named_with_the_command_that_brings_it():
    with pytest.raises(InputError, match=r"extra `cluster`\n  -> pip install 'distcari\[cluster\]'") as raised:
        needs("cluster", "yaml", "no_such_package_of_anybody")
    assert raised.value.where == "package no_such_package_of_anybody"
    needs("cluster", "yaml")


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from distcari.cli.main import main; code = main(['submit', '--help'])\n"
        "heavy = {'torch', 'ray', 'pandas', 'numpy', 'zarr', 'pyarrow', 'dash', 'scipy', 'rich'}\n"
        "sys.exit(f'loaded: {heavy & set(sys.modules)}' if heavy & set(sys.modules) else code)"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_both_names_of_the_command_are_the_same():
    said = [
        subprocess.run([sys.executable, "-m", *name, "--help"], capture_output=True, text=True).stdout
        for name in (["distcari", "submit"], ["distcari.submit"])
    ]
    assert said[0] == said[1] and "Usage: distcari submit" in said[0]


def test_a_shell_completes_commands_and_options():
    def completed(words):
        asked = {
            "_DISTCARI_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        done = subprocess.run([sys.executable, "-m", "distcari"], env=os.environ | asked, stdout=subprocess.PIPE)
        return done.stdout.decode().split()

    assert {"compact", "compare", "config"} <= set(completed(["distcari", "co"]))
    assert "--dry-run" in completed(["distcari", "submit", "--d"])


@pytest.mark.parametrize("name", ["[/bold]", "[red]x", ":smile:", "a − b", "lite0_noise_" + "long" * 40])
def test_names_are_printed_as_they_are(name, work, capsys):
    models = [{"name": name, "factory": "tiny:net"}]
    assert main(["models", write("c.yaml", config(models=models))]) == 0
    assert name in capsys.readouterr().out
    console().print(f"{name} here")
    assert f"{name} here" in capsys.readouterr().out


def test_models_are_listed_with_what_was_found(work, capsys):
    assert main(["models", write("c.yaml", config())]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "model",
        "architecture",
        "weights",
        "sha256",
        "classes",
        "parameters",
        "normalization",
        "input",
    ]
    a, b = (line.split() for line in lines[1:3])
    assert a[:2] == ["a", "net"] and "init_seed 1" in lines[2] and a[-2:] == ["imagenet", "32"]
    assert a[-4] == b[-4] == "5" and a[-5] != b[-5], "as many classes, other weights"


def test_a_pipe_gets_no_colours(work):
    path = write("c.yaml", config())
    command = [sys.executable, "-m", "distcari", "submit", path, "--dry-run"]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 0 and b"8 cells" in done.stdout and b"\x1b" not in done.stdout + done.stderr
