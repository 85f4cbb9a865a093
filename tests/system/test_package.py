"""What a stranger gets: a wheel that holds all it needs and claims one name, and a core that needs no extra."""

import importlib.metadata
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest
from support.shared import ROOT

import distcari

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OF_STORE = ("pandas", "zarr", "pyarrow", "obstore", "xarray", "scipy", "skimage", "tenacity", "cachetools", "filelock")
OF_CLUSTER = ("ray", "torchvision", "timm", "safetensors", "platformdirs")
OF_DASHBOARD = ("dash", "plotly", "dash_mantine_components", "dash_ag_grid", "waitress", "flask")
OF_ALL = (*OF_STORE, *OF_CLUSTER, *OF_DASHBOARD, "jinja2")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Names in the sdist, and in the wheel that is built from it."""
    if int(importlib.metadata.version("setuptools").split(".")[0]) < 77:
        pytest.skip("needs setuptools 77 or later: pip install -e '.[test]'")
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        source = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    return source, set(zipfile.ZipFile(wheel).namelist())


def test_a_wheel_claims_one_import_name(built):
    source, wheel = built
    assert {name.partition("/")[0] for name in wheel} == {"distcari", f"distcari-{distcari.__version__}.dist-info"}
    assert not any(name.startswith("dashboard/") for name in source)


def test_a_wheel_holds_every_module_and_all_that_they_read(built):
    def there(folder, *patterns):
        return {
            f"distcari/{path.relative_to(ROOT / 'distcari')}"
            for pattern in patterns
            for path in (ROOT / "distcari" / folder).rglob(pattern)
        }

    wanted = (
        there(".", "*.py", "py.typed")
        | there("dashboard", "*.py", "*.css", "*.js")
        | there("configs", "*.yaml")
        | there("analysis", "*.html")
        | there("site", "*.js", "*.css")
    )
    assert len(wanted) > 100
    for names in built:
        assert wanted - names == set()


def test_the_version_is_said_in_one_place():
    assert importlib.metadata.version("distcari") == distcari.__version__ and "version" in PROJECT["dynamic"]
    assert "version" not in PROJECT


def test_the_core_is_light():
    assert len(PROJECT["dependencies"]) <= 12


def without(code, absent=OF_ALL):
    """Run code where importing what only some extras bring fails as if it were not installed."""
    block = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
    return subprocess.run([sys.executable, "-c", block + code], capture_output=True, text=True)


def test_the_core_draws_a_picture():
    done = without("""
import numpy as np, torch
from distcari import RenderSettings, caricature
model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 8, 8), torch.nn.ReLU())
image = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
print(caricature(model, image, "0", settings=RenderSettings(size=32, steps=2)).image().size)
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(32, 32)"


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (
            f"from distcari.config.load import load_experiment; load_experiment({str(ROOT / 'configs/demo.yaml')!r})",
            OF_ALL,
        ),
        ("import distcari.store", (*OF_CLUSTER, *OF_DASHBOARD, "jinja2")),
        ("import distcari.dashboard.app", OF_CLUSTER),
        ("import distcari.analysis, distcari.analysis.report", (*OF_CLUSTER, *OF_DASHBOARD)),
        ("import distcari.cluster.driver", OF_DASHBOARD),
    ],
)
def test_an_extra_is_enough_for_what_it_is_for(code, absent):
    done = without(code, absent)
    assert done.returncode == 0, done.stderr


def test_a_missing_extra_is_named_with_the_command_that_brings_it():
    done = without("from distcari import open_store")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: distcari.open_store needs '") and "pip install 'distcari[store]'" in last
