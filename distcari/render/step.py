"""One step of the optimisation: all that it reads and writes are tensors that stay on the device.

What changes from step to step, but for the view, is a `Moment`: numbers, or single-element tensors where the step is
recorded once and run many times (launch.py).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from distcari.render.adam import Nadam
from distcari.render.augment import see
from distcari.render.contrast import ContrastTerm
from distcari.render.devices import float32_as_named
from distcari.render.objective import flat, gain_and_cosine, objective
from distcari.render.parametrization import Veil, coarse_edge, frequencies, gate_at, pictures
from distcari.render.sight import Sight
from distcari.settings import RenderSettings

WARM_UP = 0.05  # share of the steps in which the learning rate rises
WAKING = 10  # first steps in which a cell that no gradient has reached has its start doubled: contrast .004 to 1


class Moment(NamedTuple):
    """The numbers of one step: Nadam's (down, correction), the gate's edge in cycles/pixel, the share of the
    spectra that is kept, and whether cells that sleep are woken (1 or 0)."""

    down: Any
    correction: Any
    edge: Any
    kept: Any
    waking: Any


class Step:
    """N cells' spectra and all that a step needs: `take` moves them on by one.

    `fixed` keeps every tensor at its place, so that a recording of a step can be run again.
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        input_size: int,
        images: Tensor,
        target: Tensor,
        spectra: Tensor,
        scale: Tensor,
        colour: Tensor,
        settings: RenderSettings,
        term: ContrastTerm | None,
        grey: bool = False,
        tf32: bool = False,
    ) -> None:
        self.forward, self.input_size, self.images, self.settings, self.term = (
            forward,
            input_size,
            images,
            settings,
            term,
        )
        self.target = flat(target)
        self.spectra, self.scale, self.colour = spectra, scale, colour
        self.waves = frequencies(settings.size).to(spectra.device)
        self.optimizer = Nadam(spectra, damping=settings.damping)
        cells = len(spectra)
        self.sight = Sight(cells, settings.size, spectra.device, grey) if settings.damping else None
        self.veil: Veil | None = None
        self.woken = torch.zeros(cells, device=spectra.device)
        self._tf32 = tf32
        self.fixed = False

    def moment(self, step: int) -> Moment:
        """The numbers of a step, from 0."""
        s = self.settings
        share = rate(step, s.steps, s.schedule)
        edge = coarse_edge((step + 1) / (s.steps * s.coarse)) if s.coarse else 0.0
        waking = step < WAKING and s.compat != "v2"
        down, correction = self.optimizer.numbers(step + 1, s.learning_rate * share)
        return Moment(down, correction, edge, 1 - s.weight_decay * share, float(waking))

    def take(self, view: Tensor, at: Moment) -> Tensor:
        """One step, seen through views (N, 2, 3): the gain of each cell before it, (N,). Waits for no GPU."""
        s = self.settings
        if s.views == "both":
            with torch.no_grad():
                self.target = flat(self.forward(see(self.images, view, self.input_size)))
        shown = pictures(self.spectra, self.scale, s.size, self.colour, self.veil)
        gain, cosine = gain_and_cosine(flat(self.forward(see(shown, view, self.input_size))), self.target)
        loss = -objective(gain, cosine, s.cossim_pow).sum()
        if self.term is not None:
            loss = loss + self.term.cost(shown, view).sum()
        with float32_as_named(loss.device, self._tf32):
            gradient, arrived = torch.autograd.grad(loss, (self.spectra, shown))
        gate = gate_at(self.waves, at.edge) if s.coarse else None
        self.optimizer.apply(gradient, at.down, at.correction, gate)
        if s.weight_decay:
            self.optimizer.forget(at.kept)
        if self.sight is not None:
            self.sight.note(arrived)
            self._see(self.sight.veil())
        if isinstance(at.waking, Tensor) or at.waking:
            self.woken += _wake(self.spectra, self.optimizer.asleep() * at.waking)
        return gain.detach()

    @torch.no_grad()
    def pictures(self) -> Tensor:
        """The pictures as they would be finished now, (N, 3, size, size)."""
        return pictures(self.spectra, self.scale * self.settings.amplify, self.settings.size, self.colour, self.veil)

    def fix(self) -> None:
        """From now on no tensor is replaced by another; before the first step only."""
        if self.sight is not None:
            cells, size, device = len(self.spectra), self.settings.size, self.spectra.device
            neutral = torch.eye(3, device=device).expand(cells, 3, 3).clone()
            self.veil = neutral, torch.ones(cells, 1, size, size, device=device)
        self.fixed = True

    @property
    def state(self) -> list[Tensor]:
        """All that a step writes, once it is fixed."""
        seen = [] if self.sight is None or self.veil is None else [*self.sight.sums, *self.veil]
        return [self.spectra, *self.optimizer.moments, self.woken, *seen]

    @state.setter
    def state(self, tensors: list[Tensor]) -> None:
        self.spectra, mean, square, self.woken, *seen = tensors
        self.optimizer.parameter, self.optimizer.moments = self.spectra, (mean, square)
        if self.sight is not None:
            places, colours, veil_of_colours, veil_of_places = seen
            self.sight.sums, self.veil = (places, colours), (veil_of_colours, veil_of_places)

    def _see(self, veil: Veil) -> None:
        if self.fixed and self.veil is not None:
            for old, new in zip(self.veil, veil, strict=True):
                old.copy_(new)
        else:
            self.veil = veil


@torch.no_grad()
def _wake(spectra: Tensor, asleep: Tensor) -> Tensor:
    """Double the spectra (N, …) of cells that sleep (N,); 1 for each of these, else 0.

    A start of contrast .004 can leave every ReLU of a network off: no gradient, and no step ever. Twice, four times …
    as strong, the same start gets through; other cells keep their bits.
    """
    doubled = asleep.to(spectra)
    spectra.mul_((1.0 + doubled).view(-1, *[1] * (spectra.ndim - 1)))
    return doubled


def rate(step: int, steps: int, schedule: str) -> float:
    """Share of the peak learning rate at a step: a short warm-up, then a quarter of a cosine to 0; or always 1."""
    if schedule == "constant":
        return 1.0
    warm = max(1, round(steps * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return math.cos(math.pi / 2 * (step - warm) / max(1, steps - warm))
