"""What a run's note means now: a run that says that it is running may have gone without a word."""

from datetime import UTC, datetime
from typing import Literal

from distcari.store.runs import RunNote

FRESH = 180.0  # seconds after which the note of a running run, rewritten every few seconds, no longer counts
Meaning = Literal["running", "finished", "interrupted", "stopped", "crashed", "silent"]
SUMMARIES: dict[Meaning, str] = {
    "running": "at work",
    "finished": "finished",
    "interrupted": "It was interrupted; nothing done is lost. The command goes on where it stopped.",
    "stopped": "It stopped because the store could not be written (full, or no right). Mend that; the command goes on.",
    "crashed": "It ended without a word: killed, or its machine went down. Nothing committed is lost; the command "
    "goes on where it stopped.",
    "silent": "It says that it is running, but has said nothing for {silent}. If its machine is gone, the command goes "
    "on where it stopped; if not, it will refuse to start a second time.",
}


def state_of(note: RunNote) -> Meaning:
    """What the note says, unless it says that the run is running and has not been heard of lately."""
    updated = note.updated_at
    fresh = updated is not None and (datetime.now(UTC) - updated).total_seconds() < FRESH
    return "silent" if note.state == "running" and not fresh else note.state


def is_live(note: RunNote) -> bool:
    """Whether the run is at work, as far as one can know."""
    return state_of(note) == "running"
