"""`index.html`: the frame that the client fills, its scripts and styles, and the text about the site."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable

from markdown_it import MarkdownIt

from distcari.site.folder import SiteFolder

# The dashboard's own styles and scripts, so that both look and move alike; then the site's.
STYLES = ("app", "grid", "cell", "run", "side", "side_charts", "explore", "overview", "findings", "notes")
BEFORE = ("data", "bridge")  # before the dashboard's scripts, which expect Dash
SCRIPTS = ("tile", "hover", "pick", "keys", "side")
AFTER = (
    *("state", "labels", "parts", "facets", "compare", "slots", "panes", "sides", "cell"),
    *("groups", "plots", "explore", "findings", "notes", "likeness", "overview", "shell"),
)

# Nothing but what lies beside the page; `file:` is what 'self' is from the disk. The views set widths in `style`.
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file: 'unsafe-inline'; img-src 'self' file: data:; "
    "base-uri 'none'; form-action 'none'"
)
_PUBLISHED = 'data-published="'


def client(folder: SiteFolder) -> tuple[list[str], list[str]]:
    """Put styles and scripts into the site; their paths, in order."""
    own, theirs = files("distcari.site") / "client", files("distcari.dashboard") / "assets"
    styles = [theirs / f"{name}.css" for name in STYLES] + [own / "site.css"]
    code = [own / f"{name}.js" for name in BEFORE] + [theirs / f"{name}.js" for name in SCRIPTS]
    code += [own / f"{name}.js" for name in AFTER]
    return [_put(folder, file) for file in styles], [_put(folder, file) for file in code]


def _put(folder: SiteFolder, file: Traversable) -> str:
    content = file.read_bytes()
    stem, _, ending = file.name.rpartition(".")
    name = f"client/{hashlib.sha256(content).hexdigest()[:12]}-{stem}.{ending}"
    folder.put(name, content)
    return name


def about(text: str) -> str:
    """Markdown as HTML: no raw HTML, no pictures (which could come from elsewhere), links as they are."""
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").disable("image").render(text))


def page(
    title: str, told: str, catalog: str, styles: Sequence[str], code: Sequence[str], published: str, version: str
) -> str:
    """The whole page; `told` is HTML, `catalog` the script of the first value."""
    name = escape(title)
    sheets = "\n".join(f'<link rel="stylesheet" href="{path}">' for path in styles)
    scripts = "\n".join(f'<script defer src="{path}"></script>' for path in code)
    return f"""<!DOCTYPE html>
<html lang="en" {_PUBLISHED}{published}" data-version="{escape(version)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="distcari {escape(version)}">
<title>{name}</title>
<link rel="icon" href="data:,">
{sheets}
{scripts}
<script defer src="data/{catalog}.js" data-value="site"></script>
</head>
<body>
<header class="top">
<a class="name" href="?" data-go>{name}</a>
<nav id="tabs" aria-label="Views"></nav>
<span id="experiments"></span>
<button id="help-open" class="plain" title="Keys (?)" data-key="?">?</button>
<button id="theme" class="plain" title="Light or dark (t)" data-key="t" aria-label="Light or dark">☾</button>
</header>
<main id="page"><noscript><p class="quiet">This site needs JavaScript.</p></noscript></main>
<div id="card" aria-hidden="true"></div>
<dialog id="help" aria-label="Keys"></dialog>
<template id="about">{told}</template>
</body>
</html>
"""


def published(page: str) -> str:
    """When a page was published, as it says; empty if it does not."""
    return page.partition(_PUBLISHED)[2].partition('"')[0][:40]


def now() -> str:
    """The time, to the minute."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
