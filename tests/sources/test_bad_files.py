"""Files of images and weights that are not what they seem: refused by name, never waited for, never read as noise."""

import contextlib
import os
import pickle
import socket
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from support.shared import config
from support.tiny import Net
from torch import nn

from distcari.config.experiment import Experiment
from distcari.errors import InputError
from distcari.sources.images import load_images
from distcari.sources.models import expand_models, load_model

pytestmark = pytest.mark.timeout(120)


def images(*entries):
    return load_images(Experiment.model_validate(config(images=list(entries), input_size=32)), "c.yaml")


def models(*entries):
    return expand_models(Experiment.model_validate(config(models=list(entries))), "c.yaml")


def stranger(path, kind):
    """Something at the path that is no file."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link to a fifo":
        os.mkfifo(path.with_name("pipe"))
        path.symlink_to("pipe")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as end:  # a socket's path must be short
            end.bind(path.name)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "dangling":
        path.symlink_to("nowhere")


KINDS = ["fifo", "link to a fifo", "device", "folder", "socket", "loop", "dangling"]


@pytest.mark.parametrize("given", ["photos", "photos/*.png", "photos/x.png"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_among_images_is_refused_at_once(work, kind, given):
    stranger(work / "photos/x.png", kind)
    with pytest.raises(InputError, match=r"x\.png") as error:
        images(given)
    assert "images[0]" in str(error.value) and "->" in str(error.value)


@pytest.mark.parametrize("given", ["w/*", ["w/x.pt"], "w/x.pt"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_among_checkpoints_is_refused_at_once(work, kind, given):
    (work / "w").mkdir()
    torch.save(Net().state_dict(), work / "w/a.pt")
    stranger(work / "w/x.pt", kind)
    with pytest.raises(InputError, match=r"x\.pt") as error:
        models({"factory": "tiny:net", "checkpoint": given})
    assert "models[0]" in str(error.value) and "->" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "~nosuchuser/x.png",
        "~nosuchuser",
        "x" * 5000,
        "a\0b",
        "photos/" + "y" * 300,
        "photos/one.png/more.png",
        "*" * 5000,
        "/proc/self/mem",
        "[",
        "photos/**/*.xyz",
        "",
    ],
)
@pytest.mark.parametrize(
    "read", [lambda t: images({"file": t}), lambda t: models({"factory": "tiny:net", "checkpoint": t})]
)
def test_paths_that_cannot_be_are_refused_shortly(work, text, read):
    with pytest.raises(InputError) as error:
        read(text)
    assert len(str(error.value)) < 11_000 and "[0]" in error.value.where


@pytest.mark.parametrize("values", [float("nan"), float("inf"), -float("inf")])
def test_an_image_of_no_numbers_is_refused(work, values):
    pixels = np.full((40, 40), 0.5, np.float32)
    pixels[3, 3] = values
    Image.fromarray(pixels).save(work / "x.tif")
    with pytest.raises(InputError, match=r"x\.tif is broken.*NaN or inf"):
        images("x.tif")


def test_no_other_program_is_started_for_an_image(work):
    (work / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\nshowpage\n")
    with pytest.raises(InputError, match="is not an image"):
        images("x.png")


def test_names_of_files_are_labels_too(work):
    for name in ("a\nb", "c\u202ed", "é", "e\u0301"):
        (work / "set").mkdir(exist_ok=True)
        (work / f"set/{name}.png").write_bytes((work / "photos/one.png").read_bytes())
    for pattern, says in (("set/a*", "cannot be printed"), ("set/c*", "cannot be printed"), ("set/[é]*", None)):
        if says:
            with pytest.raises(InputError, match=says):
                images(pattern)
    with pytest.raises(InputError, match="cannot be told apart"):
        images("set/é.png", "set/e\u0301.png")
    (work / os.fsdecode(b"photos/\xff.png")).write_bytes((work / "photos/one.png").read_bytes())
    with pytest.raises(InputError, match=r"cannot be read|cannot be printed"):
        images("photos")
    torch.save(Net().state_dict(), work / "A.pt")
    torch.save(Net().state_dict(), work / "a.pt")
    with pytest.raises(InputError, match="'A' and 'a' cannot be told apart"):
        models({"factory": "tiny:net", "checkpoint": "[Aa].pt"})


def changed(**tensors):
    return Net().state_dict() | {name.replace("__", "."): value for name, value in tensors.items()}


def cyclic():
    state = {}
    state["state_dict"] = state
    return state


WEIGHTS = {
    "int8": (lambda: changed(conv2__weight=torch.ones(8, 8, 3, 3, dtype=torch.int8)), "conv2.weight as int8"),
    "bool": (lambda: changed(conv2__weight=torch.ones(8, 8, 3, 3, dtype=torch.bool)), "conv2.weight as bool"),
    "complex": (lambda: changed(conv2__weight=torch.ones(8, 8, 3, 3, dtype=torch.complex64)), "imaginary part"),
    "NaN": (lambda: changed(head__bias=torch.tensor([0, 1, float("nan"), 2, 3])), "not finite.*head.bias"),
    "inf": (lambda: changed(bn1__running_var=torch.full((8,), float("inf"))), "not finite.*bn1.running_var"),
    "quantised": (
        lambda: changed(conv2__weight=torch.quantize_per_tensor(torch.ones(8, 8, 3, 3), 0.1, 0, torch.qint8)),
        "quantised weight.*conv2.weight",
    ),
    "sparse": (lambda: changed(head__weight=torch.ones(5, 8).to_sparse()), "sparse weight.*head.weight"),
    "csr": (lambda: changed(head__weight=torch.ones(5, 8).to_sparse_csr()), "sparse weight.*head.weight"),
    "meta": (lambda: changed(head__weight=torch.ones(5, 8, device="meta")), "meta device.*head.weight"),
    "expanded": (lambda: changed(head__weight=torch.ones(1).expand(2**20, 2**20)), "far more weights"),
    "cyclic": (cyclic, "cannot be read as a checkpoint"),
    "empty": (dict, "holds no weights"),
    "a list": (lambda: [torch.ones(3)], "holds no weights"),
    "a tensor": (lambda: torch.ones(3), "holds no weights"),
    "nothing": (lambda: None, "holds no weights"),
    "numbered": (lambda: {1: torch.ones(3), 2: torch.ones(4)}, "another architecture"),
    "long names": (lambda: {"x" * 100_000: torch.ones(3)}, "another architecture"),
}


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.filterwarnings("ignore")
def test_weights_that_are_no_plain_numbers_are_refused_by_name(work, kind):
    make, says = WEIGHTS[kind]
    torch.save(make(), work / "w.pt")
    with pytest.raises(InputError, match=rf"w\.pt[\s\S]*{says}") as error:
        models({"factory": "tiny:net", "checkpoint": "w.pt"})
    assert error.value.where.startswith("c.yaml: models[0]") and error.value.remedy
    assert len(str(error.value)) < 2000


def test_weights_in_half_or_double_and_masks_of_minus_infinity_are_taken(work):
    torch.save({k: v.half() for k, v in Net().state_dict().items()}, work / "half.pt")
    torch.save({k: v.double() for k, v in Net().state_dict().items()}, work / "double.pt")
    for spec in models({"factory": "tiny:net", "checkpoint": ["half.pt", "double.pt"]}):
        assert load_model(spec).conv1.weight.dtype == torch.float32
    masked = nn.Module()
    masked.register_buffer("attn_mask", torch.tensor([0.0, -float("inf")]))
    from distcari.sources.checkpoints import read_state

    torch.save(masked.state_dict(), work / "masked.pt")
    assert list(read_state(work / "masked.pt", "here")) == ["attn_mask"]


def test_code_that_ends_the_program_ends_nothing(work):
    (work / "leaves.py").write_text(
        "import sys\ndef make():\n    sys.exit(0)\ndef late():\n    raise SystemExit('bye')\n"
    )
    (work / "leaves_at_once.py").write_text("import sys\nsys.exit(3)\n")
    (work / "raises.py").write_text(
        "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError\ndef make():\n    raise Odd\n"
    )
    for factory, says in (
        ("leaves:make", "cannot be built: SystemExit: 0"),
        ("leaves:late", "SystemExit: bye"),
        ("leaves_at_once:make", "cannot be imported: SystemExit: 3"),
        ("raises:make", "Odd|RuntimeError"),
        ("tiny:Net.missing.deeper", "has no"),
        ("..tiny:net", "cannot be imported"),
        ("os:getcwd", "not a torch.nn.Module"),
        ("os:sep", "not a function"),
    ):
        with pytest.raises(InputError, match=says):
            models({"factory": factory})


def test_pickles_of_the_old_kind_are_held_to_the_same(work):
    with (work / "w.pt").open("wb") as file:
        pickle.dump({"state_dict": [1, 2]}, file)
    with pytest.raises(InputError, match=r"w\.pt"):
        models({"factory": "tiny:net", "checkpoint": "w.pt"})
    torch.save(changed(head__bias=torch.full((5,), float("nan"))), work / "w.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match="not finite"):
        models({"factory": "tiny:net", "checkpoint": "w.pt"})


@pytest.mark.parametrize("kind", ["device", "fifo"])
def test_no_thread_goes_on_reading_what_was_refused(work, kind):
    """A thread that waits for a device's end would keep the whole command from ending."""
    target = work / "endless.pt"
    target.symlink_to("/dev/zero") if kind == "device" else os.mkfifo(target)
    before = set(threading.enumerate())
    with pytest.raises(InputError):
        models({"factory": "tiny:net", "checkpoint": "endless.pt", "name": "x"})
    assert not [t for t in set(threading.enumerate()) - before if "ThreadPool" in t.name]
