"""Makes distcari/render/reference.npz again: the photographs from which the standardised metric has its statistics.

    python benchmarks/reference.py [--sheet reference.png]

Eight crops of scikit-image's samples that anyone may ship (astronaut, rocket, Hubble deep field: public domain, NASA;
chelsea, coffee, grass: CC0), at other places and scales than the demo's inputs. As brightness (192 × 192) and halved
colour differences, which is what makes 300 kB of eight photographs.
"""

import argparse

import numpy as np
from PIL import Image
from skimage import data

from distcari.render.metric import REFERENCE, reference_images

SIDE = 192
# sample: (left, top, side) of the crop
CROPS = (
    ("astronaut", (90, 0, 260)),
    ("astronaut", (252, 252, 260)),
    ("chelsea", (60, 20, 200)),
    ("chelsea", (220, 80, 200)),
    ("coffee", (0, 0, 300)),
    ("coffee", (300, 110, 280)),
    ("rocket", (180, 20, 390)),
    ("grass", (100, 100, 256)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheet", help="write the photographs there, to be looked at")
    args = parser.parse_args()
    light, colour = [], []
    for name, (left, top, side) in CROPS:
        whole = Image.fromarray(getattr(data, name)()).convert("RGB")
        crop = whole.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        y, *differences = crop.convert("YCbCr").split()
        light.append(np.asarray(y) & 0xFE)  # seven bits: half the noise's share of the file
        half = (SIDE // 2, SIDE // 2)
        colour.append([np.asarray(d.resize(half, Image.Resampling.BOX)) for d in differences])
    np.savez_compressed(REFERENCE, light=np.stack(light), colour=np.array(colour, np.uint8))
    print(f"{REFERENCE}: {REFERENCE.stat().st_size / 1000:.0f} kB")
    if args.sheet:
        shown = reference_images(SIDE).permute(0, 2, 3, 1).numpy()
        Image.fromarray((np.hstack(list(shown)) * 255).round().astype("uint8")).save(args.sheet)


if __name__ == "__main__":
    main()
