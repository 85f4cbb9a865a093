"""The command `distcari`: its subcommands, and the one place where an outcome becomes an exit code.

0: done; 1: not complete (cells failed, damage found); 2: bad input, said with place, problem and remedy;
130: interrupted.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, cast

import typer

from distcari import __version__
from distcari.cli import (
    adopt,
    compact,
    compare,
    config,
    cross,
    dashboard,
    demo,
    distances,
    exemplars,
    export,
    layers,
    match,
    models,
    publish,
    reference,
    similarity,
    submit,
    tag,
    trend,
    verify,
)
from distcari.cli.process import drop, ended_by_sigterm
from distcari.errors import InputError

DONE, INCOMPLETE, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])  # typer exports only this one of its kinds

# Plain help: the same in a terminal, a pipe and the documentation.
app = typer.Typer(name="distcari", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(config.app, name="config")
for module in (
    submit,
    demo,
    models,
    layers,
    dashboard,
    compare,
    distances,
    trend,
    match,
    similarity,
    cross,
    verify,
    compact,
    export,
    publish,
    exemplars,
    adopt,
    tag,
):
    name = module.__name__.rpartition(".")[2]
    app.command(name)(getattr(module, name))
app.command("reference", hidden=True)(reference.reference)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"distcari {__version__}")
        raise typer.Exit()


@app.callback()
def distcari(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Caricatures of neural networks in bulk: models x images x layers x seeds, computed, kept and compared.

    Exit codes: 0 done; 1 not complete (cells failed, damage found); 2 bad input; 130 interrupted.

    \b
    Examples:
      distcari demo                              two networks, three photographs
      distcari config init experiment.yaml       a starting config, by a few questions
      distcari submit experiment.yaml            compute it; again: go on, or do nothing
      distcari dashboard --store store           look at it in a browser
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    command = typer.main.get_command(app)
    if "_DISTCARI_COMPLETE" in os.environ:  # a shell asks how to go on; this ends by itself
        command.main(arguments, prog_name="distcari")
    try:
        with ended_by_sigterm(), command.make_context("distcari", arguments.copy(), obj=arguments) as context:
            command.invoke(context)
        sys.stdout.flush()
        return DONE
    except typer.Exit as ended:
        return ended.exit_code
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except UsageError as error:
        error.show()  # type: ignore[attr-defined]
        return BAD_INPUT
    except (KeyboardInterrupt, EOFError, typer.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has left
        drop(sys.stdout)
        return INCOMPLETE
