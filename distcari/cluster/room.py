"""Room for workers on a cluster: how many fit, why none does, waiting for a node that can hold one."""

from collections.abc import Mapping

import ray

from distcari.config.experiment import Resources


def places(need: Resources) -> int:
    """How many workers fit on the nodes that are alive."""
    return sum(_fits(node["Resources"], need) for node in ray.nodes() if node["Alive"])


def fits_nowhere(need: Resources) -> str | None:
    """Why no node that is alive can ever hold a worker, or None."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(_fits(node, need) for node in nodes):
        return None
    wanted = _wanted(need)
    most = {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in wanted}
    return ", ".join(f"{name} {n:g} wanted, at most {most[name]:g} on a node" for name, n in wanted.items() if n)


def wait_for_room(need: Resources, seconds: float) -> str | None:
    """Ask a cluster that grows on demand for room for a worker; why there is none after so long, or None."""
    asked = ray.remote(lambda: None).options(num_cpus=need.num_cpus, num_gpus=need.num_gpus, resources=need.custom)
    reference = asked.remote()
    ready, _ = ray.wait([reference], timeout=seconds)
    if not ready:
        ray.cancel(reference, force=True)
    return fits_nowhere(need)


def what_is_free(need: Resources) -> str:
    """What the cluster has free of what a worker asks for, in words."""
    free, whole = ray.available_resources(), ray.cluster_resources()
    return ", ".join(
        f"{name} {free.get(name, 0):g} of {whole.get(name, 0):g} free, {n:g} wanted"
        for name, n in _wanted(need).items()
        if n
    )


def _wanted(need: Resources) -> dict[str, float]:
    return {"CPU": need.num_cpus, "GPU": need.num_gpus, **need.custom}


def _fits(node: Mapping[str, float], need: Resources) -> int:
    """Workers on a node. GPU shares do not span GPUs: three of 0.4 take two GPUs."""
    wanted = {name: n for name, n in _wanted(need).items() if n > 0}
    counts = [int((node.get(name, 0.0) + 1e-9) // n) for name, n in wanted.items() if not (name == "GPU" and n < 1)]
    if 0 < need.num_gpus < 1:
        counts.append(int(node.get("GPU", 0.0)) * int((1 + 1e-9) // need.num_gpus))
    return min(counts)
