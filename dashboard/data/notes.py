"""Notes on views, kept beside the store: `notes/notes.jsonl`, one JSON object a line. All that the dashboard writes.

    {"id": "…", "time": "2026-…", "edited": "", "url": "?view=compare&exp=demo&…", "text": "…"}

The file is replaced whole and only if it is still what was read (`Files.swap`), so that two dashboards of one store
lose no note. Lines that cannot be read stay where they are. How long, how many and how fast is bounded: the dashboard
has no log-in, and whoever reaches it can write.
"""

import json
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from distcari.dashboard.data.json_text import parsed
from distcari.dashboard.data.state import parse
from distcari.errors import InputError
from distcari.store import Store

PATH = "notes/notes.jsonl"
LONGEST = 4_000  # characters of a note
MOST, MOST_BYTES = 2_000, 8 << 20  # notes in a store, and bytes of their file
PER_MINUTE = 30  # notes kept or changed through one dashboard
EVERY = 2.0  # seconds after which the file is read again
log = logging.getLogger(__name__)


class NoteRefused(Exception):
    """Why a note cannot be kept, in a sentence."""


@dataclass(frozen=True)
class Note:
    """What somebody wrote of a view; times are ISO, UTC."""

    id: str
    time: str
    url: str  # the view's query string
    text: str
    edited: str = ""

    @property
    def stamp(self) -> str:
        """When it was written, to the minute, and whether it was changed since."""
        when = self.time[:16].replace("T", " ") + " UTC"
        return f"{when}, edited {self.edited[:16].replace('T', ' ')}" if self.edited else when


class Notes:
    """The notes of a store. Safe to use from many threads."""

    def __init__(self, store: Store, read_only: bool = False) -> None:
        self.store, self.read_only = store, read_only
        self._lock = threading.Lock()
        self._known: bytes | None = None
        self._notes: dict[str, list[Note]] = {}  # of what is known, newest first, by the view's address
        self._all: list[Note] = []
        self._read_at = float("-inf")
        self._written: deque[float] = deque(maxlen=PER_MINUTE)  # when the latest were

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
            self._look()
            return list(self._all)

    def of(self, url: str) -> list[Note]:
        """The notes of one view, newest first."""
        with self._lock:
            self._look()
            return list(self._notes.get(canonical(url), ()))

    def add(self, url: str, text: str) -> Note:
        """Keep a note. Raises NoteRefused."""
        note = Note(secrets.token_hex(6), _now(), canonical(url), _checked(text))
        self._change(lambda lines: _bounded([*lines, _line(note)]))
        return note

    def edit(self, id_: str, text: str) -> None:
        """Put another text in a note's place. Raises NoteRefused, also if the note is gone."""
        wanted = _checked(text)
        self._change(
            lambda lines: self._each(lines, id_, lambda note: [_line(replace(note, text=wanted, edited=_now()))])
        )

    def remove(self, id_: str) -> None:
        """Take a note away. Raises NoteRefused, also if it is gone already."""
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
            raise NoteRefused("This note is not there any more.")
        return made

    def _change(self, change: Callable[[list[bytes]], list[bytes]]) -> None:
        if why := self.refused():
            raise NoteRefused(why)
        with self._lock:
            if len(self._written) == PER_MINUTE and time.monotonic() - self._written[0] < 60:
                raise NoteRefused(f"{PER_MINUTE} notes were written within a minute; wait a little.")
            for _ in range(20):
                try:
                    old = self._read()
                    new = b"".join(line + b"\n" for line in change((old or b"").splitlines()))
                    done = self.store.files.swap(PATH, old, new)
                except NoteRefused:
                    raise
                except Exception as error:
                    log.warning("the note could not be written: %s: %s", type(error).__name__, error)
                    raise NoteRefused(f"The note could not be written: {type(error).__name__}.") from None
                if done:
                    self._written.append(time.monotonic())
                    self._take(new)
                    return
        raise NoteRefused("Others keep changing the notes at this moment; try again.")

    def _look(self) -> None:
        if time.monotonic() - self._read_at > EVERY:
            self._take(self._read())

    def _take(self, content: bytes | None) -> None:
        """Parse the file once for all who ask, not at every change of an address."""
        self._read_at = time.monotonic()
        if content == self._known:
            return
        found = [note for line in (content or b"").splitlines() if (note := _note(line)) is not None]
        self._known, self._all = content, sorted(found, key=lambda note: note.time, reverse=True)
        self._notes = {}
        for note in self._all:
            self._notes.setdefault(note.url, []).append(note)

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
        raise NoteRefused("A note needs some text.")
    if len(text) > LONGEST:
        raise NoteRefused(f"A note has at most {LONGEST:,} characters; this has {len(text):,}.")
    return text.strip().encode("utf-8", "replace").decode()


def _bounded(lines: list[bytes]) -> list[bytes]:
    if len(lines) > MOST or sum(map(len, lines)) > MOST_BYTES:
        raise NoteRefused(f"There are {len(lines) - 1:,} notes already. Delete some, or move {PATH} away.")
    return lines


def _line(note: Note) -> bytes:
    return json.dumps(asdict(note), ensure_ascii=False).encode("utf-8", "replace")


def _note(line: bytes) -> Note | None:
    record = parsed(line)
    if not isinstance(record, dict):
        return None
    given = [record.get(name) for name in ("id", "time", "url", "text", "edited")]
    id_, time_, url, text, edited = (value if isinstance(value, str) else None for value in given)
    if id_ is None or time_ is None or url is None or text is None:
        return None
    return Note(id_, time_, canonical(url), text, edited or "")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
