"""What a cell's gain and cosine are to be held against, and what is said where they say nothing. No torch.

A picture's cosine of .9 is worth nothing at a layer where a plain grey card has .9 as well. So every cell's row has
its yardsticks; rows written before them have null there.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distcari.figures import Figure

SHARE = 0.8  # of the picture's cosine: what grey, or just any photograph, reaches where a layer hardly responds
HARDLY = "this layer hardly responds to the image"
OTHER_WAY = 0.2  # path coherence that 86 of 100 other photographs stay below (benchmarks/trust.py, path)
STRANGE = "this picture takes another path through the network than its input"


_ONE = "1 = as strong as the input"
_SCALE = "0 = grey or another photograph, 1 = the input"

YARDSTICKS: dict[str, Figure] = {
    "grey_gain": Figure(_ONE, "gain of a plain grey picture (.5)", "distcari", "yardstick"),
    "grey_cosine": Figure("-1 … 1", "cosine of a plain grey picture (.5)", "distcari", "yardstick"),
    "other_gain": Figure(_ONE, "gain of other photographs: mean over the eight shipped ones", "distcari", "yardstick"),
    "other_cosine": Figure(
        "-1 … 1", "cosine of other photographs: mean over the eight shipped ones", "distcari", "yardstick"
    ),
    "calibrated_gain": Figure(
        _SCALE,
        "(robust_gain - z) / (1 - z), z the largest of 0, grey_gain and other_gain; null where z is above .95",
        "distcari",
        "yardstick",
    ),
    "calibrated_cosine": Figure(
        _SCALE,
        "(robust_cosine - z) / (1 - z), z the largest of 0, grey_cosine and other_cosine; null where z is above .95",
        "distcari",
        "yardstick",
    ),
    "path_coherence": Figure(
        "0 = another photograph, 1 = a random view of the input",
        "how like the input's the picture's activations are at up to four earlier layers; null at a first layer",
        "after Geirhos et al. 2024, scale of distcari (render/path.py)",
        "yardstick",
    ),
}


COSINES = ("robust_cosine", "grey_cosine", "other_cosine")  # that `hardly_responds` judges by


def hardly_responds(cosine: Any, grey: Any, other: Any) -> NDArray[np.bool_]:
    """Whether a grey picture or just any photograph reaches .8 of the picture's (robust) cosine, value by value.

    False where one is not known: rows of older versions.
    """
    reached = np.fmax(np.asarray(grey, float), np.asarray(other, float))
    return np.asarray((reached > 0) & (reached >= SHARE * np.asarray(cosine, float)))


def hardly_respond(rows: Any) -> NDArray[np.bool_]:
    """`hardly_responds` of rows of the index (a frame, or one row)."""
    return hardly_responds(*(rows[name] for name in COSINES))


def takes_another_path(path_coherence: Any) -> NDArray[np.bool_]:
    """Whether a picture is no more like its input at earlier layers than other photographs are, value by value."""
    return np.asarray(np.asarray(path_coherence, float) <= OTHER_WAY)


def remarks(row: Mapping[str, Any]) -> list[str]:
    """What a cell's yardsticks say of it, in words; none of a row without them."""
    said = [HARDLY] if hardly_responds(*(row.get(name) for name in COSINES)) else []
    return [*said, STRANGE] if takes_another_path(row.get("path_coherence")) else said
