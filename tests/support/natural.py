"""Natural exemplars as `distcari exemplars` puts them into a store, of grey squares."""

import io

import numpy as np
import pandas as pd
from PIL import Image

from distcari.store.exemplars import put_exemplars, put_thumbnail


def exemplars(store, folder, **of):
    """Six exemplars of experiment e, model m, layer x for each image named, found with the weights given for it."""
    names = []
    for i in range(6):
        content = io.BytesIO()
        Image.fromarray(np.full((160, 160, 3), 30 * i, np.uint8)).save(content, "WEBP")
        names.append(put_thumbnail(store.files, content.getvalue()))
    rows = [
        {"experiment": "e", "model": "m", "layer": "x", "image": image, "metric": "plain", "tokens": "all"}
        | {"rank": rank, "cosine": 0.9 - rank / 10, "median": 0.125, "files": 1234, "file": f"a/{rank}.jpg"}
        | {"left": 0, "top": 0, "side": 224, "folder": folder, "thumbnail": name, "model_sha256": sha, "by": "places"}
        for image, sha in of.items()
        for rank, name in enumerate(names, 1)
    ]
    put_exemplars(store.files, "e", pd.DataFrame(rows))
