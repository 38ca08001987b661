"""Since when do more, or fewer, accounts leave than was stated?

Input grain: per period the leavers observed and expected. Output: the path of a risk-adjusted Poisson CUSUM in both
directions, and the period in which it crossed its limit. Between :data:`RISE` and its inverse nothing is to be found:
a model that is off by a tenth is no case for an alarm. Pure. Source: Steiner, Cook, Farewell and Treasure 2000.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RISE = 1.5
"""The change that the chart is made to find soonest: half as many again leave, or two thirds. Its score is 0 where
the ratio is 1.23 or 0.82, about the band in which a stated risk counts as true."""
_DRAWS = 4000


@dataclass(frozen=True, slots=True)
class Cusum:
    """The path of one chart. ``above`` rises when more leave than stated, ``below`` when fewer; both start at 0."""

    above: Floats
    below: Floats
    limit: float

    @property
    def crossed_above(self) -> int | None:
        """The first period in which too many had left; None when never."""
        return _first(self.above > self.limit)

    @property
    def crossed_below(self) -> int | None:
        """The first period in which too few had left; None when never."""
        return _first(self.below > self.limit)

    @property
    def crossed(self) -> int | None:
        """The first crossing in either direction."""
        found = [place for place in (self.crossed_above, self.crossed_below) if place is not None]
        return min(found) if found else None

    @property
    def onset(self) -> int | None:
        """The period after which the crossing path last stood at 0: the best guess of when the change began."""
        if self.crossed is None:
            return None
        path = self.above if self.crossed == self.crossed_above else self.below
        zeros = np.flatnonzero(path[: self.crossed] <= 0)
        return int(zeros[-1]) + 1 if len(zeros) else 0


def cusum(observed: Floats, expected: Floats, limit: float) -> Cusum:
    """The chart of a series; ``limit`` comes from :func:`limit_for`."""
    rise, fall = _scores(observed, expected)
    return Cusum(_path(rise), _path(fall), limit)


def limit_for(expected: list[Floats], *, false_alarms: float, seed: int) -> float:
    """The limit at which, were every stated risk true, any of the charts would alarm with the chance ``false_alarms``.

    ``expected`` has one series per chart. All charts share the chance, because a person looks at them together; they
    are drawn apart, which is the safe side: charts that share accounts alarm together.
    """
    random = np.random.default_rng(seed)
    highest = np.zeros(_DRAWS)
    for series in expected:
        drawn = random.poisson(np.maximum(series, 0.0), size=(_DRAWS, len(series))).astype(np.float64)
        for scores in _scores(drawn, series):
            highest = np.maximum(highest, _path(scores).max(axis=-1, initial=0.0))
    return float(np.quantile(highest, 1.0 - false_alarms))


def _scores(observed: Floats, expected: Floats) -> tuple[Floats, Floats]:
    # Log-likelihood ratios of a Poisson count: rate raised (or lowered) by the factor, against the rate as stated.
    step = float(np.log(RISE))
    return observed * step - (RISE - 1.0) * expected, -observed * step + (1.0 - 1.0 / RISE) * expected


def _path(scores: Floats) -> Floats:
    path, level = np.zeros_like(scores), np.zeros(scores.shape[:-1])
    for period in range(scores.shape[-1]):
        level = np.maximum(0.0, level + scores[..., period])
        path[..., period] = level
    return path


def _first(crossed: NDArray[np.bool_]) -> int | None:
    return int(np.argmax(crossed)) if crossed.any() else None
