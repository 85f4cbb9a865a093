"""Compute an experiment: `python -m distcari.submit CONFIG`, the same as `distcari submit CONFIG`."""

import sys

from distcari.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main(["submit", *sys.argv[1:]]))
