"""The driver on real Ray clusters of several nodes on this machine."""

import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from support import commands, serial, tiny
from support.rays import there
from support.shared import config, write
from support.workers import OnFakeCards

from distcari.cluster import events, shipping
from distcari.cluster.driver import Run
from distcari.cluster.executors.ray import RayExecutor
from distcari.cluster.executors.serial import SerialExecutor
from distcari.cluster.ledger import RunStopped
from distcari.cluster.room import fits_nowhere, places, wait_for_room
from distcari.cluster.run_note import RunNote
from distcari.cluster.start import run_plan
from distcari.cluster.worker import Worker
from distcari.config.load import load_experiment
from distcari.errors import InputError
from distcari.planning.placement import Need
from distcari.planning.plan import make_plan
from distcari.render import Caricature
from distcari.sources.models import expand_models
from distcari.store import open_store, runs
from distcari.store.check import check
from distcari.store.lease import take

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster():
    """A cluster with a head that does no work; tests add their nodes, and tell them by labels or resources."""
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": {"metrics_report_interval_ms": 300}}
    head |= {"no_monitor": True, "include_log_monitor": False}  # two processes that nothing here needs
    with there("/"):  # so nodes' relative paths are not the driver's
        cluster = Cluster(initialize_head=True, head_node_args=head)
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
        ray.shutdown()
        cluster.shutdown()


def planned(work, **changes):
    return serial.planned(work, config(**changes))


def test_a_lost_nodes_work_is_back_within_ten_seconds_and_new_nodes_are_used(cluster, work):
    hold = work / "hold"
    hold.touch()
    slow = {"name": "a", "factory": "tiny:slow", "options": {"seconds": 0, "hold": str(hold)}}
    plan, store = planned(
        work,
        models=[slow],
        layers=["conv2"],
        seeds=[0, 1, 2],
        render={"size": 32, "steps": 3, "precision": "float32"},  # nothing to decide that the others would wait for
        resources={"batch": 1, "actors": 3, "label_selector": {"nodes": "come-and-go"}},
    )

    def node():
        with there("/"):  # so its relative paths are not the driver's
            return cluster.add_node(num_cpus=1, labels={"nodes": "come-and-go"})

    nodes = [node(), node()]
    heard, lost = [], {}

    def listen(event):
        heard.append(event)
        workers = {e.worker for e in heard if isinstance(e, events.UnitStarted)}
        if len(workers) == 2 and not lost:
            cluster.remove_node(nodes[0], allow_graceful=False)
            lost["at"] = time.monotonic()
        if isinstance(event, events.CellRetried) and "back" not in lost:
            lost["back"] = time.monotonic()
            node()
        if len(workers) == 3:
            hold.unlink(missing_ok=True)

    run = run_plan(plan, store, RayExecutor(elastic=True), [listen])
    assert run.state == "finished" and run.done == 6 and not run.failures
    assert lost["back"] - lost["at"] < 10
    assert len({e.worker for e in heard if isinstance(e, events.UnitStarted)}) >= 3
    assert len(store.table()) == 6


@pytest.fixture(scope="module")
def cards(cluster):
    """Two nodes with two GPUs each that are there for Ray alone; a camera on the near one."""
    cluster.add_node(num_cpus=2, num_gpus=2, labels={"zone": "far"})
    cluster.add_node(num_cpus=4, num_gpus=2, labels={"zone": "near"}, resources={"camera": 3})


def test_custom_resources_and_places(cards):
    tripod, camera, here = ({"tripod": 1}, {"camera": 1}, {"camera": 0.1})
    assert "tripod 1 wanted, at most 0" in fits_nowhere(Need(num_cpus=1, custom=tripod))
    assert "tripod" in wait_for_room(Need(num_cpus=1, custom=tripod), 0.1)
    need = Need(num_cpus=1, custom=camera)
    assert wait_for_room(need, 30) is None and places(need) == 3
    assert places(Need(num_cpus=0.5, custom=here)) == 8
    assert places(Need(num_cpus=1, num_gpus=1, custom=here)) == 2
    assert places(Need(num_cpus=0.1, num_gpus=0.4, custom=here)) == 4  # two on each GPU


def test_workers_that_cannot_start_stop_the_run_with_the_reason(cards, work, monkeypatch):
    monkeypatch.setattr("distcari.cluster.executors.ray.MOST_SETBACKS", 2)
    plan, store = planned(work, resources={"num_gpus": 1, "actors": 1, "label_selector": {"zone": "far"}})
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(RunStopped, match=r"Ray gave worker-2 a GPU, but torch .* sees none"):
        run_plan(plan, store)
    assert len(store.table()) == 0


CHOOSE = "(otherwise: --set resources.num_gpus=…, 0 for processors alone)"


def test_gpus_are_used_without_a_flag_on_the_nodes_that_the_labels_name(cluster, cards, work):
    one = [{"name": "a", "factory": "tiny:net"}]
    write(work / "c.yaml", config(models=one, resources={"label_selector": {"zone": "near"}}))
    code, out = commands.submit("c.yaml", "--dry-run", "--address", cluster.address)
    assert code == 0 and f"2 × GPU: 2 workers, 1 on each {CHOOSE}" in out, out
    assert "work units: 2 of at most 64 cells" in out
    code, out = commands.run("submit", "c.yaml", "--set", "resources.num_cpus=4096")
    assert code == 2 and "4096 wanted" in out and "Traceback" not in out, out


def test_workers_on_cards_that_die_with_units_in_hand_lose_nothing_and_change_no_bit(cards, work):
    """killer_once ends its process in the first rendering: three units are in that worker's hands."""
    killer = {"name": "a", "factory": "tiny:killer_once", "init_seed": 0, "options": {"killed": str(work / "killed")}}
    document = config(
        models=[killer, {"name": "b", "factory": "tiny:net", "init_seed": 1}],
        seeds=[0, 1, 2],
        resources={"batch": 2, "actors": 1, "num_gpus": 0.5, "label_selector": {"zone": "near"}},
    )
    plan, store = serial.planned(work, document)
    said = []

    def listen(event):
        if isinstance(event, events.RunStarted):
            said.append(event.place)

    run = run_plan(plan, store, RayExecutor(OnFakeCards), [listen, RunNote(store.files)])
    assert said == [f"2 × GPU: 1 worker {CHOOSE}"] and set(store.table()["device"]) <= {"gpu 0 of 0.5", "gpu 1 of 0.5"}
    (name,) = runs.note_names(store.files)
    assert runs.read_note(store.files, name).place == said[0]
    assert run.placement.hands == 3 and run.done == 24 and not run.failures and list(check(store)) == [24]
    assert (work / "killed").exists()
    calm = serial.compute(work, document | {"store": "calm", "resources": {"batch": 2}})
    pixels = [dict(r.store.table(["key", "pixels_sha256"]).values) for r in (run, calm)]
    assert pixels[0] == pixels[1]


@pytest.fixture(scope="module")
def metered(cluster):
    """The port at which a further node says its metrics; it alone is `metered`."""
    cluster.add_node(num_cpus=1, resources={"metered": 1}, metrics_export_port=(port := free_port()))
    return port


def test_checkpoints_reach_nodes_without_the_disk(metered, work, monkeypatch):
    torch.save({"state_dict": tiny.net().state_dict()}, work / "w.pt")
    path = write(work / "c.yaml", config(models=[{"name": "a", "factory": "tiny:net", "checkpoint": "w.pt"}]))
    (spec,) = expand_models(load_experiment(path))
    reference = shipping.CheckpointStore().reference(spec)
    monkeypatch.setenv("DISTCARI_CACHE", str(work / "cache"))
    content = (work / "w.pt").read_bytes()
    assert shipping.fetched(spec, None) == spec
    (work / "w.pt").unlink()
    with pytest.raises(OSError, match="is not on this node"):
        shipping.fetched(spec, None)
    there = shipping.fetched(spec, reference)
    assert there.file.startswith(str(work / "cache")) and Path(there.file).read_bytes() == content
    (work / "w.pt").write_bytes(b"another checkpoint of that name")
    assert shipping.fetched(spec, reference).file == there.file
    with pytest.raises(OSError, match="has changed since"):
        shipping.fetched(spec, None)


def test_both_checkpoints_of_a_difference_reach_a_node_without_the_disk(metered, work, monkeypatch):
    for i, name in enumerate("ab"):
        torch.manual_seed(i)
        torch.save(tiny.net().state_dict(), work / f"{name}.pt")
    models = [{"name": n, "factory": "tiny:net", "checkpoint": f"{n}.pt"} for n in "ab"]
    path = write(work / "c.yaml", config(models=models, layers=["conv2"], differences=[{"a": "a", "b": "b"}]))
    experiment = load_experiment(path)
    store = open_store(experiment.store, writable=True)
    run = Run(make_plan(experiment, store, path, only={"model": ["a − b"]}), store, SerialExecutor())
    (unit,) = run.prepare()
    checkpoints = shipping.CheckpointStore()
    job = run.job(unit, checkpoints.reference)
    checkpoints.keep([spec.name for spec in run.plan.networks("a − b")])
    assert checkpoints.models == {"a", "b"}
    for name in "ab":
        (work / f"{name}.pt").unlink()
    monkeypatch.setenv("DISTCARI_CACHE", str(work / "cache"))
    worker = Worker(store.url, {}, "small", "r", threads=1, device="cpu")
    result = worker.run(job)
    assert len(result.rows) == 2 and not result.failures and set(worker._resident) == {"a", "b"}


def test_metrics_reach_prometheus(metered, work):
    plan, store = planned(work, layers=["conv2"], resources={"custom": {"metered": 1}})
    seen = []

    def listen(event):  # the worker still lives when its last cell is reported
        if isinstance(event, events.CellDone):
            seen.append(event)
            if len(seen) == 4:
                wait_until(lambda: counted(metered, "ray_distcari_cells_done_total") == 4)
                assert counted(metered, "ray_distcari_cell_seconds_count") == 4
                assert counted(metered, "ray_distcari_model_loads_total") == 2
                assert counted(metered, "ray_distcari_phase_seconds_total") > 0

    assert run_plan(plan, store, listeners=[listen]).state == "finished" and len(seen) == 4


def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def counted(port, name):
    """A metric's sum over its label values for this experiment."""
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    except OSError:
        return 0
    lines = [line for line in text.splitlines() if line.startswith(name + "{") and 'experiment="small"' in line]
    return sum(float(line.split()[-1]) for line in lines)


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        threading.Event().wait(0.1)


def test_two_runs_of_one_experiment_exclude_each_other(work):
    plan, store = planned(work)
    with take(store.files, "small"), pytest.raises(InputError, match="is held by process"):
        run_plan(plan, store)


class Batches:
    """A renderer that runs out of memory with more than two cells."""

    def __init__(self):
        self.sizes = []

    def __call__(self, network, images, layer, seeds, settings):
        self.sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        grey = np.full((32, 32, 3), 0.5, np.float32)
        return [Caricature(grey, np.zeros(3, np.float32), np.ones((56, 56), np.float32), {"gain": 1.0}) for _ in seeds]


def test_out_of_memory_halves_the_batch_and_goes_on(work):
    plan, store = planned(work, layers=["conv2"], seeds=[0, 1, 2], resources={"batch": 6})
    run = Run(plan, store, SerialExecutor())
    job, renderer = run.job(run.prepare()[0]), Batches()
    worker = Worker(store.url, {}, "small", "r", threads=1, device="cpu", renderer=renderer)
    assert len(worker.run(job).rows) == 6 and renderer.sizes == [1] * 6  # and the network is on the processor
    renderer.sizes, worker.device = [], "an accelerator"  # where cells are optimised together
    result = worker.run(job)
    assert len(result.rows) == 6 and not result.failures and renderer.sizes == [6, 3, 1, 1, 1, 1, 1, 1]
    renderer.sizes = []
    assert len(worker.run(job).rows) == 6 and renderer.sizes == [1] * 6  # learnt, and kept


@pytest.mark.parametrize(
    ("device", "launch", "given"), [("cpu", "graph", {}), ("gpu", "inductor", {"launch": "inductor"})]
)
def test_how_steps_are_launched_is_told_to_gpus_alone(work, monkeypatch, device, launch, given):
    plan, store = planned(work, layers=["conv2"], seeds=[0], resources={"batch": 1})
    job, told = (run := Run(plan, store, SerialExecutor())).job(run.prepare()[0]), []
    render = Batches()
    monkeypatch.setattr("distcari.cluster.worker.devices.accelerator", lambda: "meta")

    def renderer(*args, **more):
        told.append(more)
        return render(*args)

    worker = Worker(store.url, {}, "small", "r", threads=1, device=device, launch=launch, renderer=renderer)
    worker.device = "cpu"
    assert len(worker.run(job).rows) == 1 and told == [given]
