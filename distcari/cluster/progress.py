"""Progress of a run, as a listener: a live bar on a terminal, plain lines elsewhere."""

import time
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from distcari.cluster import events as e
from distcari.grid import label_text
from distcari.planning.durations import duration


class Tally:
    """Cells done and failed, and the rate since the first one was begun."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.failed = total, 0, 0
        self.begun = time.monotonic()

    @property
    def rate(self) -> float | None:
        """Cells per second, None before the first is done."""
        ended = self.done + self.failed
        return ended / max(1e-9, time.monotonic() - self.begun) if ended else None

    @property
    def left(self) -> float | None:
        """Seconds left at this rate."""
        rate = self.rate
        return (self.total - self.done - self.failed) / rate if rate else None

    def count(self, event: e.Event) -> None:
        """Take an event into account."""
        if isinstance(event, e.CellDone):
            self.done += 1
        elif isinstance(event, e.CellFailed):
            self.failed += 1

    def summary(self) -> str:
        """Failed cells, rate and time left."""
        rate = f"{self.rate * 3600:.0f} cells/h" if self.rate else "starting"
        failed = f"{self.failed} failed, " if self.failed else ""
        return f"{failed}{rate}, {duration(self.left)} left" if self.rate else f"{failed}{rate}"


class Lines:
    """A plain line at the start, then at most every `every` seconds, and at the end: for logs and pipes."""

    def __init__(self, stream: TextIO, every: float = 10.0) -> None:
        self.stream, self.every, self.tally, self.printed = stream, every, Tally(0), 0.0
        self.axes: list[str] = []

    def __call__(self, event: e.Event) -> None:
        """Print if it is time to."""
        if isinstance(event, e.RunStarted):
            self.tally, self.axes = Tally(len(event.plan.todo)), [axis.name for axis in event.plan.grid.axes]
            self._line(event.place)
            self._line(f"run {event.run_id}: {len(event.plan.todo)} cells to do on {event.workers} workers")
        self.tally.count(event)
        if isinstance(event, e.CellFailed):
            row = event.row
            place = " / ".join(label_text(row[axis]) for axis in self.axes)
            self._line(f"FAILED {place}: {row['error']}")
        if isinstance(event, e.Stalled):
            self._line(f"WAITING: {event.reason}")
        if isinstance(event, e.WorkerRetired):
            self._line(f"RETIRED {event.worker} on {event.place}: {event.reason}")
        due = time.monotonic() - self.printed >= self.every
        last = isinstance(event, e.CellDone) and self.tally.done + self.tally.failed == self.tally.total
        if last or (due and isinstance(event, e.CellDone | e.Tick)):
            self.printed = time.monotonic()
            self._line(f"{self.tally.done}/{self.tally.total} cells done, {self.tally.summary()}")

    def _line(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class Bar:
    """A live bar with what each worker is doing."""

    def __init__(self, console: Console) -> None:
        self.console, self.tally = console, Tally(0)
        self.axes: list[str] = []
        self.bar = Progress(
            TextColumn("caricatures"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[summary]}"),
            TextColumn("{task.fields[now]}", style="dim", markup=False),
            console=console,
        )

    def __call__(self, event: e.Event) -> None:
        """Redraw."""
        if isinstance(event, e.RunStarted):
            self.tally, self.axes = Tally(len(event.plan.todo)), [axis.name for axis in event.plan.grid.axes]
            self.console.print(event.place, markup=False, highlight=False)
            self.task = self.bar.add_task("cells", total=len(event.plan.todo), summary="starting", now="")
            self.bar.start()
            return
        self.tally.count(event)
        if isinstance(event, e.UnitStarted):
            self.bar.update(self.task, now=str(event.unit))
        elif isinstance(event, e.CellFailed):
            row = event.row
            place = " / ".join(label_text(row[axis]) for axis in self.axes)
            self.bar.console.print(Text.assemble(("failed", "red"), f" {place}: {row['error']}"))
        elif isinstance(event, e.Stalled):
            self.bar.console.print(Text.assemble(("waiting", "yellow"), f" {event.reason}"))
        elif isinstance(event, e.WorkerRetired):
            message = f" {event.worker} on {event.place}: {event.reason}"
            self.bar.console.print(Text.assemble(("retired", "yellow"), message))
        elif isinstance(event, e.RunEnded):
            self.bar.update(self.task, now="")
        self.bar.update(self.task, completed=self.tally.done + self.tally.failed, summary=self.tally.summary())
        if isinstance(event, e.RunEnded):
            self.bar.stop()
