"""The figures of a picture say what they promise: on pictures whose colours and textures are known."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import data, draw
from skimage.color import hsv2rgb, rgb2lab
from skimage.transform import resize

from distcari.figures import FIGURES, picture_figures, radial_spectrum, small_circles
from distcari.figures.banded import along_first, along_last, banded
from distcari.figures.circles import _resizing
from distcari.figures.colour import cielab
from distcari.store import Store
from distcari.store.schema import COLUMNS, INDEX

SIDE = 128
Y, X = np.mgrid[:SIDE, :SIDE]
SHARES = (
    "hue_spread",
    "colour_uniformity",
    "orientation_entropy",
    "high_frequency_share",
    "small_circles",
    "mean_r",
    "mean_g",
    "mean_b",
)


def grey(values):
    return np.repeat(np.asarray(values, float)[..., None], 3, axis=-1)


def noise(slope, seed=0):
    """Three channels of noise of which the power falls with frequency ** slope."""
    f = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None, :])
    f[0, 0] = 1
    white = np.random.default_rng(seed).standard_normal((3, SIDE, SIDE))
    made = np.fft.ifft2(np.fft.fft2(white) * f ** (slope / 2)).real
    return np.clip(0.5 + 0.12 * np.moveaxis(made / made.std(), 0, -1), 0, 1)


def with_discs(picture, number=25, seed=0):
    rng = np.random.default_rng(seed)
    picture = picture.copy()
    for _ in range(number):
        inside = draw.disk(rng.uniform(0, SIDE, 2), rng.uniform(0.02, 0.045) * SIDE, shape=(SIDE, SIDE))
        picture[inside] = rng.random(3)
    return picture


def shape(inside):
    picture = np.full((SIDE, SIDE, 3), 0.3)
    picture[inside] = (0.9, 0.2, 0.1)
    return picture


WITHOUT = {
    "constant": np.full((SIDE, SIDE, 3), 0.5),
    "gradient": grey(X / SIDE),
    "edge": grey(X > 50),
    "white noise": noise(0),
    "pink noise": noise(-1),
    "noise of photographs": noise(-2),
    "brown noise": noise(-3),
    "large disc": shape(draw.disk((60, 60), 40, shape=(SIDE, SIDE))),
    "square": shape(np.s_[20:110, 30:100]),
    "triangle": shape(draw.polygon([10, 120, 90], [20, 40, 118])),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_small_circles_separates_discs_from_everything_else(name):
    without = WITHOUT[name]
    assert small_circles(without) < 0.01
    assert small_circles(with_discs(without)) > 0.02


@pytest.mark.parametrize("stripes", [grey(0.5 + 0.4 * np.sin(X / 2)), grey((X + Y) // 6 % 2)])
def test_stripes_are_no_circles_and_hide_some_of_them(stripes):
    assert (
        small_circles(stripes)
        == 0
        < 0.001
        < small_circles(with_discs(stripes))
        < small_circles(with_discs(WITHOUT["constant"]))
    )


def test_small_circles_grows_with_their_number_and_does_not_ask_for_contrast_or_size():
    plain = WITHOUT["constant"]
    found = [small_circles(with_discs(plain, number)) for number in (0, 5, 15, 45)]
    assert found == sorted(found) and found[-1] > 3 * found[1]
    faint = 0.5 + (with_discs(plain) - 0.5) * 0.3
    assert small_circles(faint) == pytest.approx(small_circles(with_discs(plain)), rel=0.2)
    large = np.kron(with_discs(plain), np.ones((3, 3, 1)))
    assert small_circles(large) == pytest.approx(small_circles(with_discs(plain)), rel=0.3)


def test_small_circles_sees_colour_at_equal_lightness():
    picture = np.full((SIDE, SIDE, 3), (0.6, 0.4, 0.4))
    for y, x in [(20, 20), (60, 70), (100, 30), (90, 100)]:
        picture[draw.disk((y, x), 4)] = (0.3, 0.58, 0.4)
    assert small_circles(picture) > 0.005


@pytest.mark.parametrize("slope", [0, -1, -2])
def test_spectral_slope_is_that_of_the_noise(slope):
    assert picture_figures(noise(slope))["spectral_slope"] == pytest.approx(slope, abs=0.25)


@pytest.mark.parametrize("period", [4, 8, 16])
def test_peak_frequency_and_orientation_are_those_of_the_stripes(period):
    found = picture_figures(grey(0.5 + 0.4 * np.sin(2 * np.pi * X / period)))
    assert found["peak_frequency"] == pytest.approx(1 / period, abs=1 / SIDE)
    assert found["orientation_entropy"] < 0.1 < 0.9 < picture_figures(noise(0))["orientation_entropy"]


def test_high_frequencies_are_those_above_a_quarter():
    assert picture_figures(grey((X + Y) % 2))["high_frequency_share"] > 0.99
    assert picture_figures(grey(X // 16 % 2))["high_frequency_share"] < 0.1


def test_colour_figures_of_known_colours():
    red = picture_figures(np.broadcast_to([1.0, 0, 0], (16, 16, 3)))
    assert (red["mean_r"], red["mean_g"], red["mean_b"]) == (1, 0, 0)
    assert red["hue_spread"] == pytest.approx(0, abs=1e-6) and red["colour_uniformity"] == pytest.approx(1)
    assert red["colourfulness"] == pytest.approx(0.3 * np.hypot(255, 127.5))  # strength alone
    wheel = np.stack([X / SIDE, np.full((SIDE, SIDE), 0.8), np.full((SIDE, SIDE), 0.8)], axis=-1)
    assert picture_figures(hsv2rgb(wheel))["hue_spread"] > 0.7
    assert picture_figures(grey(X / SIDE))["colourfulness"] == 0


def test_cielab_is_scikit_images():
    rgb = np.random.default_rng(0).random((3, 20000), np.float32)
    rgb[:, :5000] *= 0.05  # where sRGB is linear
    expected = rgb2lab(rgb.T.astype(np.float64)).T
    assert np.abs(cielab(rgb) - expected).max() < 2e-4


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_a_banded_product_is_the_whole_product(to, of, reach):
    rng = np.random.default_rng(to)
    near = np.abs(np.arange(to)[:, None] * of - np.arange(of) * to) <= reach * max(to, of)
    matrices = np.where(near, rng.random((2, to, of)), 0).astype(np.float32)
    values = rng.random((of, 3, of), np.float32)
    for matrix in (matrices, matrices[0]):
        expected = np.einsum("...ti,icx->...tcx", matrix, values)
        assert np.allclose(along_first(banded(matrix), values), expected, atol=1e-5)
    assert np.allclose(along_last(values, banded(matrices[0])), values @ matrices[0].T, atol=1e-5)


def test_shrinking_is_scikit_images():
    picture = noise(-1)[:, :, 0].astype(np.float32)
    expected = resize(picture, (112, SIDE), anti_aliasing=True)
    assert np.allclose(along_first(_resizing(SIDE, 112), picture), expected, atol=1e-6)


def test_vivid_photographs_rank_above_grey_ones():
    photo = data.astronaut()[:512, :512] / 255
    assert picture_figures(photo)["colourfulness"] > 2 * picture_figures(0.5 + (photo - 0.5) * 0.3)["colourfulness"]


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(8, 40), st.integers(8, 40), st.just(3)),
        elements=st.floats(-0.5, 1.5, width=32),
    )
)
@settings(max_examples=40, deadline=None)
def test_every_picture_has_every_figure_finite_and_in_range(picture):
    found = picture_figures(picture)
    assert set(found) == set(FIGURES) and all(np.isfinite(v) and isinstance(v, float) for v in found.values())
    assert all(-1e-9 <= found[name] <= 1 + 1e-9 for name in SHARES)
    assert 0 <= found["peak_frequency"] <= 0.5 and found["colourfulness"] >= 0


def test_the_radial_spectrum_sums_up_the_power():
    frequency, power = radial_spectrum(noise(0))
    assert frequency[-1] == 0.5 and len(frequency) == len(power) == SIDE // 2
    assert power.mean() == pytest.approx(noise(0).mean(axis=-1).var(), rel=0.1)  # white: the same at each


def test_parts_written_before_a_figure_existed_read_as_null(tmp_path):
    """As pandas reads a folder, and as the store does: mixed parts, older first or later."""
    store = Store(str(tmp_path / "s"), writable=True)
    row = dict.fromkeys(COLUMNS) | {"experiment": "e", "model": "m", "image": "i", "layer": "l", "seed": 0}
    for key, circles in (("b", 0.5), ("d", 0.25)):
        store.commit([row | {"key": key, "small_circles": circles}])
    old = INDEX.remove(INDEX.get_field_index("small_circles"))
    for key, name in (("a", "part-20200101T000000000000-old"), ("c", "part-20990101T000000000000-old")):
        table = (
            store.index.table()
            .slice(0, 1)
            .drop_columns("small_circles")
            .set_column(0, old.field("key"), [[key]])
            .cast(old)
        )
        pq.write_table(table, tmp_path / f"s/index/{name}.parquet")
    for frame in (store.table(), pd.read_parquet(tmp_path / "s/index", schema=INDEX)):
        found = frame.set_index("key")["small_circles"]
        assert found.isna().to_dict() == {"a": True, "b": False, "c": True, "d": False}
    assert store.index.merge() == 1
    whole = pd.read_parquet(tmp_path / "s/index").set_index("key")["small_circles"]
    assert whole.isna().sum() == 2 and whole["b"] == 0.5
