"""`distcari config`: check, show, explain and begin config files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distcari.cli.options import ConfigFile, Overrides, names
from distcari.errors import InputError

if TYPE_CHECKING:
    from distcari.config.experiment import Experiment

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Check, show, explain and begin config files.\n\n"
    "\b\nExamples:\n  distcari config init experiment.yaml\n  distcari config check experiment.yaml",
)


@app.command()
def check(config: ConfigFile, overrides: Overrides = None) -> None:
    """Check a config file: its form, fields and values. Nothing that it names is looked up.

    To have models, images and layers looked up too: `distcari submit CONFIG --dry-run`.

    \b
    Example:
      distcari config check configs/demo.yaml
    """
    experiment = _load(config, overrides)
    typer.echo(
        f"{config}: a valid experiment called {experiment.name}. Look everything up that it names: "
        f"distcari submit {config} --dry-run"
    )


@app.command()
def show(config: ConfigFile, overrides: Overrides = None) -> None:
    """Print a config with all its defaults, as YAML.

    \b
    Example:
      distcari config show configs/demo.yaml --set render.steps=64
    """
    import yaml

    experiment = _load(config, overrides)
    document = experiment.model_dump(mode="json")
    typer.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True).removesuffix("\n"))


@app.command()
def schema() -> None:
    """Print the reference of every config field, as a table in Markdown.

    \b
    Example:
      distcari config schema | grep steps
    """
    from distcari.config.reference import reference

    typer.echo(reference())


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="[PATH]", help="The file to write.")] = Path("experiment.yaml"),
    name: Annotated[
        str | None, typer.Option(help="The experiment's name in the store; default: the file's.", show_default=False)
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            show_default=False,
            help="Models: a torchvision name, timm:NAME, or module:function; each with =CHECKPOINT, a file or a glob.",
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Images: files, folders, globs, URLs, sample:NAME.", show_default=False),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Layers: module paths or patterns; blocks: every block.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a commented config to begin with. What is not given as a flag is asked for.

    \b
    Examples:
      distcari config init
      distcari config init lab.yaml --models 'resnet50=checkpoints/*.pth' --images 'images/*.png' --layers layer3,layer4
    """
    if path.exists() and not force:
        raise InputError(str(path), "is there already", "Give another path, or --force to write over it.")
    from distcari.config.starter import starting_config

    text = starting_config(
        name or path.stem,
        _answer(models, "--models", "Models (torchvision name, timm:NAME, module:function; =CHECKPOINT)", "resnet50"),
        _answer(images, "--images", "Images (files, globs, URLs, sample:NAME)", "sample:chelsea,sample:coffee"),
        _answer(layers, "--layers", "Layers (module paths, patterns; blocks: every block)", "blocks"),
        str(path),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(str(path), f"cannot be written: {error.strerror}", "Give another path.") from None
    typer.echo(
        f"{path} written. Next: distcari models {path}   distcari layers {path}   distcari submit {path} --dry-run"
    )


def _answer(given: str | None, flag: str, question: str, default: str) -> list[str]:
    """The flag's values, else what is answered. Raises InputError where there is nobody to ask."""
    if given is None:
        try:
            given = str(typer.prompt(question, default=default))
        except typer.Abort:
            if sys.stdin.isatty():  # Ctrl-C
                raise
            raise InputError(flag, "is not given, and there is nobody to ask", f"Example: {flag} {default}") from None
    return names(given) or []


def _load(config: str, overrides: list[str] | None) -> "Experiment":
    from distcari.config.load import load_experiment

    return load_experiment(config, overrides or ())
