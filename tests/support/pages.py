"""Pages: without a browser their components and callbacks; in one, waiting."""

import time

OF_COLOURS = ("color-contrast", "link-in-text-block")  # axe's rules that a page in another scheme can break


def walk(component):
    yield component
    children = getattr(component, "children", None)
    for child in children if isinstance(children, list | tuple) else [children]:
        if hasattr(child, "to_plotly_json"):
            yield from walk(child)


def follow(app, name, *args):
    """Call a callback directly, by the id of an output."""
    return next(c for key, c in app.callback_map.items() if name in key)["callback"].__wrapped__(*args)


def until(page, expression, seconds=30):
    """Wait until a JavaScript expression is true. Playwright's own way needs eval, which the page's policy forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(30)


def complaints(page, rules=()):
    """What axe says against a page, [(rule, element)]; of these rules alone, if there are any."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"resultTypes": ["violations"], "preload": False}  # no rule that is on asks for other files
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found = Axe().run(page, options=options).response["violations"]
    return [(one["id"], node["html"][:200]) for one in found for node in one["nodes"]]
