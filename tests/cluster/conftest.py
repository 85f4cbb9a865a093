"""Rays that a file's tests share: starting one takes longer than most of them."""

import pytest
from support.rays import local_ray, there


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A Ray of its own with room for two workers."""
    with local_ray(tmp_path_factory.mktemp("ray"), num_cpus=2):
        yield


@pytest.fixture(scope="module")
def cluster():
    """A cluster with a head that does no work; each test adds its nodes, and tells them by labels or resources."""
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": {"metrics_report_interval_ms": 300}}
    with there("/"):  # so nodes' relative paths are not the driver's
        cluster = Cluster(initialize_head=True, head_node_args=head)
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
        ray.shutdown()
        cluster.shutdown()
