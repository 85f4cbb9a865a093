"""Do networks differ as functions where their pictures differ? Linear CKA beside the distances of the pictures."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.analysis.activations import load
from distcari.analysis.distances import distance_matrix
from distcari.analysis.study import Study, open_study
from distcari.errors import InputError
from distcari.store import Store

CROPS = 12  # of each photograph, so that a layer is compared on about a hundred pictures
_SHARE = (0.45, 0.9)  # side of a crop, of the photograph's shorter side
_SIDE = 224
_PERMUTATIONS = 999


def similarity(
    store: Store | str | Study,
    *,
    experiment: str | None = None,
    models: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    metric: str = "colour",
) -> pd.DataFrame:
    """For each layer and pair of models: `cka`, and `distance`, the mean distance of their pictures in `unit`.

    `cka` is linear CKA (Kornblith et al., ICML 2019) with the unbiased HSIC (Song et al., JMLR 2012; without it few
    samples look alike), 0 unrelated … 1 equal up to rotation and scale, over fixed crops of scikit-image's photographs
    and the experiment's own inputs. `attrs["agreement"]` is a frame: by layer Spearman's rank correlation of 1 − cka
    and distance, with a permutation p over models (Mantel 1967; NaN under four). Raises InputError for models whose
    weights are gone, and with fewer than two models.
    """
    study = open_study(store, experiment)
    names = [study.label("model", m) for m in models] if models is not None else _networks(study)
    if len(names) < 2:
        raise InputError(f"experiment {study.experiment}", f"has {len(names)} network to compare", "Name two or more.")
    wanted = [study.label("layer", layer) for layer in layers] if layers is not None else study.known("layer")
    pictures = probes(study)
    seen: dict[tuple[str, str], NDArray[Any]] = {}
    for name in names:
        network = load(study, name)
        there = {info.name for info in network.layers}
        for layer in wanted:
            if (own := study.arrays.description.layer(name, layer)) in there:
                seen[layer, name] = _gram(network, own, pictures)
    made = []
    for layer in wanted:
        having = [name for name in names if (layer, name) in seen]
        far = distance_matrix(study, layer, metric, models=having) if len(having) > 1 else pd.DataFrame()
        for a, b in combinations(having, 2):
            apart = far.loc[a, b] if a in far.index and b in far.columns else np.nan
            made.append(
                {"layer": layer, "a": a, "b": b, "cka": _cka(seen[layer, a], seen[layer, b]), "distance": apart}
            )
    frame = pd.DataFrame(made, columns=["layer", "a", "b", "cka", "distance"])
    frame.attrs = {"metric": metric, "probes": len(pictures), "agreement": agreement(frame)}
    return frame


def agreement(frame: pd.DataFrame) -> pd.DataFrame:
    """By layer: `rho` (Spearman) of 1 − cka and picture distance over the pairs, `p` (Mantel), `models`, `pairs`."""
    made = []
    for layer, part in frame.dropna(subset=["distance"]).groupby("layer", sort=False):
        names = list(dict.fromkeys([*part["a"], *part["b"]]))
        near, far = (_square(part, names, column) for column in ("cka", "distance"))
        rho, p = _mantel(1 - near, far) if len(names) > 2 else (np.nan, np.nan)
        made.append({"layer": layer, "rho": rho, "p": p, "models": len(names), "pairs": len(part)})
    return pd.DataFrame(made, columns=["layer", "rho", "p", "models", "pairs"])


def probes(study: Study) -> list[NDArray[np.float32]]:
    """The pictures on which networks are compared, float (y, x, 3) in [0, 1]: fixed crops, then the inputs."""
    import skimage.data
    from PIL import Image

    from distcari.sources.images import SAMPLES

    made: list[NDArray[Any]] = []
    draw = np.random.default_rng(0)
    for name in sorted(SAMPLES):
        picture = Image.open(Path(skimage.data.__file__).parent / SAMPLES[name]).convert("RGB")
        for _ in range(CROPS):
            side = int(draw.uniform(*_SHARE) * min(picture.size))
            left, top = (int(draw.integers(0, length - side + 1)) for length in picture.size)
            crop = picture.crop((left, top, left + side, top + side)).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
            made.append(np.asarray(crop))
    inputs = [
        np.asarray(Image.fromarray(study.arrays.input(image)).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))
        for image in study.known("image")
    ]
    return [(picture / np.float32(255)).astype(np.float32) for picture in [*made, *inputs]]


def _networks(study: Study) -> list[str]:
    """The models that are networks: differences have two."""
    known = study.arrays.meta["models"]
    return [name for name in study.models if "source" in known.get(name, {})]


def _gram(network: Any, layer: str, pictures: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Inner products of all pictures' activations, positions and channels together: (N, N), without its diagonal."""
    import torch

    from distcari.render.augment import see

    forward, rows = network.activations(layer), []
    for start in range(0, len(pictures), 8):
        batch = torch.from_numpy(np.stack([np.ascontiguousarray(p) for p in pictures[start : start + 8]]))
        with torch.no_grad():
            rows.append(forward(see(batch.permute(0, 3, 1, 2), None, network.input_size)).flatten(1))
    flat = torch.cat(rows)
    flat = flat - flat.mean(0)
    gram = (flat @ flat.T).double().numpy()
    np.fill_diagonal(gram, 0)
    return np.asarray(gram)


def _hsic(k: NDArray[Any], m: NDArray[Any]) -> float:
    """The unbiased HSIC of two Gram matrices with zero diagonals (Song et al. 2012, eq. 5)."""
    n = len(k)
    ones = np.ones(n)
    whole = (
        np.trace(k @ m)
        + (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
        - 2 * (ones @ k @ m @ ones) / (n - 2)
    )
    return float(whole / (n * (n - 3)))


def _cka(k: NDArray[Any], m: NDArray[Any]) -> float:
    both = _hsic(k, k) * _hsic(m, m)
    return float(_hsic(k, m) / np.sqrt(both)) if both > 0 else float("nan")


def _square(part: pd.DataFrame, names: Sequence[str], column: str) -> NDArray[np.float64]:
    whole = np.full((len(names), len(names)), np.nan)
    place = {name: i for i, name in enumerate(names)}
    for a, b, value in zip(part["a"], part["b"], part[column], strict=True):
        whole[place[a], place[b]] = whole[place[b], place[a]] = value
    return whole


def _mantel(one: NDArray[Any], two: NDArray[Any]) -> tuple[float, float]:
    """Spearman's rank correlation of two distance matrices, and its permutation p over the models' order."""
    from scipy.stats import spearmanr

    upper = np.triu_indices(len(one), 1)

    def rho(order: NDArray[Any]) -> float:
        x, y = one[upper], two[np.ix_(order, order)][upper]
        ok = ~np.isnan(x) & ~np.isnan(y)
        return float(spearmanr(x[ok], y[ok]).statistic) if ok.sum() > 2 and np.ptp(x[ok]) and np.ptp(y[ok]) else np.nan

    found, draw = rho(np.arange(len(one))), np.random.default_rng(0)
    if len(one) < 4 or np.isnan(found):
        return found, float("nan")
    as_far = sum(abs(rho(draw.permutation(len(one)))) >= abs(found) - 1e-12 for _ in range(_PERMUTATIONS))
    return found, (as_far + 1) / (_PERMUTATIONS + 1)
