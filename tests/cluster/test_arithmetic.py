"""What a layer is computed in is decided once in a run, whoever comes to it first."""

from support.serial import compute, planned
from support.shared import config

from distcari.cluster.arithmetic import Arithmetic, Layer
from distcari.cluster.driver import Run
from distcari.cluster.executors.serial import SerialExecutor
from distcari.cluster.jobs import Result


def test_what_is_decided_first_stays_and_holds_for_workers_of_its_kind(work):
    models = [{"name": "a", "factory": "tiny:net"}, {"name": "b", "factory": "tiny:net"}]
    document = config(models=models, differences=[{"name": "b - a", "a": "b", "b": "a"}], layers=["conv2"])
    plan, store = planned(work, document)
    run = Run(plan, store, SerialExecutor())
    units = {unit.model: unit for unit in run.prepare()}
    assert not run.arithmetic.decided(plan, units["a"], "cpu") and run.job(units["a"]).precisions == {}
    run.arithmetic.learn(Result(precisions={("a", "conv2", "auto"): "bfloat16"}, kind="cpu"))
    run.arithmetic.learn(Result(precisions={("a", "conv2", "auto"): "float32"}, kind="cpu"))
    assert run.job(units["a"], kind="cpu").precisions == {("a", "conv2", "auto"): "bfloat16"}
    assert run.arithmetic.decided(plan, units["a"], "cpu") and not run.arithmetic.decided(plan, units["a"], "cuda")
    assert not run.arithmetic.decided(plan, units["b - a"], "cpu")  # b is open still
    run.arithmetic.learn(Result(precisions={("b", "conv2", "auto"): "float32"}, kind="cpu"))
    known = run.arithmetic.known(plan, units["b - a"], "cpu")
    assert known == {Layer("b", "conv2", "auto"): "float32", Layer("a", "conv2", "auto"): "bfloat16"}


def test_each_value_of_a_swept_precision_is_decided_for_itself(work):
    run = compute(
        work,
        config(
            models=[{"name": "a", "factory": "tiny:net"}],
            layers=["conv2"],
            render={"size": 32, "steps": 3, "precision": ["float32", "bfloat16"]},
        ),
    )
    table = run.store.table(["precision", "arithmetic"])
    assert set(map(tuple, table.values)) == {("float32", "float32"), ("bfloat16", "bfloat16")}
    assert isinstance(run.arithmetic, Arithmetic)
