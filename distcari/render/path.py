"""Whether a picture takes the way through the network that its input takes: path coherence.

Synthetic pictures can reach a unit by circuits that no photograph uses (Geirhos et al., "Don't trust your eyes", ICML
2024). A caricature has a natural reference, its own input. So at some earlier layers we ask how like the picture's
activations are to the input's, on a scale whose 0 is another photograph and whose 1 is a random view of the input:

    coherence = Σ (s(picture) - s(other)) / Σ (s(view) - s(other)),   sums over the earlier layers

with s the cosine to the input of activations averaged over a 4 × 4 grid of places, each channel from its mean in units
of its spread over the shipped photographs. (The sanity check: Geirhos et al.; scale and grid: distcari.)
"""

from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn import functional as F

from distcari.render.augment import see
from distcari.render.layers import LayerInfo
from distcari.render.measure import positions, robust_views
from distcari.render.metric import AT_ONCE, photographs
from distcari.render.network import Network

LAYERS, GRID = 4, 4
VIEWS = 4  # of the 32 fixed ones, of the input: the ceiling

_KNOWN: WeakKeyDictionary[Network, dict[tuple[str, str], "_Way"]] = WeakKeyDictionary()


def earlier_layers(network: Network, layer: str) -> list[LayerInfo]:
    """Up to four layers that end before `layer`, evenly spread: blocks where there are any."""
    names = [info.name for info in network.layers]
    before = network.layers[: names.index(network.layer(layer).name)]
    kept = [i for i in before if i.kind == "block"] or [i for i in before if i.kind in ("conv", "linear", "stage")]
    if len(kept) <= LAYERS:
        return kept
    return [kept[round(i * (len(kept) - 1) / (LAYERS - 1))] for i in range(LAYERS)]


@torch.no_grad()
def path_coherence(network: Network, layer: str, precision: str, pictures: Tensor, images: Tensor) -> Tensor | None:
    """Path coherence of pictures (N, 3, y, x) made for images of whatever side, (N,); None where no layer is earlier.

    About 0 for another photograph, 1 for a random view of the input; NaN where the two cannot be told apart.
    """
    known = _KNOWN.setdefault(network, {})
    key = (network.layer(layer).name, precision)
    if key not in known:
        names = [info.name for info in earlier_layers(network, layer)]
        known[key] = _Way(network, network.earlier(layer, names, precision) if names else None)
    way = known[key]
    if way.forward is None:
        return None
    views = robust_views()[:: len(robust_views()) // VIEWS].to(images.device)
    found = []
    for picture, image in zip(pictures, images, strict=True):
        seen = see(image.expand(VIEWS, *image.shape), views, network.input_size)
        straight = torch.cat([see(one[None], None, network.input_size) for one in (image, picture)])
        found.append(way.coherence(torch.cat([straight, seen])))
    return torch.stack(found)


class _Way:
    """The earlier layers' activations, in units of the shipped photographs', and these photographs' own."""

    def __init__(self, network: Network, forward: Callable[[Tensor], list[Tensor]] | None) -> None:
        self.forward = forward
        if forward is None:
            return
        shown = photographs(network.input_size).to(network.device)
        parts = [[_pooled(z) for z in forward(some)] for some in torch.split(shown, AT_ONCE)]
        raw = [torch.cat(layer) for layer in zip(*parts, strict=True)]
        self.scales = [_scale(z) for z in raw]
        self.others = [_units(z, *scale) for z, scale in zip(raw, self.scales, strict=True)]

    def coherence(self, shown: Tensor) -> Tensor:
        """Of (2 + views, 3, size, size): the input, the picture, views of the input. A scalar."""
        assert self.forward is not None
        gained, possible = [], []
        for z, scale, others in zip(self.forward(shown), self.scales, self.others, strict=True):
            image, picture, *views = _units(_pooled(z), *scale)
            floor = (others @ image).median()
            gained.append(picture @ image - floor)
            possible.append(torch.stack([view @ image for view in views]).mean() - floor)
        whole = torch.stack(possible).sum()
        return torch.where(whole > 0.05 * len(possible), torch.stack(gained).sum() / whole, torch.nan)


def _pooled(activations: Tensor) -> Tensor:
    """Activations (N, …) averaged over a grid of places: (N, C, v, u), v and u at most 4."""
    z = positions(activations).permute(0, 3, 1, 2)
    return F.adaptive_avg_pool2d(z, (min(GRID, z.shape[2]), min(GRID, z.shape[3])))


def _scale(pooled: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread of each channel, (1, C, 1, 1), over photographs and places.

    A channel that all photographs leave cold is measured in the layer's median spread: it is just there that a fooling
    circuit lies.
    """
    mean = pooled.mean((0, 2, 3), keepdim=True)
    spread = (pooled - mean).square().mean((0, 2, 3), keepdim=True).sqrt()
    typical = spread[spread > 0].median() if bool((spread > 0).any()) else torch.ones((), device=spread.device)
    return mean, torch.where(spread > 1e-3 * typical, spread, typical)


def _units(pooled: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """As vectors of length 1: (N, values)."""
    return F.normalize(((pooled - mean) / spread).flatten(1), dim=1)
