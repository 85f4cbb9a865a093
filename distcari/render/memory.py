"""How many cells a device takes at once, by measuring what one more costs."""

import torch

from distcari.render.caricature import caricatures
from distcari.render.network import Network
from distcari.settings import RenderSettings

SHARE = 0.8  # of the free memory; the rest is for workspaces that grow with the batch


def cells_at_once(network: Network, layer: str, settings: RenderSettings) -> int:
    """Cells that fit into a GPU's free memory together; 1 on a CPU, where batches are no faster.

    Runs one and two cells for a step each, after one in vain, in which the reference is measured. A
    batch that is too large all the same is halved by the worker.
    """
    if network.device.type != "cuda":
        return 1
    _, one, two = (_peak(network, layer, settings, n) for n in (1, 1, 2))
    free, _ = torch.cuda.mem_get_info(network.device)
    free += torch.cuda.memory_reserved(network.device) - torch.cuda.memory_allocated(network.device)
    return max(1, int(SHARE * free / max(1, two - one)))


def _peak(network: Network, layer: str, settings: RenderSettings, n: int) -> int:
    """Most bytes allocated at any time while n cells take one step."""
    torch.cuda.reset_peak_memory_stats(network.device)
    images = torch.full((n, 3, settings.size, settings.size), 0.5)
    caricatures(network, images, layer, list(range(n)), settings.with_(steps=1))
    return torch.cuda.max_memory_allocated(network.device)
