"""The main job as a user runs it: the command line, a real local Ray, a real store."""

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from support.commands import run, serially, submit
from support.shared import ROOT, config, write

from distcari.store import open_store

pytestmark = pytest.mark.timeout(300)


def test_computes_resumes_grows_refuses_and_overwrites(work):
    path = write(work / "c.yaml", config(resources={"actors": 1}))
    code, said = run("submit", path, "--dry-run")
    assert code == 0 and "2 models × 2 images × 2 layers × 1 seed = 8 cells" in said and "work units: 4" in said
    assert "time: about" in said and not (work / "store/index").exists()

    code, said = run("submit", path, "--dry-run", "--only", "model=a", "--only", "layer=conv2")
    assert code == 0 and "small: 1 model × 2 images × 1 layer × 1 seed = 2 cells; 0 done" in said

    code, said = submit(path)
    assert code == 0, said
    assert "8 cells computed" in said and "8/8 cells done" in said and "contact_sheets/small" in said
    frame = pd.read_parquet("store/index")
    assert len(frame) == frame["key"].nunique() == 8
    assert frame[["gain", "cosine", "robust_gain", "robust_cosine", "colourfulness", "layer_depth"]].notna().all().all()
    assert Image.open("store/contact_sheets/small/one.webp").width > 300
    before = {key: open_store().picture(key).tobytes() for key in frame["key"]}

    code, said = run("submit", path)
    assert code == 0 and "8 done already, 0 to do" in said and "computed" not in said

    more = config(seeds=[0, 1])
    more["models"].append({"name": "c", "factory": "tiny:net", "init_seed": 2})
    write(path, more)
    code, said = serially(path)
    assert code == 0 and "8 done already, 16 to do" in said and "16 cells computed" in said, said
    assert all(open_store().picture(key).tobytes() == pixels for key, pixels in before.items())
    assert len(pd.read_parquet("store/index")) == 24

    code, said = run("submit", path, "--set", "render.cossim_pow=2")
    assert code == 2 and "render.cossim_pow: 1.2 in the store, 2.0 now" in said and "--overwrite" in said
    code, said = serially(path, "--only", "model=a", "--overwrite")
    assert code == 0 and "8 cells computed" in said
    assert len(pd.read_parquet("store/index")) == 24
    code, said = serially(path, "--set", "render.cossim_pow=2", "--overwrite")
    assert code == 0 and "24 cells computed" in said
    assert pd.read_parquet("store/index")["settings_hash"].nunique() == 1
    assert all(open_store().picture(key) is not None for key in pd.read_parquet("store/index")["key"])


def test_export_and_adopt_go_round(work):
    names = ["layer3_3", "layer4_2_conv3"]
    pictures = work / "old"
    pictures.mkdir()
    for layer in names:
        for model in ("single_camera", "resnet_50_train_00"):
            Image.new("RGB", (16, 16), (200, 10, 10)).save(pictures / f"{model}_{layer}_dog_cat.png")
    code, said = run("adopt", pictures)
    assert code == 0 and "4 pictures adopted" in said
    frame = open_store().table()
    assert set(frame["model"]) == {"single_camera", "resnet_50_train_00"} and set(frame["layer"]) == set(names)
    assert set(frame["image"]) == {"dog_cat"} and frame["gain"].isna().all()
    assert "0 pictures adopted" in run("adopt", pictures)[1]
    assert run("export", "store", "--out", "new")[0] == 0
    assert sorted(p.name for p in Path("new").glob("*.png")) == sorted(p.name for p in pictures.glob("*.png"))
    (pictures / "nonsense.png").write_bytes((pictures / "single_camera_layer3_3_dog_cat.png").read_bytes())
    code, said = run("adopt", pictures)
    assert code == 2 and "<model>_<layer>_<image>" in said


def test_a_bad_cell_fails_alone_after_three_tries(work):
    Image.new("RGB", (40, 40)).save(work / "photos/black.png")
    models = [{"name": "p", "factory": "tiny:poisoned", "normalization": "imagenet"}]
    path = write(work / "c.yaml", config(models=models, layers=["conv2"]))
    code, said = serially(path)
    assert code == 1 and "poisoned picture" in said and "--retry-failed" in said
    assert set(pd.read_parquet("store/index")["image"]) == {"one", "two"}
    failures = pd.read_parquet("store/failures")
    assert list(failures["image"]) == ["black"] and list(failures["attempt"]) == [3]
    code, said = serially(path)
    assert code == 1 and "1 given up earlier" in said and "0 to do" in said


@pytest.mark.parametrize(
    ("changes", "arguments", "says"),
    [
        ({"layers": ["convv2"]}, [], "Nearest: conv2"),
        ({"layers": ["nothing_*"]}, [], "no model has a layer that matches"),
        ({}, ["--only", "model=z"], "There are: a, b"),
        ({}, ["--only", "colour=z"], "no such axis"),
        ({"store": "c.yaml/store"}, [], "c.yaml/store"),
        ({"images": ["missing.png"]}, [], "no image at missing.png"),
    ],
)
def test_bad_input_ends_with_2_and_a_remedy(work, changes, arguments, says):
    code, said = run("submit", write(work / "c.yaml", config(**changes)), *arguments)
    assert code == 2 and says in said and "Traceback" not in said, said


def test_models_lists_layers(work):
    code, said = run("layers", write(work / "c.yaml", config()))
    assert code == 0 and "a, b" in said and "* conv2" in said and "8 × 16 × 16" in said


@pytest.mark.parametrize("name", ["demo", "differences", "preliminary", "pretrain", "finetune"])
def test_shipped_configs_are_valid(name):
    from distcari.config.load import load_experiment

    experiment = load_experiment(ROOT / f"configs/{name}.yaml")
    assert experiment.name == name


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:layer .* holds:UserWarning")  # weights and pictures are random
def test_the_predecessors_preliminary_experiment_runs_with_every_network_and_layer(work, monkeypatch):
    from torchvision.models import resnet50

    (work / "checkpoints").mkdir()
    (work / "images").mkdir()
    torch.manual_seed(0)
    weights = resnet50().state_dict()
    for name, classes in (("imagenet_200k", 1000), ("single_camera", 40), ("single_texture", 37)):
        cut = {k: v[:classes].clone() if k.startswith("fc.") else v for k, v in weights.items()}
        state = {f"module.{k}": v for k, v in cut.items()}
        torch.save({"state_dict": state, "epoch": 1}, work / f"checkpoints/resnet_50_{name}.pth.tar")
    torch.save(weights, work / "checkpoints/resnet50-0676ba61.pth")
    for i, name in enumerate(["flowers", "dog_cat", "chain"]):
        Image.effect_noise((224, 224), 50 + i).convert("RGBA").save(work / f"images/{name}.png")
    experiment = yaml.safe_load((ROOT / "configs/preliminary.yaml").read_text())
    experiment["models"][1]["input_size"] = 32  # its weights ask for 224: ten times the time
    path = write(work / "preliminary.yaml", experiment)
    small = ["render.steps=1", "render.size=32", "input_size=32", "render.precision=float32"]
    code, said = serially(path, *[word for setting in small for word in ("--set", setting)], "--only", "image=flowers")
    assert code == 0, said
    assert (
        "4 models × 1 image × 7 layers × 1 seed = 28 cells" in said
        and "28 to do" in said
        and "28 cells computed" in said
    )
    frame = pd.read_parquet("store/index")
    assert set(frame["model"]) == {
        "resnet_50_imagenet_200k",
        "resnet_50_single_camera",
        "resnet_50_single_texture",
        "pretrained",
    }
    assert frame["steps"].eq(1).all() and frame["robust_gain"].notna().all()


def test_the_serial_executor_computes_without_ray_and_goes_on(work):
    path = write(work / "c.yaml", config(images=["photos/one.png"], layers=["conv2"]))
    code, said = serially(path)
    assert code == 0 and "2 cells computed" in said and len(pd.read_parquet("store/index")) == 2
    assert "0 to do" in serially(path)[1]
    code, said = serially(path, "--address", "auto")
    assert code == 2 and "does not go with --address" in said


def test_cells_that_are_no_product_of_axes_are_not_told_as_one(work):
    """One of two architectures lacks most of the layers, so models × layers are more than the cells."""
    models = [{"name": "a", "factory": "tiny:net"}, {"name": "r18", "torchvision": "resnet18", "input_size": 32}]
    path = write(work / "c.yaml", config(models=models, layers=["conv1*", "layer1_0*"]))
    code, said = run("submit", path, "--dry-run")
    first = next(line for line in said.splitlines() if line.startswith("small: "))
    assert code == 0 and "×" not in first and " cells; 0 done already" in first, said
    code, said = run("submit", path, "--dry-run", "--only", "model=a")
    assert code == 0 and "small: 1 model × 2 images × 1 layer × 1 seed = 2 cells" in said, said
