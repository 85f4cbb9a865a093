"""What is done faster than torch does it gives torch's own bits: ReLU6 in bfloat16, and where a view looks."""

import pytest
import torch
from torch.nn import functional as F

from distcari.render.augment import random_views, see
from distcari.render.clipping import clips
from distcari.render.convolution import FrozenConvolutions


def test_relu6_in_bfloat16_is_torchs_with_its_gradient():
    draw = torch.Generator().manual_seed(0)
    edges = torch.tensor([0.0, 6.0, 5.96875, 6.03125, 1e-30, -1e-30, float("inf"), -float("inf")])
    values = torch.cat([edges, 4 * torch.randn(1000, generator=draw)]).to(torch.bfloat16)
    arriving = torch.randn(len(values), generator=draw).to(torch.bfloat16)

    def value_and_gradient():
        x = values.clone().requires_grad_(True)
        out = torch.nn.ReLU6()(x)
        return out, torch.autograd.grad(out, x, arriving)[0]

    with FrozenConvolutions():
        found = value_and_gradient()
    assert "Clipped" in str(found[0].grad_fn)
    for got, expected in zip(found, value_and_gradient(), strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize(
    "call",
    [
        (torch.zeros(2), 0.0, 6.0),
        (torch.zeros(2, dtype=torch.bfloat16), -1.0, 1.0),
        (torch.zeros(2, dtype=torch.bfloat16), 0.0, 6.0, True),
        (torch.zeros(2, dtype=torch.bfloat16, device="meta"), 0.0, 6.0),
    ],
)
def test_other_clipping_is_left_to_torch(call):
    assert not clips(*call)


@pytest.mark.parametrize("size", [15, 32])
def test_a_view_looks_where_torchs_affine_grid_does(size):
    views = random_views([torch.Generator().manual_seed(i) for i in range(3)], 1, 20.0, 0.2, 0.1)[0]
    shown = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    grid = F.affine_grid(views, [3, 3, size, size], align_corners=False)
    assert torch.equal(
        see(shown, views, size), F.grid_sample(shown, grid, padding_mode="reflection", align_corners=False)
    )
