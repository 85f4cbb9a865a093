"""Mean, standard deviation and input size are the model's own where it tells them and the caller does not."""

from types import SimpleNamespace

import pytest
import torch
from support import tiny
from torch import nn

from distcari.errors import InputError
from distcari.render import caricature, difference
from distcari.render.caricature import network_of
from distcari.render.preprocessing import Preprocessing, chosen, read, told_by

HALF, IMAGENET = ((0.5,) * 3, (0.5,) * 3), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_timms_configuration_is_read_and_arguments_come_first():
    import timm

    model = timm.create_model("vit_tiny_patch16_224", depth=1)
    assert told_by(model) == Preprocessing(*HALF, 224)
    network = network_of(model, None, None, None, None, None)
    assert network.mean.flatten().tolist() == [0.5] * 3 and network.input_size == 224
    assert chosen(model, None, (0.1, 0.2, 0.3), (1, 1, 1), 64) == Preprocessing((0.1, 0.2, 0.3), (1, 1, 1), 64)
    assert told_by(timm.create_model("vit_tiny_patch16_224", depth=1, img_size=64)).input_size == 64


def test_torchvisions_weights_are_read():
    from torchvision.models import EfficientNet_V2_L_Weights, ResNet18_Weights, VisionTransformer

    weights = ResNet18_Weights.DEFAULT
    assert read(weights) == read(weights.transforms()) == Preprocessing(*IMAGENET, 224)
    assert read(EfficientNet_V2_L_Weights.DEFAULT) == Preprocessing(*HALF, 480)
    assert told_by(VisionTransformer(64, 16, 1, 2, 16, 32)) == Preprocessing(input_size=64)


def test_hugging_faces_configuration_and_processor_are_read():
    model = tiny.net()
    model.config = SimpleNamespace(image_size=48, model_type="vit")
    assert told_by(model) == Preprocessing(input_size=48)
    processor = SimpleNamespace(image_mean=[0.5] * 3, image_std=[0.5] * 3, size={"height": 384, "width": 384})
    assert chosen(model, processor, None, None, None) == Preprocessing(*HALF, 384)
    assert chosen(model, None, None, None, None) == Preprocessing(*IMAGENET, 48)
    clip = SimpleNamespace(size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, image_mean=None)
    assert read(clip) == Preprocessing(input_size=224)
    nested = nn.Identity()
    nested.config = SimpleNamespace(vision_config=SimpleNamespace(image_size=32))
    assert told_by(nested).input_size == 32


def test_a_model_that_tells_nothing_gets_imagenets():
    assert chosen(tiny.net(), None, None, None, None) == Preprocessing(*IMAGENET, 224)


def test_what_tells_nothing_is_refused():
    with pytest.raises(InputError, match="tells no mean"):
        caricature(tiny.net(), torch.rand(3, 32, 32), "conv1", preprocessing="imagenet")


@pytest.mark.parametrize("mean", [(), (0.5, 0.5), (0.5,) * 4])
def test_a_wrong_number_of_values_is_refused(mean):
    with pytest.raises(InputError):
        caricature(tiny.net(), torch.rand(3, 32, 32), "conv1", mean=mean or (1, 2), std=(1, 1, 1), input_size=32)


def test_a_caricature_and_a_difference_see_through_the_models_own(monkeypatch):
    model, x = tiny.net(), torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    told = tiny.net()
    told.load_state_dict(model.state_dict())
    told.pretrained_cfg = {"mean": HALF[0], "std": HALF[1], "input_size": (3, 32, 32)}
    small = {"size": 32, "steps": 2}
    ours = caricature(told, x, "conv2", **small)
    theirs = caricature(model, x, "conv2", mean=HALF[0], std=HALF[1], input_size=32, **small)
    other = caricature(model, x, "conv2", input_size=32, **small)
    assert (ours.picture == theirs.picture).all() and not (ours.picture == other.picture).all()
    d = difference(told, model, x, "conv2", input_size_b=32, **small)
    e = difference(model, model, x, "conv2", normalization_a=HALF, input_size_a=32, input_size_b=32, **small)
    assert (d.picture == e.picture).all()
