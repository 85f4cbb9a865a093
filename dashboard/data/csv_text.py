"""Text in CSV: spreadsheets compute cells that begin with certain characters, which others may have written."""

_COMPUTED = ("=", "+", "-", "@", "\t", "\r")


def as_text(value: object) -> object:
    """A cell's text, with an apostrophe before what a spreadsheet would compute; what is no text stays as it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_COMPUTED) else value
