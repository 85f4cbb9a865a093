"""Labels as text: as shown, as in the URL."""

from distcari.grid import label_text


def text(label: object) -> str:
    """A label as shown and as it stands in the URL."""
    return label_text(label) if isinstance(label, float) else str(label)
