"""How good the default pictures are: robust gain, robust cosine and high-frequency share at three layers.

    python benchmarks/quality.py [IMAGE …]                          # default: scikit-image's chelsea
    python benchmarks/quality.py --set learning_rate=0.2 --sheet contact.png    # other settings, to be looked at

EfficientNet-Lite0 with its ImageNet weights, seed 0, default settings. lucent's 512 steps on the predecessor's dog_cat,
in lucent's own frame, reached 0.57/0.44, 0.89/0.60, 1.36/0.62 with shares 0.10, 0.31, 0.26.
"""

import argparse
import time

import numpy as np
from PIL import Image

from distcari.config.load import load_experiment
from distcari.render import Network, caricature
from distcari.sources.images import load_images
from distcari.sources.models import expand_models, load_model

LAYERS = ("_blocks_4", "_blocks_10", "_blocks_14")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="*", help="image files")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a render setting")
    parser.add_argument("--model", default="lite0", help="a model of configs/demo.yaml (its layers are Lite's)")
    parser.add_argument("--sheet", help="write the pictures there, an image a row: input, then the layers")
    args = parser.parse_args()
    asked = ["images=[" + ", ".join(args.images) + "]"] if args.images else []
    experiment = load_experiment("configs/demo.yaml", asked + [f"render.{line}" for line in args.set])
    spec = next(m for m in expand_models(experiment) if m.name == args.model)
    network = Network(load_model(spec), mean=spec.mean, std=spec.std, input_size=spec.input_size)
    print(f"{'image':<16}" + "".join(f"{layer:>30}" for layer in LAYERS))
    rows = []
    for image in load_images(experiment)[: len(args.images) or 1]:
        cells, row = [], [image.pixels / 255]
        for layer in LAYERS:
            start = time.perf_counter()
            made = caricature(network, image.pixels, layer, settings=experiment.render)
            f = made.figures
            row.append(made.picture)
            cells.append(
                f"{f['robust_gain']:.2f} / {f['robust_cosine']:.2f}, hf {f['high_frequency_share']:.2f}, "
                f"{time.perf_counter() - start:4.1f} s"
            )
        rows.append(np.hstack(row))
        print(f"{image.name:<16}" + "".join(f"{cell:>30}" for cell in cells), flush=True)
    if args.sheet:
        Image.fromarray((np.vstack(rows).clip(0, 1) * 255).round().astype("uint8")).save(args.sheet)
        print(f"looked at best: {args.sheet}")


if __name__ == "__main__":
    main()
