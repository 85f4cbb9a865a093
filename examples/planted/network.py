"""The small network that learns the scenes: five blocks of convolution, batch norm and ReLU, then the classes."""

from collections.abc import Sequence

from torch import Tensor, nn

WIDTHS = (16, 32, 48, 64, 64)


class SmallNet(nn.Module):
    """Takes RGB batches (N, 3, y, x) normalised by mean = std = 0.5, gives one logit for each class (N, 6)."""

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
