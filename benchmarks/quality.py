"""How good the default pictures are: robust gain, robust cosine and high-frequency share at three layers.

    python benchmarks/quality.py [IMAGE …]        # default: scikit-image's chelsea

EfficientNet-Lite0 with its ImageNet weights, seed 0, default settings. lucent's 512 steps on the predecessor's dog_cat,
in lucent's own frame, reached 0.57/0.44, 0.89/0.60, 1.36/0.62 with shares 0.10, 0.31, 0.26.
"""

import sys
import time

from distcari.config import load_experiment
from distcari.render import Network, caricature
from distcari.sources.images import load_images
from distcari.sources.models import expand_models, load_model

LAYERS = ("_blocks_4", "_blocks_10", "_blocks_14")


def main(paths: list[str]) -> None:
    experiment = load_experiment("configs/demo.yaml", ["images=[" + ", ".join(paths) + "]"] if paths else [])
    spec = expand_models(experiment)[0]
    network = Network(load_model(spec), mean=spec.mean, std=spec.std, input_size=spec.input_size)
    print(f"{'image':<16}" + "".join(f"{layer:>30}" for layer in LAYERS))
    for image in load_images(experiment)[: len(paths) or 1]:
        cells = []
        for layer in LAYERS:
            start = time.perf_counter()
            f = caricature(network, image.pixels, layer).figures
            cells.append(f"{f['robust_gain']:.2f} / {f['robust_cosine']:.2f}, hf {f['high_frequency_share']:.2f}, "
                         f"{time.perf_counter() - start:4.1f} s")
        print(f"{image.name:<16}" + "".join(f"{cell:>30}" for cell in cells))


if __name__ == "__main__":
    main(sys.argv[1:])
