"""`auto` resolved by what the nodes have, and said in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcari.config.experiment import Experiment, Resources
from distcari.errors import InputError
from distcari.planning.placement import Need, Node, fits, place, place_experiment

OTHERWISE = " (otherwise: --set resources.num_gpus=…, 0 for processors alone)"
FEWER = " (fewer: --set resources.actors=N)"


def node(cpus, gpus=0, kind="H100", **labels):
    resources = {"CPU": cpus} | ({"GPU": gpus, f"accelerator_type:{kind}": 1} if gpus else {})
    return Node(resources, {name.replace("_", "-"): value for name, value in labels.items()})


@pytest.mark.parametrize(
    ("given", "nodes", "share", "workers", "batch", "line"),
    [
        ({}, [node(2)], 0, 2, 4, "no GPU: 2 workers of one core" + FEWER),
        ({}, [node(16, 2)], 0.25, 8, 64, "2 × H100: 8 workers, 4 on each" + OTHERWISE),
        ({}, [node(16, 4)], 0.5, 8, 64, "4 × H100: 8 workers, 2 on each" + OTHERWISE),
        ({}, [node(2, 1)], 1, 1, 64, "1 × H100: 1 worker, 1 on each" + OTHERWISE),
        ({}, [node(16, 2, "T4")], 1, 2, 64, "2 × T4: 2 workers, 1 on each" + OTHERWISE),
        ({}, [node(64), node(8, 1), node(8, 2, "T4")], 1, 3, 64, "1 × H100, 2 × T4: 3 workers, 1 on each" + OTHERWISE),
        ({}, [node(4, 8)], 1, 4, 64, "8 × H100: 4 workers" + OTHERWISE),
        ({"num_gpus": 0}, [node(8, 1)], 0, 8, 4, "1 × H100 left idle (num_gpus: 0): 8 workers of one core" + FEWER),
        ({"num_gpus": 2}, [node(8, 4)], 2, 2, 64, "4 × H100: 2 workers, each with 2" + OTHERWISE),
        ({"actors": 3, "batch": 7}, [node(16, 2)], 0.25, 3, 7, "2 × H100: 3 workers" + OTHERWISE),
        ({"num_cpus": 2}, [node(8)], 0, 4, 4, "no GPU: 4 workers of 2 cores" + FEWER),
        ({}, [], 0, 1, 4, "no GPU: 1 worker of one core" + FEWER),
        (
            {"label_selector": {"zone": "in(a, b)"}},
            [node(8, 1, zone="a"), node(8, 1, "A100", zone="c"), node(8, 1)],
            0.25,
            4,
            64,
            "1 × H100: 4 workers, 4 on each" + OTHERWISE,
        ),
        (
            {"label_selector": {"zone": "!c"}},
            [node(8, 1, zone="c"), node(3)],
            0,
            3,
            4,
            "no GPU: 3 workers of one core" + FEWER,
        ),
    ],
)
def test_what_is_used_and_how_it_is_said(given, nodes, share, workers, batch, line):
    made = place(Resources(**given), nodes)
    assert (made.need.num_gpus, made.workers, made.batch, made.line) == (share, workers, batch, line)
    assert made.on_gpus == bool(share)


@given(st.integers(0, 64), st.integers(0, 8), st.sampled_from([0.25, 0.3, 0.5, 1, 2, 4]))
def test_no_node_is_asked_for_more_than_it_has(cpus, gpus, share):
    """Shares of a GPU lie on one GPU each."""
    n = fits(node(cpus, gpus), Need(num_gpus=share))
    assert n <= cpus and n * share <= gpus + 1e-9
    assert share > 1 or n <= gpus * int(1 / share + 1e-9)


def test_a_selector_that_ray_would_not_take_is_refused():
    with pytest.raises(ValueError, match=r"must be VALUE, !VALUE, in\(A, B\)"):
        Resources(label_selector={"zone": "a or b"})
    assert Resources(actors=None).actors == "auto"  # as configs had it


@pytest.mark.parametrize("precision", ["tf32", ["float32", "tf32"]])
def test_tf32_needs_a_gpu(precision):
    asked = Experiment.model_validate(
        {
            "name": "x",
            "models": [{"name": "a", "timm": "resnet10t"}],
            "images": ["b.png"],
            "layers": ["c"],
            "render": {"precision": precision},
        }
    )
    assert place_experiment(asked, [node(2, 1)]) == place(asked.resources, [node(2, 1)])
    with pytest.raises(InputError, match=r"render\.precision.*tf32") as refused:
        place_experiment(asked, [node(2)])
    assert "num_gpus" in str(refused.value)
