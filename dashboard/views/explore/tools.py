"""Explore's line of controls, and the plot in words and numbers: how many cells, how many failed, each group."""

from collections.abc import Sequence

import dash_mantine_components as dmc
import numpy as np
import pandas as pd
from dash import html
from dash.development.base_component import Component

from distcari.dashboard.data import columns
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.grouping import ALL, Groups, summaries
from distcari.dashboard.data.state import State
from distcari.dashboard.page import components
from distcari.dashboard.views.explore.plots import MOST_POINTS
from distcari.dashboard.views.explore.state import ASKED, KINDS, MOST_Y, PICKED, Shown

MOST_LINES = 40
MIXED = "standard deviation over cells, images and layers mixed; intervals and paired differences are in Findings"


def tools(catalog: Catalog, state: State, shown: Shown) -> list[Component]:
    """Each control is a parameter of the URL."""

    def named(names: Sequence[str]) -> list[dict[str, str]]:
        return [{"value": name, "label": columns.title(name)} for name in names]

    kinds = [{"value": kind, "label": label} for kind, label in KINDS.items()]
    line: list[Component] = [components.choice("explore.kind", "plot", kinds, shown.kind)]
    if shown.kind != "matrix":
        texts = [name for name in shown.texts if name != shown.x]
        line += [
            dmc.MultiSelect(
                id=components.param("explore.y"),
                label="figures",
                data=named(shown.figures),
                value=list(shown.y),
                size="xs",
                searchable=True,
                maxValues=MOST_Y,
                className="choice figures-choice",
                hidePickedOptions=True,
                comboboxProps={"width": "max-content", "position": "bottom-start"},
                maxDropdownHeight=420,
                style={"width": f"{56 + 120 * len(shown.y)}px"},
            ),
            components.choice("explore.x", "over", named([*shown.texts, *shown.figures]), shown.x),
        ]
        if shown.kind == "heat":
            line.append(components.choice("explore.by", "rows", named([*texts, *shown.figures]), shown.by))
        else:
            line.append(components.choice("explore.by", "colour", named(texts), shown.by or None, "none"))
        models = catalog.labels(shown.experiments, "model")
        if len(models) > 1 and "model" not in shown.held:
            data = [{"value": model, "label": model} for model in models]
            line.append(components.choice("explore.ref", "less those of", data, shown.reference or None, "no model"))
    line.append(html.Span("of", className="of"))
    for axis in catalog.axes(shown.experiments):
        labels = catalog.labels(shown.experiments, axis)
        if len(labels) > 1 and axis != "experiment" and not (shown.kind == "matrix" and axis == "model"):
            data = [{"value": label, "label": label} for label in labels]
            line.append(components.choice(f"explore.in_{axis}", axis, data, shown.held.get(axis), f"every {axis}"))
    return line


def summary(
    state: State, shown: Shown, frame: pd.DataFrame, x: Groups, by: Groups
) -> tuple[list[Component | str], Component | None]:
    """What is shown in a sentence, and a table of the groups, each a way to its pictures."""
    failed = frame["failed"].to_numpy(bool)
    message: list[Component | str] = []
    if shown.asked:
        message.append(ASKED[shown.asked][1] + " ")
    if shown.reference:
        message.append(f"Differences to {shown.reference} at the same image, layer, seed. ")
    n, lost = int((~failed).sum()), int(failed.sum())
    of = " of " + ", ".join(f"{axis} {label}" for axis, label in shown.held.items()) if shown.held else ""
    message.append(f"{n:,} finished {'cell' if n == 1 else 'cells'}{of}")
    message.append("; none failed" if not lost else f"; {lost:,} failed")
    if shown.kind == "scatter" and n > MOST_POINTS:
        message.append(f"; {MOST_POINTS:,} of them drawn, taken evenly")
    message.append(".")
    if shown.kind == "heat" or not len(frame) or not shown.y:
        return message, None
    return message, _table(state, shown, frame, x if shown.kind == "violin" else by, failed)


def _table(state: State, shown: Shown, frame: pd.DataFrame, groups: Groups, failed: np.ndarray) -> Component | None:
    if groups.labels == (ALL,) or len(groups.labels) > MOST_LINES:
        return None
    lines = []
    found = {
        column: summaries(frame[column].to_numpy(float), groups.codes, failed, len(groups.labels)) for column in shown.y
    }
    for i, label in enumerate(groups.labels):
        first = found[shown.y[0]][i]
        name = label
        if shown.kind == "violin":
            clean = state.with_extra(**dict.fromkeys(PICKED))
            name = components.link(label, clean.with_extra(group=label), className="go", title="Show its pictures")
        cells = [html.Td(f"{first.n:,}"), html.Td(f"{first.failed:,}" if first.failed else "—")]
        for column in shown.y:
            s = found[column][i]
            cells += [html.Td(f"{columns.number(s.mean)} ± {columns.number(s.sd)}"), html.Td(columns.number(s.median))]
        lines.append(html.Tr([html.Th(name, scope="row"), *cells]))
    heads = [
        html.Th(columns.title(shown.x if shown.kind == "violin" else shown.by), scope="col"),
        html.Th("n", scope="col"),
        html.Th("failed", scope="col"),
    ]
    for column in shown.y:
        short = columns.title(column) if len(shown.y) > 1 else ""
        heads += [
            html.Th(
                [short, html.Br() if short else "", "mean ± sd"],
                scope="col",
                title=f"{columns.meaning(column)}; {MIXED}",
            ),
            html.Th("median", scope="col"),
        ]
    return html.Div(html.Table([html.Thead(html.Tr(heads)), html.Tbody(lines)], className="groups"), className="scroll")
