"""How a figure goes with a number, over units: rank correlation tested by permutation, slope, and their intervals."""

from itertools import product
from math import factorial, prod
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DRAWS = 9_999
EXACT = 5_040  # permutations up to which all are tried
LEAST = 4  # units for an interval


def within(values: Floats, strata: NDArray[Any]) -> Floats:
    """Values less the means of their strata."""
    frame = pd.DataFrame(values)
    return np.asarray(frame - frame.groupby(strata).transform("mean"), float)


def tested(x: Floats, y: Floats, strata: NDArray[Any]) -> tuple[Floats, Floats, float]:
    """Correlations of ranks (F,), their two-sided p over permutations of x within strata, and the least p possible."""
    u, v = _standardised(x[:, None])[:, 0], _standardised(y)
    sizes = np.unique(strata, return_counts=True)[1]
    total = prod(factorial(int(n)) for n in sizes)
    order = _permutations(strata, total)
    rho = u[order] @ v
    slack = 1e-9
    p = (np.abs(rho) >= np.abs(rho[0]) - slack).mean(axis=0)
    alike = u[order] @ u  # a figure that follows the tag exactly
    least = float((np.abs(alike) >= np.abs(alike[0]) - slack).mean())
    blank = ~np.isfinite(rho[0]) | (least > 0.999)
    return np.where(blank, np.nan, rho[0]), np.where(blank, np.nan, p), least


def _permutations(strata: NDArray[Any], total: int) -> NDArray[np.int_]:
    """Orders of the models, each within its stratum; the one seen first; all of them if there are few."""
    from itertools import permutations

    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    seen = np.arange(len(strata))
    if total <= EXACT:
        made = np.tile(seen, (total, 1))
        for row, dealt in zip(made, product(*(permutations(part) for part in members)), strict=True):
            for part, deal in zip(members, dealt, strict=True):
                row[part] = deal
        return made
    draw = np.random.default_rng(0)
    made = np.tile(seen, (DRAWS + 1, 1))
    for part in members:
        made[1:, part] = draw.permuted(made[1:, part], axis=1)
    return made


def _standardised(values: Floats) -> Floats:
    centred = values - values.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(size > 1e-12, centred / size, np.nan))


def slope_interval(x: Floats, y: Floats, strata: NDArray[Any], held: bool) -> tuple[float, float, float]:
    """Slope and its 95 % interval; NaN ends with too few models."""
    from scipy import stats

    if not held:
        if len(x) < LEAST:
            return float(stats.theilslopes(y, x).slope), np.nan, np.nan
        found = stats.theilslopes(y, x, 0.95)
        return float(found.slope), float(found.low_slope), float(found.high_slope)
    import statsmodels.api as sm

    fitted = sm.OLS(y, np.column_stack([x, pd.get_dummies(strata).to_numpy(float)])).fit()
    low, high = fitted.conf_int()[0] if fitted.df_resid >= 2 else (np.nan, np.nan)
    return float(fitted.params[0]), float(low), float(high)


def rho_interval(x: Floats, y: Floats, effective: int) -> tuple[float, float]:
    """The 95 % interval of a rank correlation, by Fisher's z, of so many effective units; NaN with too few."""
    from scipy import stats

    if effective < LEAST or not np.ptp(x) or not np.ptp(y):
        return np.nan, np.nan
    ends = stats.pearsonr(x, y).confidence_interval(0.95)
    return float(ends.low), float(ends.high)
