"""python -m system.chaos [--kills N] [--seed S] [--shard K], in tests/: a report; exit code 1 if anything was found."""

import argparse
import shutil
import sys
import tempfile

from system.chaos.chaos_run import ChaosRun


def main():
    parser = argparse.ArgumentParser(prog="python -m system.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shard", type=int, default=1)
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="chaos")
    chaos = ChaosRun(folder, args.seed, args.shard)
    try:
        report = chaos.run(args.kills, args.seconds, say=lambda line: print(line, flush=True))
    finally:
        chaos.close()
    print(report)
    if report.findings:
        print(f"kept for looking: {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


sys.exit(main())
