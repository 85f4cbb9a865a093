"""Two workers on a real Ray: they agree, and one that is of no use does not eat the grid."""

import pytest
from PIL import Image
from support.rays import local_ray
from support.serial import planned
from support.shared import config
from support.workers import AllBroken, BrokenAndSaysSo, BrokenLater, OfAnotherMind, OneBroken

import distcari
from distcari.cluster import events, health
from distcari.cluster.executors.ray import RayExecutor
from distcari.cluster.executors.serial import SerialExecutor
from distcari.cluster.health import Health
from distcari.cluster.jobs import Result
from distcari.cluster.ledger import RunStopped
from distcari.cluster.start import run_plan
from distcari.store.check import check

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A Ray of its own with room for two workers; starting one takes longer than most tests."""
    with local_ray(tmp_path_factory.mktemp("ray"), num_cpus=2):
        yield


def test_a_notebook_uses_the_ray_that_is_there_and_leaves_it(two, work):
    import ray

    wanted = distcari.Experiment(**config(layers=["conv2"], resources={"actors": 1}))
    found = distcari.run(wanted, progress=False, wait=30)
    assert found.state == "finished" and found.done == 4 and ray.is_initialized()


def test_workers_of_two_minds_compute_a_layer_alike(two, work):
    """What a layer is computed in is decided once in a run, whoever comes to it first."""
    plan, store = planned(work, config(seeds=[0, 1, 2], resources={"batch": 1}))
    run = run_plan(plan, store, RayExecutor(OfAnotherMind))
    table = store.table(["model", "layer", "arithmetic"])
    assert run.done == 24 and set(table["arithmetic"]) <= {"bfloat16", "float32"}
    assert (table.groupby(["model", "layer"])["arithmetic"].nunique() == 1).all()


@pytest.mark.parametrize("worker", [OneBroken, pytest.param(BrokenLater, marks=pytest.mark.long), BrokenAndSaysSo])
def test_one_broken_worker_of_two_costs_no_cell(two, work, worker):
    plan, store = planned(work, config(layers=["conv2"], seeds=list(range(10)), resources={"batch": 2, "actors": 2}))
    heard = []
    run = run_plan(plan, store, RayExecutor(worker), [heard.append])
    assert run.state == "finished" and run.done == 40 and not run.failures and len(store.failures()) == 0
    assert list(check(store)) == [40]
    retired = [event for event in heard if isinstance(event, events.WorkerRetired)]
    if worker.SAYS:  # else it shows only where another has done its cells: perhaps when none is left
        assert [event.worker for event in retired] == ["worker-1"]
        assert (
            retired[0].reason == "the device does not work (RuntimeError: CUDA error: an illegal memory access was "
            "encountered); another is tried there now"
        )
        assert not any(isinstance(event, events.CellRetried) for event in heard)


def test_where_every_worker_is_of_no_use_the_run_stops_and_says_why(two, work, monkeypatch):
    monkeypatch.setattr(health, "WAITS", (0.0, 0.1))
    monkeypatch.setattr("distcari.cluster.executors.ray.MOST_SETBACKS", 2)
    plan, store = planned(work, config(resources={"actors": 1}))
    with pytest.raises(RunStopped, match="2 workers in a row were of no use; the last: the card is full") as error:
        run_plan(plan, store, RayExecutor(AllBroken))
    assert "num_gpus=0" in error.value.remedy and len(store.failures()) == 0 == len(store.table())


def test_without_ray_a_broken_device_stops_the_run_and_gives_no_cell_up(work):
    plan, store = planned(work, config())
    with pytest.raises(RunStopped, match="the card is full"):
        run_plan(plan, store, SerialExecutor(AllBroken))
    assert len(store.failures()) == 0 == len(store.table())


def test_a_cell_that_fails_on_two_workers_is_the_cells_fault(two, work):
    """The poisoned picture fails everywhere, and is given up after its tries; nobody is retired for it."""
    Image.new("RGB", (40, 40), (1, 1, 1)).save(work / "photos/one.png")
    models = [{"name": "a", "factory": "tiny:poisoned", "init_seed": 0}]
    plan, store = planned(work, config(models=models, layers=["conv2"], seeds=[0, 1, 2], resources={"batch": 1}))
    heard = []
    run = run_plan(plan, store, RayExecutor(), [heard.append])
    assert run.done == 3 == len(run.failures) and {row["attempt"] for row in run.failures} == {3}
    assert not any(isinstance(event, events.WorkerRetired) for event in heard)


def test_a_place_is_tried_again_after_longer_and_longer_waits():
    books, failed = Health(), Result(failures=[(None, "boom", "")])
    assert [books.close("node, cuda 0", now) for now in (0, 10, 20, 30, 40)] == [0, 15, 60, 240, 240]
    assert [books.closed(now) for now in (40, 41, 79, 81, 300)] == [3, 3, 3, 2, 0]
    books.heard("w", "node, cuda 0", Result(rows=[{}]))
    assert books.setbacks == 0 and books.close("node, cuda 0", 400) == 0
    for _ in range(2):
        books.heard("w", "node", failed)
    assert books.useless(["w", "v"], {}) == [] and books.useless(["w", "v"], {"w": 1}) == ["w"]
