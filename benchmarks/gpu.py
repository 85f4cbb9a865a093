"""All that is to be known of a card, in ten minutes and one command; JSON with its name, docs/gpu/NAME.json.

    PYTHONPATH=. python benchmarks/gpu.py                      # on the GPU
    PYTHONPATH=. python benchmarks/gpu.py --tiny               # a minute on a CPU, to see that it runs
    PYTHONPATH=. python benchmarks/gpu.py --tiny --inductor    # and the compiled step

Needs torch, torchvision, numpy, pillow and scikit-image; the store's part is left out without zarr and pyarrow, and the
run over Ray without ray: `left_out` says so. ResNet-50 with seeded weights, on noise. What breaks is written down as
`failed`, and the parts that follow go on; each part is written as soon as it is known.
"""

import argparse
import importlib
import importlib.util
import json
import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50

from distcari import figures
from distcari.render import Network, caricatures, devices
from distcari.render.memory import AT_ONCE
from distcari.render.spectrum import inverse
from distcari.settings import RenderSettings

MINUTES = 10.0
LAYERS = ("layer2_1_conv2", "layer3_3", "layer4_2")
GRID = (21, 7, 8)  # models, images, layers: the target is two minutes on one H100, after loading
Part = dict[str, Any]


class Bench:
    """What is benchmarked: the device, the network and how large everything is."""

    def __init__(self, tiny: bool, inductor: bool) -> None:
        kind = devices.accelerator() or "cpu"
        self.tiny, self.inductor, self.device = tiny, inductor, torch.device(kind)
        self.name = devices.name(kind)
        self.side, self.steps = (64, 3) if tiny else (224, 64)
        self.layers = LAYERS[:1] if tiny else LAYERS
        self.batches = (1, 2) if tiny else (1, 2, 4, 8, 16, 32, 64, 128, 256)
        self.network = self.fresh()
        self.ends = time.monotonic() + 60 * MINUTES

    def fresh(self, device: str | torch.device | None = None, fold: bool = True) -> Network:
        """The network with seeded weights, on the device or another."""
        torch.manual_seed(0)
        model = (resnet18 if self.tiny else resnet50)().eval()
        return Network(model, input_size=self.side, device=device or self.device, fold=fold)

    def settings(self, **changes: Any) -> RenderSettings:
        """Of the size and steps."""
        return RenderSettings(size=self.side, steps=self.steps).with_(**changes)

    def cells(self, n: int, layer: str, settings: RenderSettings | None = None, **more: Any) -> list[Any]:
        """So many caricatures together."""
        images = torch.rand(n, 3, self.side, self.side)
        return caricatures(self.network, images, layer, range(n), settings or self.settings(), **more)

    def seconds(self, work: Callable[[], object], times: int = 1) -> float:
        """Wall seconds of a piece of work, the device's included; once in vain before."""
        work()
        devices.wait(self.device)
        start = time.perf_counter()
        for _ in range(times):
            work()
        devices.wait(self.device)
        return (time.perf_counter() - start) / times


def peaks(bench: Bench) -> Part:
    """TFLOP/s of a square product in each type."""
    n = 256 if bench.tiny else 8192
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(n, n, device=bench.device).to(dtype) for _ in range(2))
        found[str(dtype).removeprefix("torch.")] = 2e-12 * n**3 / bench.seconds(lambda a=a, b=b: a @ b, 10)
    return found


def arithmetic(bench: Bench) -> Part:
    """Against the CPU in float32, unfolded: shares of the norm, of the spectrum and of layers in each arithmetic."""
    waves = torch.randn(4, 3, bench.side, bench.side // 2 + 1, dtype=torch.complex64)
    here, there = inverse(waves, bench.side), inverse(waves.to(bench.device), bench.side).cpu()
    found: Part = {"spectrum": float((here - there).norm() / here.norm())}
    tf32 = ["tf32"] if devices.multiplies_tf32(bench.device) else []
    x, exact = torch.rand(2, 3, bench.side, bench.side), bench.fresh("cpu", fold=False)
    for fold in (False, True):
        network = bench.fresh(fold=fold)
        for layer in bench.layers:
            with torch.no_grad(), devices.float32_as_named(bench.device):
                expected = exact.forward(layer, "float32")(x)
                for precision in ("float32", *tf32, "bfloat16", "float16"):
                    got = network.forward(layer, precision)(x.to(bench.device)).cpu()
                    name = f"{layer}, {precision}{', folded' if fold else ''}"
                    found[name] = float((got - expected).norm() / expected.norm())
    return found


def launches(bench: Bench) -> Iterator[str]:
    """Ways of running a step that can be tried here."""
    yield "eager"
    if bench.device.type == "cuda":
        yield "graph"
    if bench.inductor:
        yield "inductor"


def batches(bench: Bench) -> Part:
    """Milliseconds of a step and a cell, and MiB a cell, at each batch and launch; a picture's distance from eager."""
    found: Part = {}
    layer = bench.layers[len(bench.layers) // 2]
    for n in bench.batches:
        for launch in launches(bench):
            if launch == "inductor" and n != bench.batches[-1 if bench.tiny else 4]:
                continue
            if bench.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            try:
                taken = bench.seconds(lambda n=n, launch=launch: bench.cells(n, layer, launch=launch))
            except torch.OutOfMemoryError:
                devices.let_go(bench.device)
                found[f"{n} {launch}"] = "out of memory"
                continue
            row = {"step_ms": 1e3 * taken / bench.steps, "cell_ms": 1e3 * taken / n}
            if bench.device.type == "cuda":
                row["cell_MiB"] = torch.cuda.max_memory_allocated() / n / 2**20
            if launch != "eager" and n <= AT_ONCE:
                torch.manual_seed(1)
                eager = bench.cells(n, layer)[0].picture
                torch.manual_seed(1)
                row["from_eager"] = float(abs(bench.cells(n, layer, launch=launch)[0].picture - eager).max())
            found[f"{n} {launch}"] = row
    return found


def split(bench: Bench) -> Part:
    """Where a step's time goes at a batch: milliseconds of the device in each operation, the ten dearest."""
    n, layer = (1 if bench.tiny else AT_ONCE), bench.layers[-1]
    settings = bench.settings(steps=3)
    bench.cells(n, layer, settings)
    with torch.profiler.profile() as profile:
        bench.cells(n, layer, settings)
        devices.wait(bench.device)
    on_card = bench.device.type != "cpu"
    own = {
        e.key: (e.self_device_time_total if on_card else e.self_cpu_time_total) / 1e3 for e in profile.key_averages()
    }
    return dict(sorted(own.items(), key=lambda item: -item[1])[:10])


def waits(bench: Bench) -> Part:
    """Whether CUDA itself sees a wait within the loop; it raises at the first."""
    if bench.device.type != "cuda":
        return {"left_out": "no CUDA"}

    def on_step(step: int) -> None:
        torch.cuda.set_sync_debug_mode("error" if step < bench.steps else "default")

    try:
        for launch in ("eager", "graph"):
            bench.cells(4, bench.layers[0], launch=launch, on_step=on_step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return {"waits": 0}


def against_lucent(bench: Bench) -> Part:
    """Seconds a cell at each layer, beside lucent's work: batch of one, the whole network, weight gradients, float32,
    512 steps (1024 at layer4), without its own overhead, which favours it."""
    found: Part = {}
    n, trial = (2, 2) if bench.tiny else (AT_ONCE, 64)
    torch.manual_seed(0)
    model = (resnet18 if bench.tiny else resnet50)().eval().to(bench.device)
    for layer in bench.layers:
        whole = 1024 if layer.startswith("layer4") else 512
        before = bench.seconds(lambda layer=layer: lucents_work(model, layer, bench, trial)) / trial * whole
        for precision in ("float32", "auto"):
            settings = bench.settings(precision=precision)
            own = bench.seconds(lambda layer=layer, settings=settings: bench.cells(n, layer, settings)) / n
            found[f"{layer}, {bench.network.precision(layer, precision)}"] = {
                "lucent_s": before,
                "own_s": own,
                "cells_per_hour": 3600 / own,
                "times": before / own,
            }
    return found


def lucents_work(model: nn.Module, layer: str, bench: Bench, steps: int) -> None:
    """So many steps of a batch of one through the whole network, with the gradients of its weights."""
    x = torch.rand(1, 3, bench.side, bench.side, device=bench.device, requires_grad=True)
    optimizer = torch.optim.Adam([x], 0.05)
    seen: list[Tensor] = []
    hook = model.get_submodule(layer.replace("_", ".")).register_forward_hook(lambda _m, _i, out: seen.append(out))
    for _ in range(steps):
        seen.clear()
        optimizer.zero_grad()
        model(x)
        (-seen[0].sum()).backward()
        optimizer.step()
    hook.remove()


def tail(bench: Bench) -> Part:
    """Milliseconds of one processor for a cell's figures; of its chunks: benchmarks/tail.py."""
    made = bench.cells(2, bench.layers[0])[0]
    picture = made.picture
    start = time.process_time()
    for _ in range(8):
        figures.picture_figures(picture)
    return {"figures_ms": 1e3 * (time.process_time() - start) / 8}


def whole_run(bench: Bench) -> Part:
    """A grid from start to end over Ray: loading, cells, figures, store, verification; and what share was rendering."""
    if missing := [name for name in ("ray", "zarr", "pyarrow") if not _there(name)]:
        return {"left_out": f"no {', '.join(missing)}"}
    models, images, layers = (2, 2, 1) if bench.tiny else GRID
    names = ("conv1", "layer1_0", "layer1_2", "layer2_1", "layer2_3", "layer3_1", "layer3_3", "layer4_2")[-layers:]
    network = "resnet18" if bench.tiny else "resnet50"
    names = ("layer2_1",) if bench.tiny else names
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(models):
            torch.manual_seed(seed)
            torch.save((resnet18 if bench.tiny else resnet50)().state_dict(), f"{folder}/m{seed}.pt")
        coarse = np.random.default_rng(0).integers(0, 255, (images, 14, 14, 3), dtype=np.uint8)
        for i, pixels in enumerate(coarse):
            Image.fromarray(pixels).resize((bench.side, bench.side)).save(f"{folder}/i{i}.png")
        config = {
            "name": "bench",
            "store": f"{folder}/store",
            "models": [
                {"name": f"m{i}", "torchvision": network, "checkpoint": f"{folder}/m{i}.pt"} for i in range(models)
            ],
            "images": [{"name": f"i{i}", "file": f"{folder}/i{i}.png"} for i in range(images)],
            "layers": list(names),
            "input_size": bench.side,
            "render": {"size": bench.side, "steps": bench.steps},
        }
        Path(folder, "bench.json").write_text(json.dumps(config))
        command = [sys.executable, "-m", "distcari.submit", f"{folder}/bench.json"]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(30.0, bench.ends - time.monotonic()))
        taken = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(done.stderr.replace(folder, "")[-500:])
        index = importlib.import_module("pyarrow.parquet").read_table(f"{folder}/store/index")
        first, last = min(index["started_at"].to_pylist()), max(index["finished_at"].to_pylist())
    said = next((line for line in (done.stdout + done.stderr).splitlines() if "worker" in line), "")
    return {
        "cells": len(index),
        "seconds": taken,
        "first_to_last_s": (last - first).total_seconds(),
        "rendering_s": sum(index["seconds"].to_pylist()),
        "said": said.replace(folder, ""),
    }


def _there(module: str) -> bool:
    """Whether a module is installed."""
    return sys.modules.get(module, module) is not None and importlib.util.find_spec(module) is not None


def sharing(bench: Bench) -> Part:
    """Cells a second of one, two and four processes on the card, with batches of four and of 64."""
    if bench.device.type == "cpu":
        return {"left_out": "no card to share"}
    found: Part = {}
    context = multiprocessing.get_context("spawn")
    for workers in (1, 2, 4):
        for n in (4, AT_ONCE // workers):
            barrier = context.Barrier(workers + 1)
            several = [context.Process(target=_sharer, args=(barrier, n, workers)) for _ in range(workers)]
            for one in several:
                one.start()
            barrier.wait(120)
            start = time.perf_counter()
            barrier.wait(120)
            found[f"{workers} with batches of {n}"] = 2 * workers * n / (time.perf_counter() - start)
            for one in several:
                one.join()
    return found


def _sharer(barrier: Any, n: int, workers: int) -> None:
    """A process that renders two batches when all are ready."""
    bench = Bench(False, False)
    devices.limit(bench.device, 1 / workers)
    bench.cells(n, LAYERS[1], bench.settings(steps=3))
    barrier.wait(120)
    for _ in range(2):
        bench.cells(n, LAYERS[1])
    devices.wait(bench.device)
    barrier.wait(120)


def full(bench: Bench) -> Part:
    """Whether a batch goes on by halves after memory ran out: the process is kept to a small share."""
    if bench.device.type != "cuda":
        return {"left_out": "no CUDA"}
    room = devices.memory(bench.device)
    assert room is not None
    devices.let_go(bench.device)
    share = (torch.cuda.memory_allocated() + 2 * 2**30) / room.total
    torch.cuda.set_per_process_memory_fraction(share)
    tried, n = {}, 512
    try:
        while n:
            try:
                bench.cells(n, bench.layers[0], bench.settings(steps=2))
                tried[n] = "done"
                break
            except torch.OutOfMemoryError as error:
                error.__traceback__ = None
                tried[n] = devices.trouble(bench.device, error, share) or "out of memory"
                devices.let_go(bench.device)
                n //= 2
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return {str(n): what for n, what in tried.items()}


def poisoned(bench: Bench) -> Part:
    """Whether a look at the device finds out that CUDA has broken in a process, after an assertion of a kernel."""
    if bench.device.type != "cuda":
        return {"left_out": "no CUDA"}
    code = (
        "import torch; from distcari.render import devices\n"
        "try: print(torch.zeros(2, device='cuda')[torch.tensor([9], device='cuda')].cpu())\n"
        "except Exception as error: print('FOUND', devices.trouble('cuda', error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    return {"found": [line for line in done.stdout.splitlines() if line.startswith("FOUND")]}


PARTS = (peaks, arithmetic, waits, against_lucent, batches, split, tail, full, poisoned, sharing, whole_run)


def main() -> None:
    """Each part in turn, while there is time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a small network, three steps: to see that it runs")
    parser.add_argument("--inductor", action="store_true", help="compile the step too: minutes on top")
    parser.add_argument("--only", nargs="*", choices=[part.__name__ for part in PARTS])
    parser.add_argument("--out", type=Path, default=Path("docs/gpu"), help="folder for the JSON")
    args = parser.parse_args()
    bench = Bench(args.tiny, args.inductor)
    network = f"{'ResNet-18' if args.tiny else 'ResNet-50'}, {bench.side} pixels, {bench.steps} steps"
    found: Part = {"card": bench.name, "torch": torch.__version__, "torchvision": torchvision.__version__}
    found |= {"network": network, "tiny": args.tiny, "left_out": {}, "failed": {}}
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / f"{re.sub(r'[^a-z0-9]+', '-', bench.name.lower()).strip('-')}{'-tiny' if args.tiny else ''}.json"
    for part in PARTS:
        if args.only is not None and part.__name__ not in args.only:
            continue
        run_part(part, bench, found)
        file.write_text(json.dumps(found, indent=1) + "\n")
    print(file)


def run_part(part: Callable[[Bench], Part], bench: Bench, found: Part) -> None:
    """Put a part's findings, or why there are none, into `found`, and print them."""
    name, start = part.__name__, time.monotonic()
    if start > bench.ends:
        found["left_out"][name] = f"{MINUTES:g} minutes were over"
        return
    try:
        result = part(bench)
    except Exception as error:
        found["failed"][name] = f"{type(error).__name__}: {error}"
        traceback.print_exc()
        return
    if "left_out" in result:
        found["left_out"][name] = result["left_out"]
    else:
        found[name] = result
    print(f"{name}, {time.monotonic() - start:.0f} s: {json.dumps(result)}", flush=True)


if __name__ == "__main__":
    main()
