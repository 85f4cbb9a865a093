"""Checkpoint files of a config's model entry: by path, by glob, without their ending; and what a model is called."""

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path

from distcari.config.experiment import ModelSource
from distcari.errors import InputError
from distcari.sources.checkpoints import SUFFIXES, stem
from distcari.sources.globs import expand, has_magic
from distcari.sources.validation import user_path


def checkpoint_files(source: ModelSource, where: str) -> list[Path]:
    """The files that `checkpoint` names, absolute, each once. Raises InputError for a pattern or path without any."""
    patterns = [source.checkpoint] if isinstance(source.checkpoint, str) else list(source.checkpoint or ())
    found: list[Path] = []
    for pattern in patterns:
        path = user_path(pattern, f"{where}.checkpoint")
        if has_magic(pattern) and not path.exists():
            matches = [p for p in expand(str(path)) if p.name.endswith(SUFFIXES)]
            matches = [p for p in matches if not any(_excluded(p, e) for e in source.exclude)]
            if not matches:
                raise InputError(f"{where}.checkpoint", f"nothing matches {pattern}", _put_it(Path(pattern)))
            found += matches
        else:
            found.append(_one_file(path, f"{where}.checkpoint"))
    return [path.absolute() for path in dict.fromkeys(found)]


def _excluded(path: Path, pattern: str) -> bool:
    return fnmatch(path.name, pattern) or fnmatch(stem(path), pattern) or fnmatch(str(path), pattern)


def _one_file(path: Path, where: str) -> Path:
    """The file; a name without an ending stands for the one file that has it."""
    if path.is_file():
        return path
    candidates: Sequence[Path] = [p for s in SUFFIXES if (p := path.with_name(path.name + s)).is_file()]
    if candidates:
        return candidates[0]
    raise InputError(where, f"no checkpoint at {path}", _put_it(path))


def _put_it(path: Path) -> str:
    folder = path.parent
    there = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    near = get_close_matches(path.name, there, n=3, cutoff=0.4) or there[:5]
    return f"Put the file into {folder}/, or correct the path. There now: {', '.join(near) or 'nothing'}."


def model_name(source: ModelSource, file: Path, where: str, count: int) -> str:
    """A checkpoint's label: `name` with {stem} filled in, else the file's name without its ending."""
    if source.name is None:
        return stem(file)
    if count > 1 and "{stem}" not in source.name:
        raise InputError(
            f"{where}.name",
            f"{count} checkpoints would all be called {source.name!r}",
            "Use {stem} in the name, or leave it out.",
        )
    return source.name.replace("{stem}", stem(file))
