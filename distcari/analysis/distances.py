"""Distances between the pictures of a layer, block by block (same image, same swept settings), as pandas frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.analysis.activations import activation_metric
from distcari.analysis.metrics import METRICS, Metric
from distcari.analysis.study import Study, open_study
from distcari.errors import InputError
from distcari.store import Store

if TYPE_CHECKING:
    from distcari.render import Network


@dataclass(frozen=True)
class BlockDistances:
    """The pictures of one block: its labels, each picture's model and seed, and their distances (N, N)."""

    labels: tuple[Any, ...]
    models: NDArray[np.object_]
    seeds: NDArray[np.int64]
    distance: NDArray[np.float64]

    @property
    def comparable(self) -> NDArray[np.bool_]:
        """Pairs of different seeds (N, N): those of one seed share their start and are more alike for it."""
        return np.asarray(self.seeds[:, None] != self.seeds[None])


def distance_matrix(
    store: Store | str | Study,
    layer: str,
    metric: str | Metric = "colour",
    *,
    experiment: str | None = None,
    models: Sequence[str] | None = None,
    through: "str | Network | None" = None,
    at: str | None = None,
) -> pd.DataFrame:
    """Mean distance between models' pictures of the same image at a layer: models × models, in the metric's unit.

    Between two models, and within one (the diagonal), pictures of different seeds are compared, so that both compare;
    with one seed those of that seed, and the diagonal is NaN. The mean is over all images and swept settings that both
    have. `metric`: colour, spectrum, or activation, which takes the network `through` which to look, and its layer `at`
    (default: the same name). `attrs` holds metric, unit and meaning. Raises InputError for a layer, a model or a metric
    that there is not.
    """
    study = open_study(store, experiment)
    names = list(study.models) if models is None else [study.label("model", m) for m in models]
    layer = study.label("layer", layer)
    found = as_metric(study, at or layer, metric, through)
    rows = study.of(names, layer=layer)
    names = [name for name in names if name in set(rows["model"])]
    place = {name: i for i, name in enumerate(names)}
    total, number = (np.zeros((len(names), len(names))) for _ in range(2))
    one_seed = rows["seed"].nunique() == 1
    for block in block_distances(study, rows, found):
        i = np.array([place[name] for name in block.models])
        ok = (block.comparable | one_seed) & ~np.eye(len(i), dtype=bool)
        np.add.at(total, (i[:, None], i[None]), np.where(ok, block.distance, 0))
        np.add.at(number, (i[:, None], i[None]), ok)
    mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    frame = pd.DataFrame(mean, pd.Index(names, name="model"), pd.Index(names, name="other"))
    frame.attrs = {"layer": layer, "metric": found.name, "unit": found.unit, "meaning": found.meaning}
    return frame


def block_distances(study: Study, rows: pd.DataFrame, metric: Metric) -> Iterator[BlockDistances]:
    """The distances within each block of the rows."""
    for labels, part in study.by_block(rows):
        pictures = [study.picture(key) for key in part["key"]]
        if len({picture.shape for picture in pictures}) > 1:
            raise InputError(f"experiment {study.experiment}", "has pictures of different sizes", "Compare one size.")
        yield BlockDistances(labels, part["model"].to_numpy(object), part["seed"].to_numpy(), metric.matrix(pictures))


def as_metric(study: Study, layer: str, metric: str | Metric, through: "str | Network | None" = None) -> Metric:
    """The metric of that name. Raises InputError for another."""
    if isinstance(metric, Metric):
        return metric
    if metric == "activation":
        return activation_metric(study, layer, through)
    if metric not in METRICS:
        raise InputError(
            f"metric {metric!r}", "there is none of that name", f"There are: {', '.join([*METRICS, 'activation'])}."
        )
    return METRICS[metric]
