"""Families of models whose figures are made up, with tags."""

import numpy as np
import pandas as pd

from distcari.analysis.study import Study, open_study
from distcari.store.models import update_models
from support.analysis_store import make

FIGURES = ["colourfulness", "robust_gain", "robust_cosine"]


def family(tmp_path, models, tags, figures, seeds=(0, 1), layers=("l1", "l2"), images=("cat", "cup")):
    """A study whose figures are made up: `figures(model index, layer, rng)`; its store has the tags."""
    url = make(tmp_path / "s", models[:1], images[:1], layers[:1], seeds[:1]).url
    study = open_study(url)
    rng = np.random.default_rng(1)
    rows = [
        {"key": f"{m}{i}{la}{s}", "experiment": "e", "model": m, "image": i, "layer": la, "seed": s}
        | dict(zip(FIGURES, figures(n, la, rng), strict=True))
        for n, m in enumerate(models)
        for i in images
        for la in layers
        for s in seeds
    ]
    update_models(study.store.files, [{"experiment": "e", "model": m, **t} for m, t in zip(models, tags, strict=True)])

    class Arrays:
        axes = ("model", "image", "layer", "seed")

        def labels(self, axis):
            return {"model": models, "image": images, "layer": layers, "seed": seeds}[axis]

    arrays = Arrays()
    arrays.axes = list(Arrays.axes)
    return Study(study.store, "e", pd.DataFrame(rows), arrays)
