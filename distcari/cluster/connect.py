"""Ray, started or joined, for whoever has a plan to run: the command line and notebooks."""

import contextlib
import logging
import os
from collections.abc import Iterator

from distcari.cluster.driver import Executor
from distcari.errors import InputError, needs
from distcari.planning.plan import Plan


@contextlib.contextmanager
def ray_session(address: str | None = None, num_gpus: float | str = "auto") -> Iterator[bool]:
    """A Ray of its own on this machine, or the cluster at `address` or in RAY_ADDRESS; left when the block ends.

    Gives whether nodes may come and go. `num_gpus` is the experiment's (`resources`). A Ray that this process has
    joined before is used and stays. Raises InputError if no cluster answers.
    """
    needs("cluster", "ray")
    import ray

    if address is None and ray.is_initialized():
        yield True
        return
    embedded = address is None and "RAY_ADDRESS" not in os.environ
    _connect(address, embedded, num_gpus)
    try:
        yield not embedded
    finally:
        ray.shutdown()


def executor_for(plan: Plan, elastic: bool, wait: float = 0.0) -> Executor:
    """Who computes a plan on the Ray that is there, waited for so many seconds. Raises InputError if no node can."""
    from distcari.cluster.executors.ray import RayExecutor
    from distcari.cluster.room import fits_nowhere, nodes, wait_for_room
    from distcari.planning.placement import place_experiment

    need = place_experiment(plan.experiment, nodes()).need
    if why := wait_for_room(need, wait) if wait else fits_nowhere(need):
        raise InputError(
            "resources",
            f"no node of the cluster can hold a worker: {why}",
            "Lower resources.num_cpus, num_gpus or custom, change label_selector, or add nodes; where nodes come by "
            "themselves, wait for them with --wait 600.",
        )
    return RayExecutor(elastic=elastic)


def _cards(kind: str | None, wanted: float | str) -> int | None:
    """GPUs of an embedded Ray: those it finds (None), none where torch can use none, Apple's where it is asked for."""
    if kind == "mps":
        return 1 if wanted != "auto" and wanted else 0
    return 0 if kind is None else None


def _connect(address: str | None, embedded: bool, num_gpus: float | str) -> None:
    import ray

    from distcari.render import devices

    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        if embedded:
            ray.init(
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=256 * 2**20,
                num_gpus=_cards(devices.accelerator(), num_gpus),
            )
        else:
            ray.init(address=address or os.environ["RAY_ADDRESS"], log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"--address {address}",
            f"no Ray cluster answers: {error}",
            "Start one with `ray start --head`, or leave --address out. Where the cluster asks for a "
            "token (newer Ray does by default), set RAY_AUTH_MODE=token.",
        ) from None
