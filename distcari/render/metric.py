"""What a layer's activations are measured in: as they are, or each channel from its mean in units of its spread.

Scaling a channel and its readers' weights against each other leaves a network's function as it is, but not the plain
dot product. `metric: standardised` does not see it: activations become (f − μ) / σ for target and picture alike, with
μ and σ of each channel over a fixed, shipped set of photographs and their mirror images (reference.npz, made by
benchmarks/reference.py), all positions together. Gain, cosine and match are then of that space, whose zero is the mean
photograph. (Whitening of targets: Activation Atlas, Carter et al. 2019; channel by channel on a reference: distcari.)

Layers with tokens (N, T, C) are cut to the tokens that count.
"""

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from weakref import WeakKeyDictionary
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from distcari.errors import InputError, typed_line
from distcari.render.network import Network
from distcari.settings import RenderSettings

REFERENCE = Path(__file__).with_name("reference.npz")
AT_ONCE = 4  # photographs in one forward pass

# A channel's σ is held above these shares of its own figures, so that no scale is preferred: of its largest deviation,
# for channels that answer to something the reference hardly shows; of its mean, below which bfloat16 has only rounding.
RARE, ROUNDING = 1 / 16, 1 / 128
DEAD = 1e-6  # of its largest value: a channel that changes less from photograph to photograph is constant

Activations = Callable[[Tensor], Tensor]
_KNOWN: WeakKeyDictionary[Network, dict[tuple[str, str, str], tuple[Tensor, Tensor]]] = WeakKeyDictionary()


def measured(network: Network, layer: str, precision: str, settings: RenderSettings) -> Activations:
    """The layer's activations for pictures (N, 3, y, x) in [0, 1], in the settings' metric and of its tokens, float32.

    Raises InputError for an unknown layer, for tokens of a layer without tokens, and for a layer that answers to
    nothing in the reference.
    """
    plain, read = network.activations(layer, precision=precision), reading(network, layer, precision, settings)
    return lambda pictures: read(plain(pictures))


def reading(network: Network, layer: str, precision: str, settings: RenderSettings) -> Activations:
    """What makes the measured activations of the layer's own (N, …), float32. Raises as `measured`."""
    taken = _of_tokens(network, layer, settings.tokens)
    if settings.metric == "plain":
        return taken
    known = _KNOWN.setdefault(network, {})
    key = (network.layer(layer).name, precision, settings.tokens)
    if key not in known:
        plain = network.activations(layer, precision=precision)
        found = statistics(lambda pictures: taken(plain(pictures)), network.input_size, network.device)
        if not bool(found[1].any()):
            raise InputError(
                f"layer {layer!r}",
                "is silent: the same for all reference photographs, so it has no spread to measure in",
                "Set render.metric to plain, or choose another layer.",
            )
        known[key] = found
    mean, weight = known[key]
    return lambda activations: (taken(activations) - mean) * weight


@cache
def reference_images(size: int) -> Tensor:
    """The shipped photographs and their mirror images: (16, 3, size, size) in [0, 1]."""
    light, colour = check_reference()
    side = light.shape[-1]
    blue, red = (F.interpolate(colour, size=(side, side), mode="bilinear", align_corners=False) - 128).unbind(1)
    rgb = torch.stack([light + 1.402 * red, light - 0.344136 * blue - 0.714136 * red, light + 1.772 * blue], 1)
    shown = F.interpolate(rgb, size=(size, size), mode="bicubic", antialias=True, align_corners=False) / 255
    return torch.cat([shown, shown.flip(3)]).clamp(0, 1)


def check_reference() -> tuple[Tensor, Tensor]:
    """The shipped photographs as they are kept, light (8, y, x) and colour (8, 2, v, u), float32 in 0 … 255.

    Raises InputError where the file is gone, empty, cut short or another one: an installation that broke.
    """
    try:
        with np.load(REFERENCE) as kept:
            light, colour = (torch.from_numpy(kept[name]).float() for name in ("light", "colour"))
    except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, BadZipFile, zlib.error) as error:
        raise InputError(
            str(REFERENCE),
            f"the reference photographs cannot be read: {typed_line(error)}",
            "They come with the package. Install it anew: pip install --force-reinstall --no-deps distcari",
        ) from error
    return light, colour


def photographs(size: int) -> Tensor:
    """The shipped photographs alone, without mirror images: (8, 3, size, size) in [0, 1]."""
    shown = reference_images(size)
    return shown[: len(shown) // 2]


@torch.no_grad()
def statistics(forward: Activations, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and 1 / σ of each channel over the reference, shaped to broadcast on the activations; 1 / σ is 0 if dead."""
    shown = reference_images(size).to(device)
    seen = torch.cat([forward(some) for some in torch.split(shown, AT_ONCE)])
    channel = channel_dim(seen.shape)
    seen = seen.double() if seen.device.type == "cpu" else seen  # some devices know no float64
    others = [d for d in range(seen.ndim) if d != channel]
    mean = seen.mean(others, keepdim=True)
    away = seen - mean
    spread = away.square().mean(others, keepdim=True)
    floor = (RARE * away.abs().amax(others, keepdim=True)).square() + (ROUNDING * mean).square()
    alive = (seen.amax(0, keepdim=True) - seen.amin(0, keepdim=True)).amax(others, keepdim=True)
    dead = alive <= DEAD * seen.abs().amax(others, keepdim=True)
    weight = torch.where(dead, 0.0, torch.maximum(spread, floor).clamp_min(torch.finfo(torch.float32).tiny).rsqrt())
    return mean.float(), weight.float()


def channel_dim(shape: torch.Size) -> int:
    """Which dim holds the channels: 1 of convolutions (N, C, v, u), else the last (as in `positions`)."""
    return 1 if len(shape) == 4 and not shape[1] == shape[2] != shape[3] else len(shape) - 1


def _of_tokens(network: Network, layer: str, tokens: str) -> Activations:
    """What keeps the tokens that are wanted of a layer's activations."""
    info = network.layer(layer)
    shape, first = info.shape, info.prefix_tokens
    if len(shape) != 2:
        if tokens == "class":
            raise InputError(
                f"layer {layer!r}",
                f"has no tokens (its shape is {shape}), so it has no class token",
                "Leave render.tokens out, or choose a layer of a transformer.",
            )
        return _everything
    if tokens == "all" or (tokens == "patch" and not first):
        return _everything
    if tokens == "class" and not info.class_token:
        raise InputError(f"layer {layer!r}", "has no class token", "Set render.tokens to patch or all.")
    if tokens == "class":
        return lambda activations: activations[:, :1]
    return lambda activations: activations[:, first:]


def _everything(activations: Tensor) -> Tensor:
    return activations
