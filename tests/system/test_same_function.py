"""Edits that keep a network's function, in three architectures: pictures hardly change, and nothing is found."""

import copy
from itertools import combinations

import numpy as np
import pytest
import torch
from PIL import Image
from support import tiny
from torch import nn
from torchvision.models import resnet18, vgg11_bn

import distcari
from distcari.analysis import compare
from distcari.render.metric import reference_images

SIZE, SEEDS = 64, [0, 1, 2, 3]
MADE = {  # a network, and in it a convolution, its norm (the layer that is asked for) and who reads that
    "plain": (lambda: tiny.net(16), "conv2", "bn2", "head"),
    "residual": (resnet18, "layer1.0.conv1", "layer1.0.bn1", "layer1.0.conv2"),
    "vgg": (vgg11_bn, "features.4", "features.5", "features.8"),
}


def put(model, path, module):
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)


def permuted(model, conv, norm, reader):
    order = torch.randperm(conv.out_channels, generator=torch.Generator().manual_seed(1))
    for tensor in (conv.weight, conv.bias, norm.weight, norm.bias, norm.running_mean, norm.running_var):
        if tensor is not None:
            tensor.copy_(tensor[order].clone())
    reader.weight.copy_(reader.weight[:, order].clone())


def rescaled(model, conv, norm, reader):
    scale = torch.exp(torch.empty(conv.out_channels).uniform_(-2.3, 2.3, generator=torch.Generator().manual_seed(1)))
    norm.weight.mul_(scale)
    norm.bias.mul_(scale)
    reader.weight.div_(scale.view(1, -1, *[1] * (reader.weight.ndim - 2)))


def with_dead_units(model, conv, norm, reader):
    """Four channels more that are the same for all pictures, and that nobody listens to."""
    more = conv.out_channels + 4
    for module, dim in ((conv, 0), (norm, 0), (reader, 1)):
        for name, tensor in {**module._parameters, **module._buffers}.items():
            if tensor is None or tensor.ndim == 0 or (dim == 1 and name != "weight"):
                continue
            shape = list(tensor.shape)
            shape[dim] = more
            wide = torch.ones(shape) if name == "running_var" else torch.zeros(shape)
            wide.narrow(dim, 0, more - 4).copy_(tensor)
            if module is norm and name == "bias":
                wide[-4:] = 3.0
            is_parameter = isinstance(tensor, nn.Parameter)
            setattr(module, name, nn.Parameter(wide, requires_grad=False) if is_parameter else wide)
    conv.out_channels = norm.num_features = more


def with_folded_norm(model, conv, norm, reader):
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
    conv.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias)
    conv.weight.mul_(scale.view(-1, 1, 1, 1))
    put(model, next(path for path, module in model.named_modules() if module is norm), nn.Identity())


def with_an_identity(model, conv, norm, reader):
    same = nn.Conv2d(conv.out_channels, conv.out_channels, 1, bias=False)
    same.weight.copy_(torch.eye(conv.out_channels)[..., None, None])
    put(model, next(path for path, module in model.named_modules() if module is conv), nn.Sequential(conv, same))


EDITS = [permuted, rescaled, with_dead_units, with_folded_norm, with_an_identity]


@torch.no_grad()
def networks(kind):
    """The network as it is and each edited one, all of one function."""
    torch.manual_seed(0)
    make, *paths = MADE[kind]
    plain = make().eval()
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    found = {"as_it_is": plain}
    for edit in EDITS:
        model = copy.deepcopy(plain)
        edit(model, *(model.get_submodule(path) for path in paths))
        found[edit.__name__] = model
    x = torch.rand(2, 3, SIZE, SIZE)
    for name, model in found.items():
        assert torch.allclose(model(x), plain(x), atol=1e-4 * float(plain(x).abs().max())), name
    return found, paths[1]


@pytest.fixture(scope="module", params=["plain", "residual", pytest.param("vgg", marks=pytest.mark.long)])
def pictured(request, tmp_path_factory):
    """Three photographs and four seeds of each, in a store."""
    folder = tmp_path_factory.mktemp(request.param)
    for i, image in enumerate(reference_images(SIZE)[:3]):
        Image.fromarray((255 * image.permute(1, 2, 0)).byte().numpy()).save(folder / f"p{i}.png")
    models, layer = networks(request.param)
    asked = distcari.Experiment(
        name="same",
        store=str(folder / "store"),
        models={name: {"model": model, "normalization": "half", "input_size": SIZE} for name, model in models.items()},
        images=[str(folder / "p*.png")],
        layers=[layer.replace(".", "_")],
        seeds=SEEDS,
        render={"size": SIZE, "steps": 24, "precision": "float32"},
    )
    return distcari.run(asked, executor="serial", progress=False).store


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_the_picture_changes_by_a_tenth_of_what_another_seed_changes(pictured, edit):
    table = pictured.table().set_index(["model", "image", "seed"])
    rows, gains = table["key"], table["robust_gain"]
    assert (gains["as_it_is"] - gains[edit.__name__]).abs().max() < 0.01

    def apart(a, b):
        return np.abs(pictured.picture(a) - pictured.picture(b)).mean()

    images = rows.index.unique("image")
    edited = np.mean([apart(rows["as_it_is", i, s], rows[edit.__name__, i, s]) for i in images for s in SEEDS])
    seeds = np.mean(
        [apart(rows["as_it_is", i, a], rows["as_it_is", i, b]) for i in images for a, b in combinations(SEEDS, 2)]
    )
    print(f"{edit.__name__}: {edited / seeds:.4f}")  # with -s
    assert edited <= 0.1 * seeds


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_nothing_significant_is_found(pictured, edit):
    found = compare(pictured, "as_it_is", edit.__name__)
    assert len(found.figures) and not found.figures["significant"].any(), str(found)
    assert not (found.distances["significant"].any() if "significant" in found.distances else False), str(found)
