"""Linear CKA: its laws, and its agreement with pictures, on real small networks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.serial import compute
from support.shared import config

from distcari.analysis import similarity
from distcari.analysis.similarity import _cka
from distcari.errors import InputError


def gram(features):
    centred = features - features.mean(0)
    made = centred @ centred.T
    np.fill_diagonal(made, 0)
    return made


@given(st.integers(0, 10_000), st.floats(0.1, 10))
@settings(max_examples=25, deadline=None)
def test_rotation_and_scale_of_the_features_change_nothing_and_noise_is_unrelated(seed, scale):
    rng = np.random.default_rng(seed)
    x, other = rng.normal(size=(60, 20)), rng.normal(size=(60, 20))
    rotation, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    assert _cka(gram(x), gram(scale * x @ rotation)) == pytest.approx(1, abs=1e-9)
    assert abs(_cka(gram(x), gram(other))) < 0.3  # unbiased: near 0, where plain CKA is at .25


def test_networks_by_layer_beside_their_pictures(work):
    models = [{"name": n, "factory": "tiny:net", "init_seed": i} for i, n in enumerate("abcd")]
    models.append({"name": "twin", "factory": "tiny:net", "init_seed": 0})
    compute(work, config(models=models, layers=["conv2"]))
    found = similarity("store")
    pairs = found.set_index(["a", "b"])
    assert len(found) == 10 and pairs.loc[("a", "twin"), "cka"] == pytest.approx(1)
    assert pairs.loc[("a", "twin"), "distance"] == 0 and found["cka"].between(-0.5, 1 + 1e-9).all()
    assert found.attrs["agreement"]["pairs"].tolist() == [10] and found.attrs["agreement"]["p"].between(0, 1).all()


def test_one_network_has_no_other(work):
    compute(work, config(models=[{"name": "a", "factory": "tiny:net"}]))
    with pytest.raises(InputError, match="1 network"):
        similarity("store")
