"""The two-way game: how often a judge picks the right input for a picture, or the right group for a training.

Chance is 50 of 100. People who saw synthetic pictures guessed right in 82 ± 4 of 100 (Borowski et al., ICLR 2021).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.analysis.groups import Given, all_groups
from distcari.analysis.judge import Judge, open_judge
from distcari.analysis.study import Study, open_study
from distcari.errors import InputError
from distcari.store import Store

if TYPE_CHECKING:
    from distcari.render import Network

CHANCE = 50.0
_DRAWS = 2000


def match_inputs(
    store: Store | str | Study,
    *,
    experiment: str | None = None,
    judge: "str | Network | Judge | None" = None,
    layers: Sequence[str] | None = None,
    by: Sequence[str] = ("layer",),
) -> pd.DataFrame:
    """In how many of 100 two-way choices the judge picks a picture's own input rather than another image.

    A row for each label on `by` (`layer`, `model`, any axis): `score` (0 … 100, chance 50), `low` and `high` (95 %
    bootstrap over images, NaN with one), `choices`, `images`. Each picture is held against every other image. Raises
    InputError with fewer than two images, or for a judge that cannot be loaded.
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
    for _, part in rows.groupby("layer", observed=True, sort=False):
        seen = judged.features([study.picture(key) for key in part["key"]])
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
) -> pd.DataFrame:
    """In how many of 100 two-way choices the judge puts a picture of an unseen training into its own group.

    Each training is held out; its pictures are held against the mean of its group's other trainings and against that of
    another group less one of its trainings, so that both means are over equally many where groups are equal. Rows as in
    `match_inputs`; the interval is over trainings. Raises InputError for groups of fewer than two trainings.
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
    made = []
    for _, part in rows.groupby("layer", observed=True, sort=False):
        part = part.assign(at=np.arange(len(part)))
        seen = judged.features([study.picture(key) for key in part["key"]])
        made += [_held_out(study, block, seen, member) for _, block in study.by_block(part)]
    frame = _scores(study, pd.concat(made), by, "model")
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
    rows = study.rows[study.rows["model"] != judged.model]
    if layers is not None:
        rows = rows[rows["layer"].isin([study.label("layer", layer) for layer in layers])]
    if rows.empty:
        raise InputError(f"judge {judged.name}", "made all the pictures", "Name a network that made none of them.")
    return study, judged, rows


def _held_out(study: Study, block: pd.DataFrame, seen: NDArray[Any], member: Mapping[str, str]) -> pd.DataFrame:
    """The share of choices that are right for each training of a block, (model, image, layer …, right, weight)."""
    mean = {str(model): seen[part["at"]].mean(axis=0) for model, part in block.groupby("model", observed=True)}
    found = []
    for model, own in mean.items():
        mates = [mean[m] for m in mean if member[m] == member[model] and m != model]
        right = []
        for rival in {member[m] for m in mean} - {member[model]}:
            others = [m for m in mean if member[m] == rival]
            for left_out in others:
                rest = [mean[m] for m in others if m != left_out]
                if mates and rest:
                    a, b = _cosine(own, np.mean(mates, axis=0)), _cosine(own, np.mean(rest, axis=0))
                    right.append(float(a > b) + 0.5 * float(a == b))
        if right:
            found.append({**block.iloc[0][study.blocks].to_dict(), "model": model, "right": 100 * np.mean(right)})
    return pd.DataFrame(found)


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


def _cosine(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300))
