"""The command line's and the config's reference pages, made from the help that users see."""

from pathlib import Path
from typing import Annotated

import typer


def reference(
    context: typer.Context, folder: Annotated[Path, typer.Argument(help="Folder of the pages.", show_default=False)]
) -> None:
    """Write the generated pages of the documentation: cli.md and config.md.

    \b
    Example:
      distcari reference docs/reference
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(context.find_root().command).items():
        (folder / name).write_text(text, encoding="utf-8")


def pages(command: object) -> dict[str, str]:
    """The pages by file name; `command` is the whole of `distcari`."""
    return {"cli.md": cli_page(command), "config.md": config_page()}


def cli_page(command: object) -> str:
    """The help of a command and of all below it, in Markdown."""
    parts = ["# Command line", "", "Made from the commands' own help (`distcari reference docs/reference`)."]
    for path, text in _helps(command, "distcari", None):
        parts += ["", f"## {path}", "", "```text", text, "```"]
    return "\n".join(parts) + "\n"


def config_page() -> str:
    """Every config field, in Markdown."""
    from distcari.config.reference import reference as table

    return "\n".join(
        [
            "# Configuration",
            "",
            "Every field of an experiment's YAML file, from the code that reads it "
            "(`distcari config schema`). What they are for: [Experiments](../experiments.md).",
            "",
            table(),
            "",
        ]
    )


def _helps(command: object, name: str, parent: object) -> list[tuple[str, str]]:
    """(name, help) of a command and of all below it, in the order of the help, hidden ones left out."""
    context = command.make_context(  # type: ignore[attr-defined]
        name, [], parent=parent, resilient_parsing=True, terminal_width=100, max_content_width=100
    )
    lines = command.get_help(context).splitlines()  # type: ignore[attr-defined]
    found = [(context.command_path, "\n".join(line.rstrip() for line in lines).strip())]
    for below, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            found += _helps(child, below, context)
    return found
