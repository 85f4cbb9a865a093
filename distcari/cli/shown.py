"""The progress of a long analysis, and the time that is left."""

import sys
import time

import typer

from distcari.cli.options import console

EVERY = 30.0  # seconds between lines where nobody looks on


class Shown:
    """Progress with the time that is left: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, what: str) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self.began = self.said = time.monotonic()
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
        self.bar = Progress(*columns, TimeRemainingColumn(), TextColumn("left"), console=console(), transient=True)
        self.task = self.bar.add_task(what, total=None)

    def __enter__(self) -> "Shown":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """So many of so many are done, `what` is at hand."""
        now = time.monotonic()
        if sys.stdout.isatty():
            self.bar.start()
            self.bar.update(self.task, description=what, completed=done, total=total)
        elif done and now - self.said > EVERY:
            left = (now - self.began) * (total - done) / done
            typer.echo(f"{what}: {100 * done // total} %, about {left:.0f} s left")
            self.said = now
