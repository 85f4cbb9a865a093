"""A cell's yardsticks: what a grey picture and other photographs do to the layer, and the picture's path coherence.

Grey and photographs go through the network once for a model and layer, not once a cell: means over photographs of
dot(f(y), t) and of the cosine are dot products of t with mean activations, and only these are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from distcari.render.metric import AT_ONCE, photographs
from distcari.render.network import Network
from distcari.render.objective import dots, flat, gain_and_cosine
from distcari.render.path import path_coherence
from distcari.settings import RenderSettings

GREY = 0.5
NO_SCALE = 0.95  # a zero above it leaves too little to be divided by

Activations = Callable[[Tensor], Tensor]
_KNOWN: WeakKeyDictionary[Network, dict[tuple[str, str, str, str], "_Seen"]] = WeakKeyDictionary()


@dataclass(frozen=True)
class _Seen:
    """Activations (1, values) of grey; mean over photographs of theirs, and of theirs at length 1."""

    grey: Tensor
    mean: Tensor
    direction: Tensor


@torch.no_grad()
def yardsticks(
    network: Network,
    layer: str,
    precision: str,
    settings: RenderSettings,
    forward: Activations,
    images: Tensor,
    target: Tensor,
    pictures: Tensor,
    figures: dict[str, Tensor],
) -> dict[str, Tensor]:
    """Yardsticks of finished pictures (N, 3, y, x) with these `figures`, made for images of that shape: each (N,).

    `forward` gives the layer in the metric in force, `target` is what it gives for the images. NaN where one has no
    meaning; path_coherence is left out where no layer is earlier. Columns: distcari/yardsticks.py.
    """
    known = _KNOWN.setdefault(network, {})
    key = (network.layer(layer).name, precision, settings.metric, settings.tokens)
    if key not in known:
        known[key] = _seen(forward, network)
    seen, t = known[key], flat(target)
    grey_gain, grey_cosine = gain_and_cosine(seen.grey.expand_as(t), t)
    squared = dots(t, t).clamp_min(torch.finfo(t.dtype).tiny)
    other_gain = dots(seen.mean.expand_as(t), t) / squared
    other_cosine = dots(seen.direction.expand_as(t), t) / squared.sqrt()
    found = {
        "grey_gain": grey_gain,
        "grey_cosine": grey_cosine,
        "other_gain": other_gain,
        "other_cosine": other_cosine,
        "calibrated_gain": _calibrated(figures["robust_gain"], grey_gain, other_gain),
        "calibrated_cosine": _calibrated(figures["robust_cosine"], grey_cosine, other_cosine),
    }
    coherence = path_coherence(network, layer, precision, pictures, images)
    return found if coherence is None else found | {"path_coherence": coherence}


def _calibrated(value: Tensor, grey: Tensor, other: Tensor) -> Tensor:
    zero = torch.maximum(grey, other).clamp_min(0)
    return torch.where(zero > NO_SCALE, torch.nan, (value - zero) / (1 - zero).clamp_min(1 - NO_SCALE))


def _seen(forward: Activations, network: Network) -> _Seen:
    shown = photographs(network.input_size).to(network.device)
    mean, direction = torch.zeros(()), torch.zeros(())
    for some in torch.split(shown, AT_ONCE):
        z = flat(forward(some))
        length = torch.stack([row.norm() for row in z]).clamp_min(torch.finfo(z.dtype).tiny)
        mean = mean.to(z) + z.sum(0, keepdim=True) / len(shown)
        direction = direction.to(z) + (z / length[:, None]).sum(0, keepdim=True) / len(shown)
    return _Seen(flat(forward(torch.full_like(shown[:1], GREY))), mean, direction)
