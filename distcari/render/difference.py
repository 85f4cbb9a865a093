"""One difference caricature: what network a sees in an image and network b does not."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from distcari.render.caricature import as_tensor, caricatures, network_of
from distcari.render.contrast import Contrast
from distcari.render.finished import Caricature
from distcari.render.network import Network
from distcari.settings import RenderSettings

Statistics = tuple[Sequence[float] | None, Sequence[float] | None]  # a network's mean and std of each channel


def difference(
    model_a: nn.Module | Network,
    model_b: nn.Module | Network,
    image: Any,
    layer: str,
    *,
    layer_b: str | None = None,
    contrast: float = 1.0,
    seed: int = 0,
    settings: RenderSettings | None = None,
    preprocessing_a: Any = None,
    preprocessing_b: Any = None,
    normalization_a: Statistics = (None, None),
    normalization_b: Statistics = (None, None),
    input_size_a: int | None = None,
    input_size_b: int | None = None,
    device: str | None = None,
    **render_settings: Any,
) -> Caricature:
    """The picture that drives a's layer as the image does, and b's as little as can be (formula: contrast.py).

    `image`, what each network wants and `render_settings` are those of `caricature`; `layer_b` is b's layer where it
    has another name. `contrast` weighs b's response against a's. Figures `…_in_b` say what the picture does to b.
    Raises InputError for a layer that a network does not have, ValueError for a setting out of range.
    """
    if contrast < 0:
        raise ValueError(f"contrast is {contrast}, but must be at least 0")
    chosen = (settings or RenderSettings()).with_(**render_settings)
    a = network_of(model_a, preprocessing_a, *normalization_a, input_size_a, device)
    b = network_of(model_b, preprocessing_b, *normalization_b, input_size_b, device or str(a.device))
    contrasted = Contrast(b, layer_b or layer, contrast)
    return caricatures(a, as_tensor(image, chosen.size)[None], layer, [seed], chosen, against=contrasted)[0]
