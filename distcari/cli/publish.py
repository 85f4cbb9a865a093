"""`distcari publish`: a store as a site of static files."""

from pathlib import Path
from typing import Annotated

import typer

from distcari.cli.options import Only, StoreOptions, StorePlace, only_of, store_of
from distcari.errors import InputError, one_line


def publish(
    store: StorePlace,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The site's folder: new, empty, or an earlier site.", show_default=False)
    ],
    experiment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this experiment.", show_default=False)
    ] = None,
    only: Only = None,
    title: Annotated[str, typer.Option(metavar="TEXT", help="The site's title.", show_default=False)] = "",
    about: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="What the first page says, in Markdown.", show_default=False)
    ] = None,
    notes: Annotated[bool, typer.Option("--notes", help="Publish the dashboard's notes too.")] = False,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Large pictures exact to 8 bit, about four times the bytes.")
    ] = False,
    zipped: Annotated[bool, typer.Option("--zip", help="Pack the folder into DIR.zip as well.")] = False,
    options: StoreOptions = None,
) -> None:
    """Write a store as a site of static files, to be opened from the disk or put on any web server.

    The site needs no server of its own and asks nothing of the network. It has Compare, Side by side, Explore and the
    page of each cell, and understands the query strings of the dashboard's links.

    Publishing into the same folder again writes only what has changed; readers have the old site until the new one is
    whole. What failed, and a run that is at work, is said on the page.

    \b
    Examples:
      distcari publish store --out site
      distcari publish store --out site --only model=lite0,lite1 --title "What lite1 sees" --about about.md
      distcari publish s3://lab/caricatures --out site --zip
    """
    if not (title.isprintable() and len(title) <= 200):
        raise InputError("--title", "must be at most 200 printable characters", "Example: --title 'What lite1 sees'")
    opened, labels, told = store_of(store, options), only_of(only), _text_of(about)
    from rich.console import Console
    from rich.status import Status

    from distcari.site.packed import zip_path
    from distcari.site.publish import publish as published

    with Status("publishing", console=Console(stderr=True)) as status:
        done = published(
            opened,
            out,
            experiment=experiment,
            only=labels,
            title=title,
            about=told,
            notes=notes,
            lossless=lossless,
            zipped=zipped,
            progress=lambda done, total: status.update(f"publishing: {done:,} of {total:,} cells"),
        )
    wrote = done.written
    typer.echo(f"{done.cells} cells published in {out}: open {out / 'index.html'}")
    typer.echo(
        f"{wrote.files} files written ({wrote.bytes / 1e6:.1f} MB), {wrote.kept} left as they were, {wrote.removed} "
        f"removed; the site has {done.bytes / 1e6:.1f} MB"
    )
    if zipped:
        typer.echo(f"packed into {zip_path(out)}")
    if done.failed:
        typer.echo(f"{done.failed} cells failed, which the page says.")
    if done.running:
        typer.echo("A run is at work, which the page says; publish again when it has ended.")
    if done.unread:
        typer.echo(f"The pixels of {done.unread} cells could not be read: distcari verify {opened.url}")
        raise typer.Exit(1)


def _text_of(about: Path | None) -> str:
    """The text about the site. Raises InputError where it cannot be read."""
    try:
        return about.read_text(encoding="utf-8") if about is not None else ""
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"--about {about}", f"cannot be read: {said}", "Give a Markdown file in UTF-8.") from None
