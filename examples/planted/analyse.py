"""What the analysis finds in the planted differences: python analyse.py [STORE] [--experiment NAME] [--pictures FOLDER]

Prints every figure of docs/evidence.md; --pictures draws its two pictures.
"""

import argparse
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image
from scenes import VARIANTS, dataset

from distcari.analysis import Study, compare, distance_matrix, match_groups, open_judge, open_study
from distcari.analysis.caveats import ONE_COLOUR

TRAININGS = 6
GROUPS = {variant: [f"{variant}_{i}" for i in range(TRAININGS)] for variant in VARIANTS}
PLANNED = (  # the predecessor's sentences, and the control: (A, B, figure)
    ("one_texture", "all_vary", "colour_uniformity"),
    ("one_texture", "all_vary", "small_circles"),
    ("one_texture", "one_camera", "small_circles"),
    ("grey", "all_vary", "colourfulness"),
)


def main() -> None:
    """Print the findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", nargs="?", default="store")
    parser.add_argument("--experiment", default="planted")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument(
        "--equal", type=int, nargs="?", const=231, metavar="N", help="only N ways to part twelve trainings of all_vary"
    )
    parser.add_argument(
        "--match", type=int, nargs="?", const=60, metavar="N", help="only the judge: pairs, N equal ones"
    )
    args = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    study = open_study(args.store, args.experiment)
    if args.equal:
        equal(study, args.equal)
        return
    if args.match:
        match(study, args.match)
        return
    uniform(study)
    if args.experiment == "planted":
        planned(study)
    everything(study)
    if args.experiment == "planted":
        nothing(study)
    if args.pictures:
        draw(study, args.pictures)


def planned(study: Study) -> None:
    """The sentences, averaged over layers and images; four comparisons."""
    print("planned: A, B, figure; A and B's mean, difference with interval, SD, p (uncorrected; four comparisons)")
    for a, b, figure in PLANNED:
        found = compare(
            study, GROUPS[a], GROUPS[b], figures=[figure], over=("image", "layer"), correction="none", metrics=()
        )
        row = found.figures.iloc[0]
        print(
            f"  {a:12s} {b:10s} {figure:18s} {row['a_mean']:.3g} {row['b_mean']:.3g}  {row['difference']:+.3g} "
            f"({row['low']:+.3g} … {row['high']:+.3g})  {row['effect']:+.1f} SD  p {row['p']:.2g}"
        )


def uniform(study: Study) -> None:
    """Pictures that are nearly one colour: those whose optimisation found nothing, or little."""
    grey = study.rows["colour_uniformity"] > ONE_COLOUR
    print(f"{grey.sum()} of {len(grey)} pictures are nearly one colour; cells that were woken: {woken(study)}")


def woken(study: Study) -> int:
    """Cells whose start had to be doubled before the network answered."""
    return int((study.rows["woken"].fillna(0) > 0).sum())


def everything(study: Study) -> None:
    """Each variant against all_vary, all figures at all layers; of the trainings that there are."""
    groups = {name: [model for model in models if model in study.models] for name, models in GROUPS.items()}
    for variant in [name for name in VARIANTS if name != "all_vary" and groups[name]]:
        found = compare(study, groups[variant], groups["all_vary"])
        sure = found.figures[found.figures["significant"]]
        print(f"\n{variant} against all_vary: {len(sure)} of {len(found.figures)} differ (corrected p ≤ 0.05)")
        for layer, part in sure.groupby("layer"):
            told = [f"{r['figure']} {r['difference']:+.2g} ({r['effect']:+.1f} SD)" for r in part.to_dict("records")]
            print(f"  {layer}: {', '.join(told)}")
        apart = found.distances[found.distances["metric"] == "colour"]
        print(
            "  colour, between / within: "
            + ", ".join(
                f"{r['layer']} {r['ratio']:.2f}{'*' if r['significant'] else ''}" for r in apart.to_dict("records")
            )
        )
        for note in found.notes:
            if "one colour" in note:
                print("  " + note)


def nothing(study: Study) -> None:
    """Trainings of one variant against each other: as groups, and as networks."""
    halves = [h for h in combinations(GROUPS["all_vary"], 3) if GROUPS["all_vary"][0] in h]
    found = [compare(study, h, [m for m in GROUPS["all_vary"] if m not in h], metrics=()).figures for h in halves]
    share = np.mean([(frame["p"] <= 0.1).mean() for frame in found])
    sure = sum(frame["significant"].sum() for frame in found)
    print(
        f"\nall_vary, three trainings against the other three, {len(halves)} ways: p ≤ 0.1, the smallest that these "
        f"can give, in {share:.1%} of {sum(map(len, found))} comparisons; significant: {sure}"
    )
    one = compare(study, "all_vary_0", "all_vary_1")
    print(f"all_vary_0 against all_vary_1, by seeds: {one.figures['significant'].sum()} of {len(one.figures)} differ")
    matrix = distance_matrix(study, "block3", models=[g[i] for g in GROUPS.values() for i in (0, 1)])
    print("\ncolour distance at block3, ΔE2000 (diagonal: one network, other seeds)\n" + matrix.round(1).to_string())


def equal(study: Study, number: int) -> None:
    """Ways to part twelve trainings of one variant into six and six, each compared as two variants are."""
    twelve = [f"all_vary_{i}" for i in range(2 * TRAININGS)]
    ways = [half for half in combinations(twelve, TRAININGS) if twelve[0] in half]
    chosen = np.random.default_rng(0).permutation(len(ways))[:number]
    found = []
    for at in chosen:
        rest = [model for model in twelve if model not in ways[at]]
        found.append(compare(study, ways[at], rest, metrics=()).figures)
        if len(found) % 50 == 0:
            print(f"{len(found)} of {len(chosen)} ways", flush=True)
    p = np.stack([frame["p"] for frame in found])
    sure = np.array([frame["significant"].sum() for frame in found])
    low = p <= 0.05
    print(
        f"all_vary, six trainings against the other six, {len(found)} of {len(ways)} ways: p ≤ 0.05 in "
        f"{low.mean():.2%} of {p.size} comparisons, uncorrected ({low.sum(1).min()} to {low.sum(1).max()} of "
        f"{p.shape[1]} in a way)\n"
        f"significant after correction: any in {(sure > 0).sum()} of {len(found)} ways ({(sure > 0).mean():.1%}), "
        f"{sure.max()} at most"
    )


def match(study: Study, number: int) -> None:
    """How often a judge picks the right one of two variants at block 5; and of two equal groups, dealt in some ways."""
    judge = open_judge(study)
    for a, b in combinations(VARIANTS, 2):
        row = match_groups(study, {a: GROUPS[a], b: GROUPS[b]}, judge=judge, layers=["block5"]).iloc[0]
        print(f"{a:12s} {b:16s} {row['score']:.1f} ({row['low']:.1f} … {row['high']:.1f}) p {row['p']:.3f}", flush=True)
    deal, found = np.random.default_rng(0), []
    for _ in range(number):
        twelve = [f"all_vary_{i}" for i in deal.permutation(2 * TRAININGS)]
        groups = {"a": twelve[:TRAININGS], "b": twelve[TRAININGS:]}
        found.append(match_groups(study, groups, judge=judge, layers=["block5"]).iloc[0])
    score, low, high, p = (np.array([row[name] for row in found]) for name in ("score", "low", "high", "p"))
    small = (p <= 0.05).mean()
    print(
        f"all_vary, six against six, {number} ways: {score.mean():.1f} on average, {score.min():.1f} to "
        f"{score.max():.1f}; the interval below 50 in {(high < 50).mean():.0%}, above in {(low > 50).mean():.0%}; "
        f"p ≤ .05 in {small:.0%}"
    )


def draw(study: Study, folder: Path) -> None:
    """Scenes of each variant; and caricatures of one image by the six trainings of each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [np.concatenate(list(dataset(variant, 12, 3)[0]), axis=1) for variant in VARIANTS]
    scenes = Image.fromarray(np.concatenate(rows))
    scenes.resize((scenes.width * 2, scenes.height * 2), Image.Resampling.NEAREST).save(folder / "planted_scenes.png")
    rows = []
    for models in GROUPS.values():
        for layer in ("block3",):
            cells = [
                study.of([m], layer=layer, image=image, seed=0)["key"].iloc[0]
                for image in ("star", "chelsea")
                for m in models
            ]
            rows.append(np.concatenate([study.picture(str(key)) for key in cells], axis=1))
    sheet = np.round(np.concatenate(rows) * 255).astype(np.uint8)
    Image.fromarray(sheet).save(folder / "planted.jpg", quality=90)


if __name__ == "__main__":
    main()
