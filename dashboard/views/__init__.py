"""The views. One file each, and they meet only in the URL's state.

The contract: a view module has

    NAME = "explore"                       # its `view=` in the URL, the prefix of its own parameters and of its ids
    TITLE = "Explore"                      # its tab
    layout(catalog, state) -> Component    # the whole view for this state, complete: no second callback to fill it
    register(app, catalog) -> None         # its callbacks; called once

Reading the state. `layout` is called when the view is opened, when the chosen experiments change, or when one of their
axes grows; what it returns replaces the page. While the view stays open, its callbacks follow the URL:

    @app.callback(Output("explore-plot", "figure"), Input("url", "search"), Input("version", "data"),
                  prevent_initial_call=True)
    def follow(search, version):
        state = parse(search)
        if state.view != NAME:             # the URL already belongs to another view
            raise PreventUpdate
        return figure(catalog, state)

`Input("version", "data")` grows when the store changes: leave it out if the view need not be live.

Changing the URL. Never write `url`; write the new query string to `goto`, which alone does (shell.py):

    @app.callback(Output("goto", "data", allow_duplicate=True), Input("explore-x", "value"), State("url", "search"),
                  prevent_initial_call=True)
    def choose(x, search):
        return go(parse(search), lambda s: s.with_extra(x=x))

`components.go` gives `no_update` where nothing changes (a control that just appeared fires its callback once), so
compare with what the view shows: a control's default must leave the state as it is. Plain links need no callback at
all: `components.link(text, state.with_(view="cell", cell=key))` is an <a href> that goes there without a reload, and
opens in a new tab with Ctrl. From JavaScript: `dash_clientside.set_props("goto", {data: "?view=cell&cell=…"})`.

A view's own parameters: `state.with_extra(x="gain")` is `explore.x=gain` in the URL, `state.own("x", "cosine")` reads
it. Shared: `experiments` (through `catalog.chosen(state)`, which falls back), `at`, `cell`, `slots` (side by side: up
to four mappings axis -> label, `experiment` included; `catalog.slot(labels["experiment"], labels)` finds each).

Keys. An element with `data-key="ArrowRight"` (several: space between) is clicked when that key is pressed and nobody is
typing; hidden links count. `m`/`M` model, arrows left/right layer, up/down image by convention.

Pictures. `addresses.picture_url(row, size)`, `input_url`, `match_url`, `npy_url` make the addresses from the index's
row; `components.picture(row, …)` makes the <img> with alt text and fixed ratio; `components.tile(slot, …)` one place of
a grid with its status (class `tile`, `data-at` with its labels; its inside, hover card, click and picking come with it:
assets/tile.js, hover.js, pick.js).

Layout ids begin with the view's name. Ids that always exist: url, goto, version, scheme, theme. Plots:
`components.plot(**layout)` is the quiet look; axes and grid take the page's colours by CSS, so that a plot need not
know of light and dark (`Input("scheme", "data")` if one must). Controls: `components.choice("explore.x",
"x", data, value)` is a select that *is* the URL's parameter, and any control with `id=components.param("explore.x")`
and a `value` is one: no callback needed. Figures' names, units and meanings: `columns.unit(name)`,
`columns.meaning(name)`; formatted: `columns.number(value)`.
"""
