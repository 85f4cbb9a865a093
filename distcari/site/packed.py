"""A site as one file: `<folder>.zip`, with the same bytes for the same site."""

import json
import os
import zipfile
from contextlib import suppress
from pathlib import Path

from distcari.errors import InputError
from distcari.site.folder import MARK, SiteFolder


def zip_path(out: Path) -> Path:
    """Where the zip of a folder lies: beside it."""
    return out.absolute().parent / f"{out.absolute().name}.zip"


def packed(folder: SiteFolder) -> Path:
    """Pack a site into the zip beside its folder, which is there as a whole or stays as it was.

    Raises InputError if another file has that name.
    """
    target = zip_path(folder.out)
    check_zip(folder.out)
    temporary = target.with_name(f"_tmp-{os.getpid()}.zip")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name in folder.files():
                entry = zipfile.ZipInfo(f"{target.stem}/{name}")  # of 1980: no time in it
                entry.external_attr = 0o644 << 16
                squeezed = zipfile.ZIP_STORED if name.endswith(".webp") else zipfile.ZIP_DEFLATED
                archive.writestr(entry, (folder.out / name).read_bytes(), squeezed)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def check_zip(out: Path) -> None:
    """Raise InputError if the zip's name is taken by another file."""
    target = zip_path(out)
    if not (target.exists() or target.is_symlink()):
        return
    ours = False
    with suppress(OSError, ValueError, KeyError, zipfile.BadZipFile), zipfile.ZipFile(target) as archive:
        mark = next((name for name in archive.namelist() if name.endswith(f"/{MARK}")), "")
        ours = "distcari_site" in json.loads(archive.read(mark))
    if not ours:
        raise InputError(f"--zip {target}", "is there already, and is no zip of a site", "Move it away.")
