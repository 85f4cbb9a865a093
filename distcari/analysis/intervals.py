"""Bootstrap intervals for a difference between two groups, from few units in each block.

Units are drawn anew within group and block (scipy.stats.bootstrap, percentile). From three units the plain percentile
interval is much too narrow; Hesterberg 2015 ("What teachers should know about the bootstrap", expanded percentile
interval) mends that: deviations are stretched by √(n / (n − 1)), and the percentiles are those of Student's t with the
units' degrees of freedom. Coverage is measured in tests/analysis/test_statistics.py.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Block = tuple[Floats, Floats]  # A's values (units, F), and B's
RESAMPLES = 4_999
LEAST_FREEDOM = 4  # below it, as with two units in each group, an interval would be guesswork


def freedom(blocks: Sequence[Block]) -> int:
    """Degrees of freedom: units less one, over groups and blocks."""
    return sum(max(0, len(values) - 1) for block in blocks for values in block)


def difference_interval(blocks: Sequence[Block], level: float = 0.95, seed: int = 0) -> tuple[Floats, Floats]:
    """Low and high (F,) of the mean over blocks of A's mean less B's; NaN with fewer than 4 degrees of freedom."""
    from scipy import stats

    features = blocks[0][0].shape[1]
    if freedom(blocks) < LEAST_FREEDOM:
        return np.full(features, np.nan), np.full(features, np.nan)
    samples = [_stretched(values) for block in blocks for values in block]

    def difference(*drawn: Floats, axis: int) -> Floats:
        means = [values.mean(axis=axis) for values in drawn]
        return np.asarray(sum(means[0::2]) - sum(means[1::2])) / (len(means) / 2)

    if all(np.ptp(values, axis=0).max() == 0 for values in samples):  # no spread at all: nothing to draw
        seen = np.asarray(sum(v.mean(axis=0) for v in samples[0::2]) - sum(v.mean(axis=0) for v in samples[1::2]))
        return seen / len(blocks), seen / len(blocks)
    tail = stats.norm.cdf(stats.t.ppf((1 - level) / 2, freedom(blocks)))
    found = stats.bootstrap(
        samples,
        difference,
        axis=0,
        vectorized=True,
        n_resamples=RESAMPLES,
        method="percentile",
        confidence_level=1 - 2 * float(tail),
        rng=np.random.default_rng(seed),
        batch=500,
    )
    return np.asarray(found.confidence_interval.low), np.asarray(found.confidence_interval.high)


def spread(blocks: Sequence[Block]) -> Floats:
    """Standard deviation of units within group and block, pooled over both, (F,); NaN without a second unit."""
    degrees = freedom(blocks)
    squares = sum(((values - values.mean(axis=0)) ** 2).sum(axis=0) for block in blocks for values in block)
    return np.sqrt(np.asarray(squares) / degrees) if degrees else np.full(blocks[0][0].shape[1], np.nan)


def _stretched(values: Floats) -> Floats:
    n = len(values)
    if n == 1:
        return np.repeat(values, 2, axis=0)  # scipy asks for two
    mean = values.mean(axis=0)
    return np.asarray(mean + (values - mean) * np.sqrt(n / (n - 1)))
