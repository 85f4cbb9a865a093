"""Caricatures of neural networks in bulk. Light to import: torch and ray load when first needed."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"  # the only place; pyproject.toml reads it
_LAZY = {
    "caricature": "distcari.render",
    "difference": "distcari.render",
    "RenderSettings": "distcari.settings",
    "open_store": "distcari.store",
    "Experiment": "distcari.notebook.experiment",
    "plan": "distcari.notebook.run",
    "run": "distcari.notebook.run",
    "compare": "distcari.analysis",
    "side_by_side": "distcari.notebook.side_by_side",
}
# What brings the libraries of a name; the others are in the core.
_EXTRAS = {
    "open_store": "store",
    "plan": "cluster",
    "run": "notebook",
    "compare": "analysis",
    "side_by_side": "notebook",
}
__all__ = [
    "Experiment",
    "RenderSettings",
    "__version__",
    "caricature",
    "compare",
    "difference",
    "open_store",
    "plan",
    "run",
    "side_by_side",
]


def __getattr__(name: str) -> Any:
    """A public name, loaded when first asked for. ImportError with the command that helps where an extra is missing."""
    if name not in _LAZY:
        raise AttributeError(f"module 'distcari' has no attribute {name!r}")
    try:
        return getattr(import_module(_LAZY[name]), name)
    except ModuleNotFoundError as error:
        if name not in _EXTRAS or (error.name or "").partition(".")[0] == "distcari":
            raise
        raise ImportError(
            f"distcari.{name} needs {error.name!r}, which is not installed: pip install 'distcari[{_EXTRAS[name]}]'",
            name=error.name,
        ) from error
