"""The field for notes that every view has: a button in the frame, and a drawer with the view's notes."""

from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, ctx, dcc, html, no_update
from dash import State as Before
from dash.development.base_component import Component

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.notes import Note, NoteRefused
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.page import components


def button() -> Component:
    """Opens the drawer; says how many notes this view has."""
    return html.Button(
        "✎",
        id="note-open",
        className="plain",
        title="Notes on this view (n)",
        **{"data-key": "n", "aria-label": "Notes on this view"},
    )


def drawer() -> Component:
    """The field, and the notes of this view."""
    return dmc.Drawer(
        [
            dmc.Textarea(
                id="note-text",
                label="A note on what is shown now",
                autosize=True,
                minRows=4,
                maxRows=16,
                value="",
                placeholder="What do you see?",
            ),
            html.P("", id="note-why", className="note-why", role="status"),
            dmc.Button("Keep it", id="note-save", size="xs", mt=6),
            html.Div(id="note-list", className="note-list"),
            dcc.Store(id="note-changed"),
        ],
        id="note-drawer",
        title="Notes on this view",
        position="right",
        size="sm",
        padding="md",
        withOverlay=False,
        lockScroll=False,
        closeOnClickOutside=False,
        shadow="md",
    )  # what is noted stays in view


def register(app: Dash, catalog: Catalog) -> None:
    """The drawer's callbacks."""
    app.clientside_callback(
        ClientsideFunction("shell", "open"),
        Output("note-drawer", "opened"),
        Input("note-open", "n_clicks"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output("note-list", "children"),
        Output("note-open", "children"),
        Output("note-text", "disabled"),
        Output("note-save", "disabled"),
        Output("note-why", "children"),
        Input("url", "search"),
        Input("note-drawer", "opened"),
        Input("note-changed", "data"),
    )
    def fill(search: str | None, opened: bool | None, _: Any) -> Any:
        found = catalog.notes.of(here(catalog, search).search())
        why = catalog.notes.refused() if opened else ""
        count = html.Sup(str(len(found))) if found else ""
        message = no_update if ctx.triggered_id == "note-changed" else why  # what `save` said stays
        return listed(found), ["✎", count], bool(why), bool(why), message

    @app.callback(
        Output("note-text", "value"),
        Output("note-changed", "data"),
        Output("note-why", "children", allow_duplicate=True),
        Input("note-save", "n_clicks"),
        Before("note-text", "value"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def save(_: int | None, text: str | None, search: str | None) -> Any:
        return keep(catalog, text or "", search)


def here(catalog: Catalog, search: str | None) -> State:
    """The view that is shown, with its experiments named, so that a note leads back to the same."""
    state = parse(search)
    return state.with_(experiments=catalog.chosen(state))


def keep(catalog: Catalog, text: str, search: str | None) -> tuple[str, Any, str]:
    """What the field, the counter and the line below it show after an attempt to keep a note."""
    try:
        note = catalog.notes.add(here(catalog, search).search(), text)
    except NoteRefused as refusal:
        return text, no_update, str(refusal)
    return "", note.id, "Kept."


def listed(notes: list[Note]) -> list[Component]:
    """The view's notes, and the way to all."""
    items = [html.Article([html.P(note.text, className="note-text"), html.Small(note.stamp)]) for note in notes]
    return [*items, components.link("All notes", State("notes"), className="go")]
