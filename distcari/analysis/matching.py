"""The two-way game: how often a judge picks the right input for a picture, or the right group for a training.

Chance is 50 of 100. People who saw synthetic pictures guessed right in 82 ± 4 of 100 (Borowski et al., ICLR 2021).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.analysis.groups import Given, all_groups
from distcari.analysis.judge import Judge, open_judge
from distcari.analysis.relabelling import Relabelling, right_choices
from distcari.analysis.study import Study, open_study
from distcari.errors import InputError
from distcari.store import Store

if TYPE_CHECKING:
    from distcari.render import Network

CHANCE = 50.0
Progress = Callable[[str, int, int], None]  # the layer at hand, pictures looked at, pictures in all
_DRAWS = 2000


def _silent(layer: str, done: int, total: int) -> None:
    """Tell nobody."""


def match_inputs(
    store: Store | str | Study,
    *,
    experiment: str | None = None,
    judge: "str | Network | Judge | None" = None,
    layers: Sequence[str] | None = None,
    by: Sequence[str] = ("layer",),
    progress: Progress = _silent,
) -> pd.DataFrame:
    """In how many of 100 two-way choices the judge picks a picture's own input rather than another image.

    A row for each label on `by` (`layer`, `model`, any axis): `score` (0 … 100, chance 50), `low` and `high` (95 %
    bootstrap over images, NaN with one), `choices`, `images`. Each picture is held against every other image. Raises
    InputError with fewer than two images, or for a judge that cannot be loaded. `progress` is told of the pictures
    that the judge has looked at.
    """
    study, judged, rows = _rows(store, experiment, judge, layers)
    images = [name for name in study.known("image") if name in set(rows["image"])]
    if len(images) < 2:
        raise InputError(
            f"experiment {study.experiment}",
            "has pictures of one image only",
            "A choice between two inputs needs two images or more.",
        )
    inputs = judged.features([study.arrays.input(image) / 255 for image in images])
    made = []
    for part, seen in _looked_at(study, judged, rows, progress):
        likeness = seen @ inputs.T
        own = likeness[np.arange(len(part)), [images.index(image) for image in part["image"]]]
        wins = (own[:, None] > likeness).sum(axis=1) + ((own[:, None] == likeness).sum(axis=1) - 1) / 2
        made.append(part.assign(right=100 * wins / (len(images) - 1)))
    frame = _scores(study, pd.concat(made), by, "image")
    frame["choices"] = frame["choices"] * (len(images) - 1)
    frame.attrs = {"judge": judged.name, "chance": CHANCE, "task": "input"}
    return frame.rename(columns={"clusters": "images"})


def match_groups(
    store: Store | str | Study,
    groups: Mapping[str, Given],
    *,
    experiment: str | None = None,
    judge: "str | Network | Judge | None" = None,
    layers: Sequence[str] | None = None,
    by: Sequence[str] = ("layer",),
    progress: Progress = _silent,
) -> pd.DataFrame:
    """In how many of 100 two-way choices the judge puts a picture of an unseen training into its own group.

    Each training is held out; its pictures are held against the mean of its group's other trainings and against that of
    another group less one of its trainings, so that both means are over equally many where groups are equal. Rows as in
    `match_inputs`, with `p`, the share of 1,000 ways to give out the groups' names that score at least as much
    (relabelling.py). The interval is over trainings, and near chance too narrow, for choices share their means: there
    go by p. Raises InputError for groups of fewer than two trainings.
    """
    study, judged, rows = _rows(store, experiment, judge, layers)
    sides = all_groups(study, groups)
    for side in sides:
        if len(side.models) < 2:
            raise InputError(
                f"group {side.name}",
                "has one training only",
                "To be told what it has not seen, a group needs two trainings or more.",
            )
    member = {model: side.name for side in sides for model in side.models}
    if judged.model in member:
        raise InputError(f"judge {judged.name}", "made some of the pictures", "Name a network that is in no group.")
    rows = rows[rows["model"].isin(member)]
    made, relabelling = [], Relabelling(member)
    for part, seen in _looked_at(study, judged, rows, progress):
        part = part.assign(at=np.arange(len(part)))
        for _, block in study.by_block(part):
            models, drawn = _by_training(block, seen)
            grams = (drawn @ drawn.T)[None]
            right = 100 * right_choices(grams, np.array([member[model] for model in models]))[0]
            labels = block.iloc[0][study.blocks].to_dict()
            made.append(pd.DataFrame({**labels, "model": models, "right": right}).dropna(subset=["right"]))
            if "model" not in by:
                relabelling.add(tuple(labels[axis] for axis in by), models, grams)
    frame = _scores(study, pd.concat(made), by, "model")
    if "model" not in by:
        frame["p"] = [relabelling.p(row) for row in frame[[*by]].itertuples(index=False, name=None)]
    frame.attrs = {"judge": judged.name, "chance": CHANCE, "task": "group", "groups": [side.name for side in sides]}
    return frame.rename(columns={"clusters": "trainings"})


def _rows(
    store: Store | str | Study,
    experiment: str | None,
    judge: "str | Network | Judge | None",
    layers: Sequence[str] | None,
) -> tuple[Study, Judge, pd.DataFrame]:
    study = open_study(store, experiment)
    judged = open_judge(study, judge)
    rows = study.at_layers(study.rows[study.rows["model"] != judged.model], layers)
    if rows.empty:
        raise InputError(f"judge {judged.name}", "made all the pictures", "Name a network that made none of them.")
    return study, judged, rows


def _looked_at(
    study: Study, judge: Judge, rows: pd.DataFrame, progress: Progress
) -> Iterator[tuple[pd.DataFrame, NDArray[np.float64]]]:
    """Each layer's rows, and what the judge sees in their pictures."""
    done = 0
    for layer, part in rows.groupby("layer", observed=True, sort=False):

        def looked(pictures: int, layer: str = str(layer)) -> None:
            nonlocal done
            done += pictures
            progress(layer, done, len(rows))

        yield part, judge.features_of(study, part, looked)


def _by_training(block: pd.DataFrame, seen: NDArray[np.float64]) -> tuple[list[str], NDArray[np.float64]]:
    """A block's trainings, and what the judge saw in each one's pictures in the mean: (trainings, values)."""
    found = {str(model): seen[part["at"]].mean(axis=0) for model, part in block.groupby("model", observed=True)}
    return list(found), np.array([*found.values()])


def _scores(study: Study, rows: pd.DataFrame, by: Sequence[str], cluster: str) -> pd.DataFrame:
    """Mean `right` for each label on `by`, with an interval over the clusters (images or trainings)."""
    if rows.empty:
        raise InputError(
            f"experiment {study.experiment}",
            "has no pictures that can be held against each other",
            "The groups must share images and layers.",
        )
    draw = np.random.default_rng(0)
    made = []
    places = {axis: {label: i for i, label in enumerate(study.known(axis))} for axis in by}
    ordered = rows.assign(**{f"_{axis}": rows[axis].map(places[axis]) for axis in by})
    rows = ordered.sort_values([f"_{axis}" for axis in by], kind="stable") if by else ordered
    for labels, part in rows.groupby([*by], observed=True, sort=False) if by else [((), rows)]:
        each = part.groupby(cluster, observed=True)["right"].mean().to_numpy()
        low, high = np.nan, np.nan
        if len(each) > 1:
            means = each[draw.integers(0, len(each), (_DRAWS, len(each)))].mean(axis=1)
            low, high = np.quantile(means, [0.025, 0.975])
        made.append(
            {
                **dict(zip(by, labels, strict=False)),
                "score": each.mean(),
                "low": low,
                "high": high,
                "choices": len(part),
                "clusters": len(each),
            }
        )
    return pd.DataFrame(made)
