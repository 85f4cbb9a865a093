"""Distance of two pictures as one and the same network sees them. The only part of the analysis that needs torch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distcari.analysis.metrics import Metric
from distcari.analysis.study import Study
from distcari.errors import InputError

if TYPE_CHECKING:
    from distcari.render import Network
    from distcari.sources.models import ModelSpec


def activation_metric(study: Study, layer: str, through: "str | Network | None") -> Metric:
    """1 − cosine of a layer's activations for both pictures: 0 alike … 1 unrelated … 2 opposite.

    `through` is the common network: a model of the experiment, whose weights are read again from where its config found
    them, or a `distcari.render.Network`. Raises InputError without one, or if its weights are gone or have changed.
    """
    from distcari.render.augment import see

    if through is None:
        raise InputError(
            "metric activation",
            "needs one network through which both pictures are seen",
            f"Say through=…, a model of the experiment ({', '.join(study.models[:6])}) or a Network. It "
            "favours pictures made in it, so take one that made neither where you can.",
        )
    network = load(study, through) if isinstance(through, str) else through
    if isinstance(through, str):
        layer = study.arrays.description.layer(study.label("model", through), layer)
    forward = network.activations(layer)

    def features(picture: NDArray[Any]) -> NDArray[np.float64]:
        import torch

        one = torch.from_numpy(np.ascontiguousarray(picture, np.float32)).permute(2, 0, 1)[None]
        with torch.no_grad():
            seen = forward(see(one.to(network.device), None, network.input_size))
        flat = seen.flatten().double().cpu().numpy()
        return np.asarray(flat / max(np.linalg.norm(flat), 1e-300))

    named = through if isinstance(through, str) else "the network given"
    return Metric(
        "activation",
        "1 − cosine",
        f"1 − cosine of the activations at {layer} of {named}",
        features,
        lambda one, others: 1 - others @ one,
    )


def load(study: Study, model: str) -> "Network":
    """A model of the experiment with its own normalisation, by what the store remembers of it."""
    return network_of(spec_of(study, model))


def network_of(spec: "ModelSpec", device: str = "cpu") -> "Network":
    """The network of a specification."""
    from distcari.render import Network
    from distcari.sources.models import load_model

    return Network(load_model(spec), mean=spec.mean, std=spec.std, input_size=spec.input_size, device=device)


def spec_of(study: Study, model: str) -> "ModelSpec":
    """A model as it was when its pictures were made. Raises InputError if its weights are gone or have changed."""
    from distcari.config.experiment import Experiment, ModelSource
    from distcari.sources.models import expand_models

    model = study.label("model", model)
    told: Mapping[str, Any] = study.arrays.meta["models"].get(model, {})
    where = f"model {model} of {study.experiment}"
    remedy = "Run this where the config's paths hold (the folder of the submit), or give a distcari.render.Network."
    if "source" not in told:
        raise InputError(where, "the store does not say where its weights are", remedy)
    source = ModelSource.model_validate(told["source"])
    experiment = Experiment.model_validate({**study.arrays.meta["config"], "models": [source.model_dump()]})
    try:
        specs = {spec.name: spec for spec in expand_models(experiment, where)}
    except InputError as error:
        raise InputError(where, f"its weights cannot be found: {error.problem}", remedy) from None
    if model not in specs or specs[model].sha256 != told["sha256"]:
        raise InputError(where, "its weights are not those of the store any more", remedy)
    return specs[model]
