"""How large must a change be to be seen in time?

Input: leavers stated in each period so far and in one to come, and the charts over all accounts. Output: the smallest
ratio that the charts would find in the periods to come, four times in five. A vendor of a few hundred accounts loses a
handful a month; of such a company no chart sees a rise by a fifth within half a year, and people should know. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.cusum import Evidence

Floats = NDArray[np.float64]

POWER = 0.8
WEEKS = 26
_RATIOS = np.arange(1.1, 4.05, 0.1)
_DRAWS = 500


@dataclass(frozen=True, slots=True)
class Armed:
    """One chart: its evidence, and its limit in each period, those to come included."""

    evidence: Evidence
    limits: Floats


def periods_to_come(age_known: float) -> int:
    """Snapshots, four weeks apart, that tell of a change within :data:`WEEKS`; a look in four weeks finds them.

    ``age_known`` is the age in days from which a snapshot counts. The change falls between two snapshots.
    """
    return max(0, int((WEEKS * 7 - 28 - age_known) // 28) + 1)


def smallest_visible(expected: Floats, charts: Sequence[Armed], *, come: int, seed: int) -> float | None:
    """The ratio, to a tenth; None when even four times as many would be missed too often.

    ``expected`` covers the periods so far and, at its end, the ``come`` that tell of the change. All was well before.
    """
    if come == 0:
        return None
    held = len(expected) - come
    random = np.random.default_rng(seed)
    before = random.poisson(expected[:held], size=(_DRAWS, held)).astype(np.float64)
    for ratio in _RATIOS:
        after = random.poisson(ratio * expected[held:], size=(_DRAWS, come)).astype(np.float64)
        if _found(np.hstack([before, after]), expected, charts, held) >= POWER:
            return round(float(ratio), 1)
    return None


def _found(drawn: Floats, expected: Floats, charts: Sequence[Armed], held: int) -> float:
    seen = np.zeros(len(drawn), dtype=np.bool_)
    for chart in charts:
        for end in range(held + 1, len(expected) + 1):
            more = chart.evidence(drawn[:, :end], expected[:end])[0].max(axis=1)
            seen |= more > chart.limits[end - 1]
    return float(seen.mean())
