"""Scores of the whole for a comparison: what a judge recognises in either side's pictures, how like networks are.

A figure that differs says little where nobody can tell what a picture shows; pictures that differ say more where the
networks do. So a report may have `match` and `similarity` beside its figures. What cannot be computed is said.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from distcari.analysis.judge import DEFAULT, open_judge
from distcari.analysis.matching import match_groups, match_inputs
from distcari.analysis.result import Comparison
from distcari.analysis.similarity import similarity
from distcari.analysis.study import Study
from distcari.errors import InputError

if TYPE_CHECKING:
    from distcari.analysis.judge import Judge
    from distcari.render import Network


@dataclass(frozen=True)
class Scores:
    """Frames of `match_inputs` (with a column `side`), `match_groups` and `similarity`; empty where `notes` say why.

    `judge` is the network's name, "" where none could be opened.
    """

    judge: str
    inputs: pd.DataFrame
    groups: pd.DataFrame
    similarity: pd.DataFrame
    notes: list[str]

    @property
    def agreement(self) -> pd.DataFrame:
        """By layer the rank correlation of 1 - CKA and picture distance, where three models or more give one."""
        found: pd.DataFrame = self.similarity.attrs.get("agreement", pd.DataFrame({"rho": []}))
        return found.dropna(subset=["rho"])

    def __str__(self) -> str:
        """The frames as text."""
        parts = []
        for frame, words in (
            (self.inputs, f"Right of 100 choices of the input, by {self.judge}; chance 50; 95 % interval over images:"),
            (self.groups, f"Right of 100 choices of the group, by {self.judge}; chance 50; interval over trainings:"),
            (self.similarity, "Linear CKA of the networks (1: equal), and the distance of their pictures [ΔE2000]:"),
            (self.agreement, "Rank correlation of 1 - CKA and that distance:"),
        ):
            if len(frame):
                parts += ["", words, frame.to_string(index=False, float_format=lambda v: f"{v:.3g}")]
        return "\n".join([*parts[1:], *(["", *self.notes] if self.notes else [])])


def scores(study: Study, found: Comparison, judge: "str | Network | Judge" = DEFAULT) -> Scores:
    """The scores of a comparison's models, at its layers. Needs torch; the CKA needs the models' weights too.

    What cannot be computed (one image only, weights that are gone, groups of one training) is a note, not an error.
    """
    sides = (found.a, found.b)
    models = [model for side in sides for model in side.models]
    layers = list(dict.fromkeys(found.images["layer"]))
    notes: list[str] = []

    def tried(what: str, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        try:
            return compute()
        except InputError as error:
            notes.append(f"Without {what}: {error.where} {error.problem}. {error.remedy}".strip())
            return pd.DataFrame()

    opened: list[Judge] = []

    def inputs() -> pd.DataFrame:
        opened.append(open_judge(study, judge))
        frames = []
        for side in sides:
            own = replace(study, rows=study.of(side.models))
            frame = match_inputs(own, judge=opened[0], layers=layers)
            frame.insert(1, "side", side.name)
            frames.append(frame)
        return pd.concat(frames).sort_values("layer", key=lambda c: c.map(layers.index), kind="stable")

    told = tried("the judge's choices", inputs)
    grouped = pd.DataFrame()
    if opened and found.unit == "training" and min(len(side.models) for side in sides) > 1:
        groups = {side.name: list(side.models) for side in sides}
        grouped = tried("the groups' score", lambda: match_groups(study, groups, judge=opened[0], layers=layers))
    alike = tried("the networks' similarity", lambda: similarity(study, models=models, layers=layers))
    return Scores(opened[0].name if opened else "", told, grouped, alike, notes)
