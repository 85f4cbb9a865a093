"""Overview: what the experiment is, which models see alike, and where they differ most."""
