"""What each layer is computed in: decided by the first worker that comes to it, and then the same for all of its kind.

Asked again, another worker could answer otherwise (under load, with less memory free), and the same key must give the
same picture. Workers are of different kinds where they differ in what they can multiply in. No Ray.
"""

from collections.abc import Iterator
from typing import NamedTuple

from distcari.cluster.jobs import Result, layer_of
from distcari.grid import WorkUnit
from distcari.planning.plan import Plan


class Layer(NamedTuple):
    """A layer of a network, and the setting `precision` that it is wanted in."""

    model: str
    layer: str
    wanted: str


class Arithmetic:
    """The decisions of one run, by layer and kind of worker."""

    def __init__(self) -> None:
        self._known: dict[tuple[Layer, str], str] = {}

    def known(self, plan: Plan, unit: WorkUnit, kind: str) -> dict[Layer, str]:
        """What is decided of a unit's layers: of its cells', of a difference the other's too."""
        return {layer: self._known[layer, kind] for layer in layers_of(plan, unit) if (layer, kind) in self._known}

    def decided(self, plan: Plan, unit: WorkUnit, kind: str) -> bool:
        """Whether nothing is left to decide for a unit."""
        return all((layer, kind) in self._known or layer.wanted == "float32" for layer in layers_of(plan, unit))

    def learn(self, result: Result) -> None:
        """Take over what a worker decided; what was decided earlier stays."""
        for layer, precision in result.precisions.items():
            self._known.setdefault((Layer(*layer), result.kind), precision)


def layers_of(plan: Plan, unit: WorkUnit) -> Iterator[Layer]:
    """The layers that a unit's networks are asked for."""
    wanted: str = plan.experiment.render.precision
    if "precision" in plan.grid.swept:
        wanted = str(plan.labels(unit.cells[0])["precision"])
    if plan.experiment.render.compat == "lucent":
        wanted = "float32"
    model, *others = plan.networks(unit.model)
    for label in dict.fromkeys(layer_of(plan, cell) for cell in unit.cells) if unit.joined else (unit.layer,):
        yield Layer(model.name, plan.layers[unit.model][label].name, wanted)
    for other in others:
        yield Layer(other.name, plan.counterparts[unit.model][unit.layer].name, wanted)
