"""Which form of gain and cosine is compared: the calibrated one where there is one, else the robust one.

A robust cosine of .9 says one thing where grey has .1 and another where it has .85; a calibrated one (0 = grey or
another photograph, 1 = the input) says the same at every layer. It has no value where grey reaches nearly everything,
and in rows of older versions.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

CALIBRATED: Mapping[str, str] = {"robust_gain": "calibrated_gain", "robust_cosine": "calibrated_cosine"}


def in_best_form(rows: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """The figures to compare at a place with these rows: calibrated, where every row has that."""
    return [form if (form := CALIBRATED.get(name, "")) in rows and rows[form].notna().all() else name for name in names]


def say_forms(chosen: Mapping[tuple[object, ...], Sequence[str]]) -> list[str]:
    """A note on the places (labels) where figures are robust, if others there are calibrated."""
    plain = {at: [name for name in names if name in CALIBRATED] for at, names in chosen.items()}
    lacking = {at: names for at, names in plain.items() if names}
    if not lacking or not any(name in CALIBRATED.values() for names in chosen.values() for name in names):
        return []
    places = "; ".join(f"{', '.join(map(str, at))}: {' and '.join(names)}" for at, names in lacking.items())
    return [
        f"Gain and cosine are calibrated but for {places}. There some cells have no calibrated form: grey or other "
        "photographs reach over .95 of the input, or an older version computed them."
    ]
