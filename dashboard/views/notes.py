"""Notes: what was written of views, newest first, each with the way back; edited, deleted, exported."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, ctx, dcc, html, no_update
from dash import State as Before
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.note_exports import view_title
from distcari.dashboard.data.notes import Note, NoteRefused
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.page import components

NAME, TITLE = "notes", "Notes"
MOST_SHOWN = 300


def layout(catalog: Catalog, state: State) -> Component:
    """The list, and the dialog that edits one of them."""
    return html.Div(
        [
            dmc.VisuallyHidden(html.H1(TITLE)),
            html.Div(
                [
                    dmc.TextInput(
                        id=components.param("notes.find"),
                        value=state.own("find") if state.view == NAME else "",
                        placeholder="words in notes",
                        size="xs",
                        debounce=300,
                        attributes={"input": {"aria-label": "Find notes by their words"}},
                    ),
                    html.Span(className="grow"),
                    html.A("Page with pictures", href="/notes.html", download="notes.html", className="button"),
                    html.A("Markdown", href="/notes.md", download="notes.md", className="button"),
                    html.A("CSV", href="/notes.csv", download="notes.csv", className="button"),
                ],
                className="table-head",
            ),
            html.Div(listed(catalog, state), id="notes-list"),
            dmc.Modal(
                [
                    dmc.Textarea(
                        id="notes-text",
                        autosize=True,
                        minRows=6,
                        maxRows=20,
                        value="",
                        attributes={"input": {"aria-label": "Text of the note"}},
                    ),
                    html.P("", id="notes-why", className="note-why", role="status"),
                    html.Div(
                        [
                            dmc.Button("Keep changes", id="notes-keep", size="xs"),
                            dmc.Button("Delete", id="notes-delete", size="xs", color="red", variant="light"),
                        ],
                        className="notes-buttons",
                    ),
                ],
                id="notes-dialog",
                title="Edit the note",
                opened=False,
                size="lg",
            ),
            dcc.Store(id="notes-changed"),
        ],
        className="notes",
    )


def register(app: Dash, catalog: Catalog) -> None:
    """The list follows the notes; `notes.edit` in the URL opens the dialog."""

    @app.callback(
        Output("notes-list", "children"),
        Output("notes-dialog", "opened"),
        Output("notes-text", "value"),
        Output("notes-why", "children"),
        Input("url", "search"),
        Input("notes-changed", "data"),
        Input("note-changed", "data"),
        Input("version", "data"),
    )
    def follow(search: str | None, *_: Any) -> Any:
        state = parse(search)
        if state.view != NAME:
            raise PreventUpdate
        if ctx.triggered_id == "version":  # others' notes too, but nothing under the hands of who edits
            return listed(catalog, state), no_update, no_update, no_update
        note = _edited(catalog, state)
        return listed(catalog, state), note is not None, note.text if note else "", ""

    @app.callback(
        Output("goto", "data", allow_duplicate=True),
        Output("notes-changed", "data"),
        Output("notes-why", "children", allow_duplicate=True),
        Input("notes-keep", "n_clicks"),
        Input("notes-delete", "n_clicks"),
        Before("notes-text", "value"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def act(_: int | None, __: int | None, text: str | None, search: str | None) -> Any:
        return change(catalog, parse(search), text or "", delete=ctx.triggered_id == "notes-delete")

    @app.callback(
        Output("goto", "data", allow_duplicate=True),
        Input("notes-dialog", "opened"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def close(opened: bool | None, search: str | None) -> Any:
        state = parse(search)
        if opened or state.view != NAME:
            raise PreventUpdate
        return components.go(state, lambda s: s.with_extra(edit=None))


def listed(catalog: Catalog, state: State) -> list[Component]:
    """Every note with its view, its time, the way back and the way to change it."""
    notes, why = catalog.notes.all(), catalog.notes.refused()
    parts: list[Component] = [html.P(why, className="quiet")] if why else []
    if not notes:
        hint = "No notes yet. ✎ at the top (or the key n) keeps one with the view that is shown."
        return [*parts, html.P(hint, className="quiet")]
    words = state.own("find").lower().split() if state.view == NAME else []
    found = [note for note in notes if all(word in f"{note.text} {view_title(note.url)}".lower() for word in words)]
    if words:
        said = f"{len(found)} of {len(notes)} notes have these words."
        parts.append(html.P(said, className="quiet", role="status"))
    for note in found[:MOST_SHOWN]:
        editing = state.with_(view=NAME).with_extra(edit=note.id)
        edit = None if why else components.link("Edit", editing, className="go")
        view = components.link(view_title(note.url), parse(note.url), className="go")
        parts.append(
            html.Article(
                [
                    html.Div([view, html.Small(note.stamp), edit], className="note-head"),
                    html.P(note.text, className="note-text"),
                ]
            )
        )
    if len(found) > MOST_SHOWN:
        parts.append(html.P(f"{len(found) - MOST_SHOWN:,} older notes are in the exports.", className="quiet"))
    return parts


def change(catalog: Catalog, state: State, text: str, delete: bool) -> tuple[Any, Any, str]:
    """Keep or delete the note that the URL names: the new URL, a sign that notes changed, a line if it was refused."""
    id_ = state.own("edit")
    try:
        if delete:
            catalog.notes.remove(id_)
        else:
            catalog.notes.edit(id_, text)
    except NoteRefused as refusal:
        return no_update, no_update, str(refusal)
    return state.with_extra(edit=None).search(), f"{id_} {delete} {text}", ""


def _edited(catalog: Catalog, state: State) -> Note | None:
    return next((note for note in catalog.notes.all() if note.id == state.own("edit")), None)
