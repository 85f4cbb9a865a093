"""What each worker asks Ray for, and how many there are: `auto` resolved by what the nodes have. Without Ray."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distcari.config.experiment import Experiment, Resources
from distcari.errors import InputError

GPU_BATCH, CPU_BATCH = 64, 4  # cells of a unit: on a GPU nothing is gained beyond (docs/performance.md)
SHARED_BY = (4, 2)  # workers on a card, so that one computes while another waits for its launches
CORES = 2  # that a worker on a GPU keeps busy: one feeds the card, one does figures and the store
LARGE = re.compile(r"A100|A800|H\d00|H20|GH200|B[23]00|GB[23]00|MI[23]\d\d|RTX.?PRO.?6000")  # cards worth sharing


@dataclass(frozen=True)
class Need:
    """What a worker asks for."""

    num_cpus: float = 1
    num_gpus: float = 0
    custom: Mapping[str, float] = field(default_factory=dict)
    label_selector: Mapping[str, str] = field(default_factory=dict)

    @property
    def wanted(self) -> dict[str, float]:
        """By Ray's names."""
        return {"CPU": self.num_cpus, "GPU": self.num_gpus, **self.custom}


@dataclass(frozen=True)
class Node:
    """A node that is alive: its resources and its labels, by Ray's names."""

    resources: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def cards(self) -> int:
        """Whole GPUs."""
        return int(self.resources.get("GPU", 0))

    @property
    def kind(self) -> str:
        """What kind they are, as far as Ray knows."""
        named = [name.partition(":")[2] for name in self.resources if name.startswith("accelerator_type:")]
        return named[0] if named else self.labels.get("ray.io/accelerator-type", "") or "GPU"


@dataclass(frozen=True)
class Placement:
    """Where a run computes: each worker's need, workers there is room for, most cells in a unit, and all in a line."""

    need: Need
    workers: int
    batch: int
    line: str

    @property
    def on_gpus(self) -> bool:
        """Whether its workers have GPUs."""
        return self.need.num_gpus > 0

    @property
    def hands(self) -> int:
        """Units that a worker has at a time: on a GPU one to compute, one to store, one to load for."""
        return 3 if self.on_gpus else 1

    @property
    def beside(self) -> int:
        """Processes beside a worker for figures and the store: on a GPU two, one where it is shared; else none."""
        return 0 if not self.on_gpus else 2 if self.need.num_gpus >= 1 else 1


def place(resources: Resources, nodes: Sequence[Node]) -> Placement:
    """Resolve `auto`: GPUs if any node that will do has some, else cores; at least one worker, at most `actors`."""
    need = Need(resources.num_cpus, 0, resources.custom, resources.label_selector)
    will_do = [node for node in nodes if fits(node, need)]
    given = resources.num_gpus
    need = Need(need.num_cpus, _share(will_do) if given == "auto" else given, need.custom, need.label_selector)
    room = max(1, sum(fits(node, need) for node in nodes))
    workers = room if resources.actors == "auto" else min(room, resources.actors)
    batch = resources.batch
    if batch == "auto":
        batch = GPU_BATCH if need.num_gpus else CPU_BATCH
    return Placement(need, workers, batch, _line(need, workers, will_do))


def place_experiment(experiment: Experiment, nodes: Sequence[Node]) -> Placement:
    """`place`. Raises InputError where the experiment asks for tf32 and its workers would be processors."""
    placement = place(experiment.resources, nodes)
    asked = (experiment.render.precision, *experiment.sweeps.get("precision", ()))
    if "tf32" in asked and not placement.on_gpus:
        raise InputError(
            "render.precision",
            "is tf32, which NVIDIA's GPUs have from Ampere on, but the workers have no GPU",
            "Take auto, float32 or bfloat16; or GPUs, with resources.num_gpus.",
        )
    return placement


def fits(node: Node, need: Need) -> int:
    """Workers that fit on a node. GPU shares do not span GPUs: three of 0.4 take two GPUs."""
    if not all(_labelled(node.labels.get(name), wanted) for name, wanted in need.label_selector.items()):
        return 0
    have, wanted = node.resources, {name: n for name, n in need.wanted.items() if n > 0}
    counts = [int((have.get(name, 0.0) + 1e-9) // n) for name, n in wanted.items() if not (name == "GPU" and n < 1)]
    if 0 < need.num_gpus < 1:
        counts.append(node.cards * int((1 + 1e-9) // need.num_gpus))
    return min(counts)


def _labelled(label: str | None, wanted: str) -> bool:
    """Ray's label selectors: `H100`, `!H100`, `in(H100, H200)`, `!in(T4)`."""
    negated, text = wanted.startswith("!"), wanted.removeprefix("!")
    listed = re.fullmatch(r"in\((.*)\)", text)
    values = [value.strip() for value in (listed[1].split(",") if listed else [text])]
    return (label in values) != negated


def _share(nodes: Sequence[Node]) -> float:
    """GPUs of a worker: a share of a large card where there are cores for several on each, else one; 0 without any."""
    with_cards = [node for node in nodes if node.cards]
    if not with_cards:
        return 0
    for several in SHARED_BY:
        if all(LARGE.search(n.kind) and n.resources.get("CPU", 0) >= several * CORES * n.cards for n in with_cards):
            return 1 / several
    return 1


def _line(need: Need, workers: int, nodes: Sequence[Node]) -> str:
    """What is used, and how to choose otherwise."""
    cards: Counter[str] = Counter()
    for node in nodes:
        cards[node.kind] += node.cards
    found = ", ".join(f"{n} × {kind}" for kind, n in cards.items() if n) or "no GPU"
    several = f"{workers} worker{'s' if workers != 1 else ''}"
    if not need.num_gpus:
        cores = "one core" if need.num_cpus == 1 else f"{need.num_cpus:g} cores"
        idle = " left idle (num_gpus: 0)" if cards.total() else ""
        return f"{found}{idle}: {several} of {cores} (fewer: --set resources.actors=N)"
    on_each = int((1 + 1e-9) // need.num_gpus) if need.num_gpus < 1 else 1
    if workers < cards.total() * on_each and need.num_gpus <= 1:
        where = ""
    else:
        where = f", {on_each} on each" if need.num_gpus <= 1 else f", each with {need.num_gpus:g}"
    return f"{found}: {several}{where} (otherwise: --set resources.num_gpus=…, 0 for processors alone)"
