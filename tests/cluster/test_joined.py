"""Units of several layers, as workers on GPUs are given them: the cells, rows and reasons of units of one layer."""

from dataclasses import replace
from typing import ClassVar

import pytest
from support.serial import compute, planned
from support.shared import config

from distcari.cluster import events as e
from distcari.cluster.executors.serial import SerialExecutor
from distcari.cluster.start import run_plan
from distcari.cluster.worker import Worker
from distcari.planning.placement import GPU_BATCH
from distcari.store.check import check

LAYERS = ["conv1", "conv2", "bn2", "head"]


class Together(Worker):
    """Renders on this processor what a GPU would be given: all cells of a unit in one pass."""

    passes: ClassVar[list] = []

    def __init__(self, *args, device, **more):
        super().__init__(*args, device="cpu", **more)
        render = self.renderer

        def counted(network, images, layer, *rest, **named):
            self.passes.append((len(images), layer))
            return render(network, images, layer, *rest, **named)

        self.renderer = counted

    def _most(self, job):
        return len(job.cells)


class OnGpus(SerialExecutor):
    """Says that its worker has a GPU."""

    def place(self, plan):
        found = super().place(plan)
        return replace(found, need=replace(found.need, num_gpus=1), batch=GPU_BATCH)


@pytest.fixture
def together(monkeypatch):
    monkeypatch.setattr(Together, "passes", [])
    return OnGpus(Together)


def rows(run):
    table = run.store.table().set_index("key").sort_index()
    return table[table["experiment"] == "small"]


def test_small_layers_go_in_one_pass_and_rows_are_those_of_each_layer(work, together):
    document = config(layers=LAYERS, seeds=[0, 1])
    plan, store = planned(work, document)
    said = []
    run = run_plan(plan, store, together, [lambda event: said.append(event)])
    alone = compute(work, document | {"store": "alone"})
    assert not run.failures and run.done == alone.done == len(plan.todo) and list(check(store)) == [run.done]
    assert any(isinstance(layer, list) for _, layer in together.worker_class.passes)
    assert len([event for event in said if isinstance(event, e.UnitStarted)]) == 2, "one for each model"
    mine, theirs = rows(run), rows(alone)
    assert list(mine.index) == list(theirs.index)
    for column in ("model", "layer", "image", "seed", "layer_path", "layer_kind", "layer_depth", "arithmetic", "steps"):
        assert list(mine[column]) == list(theirs[column]), column
    for column in ("gain", "cosine", "robust_gain", "target_norm", "colourfulness"):
        assert mine[column].to_numpy() == pytest.approx(theirs[column].to_numpy(), rel=0.1, abs=0.02), column


def test_layers_of_other_settings_and_differences_stand_alone(work, together):
    document = config(
        layers=LAYERS,
        steps_by_layer={layer: 2 + i % 2 for i, layer in enumerate(LAYERS)},
        differences=[{"a": "a", "b": "b"}],
    )
    run = run_plan(*planned(work, document), together)
    assert not run.failures and list(check(run.store)) == [run.done]
    steps = {layer: 2 + i % 2 for i, layer in enumerate(LAYERS)}
    mixed = [layer for _, layer in together.worker_class.passes if isinstance(layer, list)]
    assert mixed and all(len({steps[name] for name in layers}) == 1 for layers in mixed)
    assert set(rows(run)["steps_taken"]) == {2, 3}


def test_a_bad_cell_among_several_layers_fails_alone(work, together):
    document = config(models=[{"name": "a", "factory": "tiny:poisoned"}], layers=LAYERS[:2])
    from PIL import Image

    Image.new("RGB", (32, 32)).save(work / "photos" / "black.png")
    run = run_plan(*planned(work, document), together)
    assert run.failures and {row["image"] for row in run.failures} == {"black"}
    assert {row["layer"] for row in run.failures} == set(LAYERS[:2])
    assert run.done + len(run.failures) == len(run.plan.todo)
