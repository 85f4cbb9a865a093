"""Who runs the steps: `eager`, operation by operation; `graph`, recorded once as a CUDA graph; `inductor`, compiled.

A step is some 250 operations, and at small batches a GPU does each faster than a processor can launch the next. A
graph launches all of them at once; inductor also fuses them. What is computed is the same but for rounding.
`eager` and `inductor` are tried on CPUs; **the CUDA graph is untried**: no GPU was to be had.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from distcari.render.step import Moment, Step

Launch = Literal["eager", "graph", "inductor"]
UNRECORDED = 3  # steps before a graph is recorded, in which the libraries choose their kernels and workspaces


class Launcher(Protocol):
    """Takes step after step."""

    def __call__(self, number: int) -> Tensor:
        """Take the step of this number, from 0, each in turn: the gain of each cell before it, (N,)."""


def launcher(how: Launch, step: Step, views: Tensor) -> Launcher:
    """What takes the steps, seen through views (steps, N, 2, 3) on the device.

    Raises ValueError for a CUDA graph elsewhere than on CUDA.
    """
    if how == "eager":
        return Eager(step, views)
    if how == "inductor":
        return Compiled(step, views)
    if how != "graph":
        raise ValueError(f"launch is {how!r}, but must be eager, graph or inductor")
    if step.spectra.device.type != "cuda":
        raise ValueError(f"launch: graph needs a CUDA device, but this is {step.spectra.device}")
    return Graph(step, views)


class Eager:
    """Operation by operation, with the step's numbers from Python."""

    def __init__(self, step: Step, views: Tensor) -> None:
        self._step, self._views = step, views

    def __call__(self, number: int) -> Tensor:  # noqa: D102
        return self._step.take(self._views[number], self._step.moment(number))


class Recorded:
    """A step whose number is on the device: it finds its view and its numbers by itself, so nothing is sent to it."""

    def __init__(self, step: Step, views: Tensor) -> None:
        step.fix()
        self.step, self.views = step, views
        self.moments = torch.tensor([step.moment(n) for n in range(len(views))]).to(views.device)
        self.number = torch.zeros(1, dtype=torch.int64, device=views.device)

    def take(self) -> Tensor:
        """The next step."""
        view, numbers = self.views.index_select(0, self.number)[0], self.moments.index_select(0, self.number)[0]
        gain = self.step.take(view, Moment(*numbers.unbind()))
        self.number += 1
        return gain


class Graph:
    """A CUDA graph: the first steps as they are, then one recorded and run again for each that follows. Untried.

    A recording costs about a step, so each batch has its own, and no padding. If recording fails the steps go on as
    they are, and it is said.
    """

    def __init__(self, step: Step, views: Tensor) -> None:
        self._recorded, self._gain, self._refused = Recorded(step, views), step.woken, False
        self._graph: Any = None
        self._stream: Any = torch.cuda.Stream(views.device)  # type: ignore[no-untyped-call]

    def __call__(self, number: int) -> Tensor:  # noqa: D102
        if number == UNRECORDED:
            self._record()
        if self._graph is None:
            return self._unrecorded()
        self._graph.replay()
        return self._gain.clone()

    def _unrecorded(self) -> Tensor:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            gain = self._recorded.take()
        torch.cuda.current_stream().wait_stream(self._stream)
        return gain

    def _record(self) -> None:
        graph = torch.cuda.CUDAGraph()
        try:  # other threads may load the next model meanwhile: `thread_local`
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                self._gain = self._recorded.take()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            warnings.warn(f"no CUDA graph, but step by step: {error}", stacklevel=4)
        else:
            self._graph = graph


class Compiled:
    """Traced with its gradient and its optimiser by `make_fx`, compiled by inductor; torch.compile itself would break
    at the exception that ends a pass at its layer. Needs a C++ compiler (on GPUs Triton), and seconds to minutes for
    each layer and batch."""

    def __init__(self, step: Step, views: Tensor) -> None:
        self._recorded = Recorded(step, views)
        self._run: Callable[..., Sequence[Tensor]] | None = None

    def __call__(self, number: int) -> Tensor:  # noqa: D102
        recorded = self._recorded
        if self._run is None:
            self._run = compiled(recorded)
        with torch.no_grad():
            *state, gain = self._run(recorded.step.state, recorded.views[number], recorded.moments[number])
        recorded.step.state = state
        return gain


def traced(recorded: Recorded) -> torch.fx.GraphModule:
    """The step as a graph of operations: (state, view, numbers) → (*state, gain); what it has is left as it was."""
    from torch.fx.experimental.proxy_tensor import make_fx

    step = recorded.step

    def pure(state: list[Tensor], view: Tensor, numbers: Tensor) -> list[Tensor]:
        held, target = step.state, step.target
        spectra, *others = (tensor.detach().clone() for tensor in state)
        step.state = [spectra.requires_grad_(True), *others]
        try:
            gain = step.take(view, Moment(*numbers.unbind()))
            return [*(tensor.detach() for tensor in step.state), gain]
        finally:
            step.state, step.target = held, target

    graph: torch.fx.GraphModule = make_fx(pure)(step.state, recorded.views[0], recorded.moments[0])
    return graph


def compiled(recorded: Recorded) -> Callable[..., Sequence[Tensor]]:
    """The traced step, compiled for its device."""
    import torch._inductor

    graph = traced(recorded)
    examples: list[Any] = [recorded.step.state, recorded.views[0], recorded.moments[0]]
    with torch.no_grad():
        run: Callable[..., Sequence[Tensor]] = torch._inductor.compile(graph, examples)
    return run
