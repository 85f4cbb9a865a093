"""Compare two models of a store: python -m distcari.analysis compare STORE A B [--out report.html]

A and B are models, or groups of trainings of one recipe: names separated by commas, or a pattern like 'one_camera_*'.
Prints what differs, by how much and how surely; --out writes it with pictures as one HTML file. `distances STORE`
prints between- against within-model distances of every pair. Exit code 2: bad input, with the place and the remedy.
"""

import argparse
import shlex
import sys
import warnings
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args

from distcari.analysis.correction import Method
from distcari.analysis.groups import Given
from distcari.analysis.permutation import Shuffle
from distcari.analysis.study import Study, open_study
from distcari.cli.options import add_store, store_of
from distcari.errors import InputError


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(prog="python -m distcari.analysis", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = p.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare", help="two models, or two groups of trainings")
    distances = commands.add_parser("distances", help="between- against within-model distances of every pair")
    for command in (compare, distances):
        add_store(command)
        command.add_argument("--experiment", help="where the store holds several")
        command.add_argument("--layers", metavar="A,B", type=_names, help="only these layers")
        command.add_argument("--correction", choices=get_args(Method), default="bh",
                             help="of p for the number of comparisons: bh (default), by, or none for a planned one")
        command.add_argument("--shuffle", choices=get_args(Shuffle), default="block",
                             help="deal a block's units freely (default), or only exchange A and B at equal seed")
        command.add_argument("--alpha", type=float, default=0.05, help="what is called significant (default 0.05)")
    compare.add_argument("a", metavar="A", help="a model, or trainings: a,b,c or a pattern")
    compare.add_argument("b", metavar="B", help="the other")
    compare.add_argument("--figures", metavar="A,B", type=_names, help="only these figures: fewer comparisons")
    compare.add_argument("--over", metavar="AXES", type=_names, default=["image"],
                         help="axes to average over (default: image), e.g. image,layer")
    compare.add_argument("--out", type=Path, metavar="FILE", help="write an HTML report with pictures")
    distances.add_argument("--metric", default="colour", help="colour (default), spectrum, or activation")
    distances.add_argument("--through", metavar="MODEL", help="for activation: the network through which to look")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, compute, print; the exit code."""
    args = parser().parse_args(argv)
    warnings.simplefilter("ignore", UserWarning)  # the notes say the same
    try:
        study = open_study(store_of(args), args.experiment)
        print(_compare(study, args, argv) if args.command == "compare" else _distances(study, args))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _compare(study: Study, args: argparse.Namespace, argv: Sequence[str] | None) -> str:
    from distcari.analysis.comparison import compare

    found = compare(study, _models(study, args.a), _models(study, args.b), layers=args.layers, figures=args.figures,
                    over=args.over, alpha=args.alpha, correction=args.correction, shuffle=args.shuffle)
    if args.out is None:
        return f"{found}\n\nWith pictures: --out report.html"
    from distcari.analysis.report import html

    typed = "python -m distcari.analysis " + shlex.join(sys.argv[1:] if argv is None else argv)
    try:
        args.out.write_text(html(found, study, typed), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {args.out}", f"cannot be written: {error.strerror}", "Give another place.") from None
    return f"{found}\n\n{args.out}"


def _distances(study: Study, args: argparse.Namespace) -> str:
    from distcari.analysis.between import between_within

    frame = between_within(study, args.metric, layers=args.layers, alpha=args.alpha, correction=args.correction,
                           shuffle=args.shuffle, through=args.through)
    return "\n".join([frame.to_string(index=False, float_format=lambda v: f"{v:.3g}"), "", *frame.attrs["notes"]])


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _models(study: Study, text: str) -> Given:
    """One name, or several by commas or pattern."""
    found: list[str] = []
    for name in _names(text):
        matches = [m for m in study.models if fnmatchcase(m, name)] if any(c in name for c in "*?[") else [name]
        if not matches:
            raise InputError(f"models {name!r}", f"no model of {study.experiment} matches",
                             f"There are: {', '.join(study.models[:12])}.")
        found += matches
    return found[0] if len(found) == 1 else found


if __name__ == "__main__":
    raise SystemExit(main())
