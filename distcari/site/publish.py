"""Publish a store: everything a page needs into one folder, which is the new site at once or stays the old one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distcari import __version__
from distcari.dashboard.data.catalog import Catalog, one_moment
from distcari.errors import InputError
from distcari.exchange.choice import Only
from distcari.grid import digest
from distcari.site import describe, page, scripts
from distcari.site.answers import answers
from distcari.site.describe import Data
from distcari.site.exemplars import exemplars
from distcari.site.folder import SiteFolder, Written
from distcari.site.likeness import likeness
from distcari.site.packed import check_zip, packed
from distcari.site.parts import Part, parts
from distcari.site.pictures import Pictures
from distcari.store import Store

Progress = Callable[[int, int], None]  # cells done, of how many


@dataclass(frozen=True)
class Published:
    """Cells shown, failed and unreadable; whether a run was at work; what was written, and the size of the site."""

    cells: int
    failed: int
    unread: int
    running: bool
    written: Written
    bytes: int


def publish(
    store: Store,
    out: Path,
    *,
    experiment: str | None = None,
    only: Only | None = None,
    title: str = "",
    about: str = "",
    notes: bool = False,
    lossless: bool = False,
    zipped: bool = False,
    progress: Progress = lambda done, total: None,
) -> Published:
    """Write or renew the site of a store in the folder `out`; `about` is Markdown, `notes` publishes them too.

    `zipped` packs the folder into `<out>.zip` as well. Raises InputError if there is no finished cell, for an axis or
    a label that is not there, for a folder that holds other files, and where there is no room: then the folder is as it
    was.
    """
    if zipped:
        check_zip(out)
    catalog = Catalog(store)
    with one_moment(), SiteFolder(out) as folder:
        shown = parts(store, catalog, experiment, only)
        pictures = Pictures(folder, lossless=lossless)
        data = _data(catalog, shown, folder, pictures, progress, whole=not only)
        told = catalog.notes.all() if notes else None
        value = scripts.put(folder, describe.site(catalog, shown, data, pictures, told))
        names = [part.info.name for part in shown]
        title = title or f"Caricatures: {', '.join(names)}"
        styles, code = page.client(folder)
        before = folder.index()

        def drawn(date: str) -> str:
            return page.page(title, page.about(about), value, styles, code, date, __version__)

        same = before and drawn(page.published(before)) == before
        folder.show(before if same else drawn(page.now()))
        if zipped:
            packed(folder)
        size = sum((out / name).stat().st_size for name in folder.files())
    return Published(
        sum(len(part.rows) for part in shown) - sum(one.unread for one in data),
        sum(len(part.failures) for part in shown),
        sum(one.unread for one in data),
        any(part.run for part in shown),
        folder.written,
        size,
    )


def _data(
    catalog: Catalog, shown: list[Part], folder: SiteFolder, pictures: Pictures, progress: Progress, *, whole: bool
) -> list[Data]:
    total, done = sum(len(part.rows) for part in shown), 0

    def one_more() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    made = []
    for part in shown:
        names, unread = pictures.cells(catalog, part, one_more)
        if len(unread) == len(names):
            raise InputError(
                f"experiment {part.info.name}",
                f"none of its pictures can be read: {unread[0]}",
                "distcari verify STORE",
            )
        made.append(
            Data(
                scripts.blocks(folder, part, names),
                scripts.rows(folder, part),
                scripts.columns(folder, part, catalog.figures([part.info.name])),
                scripts.failures(folder, part, unread),
                scripts.bitmap(part, unread),
                pictures.inputs(part),
                exemplars(catalog.store.files, part, folder),
                len(unread),
                _remembered(catalog, part, folder, "likeness", likeness) if whole else "",
                _remembered(catalog, part, folder, "answers", answers) if whole else "",
                int(part.info.arrays.description.settings.get("size", 224)),
            )
        )
    return made


def _remembered(
    catalog: Catalog, part: Part, folder: SiteFolder, kind: str, make: Callable[[Catalog, str], Any]
) -> str:
    """The script of what all of an experiment's pictures are compared for: anew only if they or the tags changed."""
    name = part.info.name
    tags = {tag: catalog.tagged([name], tag) for tag in catalog.tags([name])}
    stamp = digest(__version__, kind, name, part.rows["pixels_sha256"].tolist(), tags)[:20]

    def made() -> str:
        value = make(catalog, name)
        return f"data/{scripts.put(folder, value)}.js" if value else ""

    return folder.remember(stamp, made).removeprefix("data/").removesuffix(".js")
