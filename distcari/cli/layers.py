"""List the layers of a config's models, by name, with kind, shape and depth: python -m distcari.models CONFIG

A star marks the layers that the config asks for. Depth is the share of the model's compute before the layer's output.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from distcari.config.load import load_experiment
from distcari.errors import InputError

Rows = list[tuple[Any, bool]]


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m distcari.models", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="the experiment's YAML file")
    parser.add_argument("--model", help="only the model of this name")
    parser.add_argument("--kind", help="only layers of these kinds, e.g. block,conv")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    args = parser.parse_args(argv)
    try:
        _list(args)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _list(args: argparse.Namespace) -> None:
    experiment = load_experiment(args.config)
    from distcari.render import describe_layers, find_layers
    from distcari.sources.models import expand_models, load_model

    specs = expand_models(experiment, args.config)
    if args.model and args.model not in {spec.name for spec in specs}:
        raise InputError(f"--model {args.model}", "no such model", f"There are: {', '.join(s.name for s in specs)}.")
    kinds = set(args.kind.split(",")) if args.kind else None
    found = {}
    for spec in specs:
        if args.model in (None, spec.name):
            infos = describe_layers(load_model(spec), spec.input_size)
            asked = {info.name for pattern in experiment.layers for info in find_layers(infos, pattern)}
            found[spec.name] = [(info, info.name in asked) for info in infos if kinds is None or info.kind in kinds]
    if args.json:
        print(json.dumps({m: [{**asdict(i), "asked": a} for i, a in rows] for m, rows in found.items()}, indent=1))
        return
    for names, listed in _same(found):
        print(f"\n{', '.join(names)}")
        width = max((len(info.name) for info, _ in listed), default=0)
        for info, starred in listed:
            shape = " × ".join(map(str, info.shape))
            print(f"{'*' if starred else ' '} {info.name:<{width}}  {info.kind:<10} {shape:<16} {info.depth:.3f}")


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


if __name__ == "__main__":
    raise SystemExit(main())
