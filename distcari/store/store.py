"""One facade over arrays and index that knows the commit order: chunks first, verified; the row last.

For readers:

    store = open_store("store")
    store.table()            # pandas: one row per finished cell
    store.xarray("demo")     # xarray: labelled pictures
    store.picture(key)       # numpy: one picture
    store.show("demo", rows="model", cols="layer", image="chelsea")    # in a notebook
"""

import contextlib
import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import zarr
from numpy.typing import NDArray

from distcari import markup
from distcari.errors import InputError, one_line
from distcari.grid import Grid, Label, name_problem, shape_text
from distcari.store import growth
from distcari.store.arrays import Arrays, open_arrays
from distcari.store.description import Description
from distcari.store.exemplars import FOLDER as EXEMPLARS
from distcari.store.exemplars import THUMBNAILS, read_exemplars
from distcari.store.files import is_local, local_path, open_files, sound_path
from distcari.store.index import Held, failed, finished
from distcari.store.layout import Damaged
from distcari.store.lease import LeaseLost, take
from distcari.store.models import Models, read_models
from distcari.store.object_files import summary
from distcari.store.place import check_note, check_place
from distcari.store.schema import INDEX
from distcari.store.show import PictureGrid, picture_grid
from distcari.store.zarr_store import DAMAGE, FOLDER, zarr_store

if TYPE_CHECKING:
    import pandas as pd  # for annotations: workers do without it

_REWRITING = "_index"  # the lease of who replaces parts; no experiment can have that name
_LOOSE = (".", "leases", "runs", "contact_sheets", EXEMPLARS, THUMBNAILS)  # folders of files other than parts


class Store:
    """A store at a URL. Reading needs nothing else; writing goes through `prepare`, `Arrays.write` and `commit`."""

    def __init__(self, url: str, options: Mapping[str, Any] | None = None, *, writable: bool = False) -> None:
        self.url, self.options, self.writable = url, dict(options or {}), writable
        self.files = open_files(url, self.options)
        self.index, self.failed = finished(self.files), failed(self.files)

    # reading

    def experiments(self) -> list[str]:
        """Names of the experiments in the store, sorted; one whose making a crash cut is none.

        Warns of one whose description is damaged and leaves it out.
        """
        found = []
        for name in self.groups():
            try:
                if self._open(name) is not None:
                    found.append(name)
            except Damaged as error:
                warnings.warn(str(error), stacklevel=2)
        return found

    def groups(self) -> list[str]:
        """Names of all experiments that have a folder of arrays, be they sound or not, sorted."""
        if is_local(self.url):
            folder = local_path(self.url) / FOLDER
            with contextlib.suppress(FileNotFoundError), sound_path(folder):
                names = [entry.name for entry in os.scandir(folder) if entry.is_dir()]
                return sorted(name for name in names if not name_problem(name))
            return []
        try:
            root = zarr.open_group(self._zarr_store(), mode="r", zarr_format=3)
        except FileNotFoundError:
            return []
        with warnings.catch_warnings(action="ignore", category=zarr.errors.ZarrUserWarning):  # of `.partial` files
            return sorted(name for name, _ in root.groups())

    def arrays(self, experiment: str) -> Arrays:
        """An experiment's arrays. Raises KeyError if there is no such experiment, Damaged if it cannot be read."""
        arrays = None if name_problem(experiment) else self._open(experiment)
        if arrays is None:
            raise KeyError(f"no experiment {experiment!r} in {self.url}; there are: {', '.join(self.experiments())}")
        return arrays

    def table(self, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """One row per finished cell, as pandas; columns and units in docs/store.md.

        Whole (without `columns`), it has the models' tags as well, behind the index's own columns.
        """
        frame: pd.DataFrame = self.index.table(columns).to_pandas()
        if "key" in frame:
            frame = frame.drop_duplicates("key", keep="last", ignore_index=True)
        models = read_models(self.files) if columns is None else Models()
        if not models.tags:
            return frame
        return frame.merge(models.frame()[["experiment", "model", *models.tags]], "left", ["experiment", "model"])

    def models(self, experiment: str | None = None) -> "pd.DataFrame":
        """One row per experiment and model: checksum, parameters, classes, tags (ordered ones as such)."""
        return read_models(self.files).frame(experiment)

    def failures(self) -> "pd.DataFrame":
        """One row per cell that was given up and has not been done since."""
        frame: pd.DataFrame = self.failed.table().to_pandas()
        done = set(self.index.table(["key"])["key"].to_pylist()) if len(frame) else set()
        return frame[~frame["key"].isin(done)].drop_duplicates("key", keep="last").reset_index(drop=True)

    def xarray(self, experiment: str) -> Any:
        """The experiment as a lazy xarray.Dataset with dims model, image, layer, seed, y, x, channel, …."""
        import xarray

        self.arrays(experiment)
        return xarray.open_zarr(self._zarr_store(), group=experiment, consolidated=False, chunks=None)

    def exemplars(self, experiment: str | None = None, **at: Any) -> "pd.DataFrame":
        """The natural exemplars that `distcari exemplars` found, by model, layer, image and rank; empty without any.

        `at` chooses labels by column, e.g. `image="chelsea"`. Columns are explained in docs/store.md. Raises KeyError
        for an experiment that is not there, InputError for another column.
        """
        import pandas as pd

        if experiment is not None:
            self.arrays(experiment)  # raises where there is none
        names = self.experiments() if experiment is None else [experiment]
        frames = [read_exemplars(self.files, name, at) for name in names]
        return pd.concat(frames, ignore_index=True) if frames else read_exemplars(self.files, "", at)

    def row(self, key: str) -> dict[str, Any]:
        """The index row of a finished cell. Raises KeyError for an unknown key."""
        table = self.index.table()
        rows = table.filter(pc.equal(table["key"], key)).to_pylist()
        if not rows:
            raise KeyError(f"no finished cell {key!r} in {self.url}")
        return dict(rows[-1])

    def picture(self, key: str) -> NDArray[np.float32]:
        """A finished cell's picture, float32 (y, x, 3) in [0, 1]. Raises KeyError for an unknown key."""
        row = self.row(key)
        arrays = self.arrays(row["experiment"])
        return arrays.picture(arrays.place([row[axis] for axis in arrays.axes]))

    def show(
        self,
        experiment: str | None = None,
        rows: str = "model",
        cols: str = "layer",
        *,
        figure: str | None = "robust_cosine",
        size: int = 150,
        **at: Any,
    ) -> PictureGrid:
        """Finished cells laid out by two axes, for a notebook; `size` is a picture's side in pixels.

        `at` chooses labels of axes by name: one of an axis that is neither `rows` nor `cols` (the first there is, and
        the output says so, where none is named), a list of one that is. `figure` is a column of the index, given below
        each picture. Raises InputError for names that are not there, and for more pictures than a notebook takes.
        """
        name = experiment or self._only_experiment()
        try:
            arrays = self.arrays(name)
        except KeyError as error:
            raise InputError(f"experiment {name!r}", str(error.args[0]), "Name one of these.") from None
        known = [figure] if figure is not None and figure in INDEX.names else []
        frame = self.table(list(dict.fromkeys(["key", "experiment", *arrays.axes, *known])))
        return picture_grid(arrays, frame[frame["experiment"] == name], name, rows, cols, figure, size, at)

    def _only_experiment(self) -> str:
        names = self.experiments()
        if len(names) != 1:
            raise InputError(
                f"store {self.url}",
                f"holds {len(names)} experiments: {', '.join(names)}" if names else "holds no experiment",
                "Name one." if names else "Compute one with distcari.run(…).",
            )
        return names[0]

    def _repr_html_(self) -> str:
        """Its experiments, for a notebook."""
        table, failed = self.table(["key", "experiment", "robust_cosine"]), self.failures()
        lines = []
        for name in self.experiments():
            arrays, mine = self.arrays(name), table[table["experiment"] == name]
            shape = shape_text({axis: arrays.labels(axis) for axis in arrays.axes})
            gone = int((failed["experiment"] == name).sum()) if len(failed) else 0
            lines.append([name, shape, len(mine), gone, float(mine["robust_cosine"].mean())])
        head = ["experiment", "axes", "cells done", "failed", "mean robust cosine"]
        return markup.page(
            markup.heading("distcari store", self.url),
            markup.table(head, lines) if lines else markup.paragraph("No experiment yet.", "quiet"),
        )

    # writing: the driver alone

    def prepare(
        self,
        grid: Grid,
        description: Description | Mapping[str, Any],
        *,
        size: int,
        input_size: int,
        steps: int,
        dtype: str,
        shard: int = 1,
    ) -> Arrays:
        """Make or grow the experiment's arrays for a grid; any number of times, only new labels are added."""
        check_note(self.url, self.files, create=True)
        name, axes = grid.experiment, [axis.name for axis in grid.axes]
        if problem := name_problem(name):
            raise InputError(f"experiment {name!r}", problem, "Give it another name.")
        said = description.as_json() if isinstance(description, Description) else dict(description)
        meta = Description.of({"axes": axes, **said}).as_json()
        with self._sound_arrays():
            root = self._made_root()
            arrays = self._open(name)
            if arrays is not None and arrays.gaps():
                arrays = None
            if arrays is None:  # none yet, or somebody deleted them, or a crash left them without their description
                self._forget_all(name)
                arrays = growth.create(
                    root, name, axes, size=size, input_size=input_size, steps=steps, dtype=dtype, shard=shard
                )
            elif not arrays.has("input"):
                growth.create_input(arrays.group, axes, input_size)
            if arrays.group.attrs.get("distcari") != meta:
                arrays.group.attrs["distcari"] = meta
            growth.grow(arrays, {axis.name: axis.labels for axis in grid.axes}, steps)
        return arrays

    def _forget_all(self, experiment: str) -> None:
        """Take rows out whose arrays are gone, before others get their places."""
        if gone := self.committed(experiment):
            warnings.warn(
                f"{len(gone)} cells of {experiment} are in the index without their arrays; they are queued",
                stacklevel=3,
            )
            self.forget(gone)

    def write_inputs(self, arrays: Arrays, pixels: Mapping[str, NDArray[np.uint8]]) -> None:
        """Put the input images, uint8 (y, x, 3), at their places; those that are there are left alone."""
        target: Any = arrays._writable("input")
        with self._sound_arrays():
            for label, image in pixels.items():
                place = arrays.labels("image").index(label)
                if not image.any() or not _same(target, place, image):  # a missing chunk reads as black
                    target[place] = image

    def committed(self, experiment: str) -> set[str]:
        """Keys of the experiment's finished cells."""
        return set(self._rows(experiment, ())["key"].to_pylist())

    def labels_of(self, experiment: str, *axes: str) -> dict[str, tuple[Label, ...]]:
        """The labels on these axes that each finished cell has, by key."""
        rows = self._rows(experiment, axes)
        labels = zip(*(rows[axis].to_pylist() for axis in axes), strict=True)
        return dict(zip(rows["key"].to_pylist(), labels, strict=True))

    def lost(self, experiment: str) -> set[str]:
        """Keys in the index without their chunks or arrays: somebody deleted them, or copied the store while it was
        written. Raises Damaged where a document of the arrays cannot be read.

        A look at each file of a folder; on an object store, which would have to be asked for each, `distcari.verify`
        finds them.
        """
        if not is_local(self.url):
            return set()
        arrays = self._open(experiment)
        if arrays is None or arrays.gaps():
            return self.committed(experiment)
        rows = self._rows(experiment, arrays.axes)
        at = [
            pc.fill_null(pc.index_in(rows[axis], pa.array(arrays.labels(axis), rows[axis].type)), -1)
            for axis in arrays.axes
        ]
        places = list(zip(*(column.to_pylist() for column in at), strict=True))
        return {key for key, gone in zip(rows["key"].to_pylist(), arrays.absent(places), strict=True) if gone}

    def missing(self, experiment: str, keys: Collection[str]) -> set[str]:
        """Those of these cells that are not in the store, whatever was said of them: no row, or a row without chunks.

        For the end of a run, which has computed them: somebody deleted index parts or arrays meanwhile.
        """
        return set(keys) - (self.committed(experiment) - self.lost(experiment))

    def without_input(self, experiment: str, keys: Collection[str]) -> set[str]:
        """For each input image that was kept, and whose chunk is gone, one finished cell of these: its rendering brings
        the image back. Folders alone, as `lost`."""
        arrays = self._open(experiment) if is_local(self.url) else None
        if arrays is None or arrays.gaps():
            return set()
        kept = [label for label, image in arrays.description.images.items() if image.sha256]
        if not (gone := set(arrays.images_absent(kept))):
            return set()
        rows = self._rows(experiment, ["image"])
        cells = zip(rows["image"].to_pylist(), rows["key"].to_pylist(), strict=True)
        return set({image: key for image, key in cells if image in gone and key in keys}.values())

    def _rows(self, experiment: str, columns: Sequence[str]) -> pa.Table:
        table = self.index.table(["key", "experiment", *columns])
        return table.filter(pc.equal(table["experiment"], experiment))

    def commit(self, rows: Sequence[Mapping[str, Any]]) -> str | None:
        """Make rows whose pixels are written and verified part of the index, all at once; the part's name."""
        part = self.index.append(rows)
        with contextlib.suppress(InputError):  # damaged: it will be said when the store is opened again
            check_note(self.url, self.files, create=True)  # somebody deleted the note
        return part

    def forget(self, keys: Collection[str]) -> int:
        """Take cells out of the index so that they can be computed again; how many there were."""
        with self._rewriting() as held:
            gone = self.index.remove(keys, held)
            self.failed.remove(keys, held)
        return gone

    def merge(self, small: int | None = None) -> tuple[int, int]:
        """Merge the parts of index and failures (those of fewer than `small` rows); how many there are then."""
        with self._rewriting() as held:
            return self.index.merge(small, held), self.failed.merge(small, held)

    @contextlib.contextmanager
    def _rewriting(self) -> Iterator[Held]:
        """Be the only one who replaces parts; what a crash cut is finished first. Raises InputError if somebody is."""
        try:
            with take(self.files, _REWRITING) as lease:
                self.index.finish(lease.held)
                self.failed.finish(lease.held)
                yield lease.held
        except LeaseLost as error:
            raise InputError(f"index of {self.url}", str(error), "Give the same command again.") from None

    def recover(
        self,
        experiment: str | None = None,
        cells: Sequence[Sequence[Label]] | None = None,
        lost: Collection[str] | None = None,
    ) -> None:
        """Sweep what a crash left: temporaries, zarr's `.partial` files, damaged parts, rows without their chunks.

        `.partial` files lie where cells were being written, so only there is looked if `cells` (labels of an
        experiment's unfinished cells) are given, else everywhere. `lost`: what the method of that name has just said.
        """
        for folder in _LOOSE:
            self.files.sweep(folder)
        for index in (self.index, self.failed):
            index.recover()
        if is_local(self.url) and self.root_damage():
            self._made_root()
        if self.index.pending() or self.failed.pending():
            with contextlib.suppress(InputError), self._rewriting():  # or somebody merges just now, and will finish it
                pass
        for name in [experiment] if experiment is not None else self._known():
            try:
                gone = self.lost(name) if lost is None else lost
            except Damaged as error:
                if experiment is not None:
                    raise
                warnings.warn(str(error), stacklevel=2)
                continue
            if gone:
                warnings.warn(
                    f"{len(gone)} cells of {name} are in the index without their pixels; they are queued", stacklevel=2
                )
                self.forget(gone)
        if not is_local(self.url):
            return
        if experiment is not None and cells is not None and (arrays := self._open(experiment)) and not arrays.gaps():
            arrays.sweep([place for labels in cells if (place := arrays.find(labels)) is not None])
        elif cells is None:
            for partial in (local_path(self.url) / FOLDER).rglob("*.partial"):
                if partial.is_file():
                    partial.unlink(missing_ok=True)

    def put_aside(self, file: str) -> None:
        """Take a damaged document or chunk away, so that what depended on it is computed again."""
        self.files.rename(file, f"_unreadable-{file.replace('/', '-')}")

    def root_damage(self) -> str | None:
        """What is wrong with the arrays' root document, which other programs read, or None. The next run mends it."""
        try:
            zarr.open_group(self._zarr_store(), mode="r", zarr_format=3)
        except FileNotFoundError:
            return "is missing" if self.groups() else None
        except DAMAGE as error:
            return f"is damaged: {one_line(error)}"
        return None

    def _known(self) -> list[str]:
        """Names of all experiments that have arrays or rows."""
        return sorted({*self.groups(), *self.index.table(["experiment"])["experiment"].unique().to_pylist()})

    def check_writable(self) -> None:
        """Raise InputError if the store cannot be written, or was made by a newer distcari. Writes nothing."""
        check_note(self.url, self.files)
        check_place(self.url, self.files)

    def _zarr_store(self, read_only: bool = True) -> Any:
        return zarr_store(self.url, self.options, read_only)

    def _open(self, experiment: str) -> Arrays | None:
        """As `open_arrays`: by its own path, so that what happens to the root or to others does not matter."""
        if is_local(self.url) and not (local_path(self.url) / FOLDER / experiment).is_dir():
            return None  # zarr would make folders where it may write
        return open_arrays(self._zarr_store(not self.writable), experiment, "r+" if self.writable else "r")

    def _made_root(self) -> zarr.Group:
        """The arrays' root group, made if it is not there, and anew if it is damaged: it holds nothing of its own."""
        store = self._zarr_store(read_only=False)
        with self._sound_arrays():
            try:
                return zarr.open_group(store, mode="a", zarr_format=3)
            except DAMAGE:
                self.files.delete(f"{FOLDER}/zarr.json")
                return zarr.open_group(store, mode="a", zarr_format=3)

    def _sound_arrays(self) -> contextlib.AbstractContextManager[None]:
        return sound_path(local_path(self.url) / FOLDER) if is_local(self.url) else contextlib.nullcontext()


def _same(array: Any, place: int, wanted: NDArray[np.uint8]) -> bool:
    try:
        return np.array_equal(array[place], wanted)
    except Exception:  # damaged: to be written again
        return False


def open_store(url: str = "store", *, options: Mapping[str, Any] | None = None, writable: bool = False) -> Store:
    """The store at a folder or `s3://bucket/prefix`; opening reads and writes nothing but its format note.

    Raises InputError if it was made by a newer distcari, or cannot be read: an object store that does not answer at all
    is given 15 s, not the minutes that a run has for it.
    """
    store = Store(url, options, writable=writable)
    if is_local(url):
        with sound_path(local_path(url)):
            check_note(url, store.files)
        return store
    try:
        check_note(url, open_files(url, store.options, patience=15))
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"store {url}",
            f"cannot be read: {summary(error)}",
            "See that the endpoint answers and that the credentials (environment or `store_options`) are right.",
        ) from None
    return store
