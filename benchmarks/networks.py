"""The networks and photographs of the speed benchmarks, and how they are timed."""

import statistics
import time
from collections.abc import Callable, Iterable

import torch
from PIL import Image
from skimage import data
from torch import Tensor, nn
from torchvision.models import resnet50

from distcari.config.load import load_experiment
from distcari.render import Network
from distcari.render.caricature import as_tensor
from distcari.sources.models import expand_models, load_model

LAYERS = {"lite0": ("_blocks_4", "_blocks_10", "_blocks_14"), "resnet50": ("layer2_1_conv2", "layer3_3", "layer4_2")}
HALF, IMAGENET = ((0.5,) * 3, (0.5,) * 3), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def model_of(name: str) -> nn.Module:
    """EfficientNet-Lite0 with its ImageNet weights, or ResNet-50 with seeded ones (none are to be had offline)."""
    if name == "lite0":
        return load_model(expand_models(load_experiment("configs/demo.yaml"))[0]).eval()
    torch.manual_seed(0)
    return resnet50().eval()


def network_of(name: str) -> Network:
    mean, std = HALF if name == "lite0" else IMAGENET
    return Network(model_of(name), mean=mean, std=std)


def image_of(path: str) -> Tensor:
    """A file, or a sample of scikit-image by name, over white: (3, 224, 224) in [0, 1]."""
    if hasattr(data, path):
        return as_tensor(getattr(data, path)(), 224)
    picture = Image.open(path).convert("RGBA")
    ground = Image.new("RGBA", picture.size, (255,) * 4)
    ground.alpha_composite(picture)
    return as_tensor(ground.convert("RGB"), 224)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this process for a piece of work: with one thread, the time it takes on an idle machine."""
    start = time.process_time()
    work()
    return time.process_time() - start


def in_turn(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median processor seconds of each work, all run in turn, so that they meet the same disturbances."""
    for work in works.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            seconds[name].append(cpu_seconds(work))
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def geometric_mean(values: Iterable[float]) -> float:
    return statistics.geometric_mean(values)


def machine() -> str:
    """The processor's name, its cores and torch's version."""
    import platform
    from pathlib import Path

    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    name = names[0] if names else platform.processor()
    bf16 = torch.cpu._is_avx512_bf16_supported()
    return f"{name}, {len(names) or '?'} cores, bf16 {'yes' if bf16 else 'no'}, torch {torch.__version__}"
