"""What is known of a store at one moment, as values that never change, so that threads share them without locks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.dashboard.data.labels import text
from distcari.grid import Label
from distcari.store.arrays import Arrays, pixels_sha256
from distcari.store.models import Models
from distcari.store.runs import RunNote
from distcari.store.schema import FAILURES, INDEX


@dataclass(frozen=True)
class Problem:
    """Why there is nothing to show, and the commands that mend it."""

    title: str
    text: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExperimentInfo:
    """An experiment: its axes in order, their labels in the store's order, its description (`meta`), its arrays."""

    name: str
    axes: tuple[str, ...]
    labels: Mapping[str, tuple[Label, ...]]
    meta: Mapping[str, Any]
    arrays: Arrays

    @cached_property
    def raw(self) -> Mapping[str, Mapping[str, Label]]:
        """For each axis: text as shown -> label as stored."""
        return {axis: {text(label): label for label in labels} for axis, labels in self.labels.items()}

    def input(self, image: str) -> NDArray[np.uint8] | None:
        """An input image, uint8 (y, x, 3); None if it was not kept: old results adopted without their inputs."""
        pixels = self.arrays.input(image)
        adopted = self.meta.get("settings", {}).get("compat") == "adopted"
        return None if adopted and not pixels.any() else pixels

    def input_sha(self, image: str) -> str:
        """SHA-256 of an input image, as the description says, else of its pixels; empty for an unknown one."""
        if image not in self._shas and image in self.raw.get("image", {}):
            known = self.meta.get("images", {}).get(image, {}).get("sha256")
            self._shas[image] = str(known or pixels_sha256(self.arrays.input(image)))
        return self._shas.get(image, "")

    @cached_property
    def _shas(self) -> dict[str, str]:
        return {}

    def fixed(self, axis: str) -> str:
        """The one label of an axis that this experiment does not have: its setting of that name, or a dash."""
        settings = dict(self.meta.get("settings", {}))
        if len(steps := set(self.meta.get("steps", {}).values())) == 1:  # of every layer
            settings["steps"] = steps.pop()
        return text(settings.get(axis, "—"))

    def any_plans(self, layer: str) -> bool:
        """Whether some model has the layer."""
        return any(self.plans(model, layer) for model in self.raw.get("model", {}))

    def plans(self, model: str, layer: str) -> bool:
        """Whether the model has the layer."""
        layers = self.meta.get("layers_of", {}).get(model)
        return layers is None or layer in layers


@dataclass(frozen=True)
class Snapshot:
    """All that is known of a store at one moment. Frames are shared: do not change them."""

    version: int = 0
    problem: Problem | None = None
    frame: pd.DataFrame = field(default_factory=lambda: INDEX.empty_table().to_pandas())
    failures: pd.DataFrame = field(default_factory=lambda: FAILURES.empty_table().to_pandas())
    infos: Mapping[str, ExperimentInfo] = field(default_factory=dict)
    runs: tuple[RunNote, ...] = ()
    models: Models = field(default_factory=Models)

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Key -> position in the frame."""
        return dict(zip(self.frame["key"], range(len(self.frame)), strict=True))

    def value(self, column: str, at: int) -> Any:
        """One value of the frame: a whole row by `iloc` costs 2 ms, which is much for a picture."""
        if column not in self._columns:
            self._columns[column] = self.frame[column].to_numpy(object)
        return self._columns[column][at]

    @cached_property
    def _columns(self) -> dict[str, NDArray[Any]]:
        return {}

    @cached_property
    def codes(self) -> "Codes":
        """The frame's labels as numbers."""
        return Codes(self.frame)


class Codes:
    """A frame's text columns as small integers, made when first asked for: a mask costs 0.1 ms at 100,000 rows."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self._columns: dict[str, tuple[NDArray[np.integer[Any]], dict[str, int]]] = {}

    def mask(self, column: str, labels: Iterable[str]) -> NDArray[np.bool_]:
        """Which rows have one of these labels (as text), (rows,)."""
        if column not in self._columns:
            codes, found = pd.factorize(self.frame[column])
            self._columns[column] = codes, {text(label): i for i, label in enumerate(found)}
        numbers, known = self._columns[column]
        wanted = np.zeros(len(known) + 1, bool)  # the last stands for a missing value, -1
        wanted[[known[label] for label in labels if label in known]] = True
        return np.asarray(wanted[numbers])
