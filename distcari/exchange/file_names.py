"""File names out of labels: as near to them as every file system allows, none like another, none that leads away."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

LONGEST = 200  # bytes; file systems allow 255, and an ending still follows
_UNSAFE = frozenset('/\\:*?"<>|')


def file_names(labels: Sequence[Sequence[str]]) -> list[str]:
    """A name for each group of labels, which must be distinct: joined by `_`, where that is a good name of its own.

    Where a character had to go, the name was too long, or two would be alike (also but for case or Unicode form, as
    on some file systems), a short hash of the labels follows.
    """
    plain = ["_".join(group) for group in labels]
    safe = [_safe(text) for text in plain]
    alike = Counter(_folded(name) for name in safe)
    good = [name == text and alike[_folded(name)] == 1 for name, text in zip(safe, plain, strict=True)]
    taken = {_folded(name) for name, kept in zip(safe, good, strict=True) if kept}
    return [name if kept else _marked(name, group, taken) for name, kept, group in zip(safe, good, labels, strict=True)]


def _safe(text: str) -> str:
    clean = "".join("-" if c in _UNSAFE or not c.isprintable() else c for c in text.strip()) or "-"
    clean = re.sub(r"^\.+", "-", clean)
    return clean.encode()[:LONGEST].decode(errors="ignore")


def _marked(name: str, labels: Sequence[str], taken: set[str]) -> str:
    """The name with so much of the labels' hash that nobody else has it, which is then taken."""
    digest = hashlib.sha256(ascii(tuple(labels)).encode()).hexdigest()
    for length in range(8, 65, 8):
        if _folded(marked := f"{name}-{digest[:length]}") not in taken:
            taken.add(_folded(marked))
            return marked
    raise ValueError(f"twice the same labels: {labels}")


def _folded(name: str) -> str:
    """What names have in common that some file systems cannot tell apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", name).casefold())
