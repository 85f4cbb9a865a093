"""What a plan will cost: work units, room in the store, memory and time, before anything is computed."""

import os
import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from distcari.planning.durations import duration
from distcari.planning.here import this_machine
from distcari.planning.placement import Node, place_experiment
from distcari.planning.plan import Plan
from distcari.render import Network, caricatures
from distcari.sources.models import load_model
from distcari.store import Store

_PROBE_STEPS = 3


def describe_cost(plan: Plan, store: Store, cluster: Sequence[Node] | None = None) -> Iterator[str]:
    """Lines on the workers, the work units, the room, the memory and the time of a plan.

    `cluster`: the nodes of the Ray that will compute it; by default this machine.
    """
    where = place_experiment(plan.experiment, [this_machine()] if cluster is None else cluster)
    units = plan.grid.units(plan.todo, where.batch)
    size = plan.experiment.render.picture_size
    each = size * size * 3 * np.dtype(plan.experiment.picture_dtype).itemsize + 4 * (56 * 56 + plan.most_steps)
    yield where.line
    yield f"work units: {len(units)} of at most {where.batch} cells"
    yield f"store: up to {len(plan.todo) * each / 2**20:.0f} MiB in {plan.experiment.store}"
    if not units:
        return
    workers, here = min(where.workers, len(units)), "on this machine" if cluster is None else "on the cluster"
    weights = max(_bytes(plan, unit.model) for unit in units[:: max(1, len(units) // 8)])
    yield f"memory: about {0.5 + workers * (0.6 + 4 * weights / 2**30):.1f} GiB with {workers} workers {here}"
    seconds, source = _seconds(plan, store, where.on_gpus, cluster is None)
    if seconds is None:
        yield f"time: {source}"
    else:
        yield f"time: about {duration(seconds / workers)} with {workers} workers {here} ({source})"


def _seconds(plan: Plan, store: Store, on_gpus: bool, local: bool) -> tuple[float | None, str]:
    """One worker's seconds for all that is left: from earlier cells on such a device, else from a short trial here."""
    steps = _steps(plan)
    frame = store.table(["experiment", "steps", "seconds", "device"])
    earlier = frame[(frame["experiment"] == plan.experiment.name) & ((frame["device"] != "cpu") == on_gpus)]
    if len(earlier):
        return float((earlier["seconds"] / earlier["steps"]).median()) * steps, f"from {len(earlier)} earlier cells"
    if on_gpus:  # one cell alone waits for its launches: a trial of a few steps would say ten times too much
        return None, "unknown before the first cells are done on such a card; the run says it then"
    guess = "the first minutes will tell better" if local else "here, so a guess for other machines"
    return _trial(plan) * steps, f"from a trial of three steps; {guess}"


def _steps(plan: Plan) -> int:
    """Steps of all cells to do."""
    axes = [axis.name for axis in plan.grid.axes]
    layer_at, steps_at = axes.index("layer"), axes.index("steps") if "steps" in axes else None
    if steps_at is not None:
        return sum(int(cell.labels[steps_at]) for cell in plan.todo)
    return sum(plan.settings[str(cell.labels[layer_at])].steps for cell in plan.todo)


def _trial(plan: Plan) -> float:
    """Seconds per step and cell of one full unit of the first model, at the middle layer."""
    cell = plan.todo[len(plan.todo) // 2]
    labels = plan.labels(cell)
    spec, *others = plan.networks(str(labels["model"]))
    torch.set_num_threads(max(1, int(plan.experiment.resources.num_cpus)))
    network = Network(load_model(spec), mean=spec.mean, std=spec.std, input_size=spec.input_size)
    image = torch.from_numpy(plan.images[str(labels["image"])].pixels).permute(2, 0, 1)[None].float() / 255
    settings = plan.settings_of(cell).with_(steps=_PROBE_STEPS)
    ended: list[float] = []
    layer = plan.layers[str(labels["model"])][str(labels["layer"])].name
    caricatures(network, image, layer, [0], settings, on_step=lambda _: ended.append(time.perf_counter()))
    # The picture's measurement is a quarter of the steps; a difference computes two networks.
    return (ended[-1] - ended[0]) / (_PROBE_STEPS - 1) * 1.3 * (1 + len(others))


def _bytes(plan: Plan, model: str) -> float:
    return sum(os.path.getsize(spec.file) if spec.file else 100 * 2**20 for spec in plan.networks(model))  # noqa: PTH202
