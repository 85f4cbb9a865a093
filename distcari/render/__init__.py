"""The engine, usable alone: needs torch, numpy and pillow, and of distcari only its ground.

One picture:

    from distcari import caricature
    caricature(model, image, "layer3.3").save("picture.png")
"""

from distcari.render.caricature import caricature, caricatures
from distcari.render.contrast import Contrast
from distcari.render.difference import difference
from distcari.render.finished import Caricature
from distcari.render.layers import LayerInfo, describe_layers, find_layers
from distcari.render.network import Network

__all__ = [
    "Caricature",
    "Contrast",
    "LayerInfo",
    "Network",
    "caricature",
    "caricatures",
    "describe_layers",
    "difference",
    "find_layers",
]
