"""The engine, usable alone: needs torch, numpy and pillow, and of distcari only its ground.

    from distcari import caricature
    caricature(model, image, "layer3.3").save("picture.png")
"""

from distcari.render.caricature import Caricature, caricature, caricatures
from distcari.render.difference import difference
from distcari.render.layers import LayerInfo, describe_layers, find_layers
from distcari.render.network import Network
from distcari.render.rival import Rival

__all__ = ["Caricature", "LayerInfo", "Network", "Rival", "caricature", "caricatures", "describe_layers", "difference",
           "find_layers"]
