"""Cells of several layers of one network optimised together, by one pass to the deepest: for cards that wait.

A step is some 250 launches however few cells it has, so on a GPU seven layers of three images cost what one layer of
three does. What is shallow is computed through to the deepest layer and thrown away there, which such a card has time
for; a processor has not, and there nothing spans. Each cell's activations are a row, filled up with zeros to the
longest: they add nothing to any product, so gain and cosine are those of the layer alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from distcari.render.metric import Activations, reading
from distcari.render.network import Network
from distcari.render.objective import flat
from distcari.settings import RenderSettings


def alike(network: Network, layers: Sequence[str], precision: str) -> list[list[int]]:
    """The cells (their positions) that one pass can serve: one form of the network, one precision; in their order."""
    groups: dict[tuple[int, str], list[int]] = {}
    for at, layer in enumerate(layers):
        chosen = network.precision(layer, precision)
        form = network.model_for(network.layer(layer), chosen)
        groups.setdefault((id(form), chosen), []).append(at)
    return list(groups.values())


def of_layer(layers: Sequence[str]) -> dict[str, list[int]]:
    """The cells' positions by layer, in the layers' first order."""
    return {name: [at for at, layer in enumerate(layers) if layer == name] for name in dict.fromkeys(layers)}


def spanning(network: Network, layers: Sequence[str], precision: str, settings: RenderSettings) -> Activations:
    """Measured activations of N pictures, the i-th at `layers[i]`: (N, values of the largest layer), zeros behind.

    The layers must be `alike`. Raises as `metric.measured`.
    """
    cells = of_layer(layers)
    names = list(cells)
    through = network.earlier(names[0], names, precision)
    reads = [reading(network, name, precision, settings) for name in names]
    rows = [torch.tensor(at, device=network.device) for at in cells.values()]
    back = torch.argsort(torch.cat(rows))

    def forward(pictures: Tensor) -> Tensor:
        seen = through(pictures)
        own = [flat(read(z.index_select(0, at))) for z, read, at in zip(seen, reads, rows, strict=True)]
        longest = max(part.shape[1] for part in own)
        return torch.cat([F.pad(part, (0, longest - part.shape[1])) for part in own]).index_select(0, back)

    return forward
