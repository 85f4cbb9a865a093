"""The folder of a site: written beside what is there, then shown all at once, then what is no longer shown goes.

Every file but two is named by its content, so that a new site never changes a file of the old one: until `index.html`
is replaced, in one step and last, readers have the old site, whole. `distcari-site.json` marks the folder as ours.
"""

import fcntl
import json
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from distcari import __version__
from distcari.errors import InputError, one_line

MARK, INDEX = "distcari-site.json", "index.html"
# What a site consists of: nothing else is ever deleted.
OURS = re.compile(
    r"pictures/[0-9a-f]{2}/[0-9a-f]{16}-(small|large|exemplar)\.webp|data/[0-9a-f]{20}\.js|client/[0-9a-f]{12}-\w+\.(js|css)"
)
_TEMPORARY = "_tmp-"


@dataclass
class Written:
    """What a publication did to the folder: files and bytes written, files left alone, files taken away."""

    files: int = 0
    bytes: int = 0
    kept: int = 0
    removed: int = 0


class SiteFolder:
    """A folder being published into; use with `with`. If the block fails, what it wrote is taken away again.

    Raises InputError if the folder holds what is not a site of ours, is being published into by somebody else, or
    cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.where, self.written = out, f"--out {out}", Written()
        self.remembered: dict[str, str] = {}  # what the next publication may ask for: stamp -> file, "" for none
        self._before: dict[str, str] = {}
        self._wanted: set[str] = set()
        self._new: list[Path] = []
        self._made: list[Path] = []
        self._shown = False

    def __enter__(self) -> Self:
        try:
            self._refuse_foreign()
            for folder in reversed([self.out, *self.out.parents]):
                if not folder.exists():
                    folder.mkdir()
                    self._made.append(folder)
            mark = self.out / MARK
            if not mark.exists():
                self._put(MARK, self._mark())
            self._before = dict(json.loads(mark.read_bytes()).get("remembered", {}))
            self._lock = mark.open("rb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (ValueError, AttributeError):
            raise InputError(self.where, f"its {MARK} is damaged", "Publish into a new folder.") from None
        except BlockingIOError:
            self._lock.close()
            raise InputError(self.where, "is being published into just now", "Wait until that has ended.") from None
        except OSError as error:
            self._undo()
            raise self._refused(error) from None
        return self

    def put(self, name: str, content: bytes | Callable[[], bytes]) -> None:
        """Have a file, named by its content, in the site; made only if it is not there yet."""
        if name in self._wanted:
            return
        self._wanted.add(name)
        if (self.out / name).exists():
            self.written.kept += 1
        else:
            self._put(name, content if isinstance(content, bytes) else content())

    def remember(self, stamp: str, make: Callable[[], str]) -> str:
        """The file of what takes long to make: the last publication's if it had the same stamp, else a new one."""
        file = self._before.get(stamp)
        if file is None or (file and not self.has(file)):
            file = make()
        elif file:
            self.put(file, b"")  # it is there
        self.remembered[stamp] = file
        return file

    def has(self, name: str) -> bool:
        """Whether a file is there already."""
        return name in self._wanted or (self.out / name).exists()

    def index(self) -> str:
        """The page that is shown now; empty if there is none."""
        with suppress(OSError, UnicodeDecodeError):
            return (self.out / INDEX).read_text(encoding="utf-8")
        return ""

    def show(self, page: str) -> None:
        """Replace the page, in one step; then remove the files of earlier sites that it does not need."""
        if self.index() == page:
            self.written.kept += 1
        else:
            self._put(INDEX, page.encode())
        self._shown = True
        for file in self.files():
            if file not in self._wanted and file not in (INDEX, MARK):
                (self.out / file).unlink(missing_ok=True)
                self.written.removed += 1
        if self.remembered != self._before:
            self._put(MARK, self._mark())
        for folder in sorted((p for p in self.out.glob("pictures/*") if p.is_dir()), reverse=True):
            with suppress(OSError):  # not empty
                folder.rmdir()

    def files(self) -> list[str]:
        """Names of all files of ours in the folder, temporaries of a publication that was killed among them."""
        found = []
        for top in ("client", "data", "pictures"):
            for path in (self.out / top).rglob("*"):
                name = path.relative_to(self.out).as_posix()
                if path.is_file() and (OURS.fullmatch(name) or path.name.startswith(_TEMPORARY)):
                    found.append(name)
        return sorted([*found, *(name for name in (INDEX, MARK) if (self.out / name).exists())])

    def _mark(self) -> bytes:
        return json.dumps({"distcari_site": 1, "distcari": __version__, "remembered": self.remembered}).encode()

    def _put(self, name: str, content: bytes) -> None:
        """Write under another name and rename: a file that is there is whole."""
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(6)}")
        replaces = path.exists()
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if not replaces:
            self._new.append(path)
        if name != MARK:  # which readers never see
            self.written.files += 1
            self.written.bytes += len(content)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and not self._shown:
            self._undo()
        self._lock.close()
        if isinstance(error, OSError):
            raise self._refused(error) from None

    def _undo(self) -> None:
        """Take away what this publication wrote; the site that was there is as it was."""
        for path in self._new:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        if self._made:
            with suppress(OSError):
                shutil.rmtree(self._made[0])
            return
        tops = [self.out / top for top in ("client", "data", "pictures")]
        for folder in [*(self.out / "pictures").glob("*"), *tops]:
            with suppress(OSError):  # not empty, not there
                folder.rmdir()

    def _refuse_foreign(self) -> None:
        if self.out.is_symlink() or (self.out.exists() and not self.out.is_dir()):
            raise InputError(self.where, "is there already, and is no folder", "Give a new folder.")
        if not self.out.is_dir() or not (there := sorted(path.name for path in self.out.iterdir())):
            return
        try:
            ours = "distcari_site" in json.loads((self.out / MARK).read_bytes())
        except (OSError, ValueError, TypeError):
            ours = False
        if not ours:
            raise InputError(
                self.where,
                f"holds other files ({there[0]!r}), and no {MARK}, which a site of distcari has",
                "Give a new or an empty folder, or one that `distcari publish` wrote.",
            )

    def _refused(self, error: OSError) -> InputError:
        said = error.strerror or one_line(error)
        return InputError(self.where, f"cannot be written: {said}", "Make room, or give another place.")
