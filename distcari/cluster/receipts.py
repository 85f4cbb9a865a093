"""The index row of a cell that is rendered, stored and verified."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from distcari import __version__
from distcari.cluster.jobs import Job
from distcari.figures import picture_figures
from distcari.grid import Label
from distcari.render import Caricature


@dataclass(frozen=True)
class Finished:
    """A rendered cell on its way to the store: its number in the job, its picture, its share of the time."""

    member: int
    caricature: Caricature
    seconds: float
    started: datetime


def index_row(job: Job, finished: Finished, pixels_sha256: str) -> dict[str, Any]:
    """The row, but for whose worker made it and where."""
    this, caricature = job.cells[finished.member], finished.caricature
    labels: dict[str, Label] = dict(zip(job.axes, this.cell.labels, strict=True))
    return {
        "key": this.cell.key,
        **job.settings.in_force(),
        **picture_figures(caricature.picture),
        **caricature.figures,
        **_whose(job),
        "seconds": finished.seconds,
        "started_at": finished.started,
        "finished_at": datetime.now(UTC),
        "attempt": this.attempt,
        "steps_taken": len(caricature.gain_curve),
        "woken": caricature.woken,
        "arithmetic": caricature.precision,
        "distcari_version": __version__,
        "settings_hash": job.settings_hash,
        "image_sha256": this.image_sha256,
        "pixels_sha256": pixels_sha256,
        "layer_path": this.layer.path,
        "layer_depth": this.layer.depth,
        "layer_kind": this.layer.kind,
        **labels,  # last: they are the cell's place, whatever else has the name of a swept setting
    }


def _whose(job: Job) -> dict[str, Any]:
    """Whose picture it is."""
    if job.contrast is None:
        return {"model_sha256": job.model.sha256}
    return {"model_sha256": f"{job.model.sha256}-{job.contrast.model.sha256}", "contrast": job.contrast.contrast}
