"""A Ray that a file's tests share: starting one takes longer than most of them."""

import os

import pytest
from support.shared import HERE, ROOT, TESTS


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A Ray of its own with room for two workers, which find `tiny` and this tree."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("ray"))
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (HERE, TESTS, ROOT))))
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()
