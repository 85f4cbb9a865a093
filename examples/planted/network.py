"""The small networks that learn the scenes: a plain one, and one with residual connections.

Each has five layers to look at, block1 … block5, and takes RGB batches (N, 3, y, x) normalised by mean = std = 0.5.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (16, 32, 48, 64, 64)


class SmallNet(nn.Module):
    """Five blocks of convolution, batch norm and ReLU, then one logit for each class (N, 6)."""

    def __init__(self, widths: Sequence[int] = WIDTHS, classes: int = 6) -> None:
        super().__init__()
        for i, (before, width) in enumerate(zip((3, *widths), widths, strict=False), start=1):
            self.add_module(
                f"block{i}",
                nn.Sequential(
                    nn.Conv2d(before, width, 3, stride=2 if 1 < i < 5 else 1, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ),
            )
        self.depth = len(widths)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        for i in range(1, self.depth + 1):
            x = self.get_submodule(f"block{i}")(x)
        return self.head(x.mean(dim=(2, 3)))


class Residual(nn.Module):
    """Two convolutions with batch norm beside a shortcut."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        same = stride == 1 and before == width
        self.shortcut = nn.Identity() if same else nn.Conv2d(before, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


class SmallResNet(nn.Module):
    """SmallNet's widths and strides, with a residual block for each of its blocks but the first."""

    def __init__(self, widths: Sequence[int] = WIDTHS, classes: int = 6) -> None:
        super().__init__()
        stem = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.block1 = nn.Sequential(stem, nn.BatchNorm2d(widths[0]), nn.ReLU())
        for i, (before, width) in enumerate(pairwise(widths), start=2):
            self.add_module(f"block{i}", Residual(before, width, 2 if i < 5 else 1))
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        for i in range(1, 6):
            x = self.get_submodule(f"block{i}")(x)
        return self.head(x.mean(dim=(2, 3)))


NETWORKS = {"plain": SmallNet, "residual": SmallResNet}
