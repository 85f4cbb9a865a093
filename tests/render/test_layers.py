"""Calls of a layer counted apart, tokens before the patches, and what holds most of a target."""

import warnings

import pytest
import torch
from torch import nn

from distcari.render import Network, caricature, describe_layers
from distcari.render.dominance import dominant
from distcari.render.layers import LayerInfo
from distcari.render.metric import measured
from distcari.settings import RenderSettings

INFO = LayerInfo("blocks_1", "blocks.1", "block", (17, 8), 0.5, prefix_tokens=1)


@pytest.fixture(autouse=True)
def seeded():
    torch.set_num_threads(1)
    torch.manual_seed(0)


class Moody(nn.Module):
    """Gives a tensor, then a tuple, then a tensor, then a tuple."""

    def forward(self, x, scale, alone):
        return x * scale if alone else (x, x)


class Thrice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.moody, self.end = nn.Conv2d(3, 4, 3), Moody(), nn.Identity()

    def forward(self, x):
        x = self.conv(x)
        parts = [self.moody(x, 1, True), self.moody(x, 2, False)[0], self.moody(x, 3, True), self.moody(x, 4, False)[0]]
        return self.end(sum(parts))


def test_a_layers_output_is_that_of_the_last_call_that_gives_a_tensor():
    model, x = Thrice(), torch.rand(1, 3, 16, 16)
    network = Network(model, mean=(0,), std=(1,), input_size=16)
    assert network.layer("moody").calls == 3
    with torch.no_grad():
        assert torch.allclose(network.activations("moody")(x), 3 * model.conv(x), atol=1e-5)


@pytest.mark.parametrize(
    "name, options, layer, prefix",
    [
        ("vit_tiny_patch16_224", {"depth": 1, "img_size": 64}, "blocks_0", 1),
        ("vit_tiny_patch16_224", {"depth": 1, "img_size": 64}, "patch_embed", 0),
        ("vit_tiny_patch16_224", {"depth": 1, "img_size": 64, "reg_tokens": 4}, "blocks_0_norm1", 5),
        ("deit_tiny_distilled_patch16_224", {"depth": 1, "img_size": 64}, "blocks_0", 2),
        ("resnet18", {}, "layer1", 0),
    ],
)
def test_timms_tokens_before_the_patches(name, options, layer, prefix):
    import timm

    infos = {i.name: i for i in describe_layers(timm.create_model(name, **options), 64)}
    assert infos[layer].prefix_tokens == prefix


def test_torchvisions_class_token_and_models_without():
    from torchvision.models import VisionTransformer, swin_t

    vit = VisionTransformer(64, 16, 1, 2, 16, 32)
    infos = {i.path: i for i in describe_layers(vit, 64)}
    assert infos["encoder.layers.encoder_layer_0"].prefix_tokens == 1 and infos["conv_proj"].prefix_tokens == 0
    assert {i.prefix_tokens for i in describe_layers(swin_t(), 64)} == {0}


class Clip(nn.Module):
    """The picture's side of CLIP, with the names of Hugging Face's (and open_clip's) parameters."""

    def __init__(self):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(16))
        self.patch_embedding = nn.Conv2d(3, 16, 16, 16, bias=False)
        self.position_embedding = nn.Embedding(17, 16)
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True) for _ in range(2)])

    def forward(self, x):
        x = self.patch_embedding(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], dim=1) + self.position_embedding.weight
        for layer in self.layers:
            x = layer(x)
        return x[:, 0]


def test_clips_class_token_is_left_out_of_the_patches_and_can_be_asked_for():
    clip = Clip().eval()
    network = Network(clip, mean=(0,), std=(1,), input_size=64)
    layer = network.layer("layers_1")
    assert layer.shape == (17, 16) and layer.prefix_tokens == 1 and layer.class_token
    assert network.layer("patch_embedding").prefix_tokens == 0
    with torch.no_grad():
        x = torch.rand(1, 3, 64, 64)
        every = network.activations("layers_1")(x)
        found = {
            tokens: measured(network, "layers_1", "float32", RenderSettings(tokens=tokens, metric="plain"))(x)
            for tokens in ("patch", "class", "all")
        }
    assert torch.allclose(found["patch"], every[:, 1:], atol=1e-5) and torch.allclose(found["all"], every, atol=1e-5)
    assert torch.allclose(found["class"], every[:, :1], atol=1e-5)


def test_what_holds_over_half_of_a_target_is_named():
    t = torch.ones(1, 17, 8)
    assert dominant(t, INFO) == ""
    t[:, 0] = 30
    assert "token 0 (a class or register token)" in dominant(t, INFO)
    t[:, 0], t[..., 5] = 1, 30
    assert "channel 5" in dominant(t, INFO) and "token" not in dominant(t, INFO)
    patches = torch.ones(1, 16, 8)
    patches[:, 3] = 30
    assert "token 4 holds" in dominant(patches, INFO)  # numbered as the layer does
    for maps in (torch.ones(2, 8, 4, 4), torch.ones(2, 4, 4, 8)):
        assert dominant(maps, INFO) == ""
        maps.select(1 if maps.shape[1] == 8 else 3, 2).fill_(9)
        assert "channel 2" in dominant(maps, INFO)
    assert dominant(torch.zeros(1, 8, 4, 4), INFO) == dominant(torch.ones(1, 9), INFO) == ""


def test_a_caricature_warns_of_a_layer_that_is_one_channel():
    class Massive(nn.Conv2d):
        def forward(self, x):
            return super().forward(x) * torch.tensor([1000.0, 1, 1, 1]).view(1, 4, 1, 1)

    model, picture = nn.Sequential(Massive(3, 4, 3), nn.Conv2d(4, 8, 3)), torch.rand(3, 16, 16)
    with pytest.warns(UserWarning, match="layer 0: channel 0 holds 100%"):
        caricature(model, picture, "0", size=32, steps=1, input_size=16, metric="plain")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        caricature(model, picture, "0", size=32, steps=1, input_size=16, metric="standardised")
        caricature(nn.Sequential(nn.Conv2d(3, 16, 3)), picture, "0", size=32, steps=1, input_size=16)
