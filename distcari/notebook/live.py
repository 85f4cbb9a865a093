"""Networks that live in this process, as models of an experiment: `models={"mine": net}`.

Their identity is their class and their weights, so a run goes on, and says so where the weights have changed. Other
processes do not have them: such experiments are computed in this one, and what asks for the network later, as
`distcari.analysis.similarity` does, must be asked in a process where it was given to an `Experiment`.
"""

import copy
from typing import Any

from torch import nn

from distcari.errors import InputError
from distcari.grid import digest
from distcari.sources.checkpoints import state_sha256

FACTORY = "distcari.notebook.live:network"
_KNOWN: dict[str, nn.Module] = {}


def source(model: nn.Module) -> dict[str, Any]:
    """The fields of a model's config entry for a network that is here now; a copy of it is kept."""
    name = f"{type(model).__module__}.{type(model).__qualname__}"
    mark = digest(name, repr(model), state_sha256(model.state_dict()))[:32]
    if mark not in _KNOWN:
        _KNOWN[mark] = copy.deepcopy(model).cpu().eval()
    return {"factory": FACTORY, "args": [mark]}


def network(mark: str) -> nn.Module:
    """A copy of a network that was given to `source`. Raises InputError in a process where none was."""
    if mark not in _KNOWN:
        raise InputError(
            "a network of a notebook",
            "lives in the process whose Experiment it was given to, and this is another one",
            "Give it to an Experiment here as well, with the same weights; or save its weights and name them as "
            "`checkpoint`, with a `factory` in a module.",
        )
    return copy.deepcopy(_KNOWN[mark])
