"""The small networks that learn the scenes: a plain one, one with residual connections, and a transformer.

The first two have five layers to look at, block1 … block5, the transformer has three, block1 … block3, behind its stem.
All take RGB batches (N, 3, y, x) normalised by mean = std = 0.5.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
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


class Attending(nn.Module):
    """A transformer's block: attention over tokens (N, T, width), then two layers for each; norms come first."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """The tokens, each with what it took from the others."""
        n, tokens, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, tokens, width))
        return x + self.mlp(self.norm2(x))


class SmallViT(nn.Module):
    """Three transformer blocks over the 4 × 4 patches that four convolutions leave of 32 × 32 pixels.

    Early convolutions (Xiao et al. 2021) are what lets so small a transformer learn from some thousand scenes.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, classes: int = 6) -> None:
        super().__init__()
        *convolved, width = widths
        stem: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise((3, *convolved))):
            norm = nn.BatchNorm2d(after)
            stem += [nn.Conv2d(before, after, 3, 2 if i else 1, 1, bias=False), norm, nn.ReLU()]
        self.stem = nn.Sequential(*stem, nn.Conv2d(convolved[-1], width, 1))
        self.places = nn.Parameter(0.02 * torch.randn(1, 16, width))
        self.block1, self.block2, self.block3 = Attending(width), Attending(width), Attending(width)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        x = self.stem(x).flatten(2).transpose(1, 2) + self.places
        return self.head(self.norm(self.block3(self.block2(self.block1(x)))).mean(1))


NETWORKS = {"plain": SmallNet, "residual": SmallResNet, "vit": SmallViT}
