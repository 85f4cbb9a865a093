"""Caricatures of neural networks in bulk. Light to import: torch and ray load when first needed."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_LAZY = {"caricature": "distcari.render", "difference": "distcari.render", "RenderSettings": "distcari.settings",
         "open_store": "distcari.store"}
__all__ = ["RenderSettings", "__version__", "caricature", "difference", "open_store"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'distcari' has no attribute {name!r}")
