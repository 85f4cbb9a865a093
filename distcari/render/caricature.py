"""The loop: from input images to pictures that push a layer as far as they can in the direction the images push it.

On a CPU the same cell in the same batch, with the same number of threads, gives the same bits. In another batch it may
not: behind a linear layer, in a transformer, with tiny inputs or more threads the library picks another order of
summation for another batch size, and the steps amplify the rounding. So workers render cells one by one on a CPU, where
batches are no faster. On a GPU the backward passes of resampling, max-pooling and attention add in no fixed order, and
cuDNN chooses its kernels by itself; `torch.use_deterministic_algorithms` refuses the resampling (pytorch #68959).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from distcari.errors import InputError
from distcari.render.augment import random_views, see
from distcari.render.compat import SEEN, lucent_optimise
from distcari.render.contrast import Contrast, ContrastTerm
from distcari.render.devices import float32_as_named
from distcari.render.dominance import warn_of_dominance
from distcari.render.finished import Caricature, failures_of, measured_by_layer, measured_cells
from distcari.render.launch import Launch, launcher
from distcari.render.metric import measured
from distcari.render.network import Network
from distcari.render.parametrization import colour_basis, frequency_scale, generators, starts
from distcari.render.plateau import Plateau
from distcari.render.preprocessing import chosen as chosen_preprocessing
from distcari.render.spanning import alike, of_layer, spanning
from distcari.render.step import Step
from distcari.render.yardsticks import yardsticks
from distcari.settings import RenderSettings


def caricature(
    model: nn.Module | Network,
    image: Any,
    layer: str,
    *,
    seed: int = 0,
    settings: RenderSettings | None = None,
    preprocessing: Any = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    input_size: int | None = None,
    device: str | None = None,
    **render_settings: Any,
) -> Caricature:
    """The caricature of one image at one layer.

    `image` is a PIL image, an array (y, x, 3) of uint8 or of floats in [0, 1], or a tensor (3, y, x) in [0, 1]; it is
    cropped to its central square. `mean`, `std` and `input_size` are what the model wants; where they are not given,
    `preprocessing` says (torchvision weights, a Hugging Face image processor, timm's configuration), else the model
    itself if it carries them, else they are ImageNet's at 224 pixels. The model stays as it is, and may be compiled,
    parallel or in half precision. `device` is by default the model's. `render_settings` are fields of RenderSettings.
    Raises InputError for a layer that the model does not have or a model that cannot be rendered, ValueError for a
    setting out of range.
    """
    chosen = (settings or RenderSettings()).with_(**render_settings)
    network = network_of(model, preprocessing, mean, std, input_size, device)
    made = caricatures(network, as_tensor(image, chosen.size)[None], layer, [seed], chosen)[0]
    if made.failure:
        raise InputError(f"layer {layer!r}", made.failure, "Choose another layer, image or seed.")
    return made


def network_of(
    model: nn.Module | Network,
    preprocessing: Any,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    input_size: int | None,
    device: str | None,
) -> Network:
    """The model made ready, with what it wants as `caricature` finds it; a Network is taken as it is."""
    if isinstance(model, Network):
        return model
    if not isinstance(model, nn.Module):
        raise InputError("model", f"is a {type(model).__name__}, not a torch.nn.Module", "Give the network itself.")
    wants = chosen_preprocessing(model, preprocessing, mean, std, input_size)
    here = device or next((str(t.device) for t in (*model.parameters(), *model.buffers())), "cpu")
    assert wants.mean and wants.std and wants.input_size
    return Network(model, mean=wants.mean, std=wants.std, input_size=wants.input_size, device=here)


@torch.inference_mode(False)
@torch.enable_grad()
def caricatures(
    network: Network,
    images: Tensor,
    layer: str | Sequence[str],
    seeds: Sequence[int],
    settings: RenderSettings | None = None,
    *,
    against: Contrast | None = None,
    on_step: Callable[[int], None] | None = None,
    launch: Launch = "eager",
) -> list[Caricature]:
    """Caricatures of N images (N, 3, y, x) in [0, 1], square, at one layer, optimised together; cells stay independent.

    `layer` may be N layers, one for each image: on a GPU small batches of several layers cost what one does
    (spanning.py); pictures differ from those of the layers alone by rounding. Not with `against` or `compat: lucent`.
    `against` makes them difference caricatures (contrast.py). `on_step` is called with the number of each step done.
    `launch`: who runs the steps, see launch.py; other than eager, pictures differ by rounding.
    A cell whose optimisation never started has its `failure`; the others are as they would be without it. Raises
    InputError for an unknown layer.
    """
    layers = [layer] * len(images) if isinstance(layer, str) else list(layer)
    chosen = (settings or RenderSettings()).acting()
    several = len({network.layer(name).name for name in layers}) > 1
    if several and (against is not None or chosen.compat == "lucent"):
        raise ValueError("cells of several layers: neither differences nor compat: lucent can be rendered together")
    if len(layers) != len(images):
        raise ValueError(f"{len(layers)} layers for {len(images)} images")
    with float32_as_named(network.device):
        if not several:
            return _caricatures(network, images, layers[:1] * len(images), seeds, chosen, against, on_step, launch)
        made: list[Caricature | None] = [None] * len(images)
        for cells in alike(network, layers, chosen.precision):
            some, theirs, starts_ = images[cells], [layers[i] for i in cells], [seeds[i] for i in cells]
            for i, one in zip(
                cells, _caricatures(network, some, theirs, starts_, chosen, None, on_step, launch), strict=True
            ):
                made[i] = one
        return [one for one in made if one is not None]


def _caricatures(
    network: Network,
    images: Tensor,
    layers: Sequence[str],
    seeds: Sequence[int],
    chosen: RenderSettings,
    against: Contrast | None,
    on_step: Callable[[int], None] | None,
    launch: Launch,
) -> list[Caricature]:
    """Of cells whose layers are `alike`."""
    cells, layer = of_layer(layers), layers[0]
    if chosen.compat == "lucent":
        if against is not None:
            raise ValueError("compat: lucent knows no difference caricatures")
        old, shown, aim, curve = lucent_optimise(network, images, layer, seeds, chosen, on_step)
        return measured_cells(old, shown, aim, SEEN, curve, chosen.with_(cossim_pow=0.0))
    precision = network.precision(layer, chosen.precision)
    size, device = network.input_size, network.device
    forward = (spanning if len(cells) > 1 else _of_one)(network, layers, precision, chosen)
    images = _to(images.clone() if images.is_inference() else images, device)
    with torch.no_grad():
        target = forward(see(images, None, size))
    if len(cells) == 1:
        warn_of_dominance(target, network.layer(layer))
    draws = generators(seeds)
    spectra = _to(starts(draws, chosen.size), device).requires_grad_(True)
    views = _to(random_views(draws, chosen.steps, chosen.rotate, chosen.scale, chosen.shift), device)
    scale, colour = _to(frequency_scale(chosen.size), device), _to(colour_basis(network.grey), device)
    term = None if against is None else ContrastTerm(against, images, chosen)
    step = Step(forward, size, images, target, spectra, scale, colour, chosen, term, network.grey, precision == "tf32")
    take, plateau = launcher(launch, step, views), Plateau(chosen.plateau)
    gains: list[Tensor] = []
    for number in range(chosen.steps):  # nothing in here waits for a GPU
        gains.append(take(number))
        if on_step is not None:
            on_step(number + 1)
        if plateau.all_stopped(gains, step.pictures):
            break
    finished, curves = plateau.finished(step.pictures()), torch.stack(gains, 1)
    if len(cells) == 1:
        held_against = partial(yardsticks, network, layer, precision, chosen, forward, images, target)
        done = measured_cells(forward, finished, target, size, curves, chosen, term, held_against)
    else:
        done = measured_by_layer(network, cells, images, finished, curves, precision, chosen)
    failures = failures_of(step.target, step.optimizer.asleep(), layers)
    return [
        replace(
            c,
            precision=precision,
            gain_curve=c.gain_curve[: plateau.steps(i, len(gains))],
            woken=int(step.woken[i]),
            failure=failures[i],
        )
        for i, c in enumerate(done)
    ]


def _of_one(
    network: Network, layers: Sequence[str], precision: str, settings: RenderSettings
) -> Callable[[Tensor], Tensor]:
    return measured(network, layers[0], precision, settings)


def _to(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device, from pinned memory and without waiting where that is a GPU."""
    if device.type == "cuda" and not tensor.is_cuda:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def as_tensor(image: Any, size: int) -> Tensor:
    """An image of any of the usual kinds as float32 (3, size, size) in [0, 1], its central square."""
    if isinstance(image, Tensor):
        image = image.detach().cpu().permute(1, 2, 0).numpy()
    if isinstance(image, np.ndarray):
        values = image if image.dtype == np.uint8 else np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
        image = Image.fromarray(values)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.convert("RGB").crop((left, top, left + side, top + side))
    if side != size:
        square = square.resize((size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1).float() / 255
