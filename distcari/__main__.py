"""`python -m distcari …` is `distcari …`."""

from distcari.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
