"""Since when do more, or fewer, accounts leave than was stated, or than before?

Input grain: per period the leavers observed and expected. Output: the path of the evidence in both directions, in
multiples of its limit, and the alarm that is open at the end. Two questions share one scan over every possible onset:

* level: is the ratio of observed to expected ``rise`` (or its inverse)? The largest sum of log-likelihood ratios over
  onsets is the risk-adjusted Poisson CUSUM (Steiner, Cook, Farewell and Treasure 2000).
* change: is the ratio after the onset another one than before it, whatever that was? A model that was a little off from
  the start hides a change from the first question, not from this one (two Poisson counts with one gamma prior).

A limit is set for each period so that, were nothing wrong and nobody alarmed yet, the chance of an alarm in it is the
same (dynamic probability limits, Zhang and Woodall 2015): what was judged is not judged anew when time goes on. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Evidence = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""Observed (draws, periods) and expected (periods) of a series to its evidence for more and for fewer at its end, for
every onset: two arrays (draws, periods)."""

LEAST_BEFORE = 3
"""Periods before an onset without which there is nothing to compare with."""
RETURNED = 0.5
"""An open alarm is over when its evidence has fallen to half of the limit: at the limit itself it would flicker."""
_DRAWS = 4000
_LEAST_LIMIT = 0.5
"""Where next to nobody is expected, less evidence than this is none."""


def level(rise: float) -> Evidence:
    """Evidence that ``rise`` times as many leave as stated, or that many times fewer."""
    return partial(_level, rise)


def change(rise: float, off: float) -> Evidence:
    """Evidence that observed over expected is ``rise`` times (a ``rise``-th of) what it was before the onset.

    What it was before is not known but for being about 1, give or take ``off`` (a gamma prior, by which it is
    integrated out): the longer the record before, the less the prior says.
    """
    return partial(_change, rise, 1.0 / off**2)


def _change(rise: float, weight: float, observed: Floats, expected: Floats) -> tuple[Floats, Floats]:
    after, stated = _from_each(observed), _from_each(expected[np.newaxis, :])
    total, whole = after[:, :1] + weight, stated[:, :1] + weight
    sides = [after * np.log(by) - total * np.log1p((by - 1.0) * stated / whole) for by in (rise, 1.0 / rise)]
    sides[0][:, :LEAST_BEFORE] = sides[1][:, :LEAST_BEFORE] = 0.0
    return sides[0], sides[1]


def _level(rise: float, observed: Floats, expected: Floats) -> tuple[Floats, Floats]:
    after, stated, step = _from_each(observed), _from_each(expected[np.newaxis, :]), float(np.log(rise))
    return after * step - (rise - 1.0) * stated, -after * step + (1.0 - 1.0 / rise) * stated


def _from_each(counts: Floats) -> Floats:
    return np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]


@dataclass(frozen=True, slots=True)
class Path:
    """The evidence after each period, in multiples of its limit (1 = alarm), and the likeliest onset at the end."""

    above: Floats
    below: Floats
    onset_above: int
    onset_below: int

    @property
    def opened(self) -> tuple[int, str] | None:
        """The period in which the alarm was raised that is open at the end, and ``more`` or ``fewer``; None = none."""
        found: tuple[int, str] | None = None
        for period in range(len(self.above)):
            sides = {"more": float(self.above[period]), "fewer": float(self.below[period])}
            loudest = max(sides, key=lambda side: sides[side])
            if found is not None and sides[found[1]] < RETURNED:
                found = None
            if sides[loudest] > 1.0 and (found is None or sides[found[1]] <= 1.0):
                found = found if found is not None and found[1] == loudest else (period, loudest)
        return found

    def onset(self, direction: str) -> int:
        """The period from which the change probably holds."""
        return self.onset_above if direction == "more" else self.onset_below


def path(observed: Floats, expected: Floats, limits: Floats, evidence: Evidence) -> Path:
    """The path of a series; ``limits`` come from :func:`limits_for`."""
    ends = [evidence(observed[np.newaxis, : one + 1], expected[: one + 1]) for one in range(len(expected))]
    above, below = (np.array([max(float(end[side].max()), 0.0) for end in ends]) for side in (0, 1))
    return Path(above / limits, below / limits, int(ends[-1][0].argmax()), int(ends[-1][1].argmax()))


def limits_for(expected: Sequence[Floats], evidence: Evidence, *, chance: float, seed: int) -> Floats:
    """The limit of each period, for all charts alike, beyond which any of them stands with ``chance`` if all is well.

    ``expected`` has one series per chart, all of one length. All charts share the chance, because a person looks at
    them together; they are drawn apart, which is the safe side: charts that share accounts alarm together. Each period
    is drawn with a seed of its own, so that a later one changes no limit before it.
    """
    stated = np.array(expected, dtype=np.float64)
    charts, periods = stated.shape
    drawn, limits = np.zeros((charts, _DRAWS, periods)), np.empty(periods)
    for period in range(periods):
        random = np.random.default_rng([seed, period])
        drawn[:, :, period] = random.poisson(stated[:, period : period + 1], size=(charts, _DRAWS))
        highest = np.zeros(_DRAWS)
        for chart in range(charts):
            for side in evidence(drawn[chart, :, : period + 1], stated[chart, : period + 1]):
                highest = np.maximum(highest, side.max(axis=1))
        limits[period] = max(float(np.quantile(highest, 1.0 - chance, method="higher")), _LEAST_LIMIT)
        # Who has alarmed is out of the count: the rest are dealt their places.
        quiet = np.flatnonzero(highest <= limits[period])
        places = np.where(highest <= limits[period], np.arange(_DRAWS), random.choice(quiet, _DRAWS))
        drawn[:, :, : period + 1] = drawn[:, places, : period + 1]
    return limits
