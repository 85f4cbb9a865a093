"""The failed cells of a run's experiment: reasons with their counts, cells with their tracebacks, the command."""

from dash import dcc, html
from dash.development.base_component import Component

from distcari.dashboard.data import runs
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.labels import text
from distcari.store.runs import RunNote

MOST_REASONS, MOST_CELLS = 8, 12


def failures(catalog: Catalog, run: RunNote) -> list[Component]:
    """A section, if anything is given up: by reason, most frequent first."""
    frame = catalog.failures([run.experiment])
    if not len(frame):
        return []
    axes = [axis for axis in catalog.axes([run.experiment]) if axis in frame]
    counts = frame["error"].fillna("no reason was kept").value_counts()
    parts: list[Component] = []
    for reason, count in list(counts.items())[:MOST_REASONS]:
        of_it = frame[frame["error"].fillna("no reason was kept") == reason]
        cells = [
            " · ".join(text(row[axis]) for axis in axes) + f"  (tried {row['attempt']} times)"
            for row in of_it.head(MOST_CELLS).to_dict("records")
        ]
        more = [html.Li(f"and {count - len(cells):,} more", className="quiet")] if count > len(cells) else []
        trace = next((t for t in of_it["traceback"] if isinstance(t, str) and t), "")
        parts.append(
            html.Div(
                [
                    html.P([html.B(f"{count:,} × ", className="bad"), str(reason)], className="reason"),
                    html.Ul([html.Li(cell) for cell in cells] + more),
                    html.Details([html.Summary("Traceback of the first"), html.Pre(trace)]) if trace else None,
                ],
                className="failed-reason",
            )
        )
    rest = len(counts) - len(parts)
    if rest > 0:
        parts.append(html.P(f"and {rest:,} more reasons", className="quiet"))
    line = runs.command(catalog, run.experiment, retry=True)
    again = html.Div(
        [html.Pre(html.Code(line)), dcc.Clipboard(content=line, title="Copy", className="copy")], className="code"
    )
    title = f"Failed: {len(frame):,} {'cell' if len(frame) == 1 else 'cells'} given up"
    return [
        html.Section(
            [html.H2(title), *parts, html.P("Try them again:", className="quiet"), again], className="run-failed"
        )
    ]
