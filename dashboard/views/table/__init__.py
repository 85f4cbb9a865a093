"""The index as a table."""
