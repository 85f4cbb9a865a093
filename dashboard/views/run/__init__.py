"""The runs: what goes on, and what failed."""
