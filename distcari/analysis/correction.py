"""Correction of p for the number of comparisons."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.errors import InputError

Method = Literal["bh", "by", "none"]


def with_correction(frame: pd.DataFrame, method: Method, alpha: float) -> pd.DataFrame:
    """The frame with `p_corrected` and `significant` behind its `p`."""
    values = corrected(frame["p"], method)
    at = list(frame.columns).index("p") + 1
    frame.insert(at, "p_corrected", values)
    frame.insert(at + 1, "significant", values <= alpha)
    return frame


def corrected(p: "Sequence[float] | pd.Series[float]", method: Method = "bh") -> NDArray[np.float64]:
    """p corrected for how many there are, NaN left out of the count; scipy's false_discovery_control.

    `bh` (Benjamini & Hochberg 1995): of the differences called significant at 0.05, at most 5 % are expected to be
    none, for comparisons that are independent or go together; `by` (Benjamini & Yekutieli 2001): whatever their
    dependence, and stricter. `none` leaves p alone: for one comparison that was planned before looking.
    """
    if method not in get_args(Method):
        raise InputError(f"correction {method!r}", "is not known", f"One of {', '.join(get_args(Method))}.")
    values = np.array(p, float)
    known = ~np.isnan(values)
    if method != "none" and known.any():
        from scipy.stats import false_discovery_control

        values[known] = false_discovery_control(values[known], method=method)
    return values
