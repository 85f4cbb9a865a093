"""Read a whole store and compare it with its checksums: python -m distcari.verify STORE [--requeue]

Every index part, picture, gain curve, match map and input is looked at. With --requeue what is damaged is taken out of
the index (and damaged parts are put aside), so that the next `distcari.submit` computes it again.
Exit code 0: all is well, or was requeued; 1: damage was found; 2: bad input.
"""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.status import Status

from distcari.cli.options import add_store, store_of
from distcari.errors import InputError
from distcari.store.check import Finding, check, requeue
from distcari.store.store import Store


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m distcari.verify", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_store(parser)
    parser.add_argument("--experiment", action="append", help="only this experiment (repeatable)")
    parser.add_argument("--requeue", action="store_true", help="let the next run compute again what is damaged")
    parser.add_argument("--jobs", type=int, default=4, help="cells read at once (default 4)")
    args = parser.parse_args(argv)
    try:
        store = store_of(args, writable=args.requeue)
        if unknown := set(args.experiment or []) - set(store.experiments()):
            raise InputError(f"--experiment {sorted(unknown)[0]}", "there is none of that name in the store",
                             f"There are: {', '.join(store.experiments())}.")
        return _verify(store, args)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _verify(store: Store, args: argparse.Namespace) -> int:
    findings: list[Finding] = []
    looked = 0
    with Status("verifying", console=Console(stderr=True)) as status:
        for told in check(store, args.experiment, args.jobs):
            if isinstance(told, Finding):
                findings.append(told)
                print(f"DAMAGED {told.where}: {told.what}")
            else:
                looked = told
                status.update(f"verifying: {looked} cells, {len(findings)} findings")
    print(f"{looked} cells verified, {len(findings)} findings in {store.url}")
    if not findings:
        return 0
    if not args.requeue:
        print(f"Mend it with: python -m distcari.verify {store.url} --requeue   and then submit the config again.")
        return 1
    gone = requeue(store, findings)
    print(f"{gone} cells taken out of the index; submit the config again to compute them and what damaged parts held")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
