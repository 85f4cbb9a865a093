"""Experiments in Python: made, run, interrupted, gone on with and shown, with the real store and planning."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from support import analysis_store
from support.shared import config, write
from torch import nn

import distcari
from distcari.cluster import events
from distcari.errors import InputError


def experiment(**changes):
    return distcari.Experiment(**config(**changes))


def images_in(html):
    return re.findall(r'<img src="data:image/webp;base64,[^"]+" width="(\d+)" height="\d+" alt="([^"]*)"', html)


def test_an_experiment_is_the_same_from_arguments_a_dict_and_a_file(work):
    path = write("c.yaml", config(render={"size": 32, "steps": 3, "cossim_pow": [0, 1]}))
    by_file = distcari.Experiment.from_yaml(path, set=["seeds=[0, 5]"])
    document = yaml.safe_load(Path(path).read_text())
    by_dict = distcari.Experiment.from_dict({**document, "seeds": [0, 5]})
    by_words = distcari.Experiment(
        name="small",
        models={"a": {"factory": "tiny:net", "init_seed": 0}, "b": {"factory": "tiny:net", "init_seed": 1}},
        images=Path("photos/*.png"),
        layers=("conv2", "head"),
        input_size=32,
        seeds=[0, 5],
        render={"size": 32, "steps": 3, "cossim_pow": [0, 1]},
    )
    assert by_file.model_dump() == by_dict.model_dump() == by_words.model_dump()
    assert by_file.sweeps == by_words.sweeps == {"cossim_pow": [0.0, 1.0]}
    assert len(distcari.plan(by_words).todo) == len(distcari.plan(path).todo) * 2 == 2 * 2 * 2 * 2 * 2


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"layers": []}, "layers: is empty"),
        ({"layer": ["x"]}, "layer: unknown field"),
        ({"models": ["resnet18"]}, "'resnet18' is no entry"),
        ({"models": [{"model": 5}]}, "model is a int"),
        ({"models": {}}, "models: is empty"),
        ({"images": [{"file": "a", "url": "b"}]}, "give exactly one of file, url, sample"),
        ({"seeds": object()}, "seeds"),
        ({"render": {"steps": "many"}}, "steps"),
    ],
)
def test_bad_input_is_said_in_clear_words(work, changes, problem):
    with pytest.raises(InputError, match=re.escape(problem)) as caught:
        experiment(**changes)
    assert str(caught.value).startswith("Experiment") and caught.value.remedy


def test_what_planning_refuses_names_the_nearest(work):
    with pytest.raises(InputError, match=r"Experiment: images\[0\].file: nothing matches"):
        distcari.plan(experiment(images=["nowhere/*.png"]))
    with pytest.raises(InputError, match="conv2"):
        distcari.plan(experiment(layers=["conv3"]))
    with pytest.raises(InputError, match="no such config file"):
        distcari.run("nowhere.yaml")


def test_arithmetic_that_is_not_there_is_refused_before_anything_is_written(work):
    with pytest.raises(InputError, match="tf32"):
        distcari.run(experiment(render={"size": 32, "steps": 3, "precision": "tf32"}), executor="serial")
    assert not Path(experiment().store).exists()


def test_a_run_is_interrupted_and_the_same_call_goes_on(work, capsys):
    heard = []

    def stop_at_the_third(event):
        heard.append(event)
        if isinstance(event, events.CellDone) and sum(isinstance(one, events.CellDone) for one in heard) == 3:
            raise KeyboardInterrupt

    wanted = experiment()
    cut = distcari.run(wanted, executor="serial", progress=stop_at_the_third)
    assert (cut.state, cut.done, cut.left) == ("interrupted", 3, 5) and "the same call goes on" in cut._repr_html_()
    assert "3 done already, 5 to do" in distcari.plan(wanted)._repr_html_()
    assert repr(distcari.plan(wanted)) == "Plan('small': 8 cells, 3 done, 5 to do)"
    rest = distcari.run(wanted, executor="serial")
    assert (rest.state, rest.done, rest.left) == ("finished", 5, 0) and "5/5" in capsys.readouterr().err
    assert distcari.run(wanted).done == 0 and len(rest.store.table()) == 8
    assert distcari.run(wanted, executor="serial", only={"model": "a"}, overwrite=True, progress=False).done == 4
    assert capsys.readouterr().err == ""


def test_failures_are_in_the_outcome(work):
    bad = experiment(models=[{"name": "<p>", "factory": "tiny:poisoned"}], layers=["conv2"])
    Image.new("RGB", (40, 40)).save("photos/dark.png")
    found = distcari.run(bad, executor="serial", progress=False)
    assert found.done == 2 and len(found.failures) == 1 and found.left == 0
    assert "poisoned picture" in found._repr_html_() and "&lt;p&gt;" in found._repr_html_()
    assert "not done" in found.store.show("small", cols="image")._repr_html_()


def test_a_network_of_the_notebook_is_a_model_and_stays_as_it_is(work):
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU()).train()
    about = {"models": {"mine": {"model": net, "normalization": "half", "input_size": 32}}, "layers": "0"}
    mine = experiment(**about)
    found = distcari.run(mine, progress=False)
    assert found.state == "finished" and found.done == 2 and net.training
    picture = found.store.picture(found.store.table()["key"][0])
    assert picture.shape == (32, 32, 3) and picture.std() > 0.01
    assert distcari.run(experiment(**about), progress=False).done == 0
    two = experiment(models={"one": nn.Sequential(net), "two": {"model": nn.Sequential(net), "normalization": "half"}})
    assert [model.name for model in two.models] == ["one", "two"]
    with pytest.raises(InputError, match="Ray's workers cannot reach it"):
        distcari.run(mine, executor="ray", overwrite=True)
    with torch.no_grad():
        net[0].weight.add_(1)
    with pytest.raises(InputError, match="its content has changed"):
        distcari.plan(experiment(**about))
    code = "from distcari.notebook.live import network; network('0' * 32)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "lives in the process whose Experiment" in done.stderr


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return analysis_store.make(tmp_path_factory.mktemp("show") / "s", without={("b", "cup", "l2", 0)})


def test_a_store_shows_pictures_by_any_two_axes(store):
    shown = store.show(image="cup")
    html = shown._repr_html_()
    pictures = images_in(html)
    assert len(pictures) == 5 and html.count("not done") == 1 and {width for width, _ in pictures} == {"150"}
    assert ("150", "Caricature: model a, image cup, layer l1, seed 0") in pictures
    assert "image cup, seed 0" in html and "(seed: the first there is)" in html and "robust_cosine (-1 … 1)" in html
    some = store.show("e", rows="seed", cols="image", image=["cat", "dog"], model="c", layer="l2", figure=None)
    assert len(images_in(some._repr_html_())) == 6 and "Below each" not in some._repr_html_()
    assert "the first there is" not in some._repr_html_()


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"experiment": "f"}, "no experiment 'f'"),
        ({"rows": "colour"}, "has no such axis"),
        ({"rows": "layer"}, "are the same axis"),
        ({"image": "cap"}, "Nearest: cup"),
        ({"figure": "robust"}, "Nearest: robust_gain"),
        ({"model": []}, "names no label"),
    ],
)
def test_what_cannot_be_shown_is_said(store, asked, problem):
    with pytest.raises(InputError, match=re.escape(problem)):
        store.show(**asked)


def test_more_pictures_than_a_notebook_takes_are_refused(tmp_path):
    store = analysis_store.make(tmp_path / "s", models=[f"m{i}" for i in range(21)], images=("cat",), layers=("l",))
    with pytest.raises(InputError, match="are 21 pictures"):
        from distcari.store import show

        show.MOST, most = 20, show.MOST
        try:
            store.show(image="cat")
        finally:
            show.MOST = most


def test_everything_draws_itself_and_lets_no_name_be_markup(store, tmp_path):
    html = store._repr_html_()
    assert "3 models × 4 images × 2 layers × 3 seeds" in html and ">71<" in html
    found = distcari.compare(store, "a", "c")
    html = found._repr_html_()
    assert "a against c" in html and "small_circles *" in html and "corrected" in html
    nasty = analysis_store.make(tmp_path / "s", models=("<script>x</script>", 'q"'), images=("<b>",), layers=("l",))
    html = nasty.show()._repr_html_() + nasty._repr_html_()
    assert "<script>x" not in html and "<b>&lt;" not in html and "&lt;script&gt;" in html and len(images_in(html)) == 2
    html = distcari.Experiment(models=[{"timm": "<i>"}], images=["<u>"], layers=["l"])._repr_html_()
    assert "<i>" not in html and "&lt;u&gt;" in html


def test_pictures_in_the_page_are_those_of_the_store(store):
    import base64
    import io

    html = store.show(image="cat", size=24, seed=1)._repr_html_()
    first = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])
    shown = np.asarray(Image.open(io.BytesIO(first)).convert("RGB")) / 255
    there = analysis_store.picture("a", "cat", "l1", 1)
    assert shown.shape == there.shape and np.abs(shown - there).mean() < 0.05
