import http.server
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from support.shared import config
from torchvision.models import resnet18

from distcari.config.experiment import Experiment
from distcari.errors import InputError
from distcari.sources.checkpoints import stem, strip_prefixes
from distcari.sources.images import MOST_PIXELS, load_images, prepare
from distcari.sources.models import expand_models, load_model


def experiment(**changes):
    return Experiment.model_validate(config(**changes))


def models(*entries):
    return expand_models(experiment(models=list(entries)), "c.yaml")


def images(*entries, size=32):
    return load_images(experiment(images=list(entries), input_size=size), "c.yaml")


# checkpoints


@pytest.mark.parametrize("classes", [40, 37, 1000])
@pytest.mark.parametrize("nest", ["state_dict", "model", None])
def test_checkpoints_in_the_predecessors_format(work, classes, nest):
    weights = resnet18(num_classes=classes).state_dict()
    prefixed = {f"module.{k}": v for k, v in weights.items()}
    torch.save({nest: prefixed, "epoch": 3} if nest else prefixed, work / "resnet_18_single.pth.tar")
    (spec,) = models({"torchvision": "resnet18", "checkpoint": "resnet_18_single", "normalization": "half"})
    model = load_model(spec)
    assert spec.name == "resnet_18_single" and spec.mean == (0.5,) * 3
    assert model.fc.out_features == classes and not model.training
    assert torch.equal(model.conv1.weight, weights["conv1.weight"])


def test_a_glob_makes_one_model_a_file_less_the_excluded(work):
    for name in ("single_a.pt", "single_b.pth", "single_redo.pt", "notes.txt"):
        torch.save(resnet18().state_dict(), work / name)
    entry = {"torchvision": "resnet18", "checkpoint": "single_*", "exclude": ["single_redo"], "name": "r_{stem}"}
    found = models(entry)
    assert [s.name for s in found] == ["r_single_a", "r_single_b"]


def test_safetensors(work):
    save_file(resnet18(num_classes=3).state_dict(), work / "w.safetensors")
    (spec,) = models({"torchvision": "resnet18", "checkpoint": "w.safetensors"})
    assert load_model(spec).fc.out_features == 3


def test_pickled_code_is_refused_and_never_run(work):
    class Evil:
        def __reduce__(self):
            return (open, ("owned", "w"))

    for name, save in (("zip.pt", torch.save), ("raw.pt", lambda o, p: Path(p).write_bytes(pickle.dumps(o)))):
        save({"state_dict": Evil()}, work / name)
        with pytest.raises(InputError, match=r"pickled code|cannot be read"):
            models({"torchvision": "resnet18", "checkpoint": name})
    assert not (work / "owned").exists()


def test_another_architecture_names_the_first_keys(work):
    from torchvision.models import resnet50

    torch.save(resnet50().state_dict(), work / "w.pt")
    with pytest.raises(InputError, match=r"another architecture[\s\S]*layer1\.0\.conv1\.weight"):
        models({"torchvision": "resnet18", "checkpoint": "w.pt"})


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"torchvision": "resnet18", "checkpoint": "nowhere.pt"}, "no checkpoint at nowhere.pt"),
        ({"torchvision": "resnet18", "checkpoint": "no_*"}, "nothing matches"),
        ({"torchvision": "resnet18", "checkpoint": "broken.pt"}, "cannot be read as a checkpoint"),
        ({"torchvision": "resnet18", "checkpoint": "empty.pt"}, "holds no weights"),
        ({"torchvision": "resnet5O"}, "Nearest: .*resnet50"),
        ({"torchvision": "resnet18", "weights": "IMAGENET_V1"}, "Nearest: IMAGENET1K_V1"),
        ({"timm": "vit_tny_patch16_224"}, "Nearest: .*vit_tiny_patch16_224"),
        ({"factory": "nowhere_at_all:f"}, "no module"),
        ({"factory": "tiny:nett"}, "Nearest: net"),
        ({"factory": "tiny:not_a_network"}, "not a torch.nn.Module"),
        ({"factory": "tiny:net", "options": {"depth": 3}}, "cannot be built"),
        ({"factory": "tiny:net", "package": "no_such_package"}, "pip install no-such-package"),
    ],
)
def test_bad_models_say_what_to_do(work, entry, says):
    (work / "broken.pt").write_bytes(b"PK\x03\x04 nonsense")
    torch.save({"epoch": 1}, work / "empty.pt")
    with pytest.raises(InputError, match=says) as error:
        models(entry)
    assert "models[0]" in str(error.value)


def test_published_weights_are_found_beside_the_project_or_asked_for(work, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(work / "hub"))
    monkeypatch.setenv("DISTCARI_TIMEOUT", "2")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # offline, wherever the test runs
    entry = {"torchvision": "resnet18", "weights": "IMAGENET1K_V1"}
    with pytest.raises(InputError, match=r"resnet18-f37072fd\.pth[\s\S]*put it into checkpoints/"):
        models(entry)
    (work / "checkpoints").mkdir()
    torch.save(resnet18().state_dict(), work / "checkpoints/resnet18-f37072fd.pth")
    (spec,) = models(entry)
    assert spec.input_size == 224 and spec.mean == (0.485, 0.456, 0.406)


def test_duplicate_names_are_refused(work):
    with pytest.raises(InputError, match="duplicate model name 'net'"):
        models({"factory": "tiny:net"}, {"factory": "tiny:net"})
    with pytest.raises(InputError, match="duplicate image name 'one'"):
        images("photos/one.png", "photos/*.png")


def test_random_weights_come_from_their_seed_and_leave_the_global_one_alone(work):
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    a, b = models({"name": "a", "factory": "tiny:net"}, {"name": "b", "factory": "tiny:net", "init_seed": 1})
    assert torch.equal(load_model(a).conv1.weight, load_model(a).conv1.weight)
    assert a.sha256 != b.sha256 and torch.equal(torch.random.get_rng_state(), before)


@given(
    st.dictionaries(st.text("abc.", min_size=1).filter(lambda k: not k.startswith(".")), st.just(0), min_size=1),
    st.lists(st.sampled_from(["module.", "model.", "_orig_mod."])),
)
def test_prefixes_are_stripped_as_often_as_they_stand(state, prefixes):
    assert strip_prefixes({"".join(prefixes) + k: v for k, v in state.items()}) == state


@given(st.text("abc_1", min_size=1), st.sampled_from([".pt", ".pth", ".pth.tar", ".safetensors", ".ckpt", ""]))
def test_stems(name, ending):
    assert stem(f"folder/{name}{ending}") == name


# images


def test_image_kinds_become_the_same_square(work):
    grey = np.linspace(0, 65535, 40 * 40).reshape(40, 40).astype(np.uint16)
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[:, :20] = (255, 0, 0, 255)
    Image.fromarray(rgba).save(work / "rgba.png")
    Image.fromarray(rgba).convert("P").save(work / "palette.png")
    Image.fromarray(grey).save(work / "deep.png")
    Image.fromarray((grey // 257).astype(np.uint8)).save(work / "grey.png")
    found = {i.name: i.pixels for i in images("rgba.png", "palette.png", "deep.png", "grey.png")}
    assert all(p.shape == (32, 32, 3) and p.dtype == np.uint8 for p in found.values())
    assert found["rgba"][16, 4].tolist() == [255, 0, 0] and found["rgba"][16, 28].tolist() == [255, 255, 255]
    assert np.abs(found["deep"].astype(int) - found["grey"]).max() <= 2 and found["deep"].max() > 250


def test_an_image_of_the_right_size_passes_bit_for_bit_and_exif_turns_it():
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    assert np.array_equal(prepare(image, 32), pixels)
    image.getexif()[0x0112] = 6
    assert np.array_equal(prepare(image, 32), np.rot90(pixels, -1))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("nowhere.png", "no image at nowhere.png"),
        ("empty", "no images in the folder"),
        ("no*.png", "nothing matches"),
        ("text.png", "is not an image"),
        ("cut.png", "is broken"),
        ("bomb.png", "is huge"),
        ({"sample": "chelsee"}, "Nearest: chelsea"),
        ({"url": "ftp://x/y.png"}, "not an http"),
        ({"file": "photos", "name": "same"}, "would all be called 'same'"),
    ],
)
def test_bad_images_say_what_to_do(work, entry, says):
    (work / "empty").mkdir()
    (work / "text.png").write_text("no picture")
    whole = (work / "photos/one.png").read_bytes()
    (work / "cut.png").write_bytes(whole[: len(whole) // 2])
    side = int(MOST_PIXELS**0.5) + 2
    Image.new("1", (side, side)).save(work / "bomb.png")
    with pytest.raises(InputError, match=says) as error:
        images(entry)
    assert "images[0]" in str(error.value)


@pytest.fixture
def server(work):
    hits = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            if self.path == "/away":
                self.send_response(302)
                self.send_header("Location", "file:///etc/passwd")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write((work / "photos/one.png").read_bytes())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", hits
        running.shutdown()


def test_urls_are_fetched_once_checked_and_confined(work, server, monkeypatch):
    address, hits = server
    monkeypatch.setenv("DISTCARI_CACHE", str(work / "cache"))
    first, second = (images({"url": f"{address}/one.png"})[0] for _ in range(2))
    assert first.sha256 == second.sha256 == images("photos/one.png")[0].sha256 and hits == ["/one.png"]
    with pytest.raises(InputError, match="SHA-256"):
        images({"url": f"{address}/one.png", "sha256": "0" * 64})
    with pytest.raises(InputError, match="cannot be fetched"):
        images({"url": f"{address}/away"})
    monkeypatch.setattr("distcari.sources.download.MOST_BYTES", 10)
    with pytest.raises(InputError, match="larger than"):
        images({"url": f"{address}/big.png"})


def test_samples_are_photographs():
    assert [i.pixels.std() > 20 for i in images({"sample": "chelsea"}, {"sample": "coffee"})] == [True, True]
