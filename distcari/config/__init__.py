"""The YAML file: its fields, reading it, and its reference."""
