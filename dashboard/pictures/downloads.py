"""What is downloaded: the Table's rows as CSV; the notes as Markdown, CSV and a page; an experiment's config."""

import yaml
from flask import Flask, Response, request

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.note_exports import as_csv, markdown
from distcari.dashboard.data.rows import Rows, csv_lines, filters_of, sort_of
from distcari.dashboard.data.state import parse
from distcari.dashboard.pictures import note_page

NEVER_KEPT = {"Cache-Control": "no-store"}


def register(server: Flask, catalog: Catalog) -> None:
    """Add the routes `/index.csv?<state>`, `/notes.md`, `/notes.csv`, `/notes.html` and `/config/<experiment>.yaml`."""
    rows = Rows(catalog)

    def index_csv() -> Response:
        state = parse(request.query_string.decode("ascii", "replace")).with_(view="table")
        if catalog.problem():
            return _nothing("There is no index here.")
        chosen = catalog.chosen(state)
        frame, at = rows.find(chosen, filters_of(state.own("filter")), sort_of(state.own("sort")))
        name = "-".join(chosen)[:80] or "index"
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
        attached = {"Content-Disposition": f'attachment; filename="{safe}.csv"', **NEVER_KEPT}
        return Response(csv_lines(frame, at), mimetype="text/csv", headers=attached)

    def notes_md() -> Response:
        return Response(markdown(catalog.notes.all(), request.host_url), mimetype="text/markdown", headers=NEVER_KEPT)

    def notes_csv() -> Response:
        return Response(as_csv(catalog.notes.all()), mimetype="text/csv", headers=NEVER_KEPT)

    def notes_html() -> Response:
        made = note_page.page(catalog, catalog.notes.all(), request.host_url)
        attached = {"Content-Disposition": 'attachment; filename="notes.html"', **NEVER_KEPT}
        return Response(made, mimetype="text/html", headers=attached)

    def config(experiment: str) -> Response:
        info = catalog.experiment(experiment)
        if info is None or not info.meta.get("config"):
            return _nothing("There is no such experiment.")
        text = yaml.safe_dump(dict(info.meta["config"]), sort_keys=False, allow_unicode=True)
        return Response(text, mimetype="application/yaml", headers=NEVER_KEPT)

    server.add_url_rule("/index.csv", "index_csv", index_csv)
    server.add_url_rule("/notes.md", "notes_md", notes_md)
    server.add_url_rule("/notes.csv", "notes_csv", notes_csv)
    server.add_url_rule("/notes.html", "notes_html", notes_html)
    server.add_url_rule("/config/<experiment>.yaml", "config", config)


def _nothing(line: str) -> Response:
    return Response(line + "\n", 404, mimetype="text/plain", headers=NEVER_KEPT)
