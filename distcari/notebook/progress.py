"""A run's progress bar: tqdm's, which is a widget in a notebook and a line of text elsewhere."""

from distcari.cluster import events as e
from distcari.grid import label_text


class NotebookBar:
    """A listener that draws a bar of cells, with what is at work and what has failed."""

    def __init__(self) -> None:
        from tqdm.auto import tqdm

        self._tqdm, self.failed = tqdm, 0
        self.axes: list[str] = []

    def __call__(self, event: e.Event) -> None:
        """Redraw."""
        if isinstance(event, e.RunStarted):
            self.axes = [axis.name for axis in event.plan.grid.axes]
            self.bar = self._tqdm(total=len(event.plan.todo), desc=event.plan.experiment.name, unit="cell")
        elif isinstance(event, e.UnitStarted):
            self.bar.set_postfix_str(str(event.unit))
        elif isinstance(event, e.CellDone):
            self.bar.update()
        elif isinstance(event, e.CellFailed):
            self.failed += 1
            self.bar.update()
            place = " / ".join(label_text(event.row[axis]) for axis in self.axes)
            self._tqdm.write(f"failed: {place}: {event.row['error']}")
        elif isinstance(event, e.Stalled):
            self._tqdm.write(f"waiting: {event.reason}")
        elif isinstance(event, e.RunEnded):
            self.bar.set_postfix_str(f"{self.failed} failed" if self.failed else event.state)
            self.bar.close()
