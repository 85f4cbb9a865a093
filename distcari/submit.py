"""Compute an experiment: `python -m distcari.submit CONFIG`, the same as `distcari submit CONFIG`."""

from distcari.cli.submit import main

if __name__ == "__main__":
    raise SystemExit(main())
