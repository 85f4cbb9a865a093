"""The answers to Findings' questions: computed once in a thread of their own, kept, and computed anew as a store grows.

An answer is a row for each place (a layer, with swept settings) and figure, whatever was asked: how large the effect
is, how surely, and the sentence for it.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary, proxy

import pandas as pd
from cachetools import LRUCache

from distcari.analysis.comparison import compare
from distcari.analysis.result import Comparison, places
from distcari.analysis.result import sentence as of_pair
from distcari.analysis.study import Study
from distcari.analysis.trend import trend
from distcari.analysis.trend_result import Trend
from distcari.analysis.trend_result import sentence as of_trend
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.questions import Question, members
from distcari.errors import InputError, needs, typed_line

KEPT = 32  # answers


@dataclass(frozen=True)
class Answer:
    """What was found. `squares`: a row for each place and figure.

    Columns of `squares`: the place's axes (as text), `figure`, `value` (the effect: standard deviations, rank
    correlation, or the share of the mean where there is one unit each), `difference` (in the figure's unit), `low` and
    `high` (its 95 % interval), `p_corrected`, `significant`, `told` (a sentence). `axes`: those of the place.
    """

    asked: Question
    axes: tuple[str, ...]
    squares: pd.DataFrame
    measure: str
    notes: tuple[str, ...]
    found: Comparison | Trend
    study: Study

    @property
    def rows(self) -> pd.DataFrame:
        """The squares, what is surest first, then what is largest."""
        order = self.squares.assign(_size=self.squares["value"].abs().fillna(0))
        return order.sort_values(["significant", "_size"], ascending=False, kind="stable").drop(columns="_size")

    def square(self, at: Mapping[str, str], figure: str) -> dict[str, Any] | None:
        """The row of a place and figure; without one, of the first of `rows`; None if there is none."""
        rows = self.rows
        here = rows[rows["figure"] == figure]
        for axis in self.axes:
            here = here[here[axis] == at.get(axis, "")]
        found = here if len(here) else rows
        return None if found.empty else {str(k): v for k, v in found.iloc[0].items()}


@dataclass
class Job:
    """A question at work, or answered: `done` is the share, 0 to 1; `refused` says why there is no answer."""

    asked: Question
    stamp: Any
    done: float = 0.0
    answer: Answer | None = None
    refused: str = ""
    ended: threading.Event = field(default_factory=threading.Event)


class Findings:
    """The answers about a catalog's experiments. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = proxy(catalog)  # it is the catalog that keeps this
        self._jobs: LRUCache[Question, Job] = LRUCache(KEPT)
        self._old: LRUCache[Question, Answer] = LRUCache(KEPT)
        self._lock, self._one = threading.Lock(), threading.Lock()

    def ask(self, asked: Question) -> Job:
        """The question's job: begun if it is new, or if cells or tags have changed since it was answered."""
        stamp = self._stamp(asked)
        with self._lock:
            job = self._jobs.get(asked)
            if job is None or (job.ended.is_set() and job.stamp != stamp):
                if job is not None and job.answer is not None:
                    self._old[asked] = job.answer
                job = self._jobs[asked] = Job(asked, stamp)
                threading.Thread(target=self._work, args=(job, self._study(asked)), daemon=True).start()
        return job

    def before(self, asked: Question) -> Answer | None:
        """The answer that a job at work will replace."""
        with self._lock:
            return self._old.get(asked)

    def _stamp(self, asked: Question) -> Any:
        experiment = [asked.experiment]
        tags = {tag: self.catalog.tagged(experiment, tag) for tag in self.catalog.tags(experiment)}
        return hash(tuple(self.catalog.frame(experiment)["pixels_sha256"])), str(tags), members(self.catalog, asked)

    def _study(self, asked: Question) -> Study | None:
        info = self.catalog.experiment(asked.experiment)
        frame = self.catalog.frame([asked.experiment]).reset_index(drop=True)
        return None if info is None else Study(self.catalog.store, asked.experiment, frame, info.arrays)

    def _work(self, job: Job, study: Study | None) -> None:
        try:
            with self._one:  # one at a time: pages stay quick
                job.answer = self._answered(job, study)
        except InputError as refusal:
            job.refused = f"{refusal.where}: {refusal.problem}. {refusal.remedy}".strip()
        except Exception as error:  # a page must say it, whatever it is
            job.refused = f"It could not be computed: {typed_line(error)}"
        finally:
            job.done = 1.0
            job.ended.set()

    def _answered(self, job: Job, study: Study | None) -> Answer:
        asked = job.asked
        if study is None or study.rows.empty:
            raise InputError(asked.experiment or "the store", "has no finished cell yet", "")
        if asked.kind == "trend":
            needs("analysis", "statsmodels")
            return _of_trend(asked, study, trend(study, asked.over, held=asked.held, figures=asked.figures or None))
        a, b = members(self.catalog, asked)
        for side, models in ((asked.a, a), (str(asked), b)):
            if not models:
                raise InputError(side, "has no model", "Choose another.")

        def tell(done: float) -> None:
            job.done = done

        found = compare(study, a, b, figures=asked.figures or None, metrics=(), progress=tell, warn=False)
        return _of_pair(asked, study, found)


_of_catalogs: "WeakKeyDictionary[Catalog, Findings]" = WeakKeyDictionary()


def findings_of(catalog: Catalog) -> Findings:
    """A catalog's findings, the same for all views."""
    return _of_catalogs.setdefault(catalog, Findings(catalog))


def _of_pair(asked: Question, study: Study, found: Comparison) -> Answer:
    frame = found.figures
    sure = frame["effect"].notna().any()
    mean = frame[["a_mean", "b_mean"]].abs().mean(axis=1)
    value = frame["effect"] if sure else frame["difference"] / mean.where(mean > 0)
    measure = "standard deviations" if sure else "shares of their mean"
    return _answer(asked, study, found, frame, value, frame["difference"], of_pair, measure)


def _of_trend(asked: Question, study: Study, found: Trend) -> Answer:
    frame = found.figures

    def told(row: Any) -> str:
        return of_trend(row, asked.over)

    return _answer(asked, study, found, frame, frame["rho"], frame["slope"], told, "rank correlation")


def _answer(
    asked: Question, study: Study, found: Any, frame: pd.DataFrame, value: Any, difference: Any, told: Any, measure: str
) -> Answer:
    axes = tuple(places(frame))
    columns = {axis: frame[axis].map(text) for axis in axes}
    kept = frame[["figure", "low", "high", "p_corrected", "significant"]]
    squares = pd.DataFrame({**columns, **kept, "value": value, "difference": difference})
    squares["told"] = [told(row) for row in frame.to_dict("records")]
    return Answer(asked, axes, squares, measure, tuple(found.notes), found, study)
