"""A comparison as one self-contained HTML page: tables, intervals and pictures, readable in light and dark."""

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
import pandas as pd

from distcari.analysis.metrics import METRICS
from distcari.analysis.page import data_url, inline, input_images, rendered
from distcari.analysis.result import MEANINGS, Comparison, headline, places, say_best
from distcari.analysis.scores import Scores
from distcari.analysis.study import Study
from distcari.store.arrays import to_8_bit
from distcari.store.exemplars import exemplars_of, thumbnail

Row = Mapping[Any, Any]
EXEMPLARS = 3  # natural ones below a picture
_WIDE = 6.0  # standard deviations at which the drawn intervals end, with an arrow


def html(found: Comparison, study: Study, command: str = "", whole: Scores | None = None) -> str:
    """The page. `command` is what was typed for it, and stands at its foot; `whole` are scores that it shows too."""
    shown = list(_shown(found, study))
    return rendered(
        "report.html",
        found=found,
        study=study,
        command=command,
        sections=list(_sections(found)),
        shown=shown,
        natural=any(cell["natural"] for one in shown for _, cells in one["sides"] for cell in cells),
        columns=MEANINGS,
        metrics=METRICS,
        distances=found.distances.to_dict("records"),
        axes=[a for a in places(found.distances) if a != "metric"],
        separated=found.separation.to_dict("records"),
        separates=say_best(found.separation) if len(found.separation) else "",
        separated_axes=places(found.separation),
        whole=whole,
        choices=[] if whole is None else [*_choices(whole.inputs), *_choices(whole.groups)],
        alike=[] if whole is None else whole.similarity.to_dict("records"),
        agreement=[] if whole is None else whole.agreement.to_dict("records"),
        inputs=input_images(study, found.pictures["image"]) if len(found.pictures) else {},
    )


def _sections(found: Comparison) -> Iterator[dict[str, Any]]:
    """By layer: its figures, the surest first, with drawn intervals; and their differences image by image."""
    by = places(found.figures)
    for at, part in found.figures.groupby(by, sort=False) if by else [((), found.figures)]:
        here = dict(zip(by, at if isinstance(at, tuple) else (at,), strict=True))
        ordered = part.sort_values("p_corrected", kind="stable")
        images = found.images
        for axis, label in here.items():
            images = images[images[axis] == label]
        yield {
            "where": ", ".join(f"{axis} {label}" for axis, label in here.items()) or "All layers",
            "headline": headline(here, part),
            "by_image": _by_image(images, list(ordered["figure"])),
            "rows": [{**row, "line": _line(row)} for row in ordered.to_dict("records")],
        }


def _by_image(images: pd.DataFrame, figures: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Names of the places, and each figure's difference at each."""
    where = places(images)
    named = images.assign(_place=[", ".join(map(str, v)) for v in images[where].itertuples(index=False)])
    if images[where].nunique().drop("image", errors="ignore").max() == 1:
        named["_place"] = images["image"]
    table = named.pivot_table(index="figure", columns="_place", values="difference", sort=False)
    return list(map(str, table.columns)), {f: [f"{v:+.3g}" for v in table.loc[f]] for f in figures if f in table.index}


def _line(row: Row) -> dict[str, float] | None:
    """Where to draw an effect and its interval, in percent of the width; None if there is no interval."""
    if isnan(row["effect_low"]):
        return None
    low, at, high = (50 + 50 * float(np.clip(row[c] / _WIDE, -1, 1)) for c in ("effect_low", "effect", "effect_high"))
    return {"low": low, "at": at, "high": high, "width": high - low}


def _shown(found: Comparison, study: Study) -> Iterator[dict[str, Any]]:
    """The pictures that show differences best, A's and B's."""
    if found.pictures.empty:
        return
    for _, part in found.pictures.groupby("rank", sort=True):
        first = part.iloc[0]
        where = ", ".join(str(first[axis]) for axis in study.blocks if axis != "image")
        yield {
            "figure": first["figure"],
            "significant": bool(first["significant"]),
            "image": first["image"],
            "where": where,
            "sides": [
                (
                    name,
                    [
                        {
                            **row,
                            "src": inline(to_8_bit(study.picture(str(row["key"])))),
                            "natural": _natural(study, str(row["key"])),
                        }
                        for row in part[part["side"] == side].to_dict("records")
                    ],
                )
                for side, name in (("a", found.a.name), ("b", found.b.name))
            ],
        }


def _natural(study: Study, key: str) -> list[dict[str, Any]]:
    """The first natural exemplars of a cell's direction; none where none were looked for with these weights."""
    files, (row,) = study.store.files, study.rows[study.rows["key"] == key].to_dict("records")
    first = exemplars_of(files, {str(name): value for name, value in row.items()}).head(EXEMPLARS)
    return [
        {"src": data_url("webp", thumbnail(files, name)), "rank": rank, "file": file, "cosine": cosine}
        for name, rank, file, cosine in zip(*(first[c] for c in ("thumbnail", "rank", "file", "cosine")), strict=True)
    ]


def _choices(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of a two-way game, with what is drawn in percent of the width: chance is in its middle."""
    for found in frame.to_dict("records"):
        row = {str(column): value for column, value in found.items()}
        known = not isnan(row["low"])
        drawn = {"low": row["low"], "width": row["high"] - row["low"]} if known else None
        yield {"side": "which group", **row, "interval": drawn, "over": row.get("images", row.get("trainings"))}
