"""What is sent to a worker and what comes back from it: plain values, small enough to send."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distcari.grid import Cell, WorkUnit
from distcari.planning.description import settings_hash
from distcari.planning.plan import Plan
from distcari.render import LayerInfo
from distcari.settings import RenderSettings
from distcari.sources.models import ModelSpec


@dataclass(frozen=True)
class CellJob:
    """One cell to render: its input image, uint8 (y, x, 3), its layer, and the number of this try, from 1."""

    cell: Cell
    image: NDArray[np.uint8]
    image_sha256: str
    layer: LayerInfo
    attempt: int


@dataclass(frozen=True)
class ContrastJob:
    """What a worker needs of a difference's second model."""

    model: ModelSpec
    layer: LayerInfo
    contrast: float
    checkpoint_ref: Any = None


@dataclass(frozen=True)
class Job:
    """A work unit with all that its worker needs.

    `label` is its place on the model axis. `checkpoint_ref` is where a worker fetches the model's file if its node does
    not have it. `contrast`: these are difference caricatures. `precisions`: what is decided of (model, layer, precision
    wanted) already; the worker decides the rest.
    """

    label: str
    model: ModelSpec
    settings: RenderSettings
    settings_hash: str
    axes: tuple[str, ...]
    cells: tuple[CellJob, ...]
    checkpoint_ref: Any = None
    contrast: ContrastJob | None = None
    precisions: Mapping[tuple[str, str, str], str] = field(default_factory=dict)

    @property
    def asked(self) -> list[tuple[ModelSpec, LayerInfo]]:
        """Its model with each of its layers, of a difference also the other's."""
        other = [] if self.contrast is None else [(self.contrast.model, self.contrast.layer)]
        return [*((self.model, layer) for layer in self.layers), *other]

    @property
    def layers(self) -> list[LayerInfo]:
        """The layers of its cells."""
        return list({one.layer.name: one.layer for one in self.cells}.values())


@dataclass(frozen=True)
class Seat:
    """Where a worker is: its place (a node and a card), and its kind: workers of one kind compute the same bits."""

    place: str
    kind: str


@dataclass
class Result:
    """What became of a unit: index rows of finished cells, (cell, message, traceback) of those that failed, timings.

    `precisions`: what the layers were computed in, by (model, layer, precision wanted), and the worker's `kind`.
    `broken`: why the worker is of no use, "" if it is; then no cell that is missing here has had its try.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[tuple[Cell, str, str]] = field(default_factory=list)
    node: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    precisions: dict[tuple[str, str, str], str] = field(default_factory=dict)
    kind: str = ""
    broken: str = ""

    @classmethod
    def failed(cls, unit: WorkUnit, message: str, trace: str = "") -> "Result":
        """Of a unit of which nothing came."""
        return cls(failures=[(cell, message, trace) for cell in unit.cells])


def layer_of(plan: Plan, cell: Cell) -> str:
    """The label of a cell's layer."""
    return str(plan.labels(cell)["layer"])


def make_job(
    plan: Plan,
    unit: WorkUnit,
    attempt: Callable[[Cell], int],
    checkpoint_ref: Callable[[ModelSpec], Any],
    precisions: Mapping[Any, str],
) -> Job:
    """A unit of a plan as a job; `attempt` numbers a cell's try, `checkpoint_ref` says where a model's file is had."""
    (model, *others), settings = plan.networks(unit.model), plan.settings_of(unit.cells[0])
    contrast = (
        ContrastJob(
            others[0],
            plan.counterparts[unit.model][unit.layer],
            plan.differences[unit.model].contrast,
            checkpoint_ref(others[0]),
        )
        if others
        else None
    )
    cells = []
    for cell in unit.cells:
        image = plan.images[str(plan.labels(cell)["image"])]
        layer = plan.layers[unit.model][layer_of(plan, cell)]
        cells.append(CellJob(cell, image.pixels, image.sha256, layer, attempt(cell)))
    return Job(
        label=unit.model,
        model=model,
        settings=settings,
        settings_hash=settings_hash(settings),
        axes=tuple(axis.name for axis in plan.grid.axes),
        cells=tuple(cells),
        checkpoint_ref=checkpoint_ref(model),
        contrast=contrast,
        precisions={tuple(layer): precision for layer, precision in precisions.items()},
    )
