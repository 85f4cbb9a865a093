"""Image files and checkpoints, broken, mutated or odd: each is read, or refused by place, problem and remedy."""

import io
import json
import struct

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save
from support.shared import config
from support.tiny import Net

from distcari.config.experiment import Experiment
from distcari.errors import InputError
from distcari.sources.images import ENDINGS, load_images
from distcari.sources.models import expand_models, load_model

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]


def attempts(number):
    """So many, the same in every run."""
    return settings(
        max_examples=number, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


def image_or_message(path):
    try:
        (found,) = load_images(Experiment.model_validate(config(images=[path.name], input_size=32)), "c.yaml")
    except InputError as error:
        assert error.where.startswith("c.yaml: images[0]") and path.stem in error.problem and error.remedy
        return
    assert found.pixels.shape == (32, 32, 3) and found.pixels.dtype == np.uint8


def model_or_message(path):
    source = config(models=[{"factory": "tiny:net", "checkpoint": path.name, "name": "x"}])
    try:
        (spec,) = expand_models(Experiment.model_validate(source), "c.yaml")
        model = load_model(spec)
    except InputError as error:
        assert error.where.startswith("c.yaml: models[0]") and error.problem and error.remedy
        assert len(str(error)) < 3000
        return
    for name, value in model.state_dict().items():
        assert torch.isfinite(value).all() and value.dtype == Net().state_dict()[name].dtype


def mutated(data, content, numbers=(0, 1, 0x7F, 0x80, 0xFF)):
    """The bytes with some of them overwritten, taken out or put in; mostly near the head, which describes them."""
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        most = data.draw(st.sampled_from([16, 64, 512, len(content)]))
        at = data.draw(st.integers(0, max(0, min(most, len(content)) - 1)))
        new = data.draw(st.binary(max_size=8) | st.sampled_from([bytes([n]) * 4 for n in numbers]))
        end = at + len(new) if data.draw(st.booleans()) else data.draw(st.integers(at, len(content)))
        content[at:end] = new
    return bytes(content)


def picture(kind):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    file = io.BytesIO()
    formats = {"jpg": "JPEG", "tif": "TIFF"}
    Image.fromarray(pixels).save(file, format=formats.get(kind, kind.upper()))
    return file.getvalue()


PICTURES = {kind: picture(kind) for kind in ("png", "jpg", "webp", "bmp", "tif", "gif")}


@attempts(120)
@given(st.sampled_from(list(PICTURES)), st.data())
def test_any_mutation_of_an_image_file(work, kind, data):
    path = work / f"x.{kind}"
    path.write_bytes(mutated(data, PICTURES[kind]))
    image_or_message(path)


@attempts(40)
@given(
    st.binary(max_size=300),
    st.sampled_from(ENDINGS),
    st.sampled_from(
        [
            b"",
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff",
            b"BM",
            b"II*\0",
            b"MM\0*",
            b"GIF89a",
            b"RIFF",
            b"P6 ",
            b"%!PS-Adobe",
            b"\0\0\x01\0",
            b"8BPS",
            b"SIMPLE  =",
            b"qoif",
            b"DDS ",
        ]
    ),
)
def test_any_bytes_as_an_image(work, content, ending, magic):
    path = work / f"x{ending}"
    path.write_bytes(magic + content)
    image_or_message(path)


MODES = [
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
    "I;16B",
    "RGBa",
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (40, 30)])
def test_any_mode_and_size(work, mode, size):
    path = work / "x.tif"
    try:
        Image.new(mode, size).save(path)
    except (OSError, KeyError):
        path = work / "x.png"
        Image.new("RGB", size).convert("P").save(path)
    image_or_message(path)


def torch_bytes(state, **how):
    file = io.BytesIO()
    torch.save(state, file, **how)
    return file.getvalue()


CHECKPOINTS = {
    "x.pt": torch_bytes({"state_dict": Net().state_dict(), "epoch": 3}),
    "x.pth": torch_bytes(Net().state_dict(), _use_new_zipfile_serialization=False),
    "x.safetensors": save(Net().state_dict()),
}


@attempts(120)
@given(st.sampled_from(list(CHECKPOINTS)), st.data())
def test_any_mutation_of_a_checkpoint(work, name, data):
    path = work / name
    path.write_bytes(mutated(data, CHECKPOINTS[name]))
    model_or_message(path)


@attempts(40)
@given(
    st.binary(max_size=200),
    st.sampled_from([*CHECKPOINTS, "x.tar", "x.ckpt", "x.bin", "x.pth.tar"]),
    st.sampled_from(
        [b"", b"PK\x03\x04", b"PK\x05\x06", b"\x80\x02", b"\x80\x04\x95", b"\x80\x02}q\0.", b"{", b"\x1f\x8b"]
    ),
)
def test_any_bytes_as_a_checkpoint(work, content, name, magic):
    path = work / name
    path.write_bytes(magic + content)
    model_or_message(path)


kinds = st.sampled_from(
    [
        torch.float32,
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int8,
        torch.int64,
        torch.bool,
        torch.complex64,
        torch.uint8,
        torch.float8_e4m3fn,
    ]
)
things = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2) | st.floats()


@attempts(80)
@given(
    st.dictionaries(st.sampled_from(list(Net().state_dict())), kinds, min_size=1, max_size=3),
    st.dictionaries(st.text(max_size=5), things, max_size=2),
    st.sampled_from(["", "module.", "model.net."]),
    st.sampled_from([None, "state_dict", "model", "ema"]),
    st.sampled_from([1.0, 0.0, float("nan"), float("inf"), 1e30, 1e300]),
)
def test_any_kind_of_weights(work, types, others, prefix, nest, value):
    state = Net().state_dict()
    for name, dtype in types.items():
        state[name] = torch.full(state[name].shape, value, dtype=torch.float64).to(dtype)
    state = {prefix + name: tensor for name, tensor in state.items()} | others
    torch.save({nest: state} if nest else state, work / "x.pt")
    model_or_message(work / "x.pt")


header = st.dictionaries(
    st.sampled_from(["conv1.weight", "__metadata__", "x"]),
    st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(["F32", "I8", "BF16", "F99", 3]),
            "shape": st.lists(st.integers(-1, 2**62), max_size=3),
            "data_offsets": st.lists(st.integers(0, 2**63), min_size=1, max_size=3),
        }
    )
    | st.text(max_size=3),
    max_size=3,
)


@attempts(40)
@given(header, st.integers(0, 2**64 - 1) | st.none(), st.binary(max_size=40))
def test_any_safetensors_header(work, described, length, content):
    text = json.dumps(described).encode()
    (work / "x.safetensors").write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + content)
    model_or_message(work / "x.safetensors")
