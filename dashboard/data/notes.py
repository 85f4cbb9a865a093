"""Notes on views, kept beside the store: `notes/notes.jsonl`, one JSON object a line. All that the dashboard writes.

    {"id": "…", "time": "2026-…", "edited": "", "url": "?view=compare&exp=demo&…", "text": "…"}

The file is replaced whole and only if it is still what was read (`Files.swap`), so that two dashboards of one store
lose no note. Lines that cannot be read stay where they are.
"""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from distcari.dashboard.data.state import parse
from distcari.errors import InputError
from distcari.store import Store

PATH = "notes/notes.jsonl"
MOST = 20_000  # characters of a note
EVERY = 2.0  # seconds after which the file is read again
log = logging.getLogger(__name__)


class Refused(Exception):
    """Why a note cannot be kept, in a sentence."""


@dataclass(frozen=True)
class Note:
    """What somebody wrote of a view; times are ISO, UTC."""

    id: str
    time: str
    url: str  # the view's query string
    text: str
    edited: str = ""


class Notes:
    """The notes of a store. Safe to use from many threads."""

    def __init__(self, store: Store, read_only: bool = False) -> None:
        self.store, self.read_only = store, read_only
        self._lock = threading.Lock()
        self._known: bytes | None = None
        self._read_at = float("-inf")

    def refused(self) -> str:
        """Why nothing can be written; empty if it can, as far as one can know without trying."""
        if self.read_only:
            return "The dashboard was started with --read-only."
        try:
            self.store.files.read("distcari.json")
            self.store.check_writable()
        except FileNotFoundError:
            return "There is no store yet to keep notes beside."
        except InputError as error:
            return f"Notes cannot be kept: {error}"
        except Exception as error:
            return f"Notes cannot be kept: {type(error).__name__}"
        return ""

    def all(self) -> list[Note]:
        """All notes, newest first."""
        with self._lock:
            if time.monotonic() - self._read_at > EVERY:
                self._known, self._read_at = self._read(), time.monotonic()
            content = self._known
        found = [note for line in (content or b"").splitlines() if (note := _note(line)) is not None]
        return sorted(found, key=lambda note: note.time, reverse=True)

    def of(self, url: str) -> list[Note]:
        """The notes of one view, newest first."""
        return [note for note in self.all() if note.url == canonical(url)]

    def add(self, url: str, text: str) -> Note:
        """Keep a note. Raises Refused."""
        note = Note(secrets.token_hex(6), _now(), canonical(url), _checked(text))
        self._change(lambda lines: [*lines, _line(note)])
        return note

    def edit(self, id_: str, text: str) -> None:
        """Put another text in a note's place. Raises Refused, also if the note is gone."""
        wanted = _checked(text)
        self._change(lambda lines: self._each(
            lines, id_, lambda note: [_line(replace(note, text=wanted, edited=_now()))]))

    def remove(self, id_: str) -> None:
        """Take a note away. Raises Refused, also if it is gone already."""
        self._change(lambda lines: self._each(lines, id_, lambda note: []))

    def _each(self, lines: list[bytes], id_: str, change: Callable[[Note], list[bytes]]) -> list[bytes]:
        made: list[bytes] = []
        hit = False
        for line in lines:
            note = _note(line)
            if note is not None and note.id == id_:
                made += change(note)
                hit = True
            else:
                made.append(line)
        if not hit:
            raise Refused("This note is not there any more.")
        return made

    def _change(self, change: Callable[[list[bytes]], list[bytes]]) -> None:
        if why := self.refused():
            raise Refused(why)
        with self._lock:
            for _ in range(20):
                try:
                    old = self._read()
                    new = b"".join(line + b"\n" for line in change((old or b"").splitlines()))
                    done = self.store.files.swap(PATH, old, new)
                except Refused:
                    raise
                except Exception as error:
                    log.warning("the note could not be written: %s: %s", type(error).__name__, error)
                    raise Refused(f"The note could not be written: {type(error).__name__}.") from None
                if done:
                    self._known, self._read_at = new, time.monotonic()
                    return
        raise Refused("Others keep changing the notes at this moment; try again.")

    def _read(self) -> bytes | None:
        try:
            return self.store.files.read(PATH)
        except (FileNotFoundError, NotADirectoryError):
            return None


def canonical(url: str) -> str:
    """A query string as the state writes it: nothing in it can be anything but a view of this dashboard."""
    return parse(url).search()


def _checked(text: str) -> str:
    if not text.strip():
        raise Refused("A note needs some text.")
    if len(text) > MOST:
        raise Refused(f"A note has at most {MOST:,} characters; this has {len(text):,}.")
    return text.strip()


def _line(note: Note) -> bytes:
    return json.dumps(asdict(note), ensure_ascii=False).encode("utf-8", "replace")


def _note(line: bytes) -> Note | None:
    try:
        said = json.loads(line)
        fields = {name: said[name] for name in ("id", "time", "url", "text")}
    except (ValueError, KeyError, TypeError):
        return None
    if not all(isinstance(value, str) for value in fields.values()):
        return None
    return Note(fields["id"], fields["time"], canonical(fields["url"]), fields["text"], str(said.get("edited", "")))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
