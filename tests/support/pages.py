"""Pages without a browser: their components and their callbacks."""


def walk(component):
    yield component
    children = getattr(component, "children", None)
    for child in children if isinstance(children, list | tuple) else [children]:
        if hasattr(child, "to_plotly_json"):
            yield from walk(child)


def follow(app, name, *args):
    """Call a callback directly, by the id of an output."""
    return next(c for key, c in app.callback_map.items() if name in key)["callback"].__wrapped__(*args)
