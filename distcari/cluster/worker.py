"""The worker: holds one model (of a difference two), renders units of it, writes and verifies chunks, returns receipts.

A plain class; the Ray executor makes an actor of it, the serial one and tests call it without Ray.
"""

import logging
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distcari.cluster.jobs import Job, Result, Seat
from distcari.cluster.metrics import Meter
from distcari.cluster.receipts import Finished
from distcari.cluster.shipping import fetched
from distcari.cluster.tail import Beside, Here, Tail
from distcari.errors import typed_line
from distcari.grid import Cell
from distcari.render import Caricature, Contrast, LayerInfo, Network, caricatures, devices
from distcari.render.launch import Launch
from distcari.render.memory import Limits
from distcari.render.passes import out_of_memory
from distcari.sources.models import ModelSpec, load_model
from distcari.store import open_store
from distcari.store.arrays import Arrays

log = logging.getLogger("distcari.worker")
Renderer = Callable[..., Sequence[Caricature]]
KEPT = 2  # models of earlier jobs that stay where several jobs are in hand


class ModelError(RuntimeError):
    """A model that cannot be loaded here; `trace` is where that was raised."""

    def __init__(self, name: str, message: str, trace: str) -> None:
        super().__init__(f"model {name} cannot be loaded: {message}")
        self.trace = trace


class DeviceError(RuntimeError):
    """The device of this worker is of no use (any more): no fault of a cell."""


class Worker:
    """Renders units for one experiment of one store, on `device`: `cpu`, or `gpu` for whatever torch finds.

    With `beside` processes for figures and the store it may be given several jobs at once, from as many threads: one is
    on the device while the models of the next are loaded and the cells of the one before are stored.
    """

    def __init__(
        self,
        store_url: str,
        options: Mapping[str, Any],
        experiment: str,
        run_id: str,
        *,
        threads: int,
        device: str,
        share: float = 1.0,
        beside: int = 0,
        launch: Launch = "eager",
        name: str = "worker",
        renderer: Renderer = caricatures,
    ) -> None:
        self.experiment, self.run_id = experiment, run_id
        self.name, self.share = name, share
        torch.set_num_threads(threads)
        if device == "gpu" and (found := devices.accelerator()) is None:
            here = f"torch {torch.__version__} on {socket.gethostname()}"
            raise RuntimeError(f"Ray gave {name} a GPU, but {here} sees none")
        self.device: str = found or "cpu" if device == "gpu" else device
        one_by_one = launch == "eager" or self.device == "cpu" or (launch == "graph" and self.device != "cuda")
        self.renderer: Renderer = renderer if one_by_one else partial(renderer, launch=launch)
        devices.limit(self.device, share)
        self.kind = devices.kind(self.device)
        self.store = open_store(store_url, options=options, writable=True)
        self.arrays: Arrays = self.store.arrays(experiment)
        self.node, self.device_name = socket.gethostname(), self.card()
        self.meter, self.beside = Meter(experiment), beside
        whose = {"experiment": experiment, "device": self.device_name, "node": self.node, "run_id": run_id}
        self.tail: Tail = Beside(store_url, options, self.arrays, whose, beside) if beside else Here(self.arrays, whose)
        self._loading, self._device = threading.Lock(), threading.Lock()  # several jobs may be in hand at once
        self._resident: dict[str, Network] = {}
        self._limits = Limits()

    def __repr__(self) -> str:
        return f"{self.name} of {self.experiment}"  # what Ray's dashboard and log lines call it

    def ready(self) -> Seat:
        """Answer once it can work: where it is. From now on, it logs.

        Raises DeviceError if the device does not work, or is full already.
        """
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
        if flaw := self.trouble():
            raise DeviceError(flaw)
        card = os.environ.get("CUDA_VISIBLE_DEVICES", "") if self.device != "cpu" else ""
        return Seat(f"{self.node}, {self.device} {card}".strip(" ,") if self.device != "cpu" else self.node, self.kind)

    def card(self) -> str:
        """The device's name, for the column `device`."""
        return devices.name(self.device)

    def trouble(self, error: BaseException | None = None) -> str:
        """Why the device is of no use, after an error or before any work; "" if it works."""
        return devices.trouble(self.device, error, self.share)

    def run(self, job: Job) -> Result:
        """Render and store a unit. A cell that fails is reported; only a store that takes no chunk raises."""
        result = Result(node=self.node, seconds={"load": 0.0, "render": 0.0, "commit": 0.0}, kind=self.kind)
        try:
            with self._loading:
                networks, render = self._networks(job, result)
        except ModelError as error:
            result.failures = [(one.cell, str(error), error.trace) for one in job.cells]
        except DeviceError as error:
            result.broken = str(error)
        else:
            self._compute(networks[0], render, job, result)
            if result.rows:
                self._note_precisions(job, networks, result)
        self.meter.failed(job.label, len(result.failures))
        self.meter.unit(result.seconds)
        return result

    def _compute(self, network: Network, render: Renderer, job: Job, result: Result) -> None:
        """All cells of a job: each ended as it comes, or all at its end where they share an object or ending is done
        beside, so that the device is free for the next job meanwhile."""
        images = _batch([one.image for one in job.cells])  # before the device is taken: it would wait for them
        rendered = self._rendered(network, render, job, images, range(len(job.cells)), result)
        waiting: list[Finished] = []
        all_at_once = self.beside or self.arrays.images_per_shard > 1
        try:
            with self._device:
                for finished in rendered:
                    if all_at_once:
                        waiting.append(finished)
                    else:
                        self._end(job, [finished], result)
        except DeviceError as error:
            result.broken = str(error)
        self._end(job, waiting, result)

    def _networks(self, job: Job, result: Result) -> tuple[list[Network], Renderer]:
        """The job's model (of a difference both), and what renders with it."""
        wanted = [spec.name for spec, _ in job.asked]
        others = [name for name in self._resident if name not in wanted]
        for name in others[: -KEPT if self.beside else None]:
            del self._resident[name]  # let the old one go before the new one comes
        network = self._network(job.model, job.checkpoint_ref, result)
        for layer in job.layers:
            self._settle(network, job.model, layer, job)
        if job.contrast is None:
            return [network], self.renderer
        other = self._network(job.contrast.model, job.contrast.checkpoint_ref, result)
        self._settle(other, job.contrast.model, job.contrast.layer, job)
        return [network, other], partial(
            self.renderer, against=Contrast(other, job.contrast.layer.name, job.contrast.contrast)
        )

    def _settle(self, network: Network, spec: ModelSpec, layer: LayerInfo, job: Job) -> None:
        """Take over what was decided of a layer's arithmetic."""
        decided = job.precisions.get((spec.name, layer.name, job.settings.precision))
        if decided is not None:
            network.settle(layer.name, decided)
            if self.beside:  # fold it now, while the device is at another job
                network.forward(layer.name, decided)

    def _note_precisions(self, job: Job, networks: Sequence[Network], result: Result) -> None:
        """What the layers were computed in, for the workers to come."""
        if job.settings.compat == "lucent":
            return
        wanted, own = job.settings.precision, job.layers
        for at, (spec, layer) in enumerate(job.asked):
            network = networks[0 if at < len(own) else 1]
            result.precisions[spec.name, layer.name, wanted] = network.precision(layer.name, wanted)

    def _network(self, spec: ModelSpec, checkpoint_ref: Any, result: Result) -> Network:
        if spec.name in self._resident:
            self._resident[spec.name] = self._resident.pop(spec.name)  # the latest stands last
        else:
            start = time.perf_counter()
            try:
                model = load_model(fetched(spec, checkpoint_ref))
                network = Network(model, mean=spec.mean, std=spec.std, input_size=spec.input_size, device=self.device)
            except Exception as error:
                if flaw := self.trouble(error):
                    raise DeviceError(flaw) from error
                raise ModelError(spec.name, *_message(error)) from None
            self._resident[spec.name] = network
            seconds = time.perf_counter() - start
            result.seconds["load"] += seconds
            self.meter.loaded(spec.name)
            log.info("model %s loaded in %.1f s", spec.name, seconds)
        return self._resident[spec.name]

    def _rendered(
        self, network: Network, render: Renderer, job: Job, images: torch.Tensor, members: range, result: Result
    ) -> Iterator[Finished]:
        """Cells `members` of the job, whose images are (N, 3, y, x), as they are finished.

        On a GPU as many at once as fit, halved on an error until the bad cell is alone; on a CPU one by one, which is
        as fast (docs/performance.md) and makes a picture's bits independent of its company.
        """
        if len(members) > 1 and len(members) > (most := self._most(job)):
            for first in range(0, len(members), most):
                yield from self._rendered(network, render, job, images, members[first : first + most], result)
            return
        started, clock = datetime.now(UTC), time.perf_counter()
        cells, layers = [job.cells[i].cell for i in members], [job.cells[i].layer.name for i in members]
        at = ", ".join(dict.fromkeys(layers))
        log.info("cells %s of %s at %s", ", ".join(cell.key for cell in cells), job.label, at)
        try:
            finished = render(
                network,
                images[members.start : members.stop],
                layers[0] if len(set(layers)) == 1 else layers,
                [_seed(job.axes, cell) for cell in cells],
                job.settings,
            )
        except Exception as error:
            alone = len(members) == 1
            if (alone or not out_of_memory(error)) and (flaw := self.trouble(error)):
                raise DeviceError(f"{flaw} ({typed_line(error, 200)})") from error
            if alone:
                result.failures.append((cells[0], *_message(error)))
                return
            if out_of_memory(error):
                self._limits.ran_out(memory_place(job), len(members))
            _free(error)
            half = len(members) // 2
            yield from self._rendered(network, render, job, images, members[:half], result)
            yield from self._rendered(network, render, job, images, members[half:], result)
            return
        seconds = time.perf_counter() - clock
        result.seconds["render"] += seconds
        for i, caricature in zip(members, finished, strict=True):
            flaw = caricature.failure
            if not np.isfinite(caricature.picture).all():
                flaw = "FloatingPointError: the picture has values that are not finite"
            if flaw:
                result.failures.append((job.cells[i].cell, flaw, ""))
            else:
                yield Finished(i, caricature, seconds / len(members), started)

    def _most(self, job: Job) -> int:
        """Cells that are optimised at once: one on a CPU, on a GPU as many as its memory has held so far."""
        return 1 if self.device == "cpu" else self._limits.most(memory_place(job))

    def _end(self, job: Job, finished: Sequence[Finished], result: Result) -> None:
        """Write the chunks of these cells, verify them, and only then count the cells as done."""
        if not finished:
            return
        clock = time.perf_counter()
        try:
            result.rows += self.tail.rows(job, finished)
        except BrokenProcessPool as error:
            result.broken = f"a process beside it, for figures and the store, was killed ({error})"
            return
        for one in finished:
            self.meter.done(job.label, one.seconds)
        result.seconds["commit"] += time.perf_counter() - clock


def memory_place(job: Job) -> Hashable:
    """What decides how much memory a cell of a job takes; models of one architecture share it."""
    seen = tuple(
        (spec.source.architecture, str(spec.source.options), spec.input_size, at.name) for spec, at in job.asked
    )
    return seen, tuple(sorted(job.precisions.items())), job.settings.precision, job.settings.picture_size


def _batch(images: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """uint8 (y, x, 3) images as one float tensor (N, 3, y, x) in [0, 1]."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div(255).contiguous()


def _seed(axes: Sequence[str], cell: Cell) -> int:
    return int(cell.labels[axes.index("seed")])


def _message(error: BaseException) -> tuple[str, str]:
    """What an error says, and where it was raised."""
    return typed_line(error, 500), traceback.format_exc()


def _free(error: BaseException) -> None:
    """Give memory back before the smaller batch is tried."""
    error.__traceback__ = None
    if (kind := devices.accelerator()) is not None:
        devices.let_go(kind)
