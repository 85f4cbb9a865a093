"""From a checked config to the work that is left: models, images and layers looked up, keys computed, done cells out.

Everything that can be wrong with the input is found here, before Ray starts.
"""

import contextlib
import gc
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distcari import markup
from distcari.config.experiment import Experiment
from distcari.errors import InputError
from distcari.grid import Cell, Grid, Label, label_text, select, shape_text
from distcari.planning.description import axes_of, describe, own_contents, settings_hash, steps_by_label
from distcari.planning.differences import Difference, counterpart_layers, expand_differences
from distcari.planning.layers import chosen_layers, describe_models
from distcari.planning.probe import with_class_token
from distcari.planning.tags import Row, model_rows
from distcari.render import LayerInfo
from distcari.render.metric import check_reference
from distcari.settings import RenderSettings
from distcari.sources.images import LoadedImage, load_images
from distcari.sources.models import ModelSpec, expand_models
from distcari.store import Store
from distcari.store.description import Description
from distcari.store.models import read_models

MOST_SHOWN = 50  # models in a notebook's output


@dataclass(frozen=True)
class Plan:
    """One run: the grid, the cells of it that are wanted and those of them to do, and all that workers need."""

    experiment: Experiment
    grid: Grid
    models: Mapping[str, ModelSpec]
    differences: Mapping[str, Difference]
    images: Mapping[str, LoadedImage]
    layers: Mapping[str, Mapping[str, LayerInfo]]  # model or difference -> layer label -> info, of a difference's a
    counterparts: Mapping[str, Mapping[str, LayerInfo]]  # difference -> layer label -> info of b's layer
    settings: Mapping[str, RenderSettings]  # layer label -> its settings, those that are swept at their first value
    meta: Mapping[str, Any]
    model_rows: Sequence[Row]  # of the store's `models.parquet`, tags and all
    wanted: Sequence[Cell]
    todo: Sequence[Cell]
    given_up: int
    moved: Mapping[str, Cell]  # key -> cell: done, but under another label of their layer
    overwritten: tuple[str, ...]
    lost: Collection[str]
    retry_failed: bool
    overwrite: bool

    @property
    def most_steps(self) -> int:
        """Length of the longest gain curve."""
        swept = [int(steps) for steps in self.experiment.sweeps.get("steps", ())]
        return max(swept or (settings.steps for settings in self.settings.values()))

    @property
    def planned(self) -> int:
        """Cells that this run is to see done."""
        return len(self.wanted)

    @property
    def done(self) -> int:
        """Cells of them that were done before."""
        return len(self.wanted) - len(self.todo) - self.given_up

    def networks(self, label: str) -> tuple[ModelSpec, ...]:
        """The networks that cells of a label on the model axis need: one, of a difference two."""
        pair = self.differences.get(label)
        return (self.models[label],) if pair is None else (pair.a, pair.b)

    def by_model(self) -> Counter[str]:
        """Cells to do of each model."""
        at = [axis.name for axis in self.grid.axes].index("model")
        return Counter(str(cell.labels[at]) for cell in self.todo)

    def refreshed(self, store: Store) -> "Plan":
        """The plan as the store is now that it is recovered: whoever holds the lease knows what is left."""
        if self.overwrite:
            return self
        with _no_collections():
            todo, given_up = _left(store, self.grid.experiment, self.wanted, self.retry_failed, ())
        return replace(self, todo=todo, given_up=given_up)

    def paths_moved(self) -> dict[str, dict[str, str]]:
        """What rows of cells that get another label say of their layer, by key."""
        found = {}
        for key, cell in self.moved.items():
            labels = self.labels(cell)
            found[key] = {"layer_path": self.layers[str(labels["model"])][str(labels["layer"])].path}
        return found

    def settings_of(self, cell: Cell) -> RenderSettings:
        """The render settings of a cell: its layer's, with the values of the sweeps that it lies at."""
        labels = self.labels(cell)
        return self.settings[str(labels["layer"])].with_(**{name: labels[name] for name in self.grid.swept})

    def __repr__(self) -> str:
        """In a line; every field would be pages, with the paths of this machine."""
        return f"Plan({self.grid.experiment!r}: {self.planned} cells, {self.done} done, {len(self.todo)} to do)"

    def _repr_html_(self) -> str:
        """The grid and what of it is left, for a notebook."""
        todo, names = self.by_model(), [axis.name for axis in self.grid.axes]
        at = names.index("model")
        wanted = Counter(str(cell.labels[at]) for cell in self.wanted)
        shape = shape_text({axis.name: axis.labels for axis in self.grid.axes})
        gone = f", {self.given_up} given up earlier" if self.given_up else ""
        lines = [[model, count, todo[model]] for model, count in list(wanted.items())[:MOST_SHOWN]]
        return markup.page(
            markup.heading(self.grid.experiment, f"plan: {shape}"),
            markup.paragraph(f"{self.planned} cells; {self.done} done already, {len(self.todo)} to do{gone}."),
            markup.table(["model", "cells", "to do"], lines),
            markup.paragraph(f"… and {len(wanted) - MOST_SHOWN} models more") if len(wanted) > MOST_SHOWN else "",
        )

    def labels(self, cell: Cell) -> dict[str, Label]:
        """A cell's labels by axis name."""
        return dict(zip((axis.name for axis in self.grid.axes), cell.labels, strict=True))


def make_plan(
    experiment: Experiment,
    store: Store,
    where: str,
    *,
    only: Mapping[str, Collection[Label]] | None = None,
    overwrite: bool = False,
    retry_failed: bool = False,
) -> Plan:
    """Look everything up and find what is left to do. Raises InputError for whatever is wrong with the input."""
    store.check_writable()
    check_reference()
    images = {image.name: image for image in load_images(experiment, where)}
    models = {spec.name: spec for spec in expand_models(experiment, where)}
    differences = expand_differences(experiment, models, where)
    infos = describe_models(models)
    if "class" in experiment.sweeps.get("tokens", [experiment.render.in_force()["tokens"]]):
        infos = {name: with_class_token(described) for name, described in infos.items()}
    layers = chosen_layers(experiment, infos, where)
    counterparts = counterpart_layers(experiment, differences, layers, infos)
    layers |= {name: {n: layers[differences[name].a.name][n] for n in found} for name, found in counterparts.items()}
    steps = steps_by_label(experiment, layers, where)
    settings = {label: experiment.render.with_(steps=n) for label, n in steps.items()}
    grid = Grid(
        experiment=experiment.name,
        settings_hash=settings_hash(experiment.render, without=experiment.sweeps),
        axes=axes_of(experiment, models, differences, images, steps),
        layers_of={name: list(found) for name, found in layers.items() if len(found) < len(steps)},
        own_contents=own_contents(experiment, layers, counterparts, differences, steps),
    )
    rows = model_rows(experiment, models, differences, where)
    read_models(store.files).merged(rows, experiment.tag_order)  # that they go together is checked before any work
    meta = describe(experiment, grid, models, differences, images, settings)
    with _no_collections():
        cells = list(grid.cells())
    wanted = _selected(cells, grid, only or {})
    earlier = _earlier(store, experiment.name)
    moved: Mapping[str, Cell] = {}
    if earlier is not None:
        everything = overwrite and len(wanted) == len(cells)
        both = earlier.merged(Description.of(meta), overwrite=everything, where=where)
        moved, emptied = _moved(store, grid, wanted) if grid.own_contents or earlier.layer_paths else ({}, set())
        meta = (both.without(emptied) if emptied else both).as_json()
    stale = (*_stale(store, grid, wanted), *moved) if overwrite else ()
    with _no_collections():
        lost = store.lost(experiment.name)
        lost |= store.without_input(experiment.name, {cell.key for cell in wanted})
        todo, given_up = (wanted, 0) if overwrite else _left(store, experiment.name, wanted, retry_failed, lost)
    return Plan(
        experiment=experiment,
        grid=grid,
        models=models,
        differences=differences,
        images=images,
        layers=layers,
        counterparts=counterparts,
        settings=settings,
        meta=meta,
        model_rows=rows,
        wanted=wanted,
        todo=todo,
        given_up=given_up,
        moved={} if overwrite else moved,
        overwritten=stale,
        lost=lost,
        retry_failed=retry_failed,
        overwrite=overwrite,
    )


def _left(
    store: Store, experiment: str, wanted: Sequence[Cell], retry_failed: bool, lost: Collection[str]
) -> tuple[Sequence[Cell], int]:
    """The cells that are not done; and how many were given up, which are left out unless they are to be retried."""
    committed = store.committed(experiment).difference(lost)
    failed = set() if retry_failed else set(store.failures()["key"])
    todo = [cell for cell in wanted if cell.key not in committed]
    if not failed:
        return todo, 0
    left = [cell for cell in todo if cell.key not in failed]
    return left, len(todo) - len(left)


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Without Python's search for cycles, which takes half of the time where a million small objects are made."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def _selected(cells: Sequence[Cell], grid: Grid, only: Mapping[str, Collection[Label]]) -> Sequence[Cell]:
    if not only:
        return cells
    for name, labels in only.items():
        if name not in [axis.name for axis in grid.axes]:
            known = ", ".join(axis.name for axis in grid.axes)
            raise InputError(f"--only {name}", "no such axis", f"Axes: {known}. Example: --only model=a,b")
        if unknown := [label for label in labels if grid.axis(name).find(label) is None]:
            known = ", ".join(label_text(label) for label in grid.axis(name).labels)
            raise InputError(f"--only {name}={unknown[0]}", f"no such {name}", f"There are: {known}.")
    return select(cells, grid.axes, only)


def _earlier(store: Store, experiment: str) -> Description | None:
    """What the store says of the experiment; None if it has none of that name."""
    try:
        return store.arrays(experiment).description
    except KeyError:
        return None


def _moved(store: Store, grid: Grid, cells: Sequence[Cell]) -> tuple[dict[str, Cell], set[tuple[str, str]]]:
    """The cells that are done under another label of their layer, by key; (model, label) that will have none left."""
    names = [axis.name for axis in grid.axes]
    model_at, layer_at = names.index("model"), names.index("layer")
    before = store.labels_of(grid.experiment, "model", "layer")
    moved = {cell.key: cell for cell in cells if cell.key in before and before[cell.key][1] != cell.labels[layer_at]}
    left = {place for key, place in before.items() if key not in moved}
    here = {(cell.labels[model_at], cell.labels[layer_at]) for cell in cells}
    return moved, {(str(model), str(layer)) for model, layer in {before[key] for key in moved} - left - here}


def _stale(store: Store, grid: Grid, cells: Sequence[Cell]) -> tuple[str, ...]:
    """Keys of the rows that stand at the places of these cells, whatever their content was."""
    names = [axis.name for axis in grid.axes]
    table = store.index.table(["key", "experiment", *names]).to_pylist()
    places = {cell.labels for cell in cells}
    return tuple(
        row["key"]
        for row in table
        if row["experiment"] == grid.experiment and tuple(row[name] for name in names) in places
    )
