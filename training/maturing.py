"""How much of what will be known of a snapshot is known already?

Input: for decisions that are long final, the days from each to its record; the age of a snapshot. Output: the share of
the leavers of a window that is on record at that age. A notice is written down days or weeks after it is given, so a
young snapshot shows too few leavers; with the share, what is stated can be cut to what should be known by now. It
assumes that records are kept as promptly as before, and a notice that is taken back later counts until then: such
counts raise an alarm early, and nothing is ever fitted on them. Pure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_KNOWN = 0.6
"""Below this share a young snapshot tells more of the recording than of the leaving."""
FEWEST_DECISIONS = 50
"""Decisions on record from which their lag can be told: the share is then known to a tenth."""


def known_share(lags: Floats, age_days: float, window_days: float) -> float:
    """The share of those who decide within ``window_days`` of a snapshot, at an even pace, that is known at its age.

    ``lags`` are days from decision to record; 0.0 where fewer than :data:`FEWEST_DECISIONS` are there to tell.
    """
    if len(lags) < FEWEST_DECISIONS:
        return 0.0
    return float(np.clip((age_days - lags) / window_days, 0.0, 1.0).mean())


def age_when_known(lags: Floats, window_days: float, final_days: float) -> float:
    """The age in days from which a snapshot counts: :data:`LEAST_KNOWN` is on record, at the latest ``final_days``."""
    ages = np.arange(0.0, final_days)
    enough = [age for age in ages if known_share(lags, age, window_days) >= LEAST_KNOWN]
    return float(enough[0]) if enough else final_days
