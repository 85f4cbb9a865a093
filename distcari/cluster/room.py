"""Room for workers on a Ray cluster: its nodes, why no worker fits, waiting for a node that can hold one."""

import ray

from distcari.planning.placement import Need, Node, fits


def nodes() -> list[Node]:
    """The nodes that are alive."""
    return [Node(node["Resources"], node.get("Labels") or {}) for node in ray.nodes() if node["Alive"]]


def places(need: Need) -> int:
    """How many workers fit on the nodes that are alive."""
    return sum(fits(node, need) for node in nodes())


def fits_nowhere(need: Need) -> str | None:
    """Why no node that is alive can ever hold a worker, or None."""
    there = nodes()
    if any(fits(node, need) for node in there):
        return None
    most = {name: max((node.resources.get(name, 0.0) for node in there), default=0.0) for name in need.wanted}
    asked = [f"{name} {n:g} wanted, at most {most[name]:g} on a node" for name, n in need.wanted.items() if n]
    if need.label_selector:
        known = sorted({f"{name}={value}" for node in there for name, value in node.labels.items()})
        asked.append(f"labels {dict(need.label_selector)} wanted, the nodes have {', '.join(known) or 'none'}")
    return ", ".join(asked)


def wait_for_room(need: Need, seconds: float) -> str | None:
    """Ask a cluster that grows on demand for room for a worker; why there is none after so long, or None."""
    reference = ray.remote(lambda: None).options(**options(need)).remote()
    ready, _ = ray.wait([reference], timeout=seconds)
    if not ready:
        ray.cancel(reference, force=True)
    return fits_nowhere(need)


def options(need: Need) -> dict[str, object]:
    """What to ask Ray for, as options of a task or an actor."""
    asked: dict[str, object] = {"num_cpus": need.num_cpus, "num_gpus": need.num_gpus, "resources": dict(need.custom)}
    return asked | ({"label_selector": dict(need.label_selector)} if need.label_selector else {})


def what_is_free(need: Need) -> str:
    """What the cluster has free of what a worker asks for, in words."""
    free, whole = ray.available_resources(), ray.cluster_resources()
    return ", ".join(
        f"{name} {free.get(name, 0):g} of {whole.get(name, 0):g} free, {n:g} wanted"
        for name, n in need.wanted.items()
        if n
    )
