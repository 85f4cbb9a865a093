"""`distcari layers`: the layers that a config's models have."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from distcari.cli.options import ConfigFile, Overrides, needs_models
from distcari.errors import InputError

Rows = list[tuple[Any, list[str]]]  # a layer, and the columns of the grid that it stands in


def layers(
    config: ConfigFile,
    model: Annotated[str | None, typer.Option(help="Only the model of this name.", show_default=False)] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only layers of these kinds, e.g. block,conv.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    overrides: Overrides = None,
) -> None:
    """List the layers of a config's models.

    By name, with kind, shape and depth. A star marks the layers that the config asks for; behind it stands the column's
    name where that is an alias or a depth. Depth is the share of the model's compute before the layer's output. Models
    with the same layers are listed once.

    \b
    Examples:
      distcari layers configs/demo.yaml --kind block
      distcari layers configs/demo.yaml --model lite0 --json
    """
    found = _found(config, overrides, model, set(kind.split(",")) if kind else None)
    if as_json:
        plain = {m: [{**asdict(i), "asked": bool(c), "columns": c} for i, c in rows] for m, rows in found.items()}
        typer.echo(json.dumps(plain, indent=1))
        return
    for names, listed in _same(found):
        typer.echo(f"\n{', '.join(names)}")
        width = max((len(info.name) for info, _ in listed), default=0)
        for info, columns in listed:
            shape = " × ".join(map(str, info.shape))
            other = ", ".join(column for column in columns if column != info.name)
            line = f"{'*' if columns else ' '} {info.name:<{width}}  {info.kind:<10} {shape:<16} {info.depth:.3f}"
            typer.echo(f"{line}  = {other}" if other else line)


def _found(config: str, overrides: list[str] | None, only: str | None, kinds: set[str] | None) -> dict[str, Rows]:
    """The layers of each model."""
    needs_models()
    from distcari.config.load import load_experiment

    experiment = load_experiment(config, overrides or ())
    from distcari.planning.layers import is_plain, layers_asked
    from distcari.render import describe_layers
    from distcari.sources.models import expand_models, load_model

    specs = expand_models(experiment, config)
    if only and only not in {spec.name for spec in specs}:
        raise InputError(f"--model {only}", "no such model", f"There are: {', '.join(s.name for s in specs)}.")
    seen = [spec for spec in specs if only in (None, spec.name) or not is_plain(experiment)]
    infos = {spec.name: describe_layers(load_model(spec), spec.input_size) for spec in seen}
    columns = layers_asked(experiment, infos, config)
    return {
        name: [(info, columns[name].get(info.name, [])) for info in described if kinds is None or info.kind in kinds]
        for name, described in infos.items()
        if only in (None, name)
    }


def _same(found: dict[str, Rows]) -> list[tuple[list[str], Rows]]:
    """Models with the same layers, listed once."""
    groups: list[tuple[list[str], Rows]] = []
    for name, rows in found.items():
        for names, known in groups:
            if known == rows:
                names.append(name)
                break
        else:
            groups.append(([name], rows))
    return groups
