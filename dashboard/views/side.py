"""Side by side: to come."""

from dash import Dash, html
from dash.development.base_component import Component

from dashboard.queries import Catalog
from dashboard.state import State

NAME, TITLE = "side", "Side by side"


def layout(catalog: Catalog, state: State) -> Component:
    """One line for now."""
    return html.P("Side by side is coming.", className="quiet")


def register(app: Dash, catalog: Catalog) -> None:
    """No callbacks yet."""
