"""Rays of the tests' own, whose workers find `tiny` and this tree."""

import os
from contextlib import contextmanager

import pytest

from support.shared import HERE, ROOT, TESTS


@contextmanager
def there(folder):
    """Processes started meanwhile begin in a folder and find what they need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (HERE, TESTS, ROOT))))
        yield


@contextmanager
def local_ray(folder, **resources):
    """An embedded Ray."""
    import ray

    with there(folder):
        ray.init("local", include_dashboard=False, log_to_driver=False, **resources)
        try:
            yield
        finally:
            ray.shutdown()
