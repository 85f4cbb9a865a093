"""Is this place a store that this distcari can read, and can it be written? Its note `distcari.json` says the first."""

import json
import tempfile

from distcari import __version__
from distcari.errors import InputError, one_line
from distcari.store.files import Files, is_local, local_path, sound_path

FORMAT = 1
_NOTE = "distcari.json"


def check_note(url: str, files: Files, create: bool = False) -> None:
    """Raise InputError if the store was made by a newer distcari, or its note `distcari.json` says nothing."""
    try:
        made = json.loads(files.read(_NOTE))
        known = int(made["format"]) <= FORMAT
    except FileNotFoundError:
        if create:
            files.write(_NOTE, json.dumps({"format": FORMAT, "distcari": __version__}).encode())
        return
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise InputError(
            f"store {url}",
            f"its {_NOTE} is damaged",
            f"If it is a store of distcari, delete {_NOTE}: the next run writes it again.",
        ) from None
    if not known:
        raise InputError(
            f"store {url}",
            f"has format {made['format']} (distcari {made.get('distcari')}); this {__version__} knows {FORMAT}",
            "Update distcari (pip install -U), or give another store.",
        )


def check_place(url: str, files: Files) -> None:
    """Raise InputError if nothing can be written at the place. Writes nothing."""
    try:
        if not is_local(url):
            files.list("leases")
            return
        there = local_path(url)
        with sound_path(there):
            if there.is_symlink():
                there.stat()  # a loop of links, or one that leads nowhere, says so
            while not there.exists():
                there = there.parent
            with tempfile.TemporaryFile(dir=there):  # has no name: what can be asked of /proc or a full disk?
                pass
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"store {url}",
            f"cannot be written: {one_line(error)}",
            "Give another place with `store:` in the config or --set store=DIR, or mend its permissions."
            if is_local(url)
            else "See that the bucket exists and that the credentials (environment, `store_options`) may write to it.",
        ) from None
