"""Labels as text: as shown, as in the URL."""

from collections.abc import Sequence
from itertools import takewhile

from distcari.grid import label_text


def text(label: object) -> str:
    """A label as shown and as it stands in the URL."""
    return label_text(label) if isinstance(label, float) else str(label)


def short(name: str, most: int = 22) -> str:
    """A name of at most so many signs, its middle left out: what sets siblings apart stands at the end."""
    return name if len(name) <= most else f"{name[: (most - 1) * 2 // 5]}…{name[-((most - 1) - (most - 1) * 2 // 5) :]}"


def unlike(names: Sequence[str]) -> list[str]:
    """The names without what all of them begin with, up to a separator."""
    alike = takewhile(lambda signs: len(set(signs)) == 1, zip(*names, strict=False)) if len(names) > 1 else ()
    shared = "".join(signs[0] for signs in alike)
    cut = max((shared.rfind(sign) for sign in "_-. /"), default=-1) + 1
    return [name[cut:] or name for name in names]
