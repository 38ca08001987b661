"""How do log-odds and contributions become risks, points, a health score and a band?

Pure arithmetic on arrays, one row per account and ``as_of`` (domain 4.11). Every sum runs feature by feature, never
through a matrix product, so that one row alone gives the same bits as the same row in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from features.vocabulary import Band, CohortStatus
from training.config import ScoreScale
from training.periods import Floats

Texts = npt.NDArray[np.object_]

_GREEN, _AMBER, _RED, _LOST, _UNKNOWN = (
    np.array(str(band), dtype=object) for band in (Band.GREEN, Band.AMBER, Band.RED, Band.LOST_PENDING, Band.UNKNOWN)
)


@dataclass(frozen=True, slots=True)
class Health:
    """Health 0-100 and what it is made of; ``score == base + sum of points + shrink + clip`` per row."""

    score: Floats
    base: Floats
    shrink: Floats
    clip: Floats


def points_per_log_odd(scale: ScoreScale) -> float:
    """Points of health that one unit of log-odds costs."""
    return float(scale.points_to_double / np.log(2.0))


def base_points(slope: float, intercept: float, usual_log_odds: float, scale: ScoreScale) -> float:
    """Health of an account whose contributions are the reference portfolio's means.

    ``usual_log_odds`` is the raw margin at these means: the booster's expectation plus the mean contributions.
    """
    anchor = np.log(scale.anchor_risk / (1.0 - scale.anchor_risk))
    return float(scale.anchor_health + points_per_log_odd(scale) * (anchor - (slope * usual_log_odds + intercept)))


def points_of(contributions: Floats, usual: Floats, slope: float, scale: ScoreScale) -> Floats:
    """Points per input: its contribution less the reference mean, on the health scale (more is healthier)."""
    return unsigned_zeros(-points_per_log_odd(scale) * slope * (contributions - usual))


def unsigned_zeros(numbers: Floats) -> Floats:
    """The same numbers without a sign on 0, which databases do not keep: a score has to come out again bit for bit."""
    return numbers + 0.0


def summed(columns: Floats, positions: Sequence[int]) -> Floats:
    """The sum of some columns per row, added one after the other."""
    total = np.zeros(len(columns))
    for position in positions:
        total = total + columns[:, position]
    return total


def health(base: float, points: Floats, shift: Floats, scale: ScoreScale) -> Health:
    """Health from group points (n, groups) and the shrinkage ``shift`` in log-odds, held inside 0-100."""
    shrink = unsigned_zeros(-points_per_log_odd(scale) * shift)
    unclipped = base + summed(points, range(points.shape[1])) + shrink
    score = np.clip(unclipped, 0.0, 100.0)
    return Health(score, np.full(len(score), base), shrink, score - unclipped)


def risks(interval_logits: Floats, ends_days: Sequence[int], horizons_days: Sequence[int]) -> dict[int, Floats]:
    """Chance of deciding to leave within each horizon: ``1 - prod(1 - lambda_k)`` over its intervals.

    Each factor is at most 1, so a longer horizon can never have the smaller risk, not even by rounding.
    """
    staying = np.multiply.accumulate(expit(-np.ascontiguousarray(interval_logits.T[: len(ends_days)])), axis=0)
    return {end: 1.0 - staying[position] for position, end in enumerate(ends_days) if end in horizons_days}


def bands(score: Floats, grade: Texts, status: Texts | pd.Series[str], scale: ScoreScale) -> Texts:
    """The band per row: by health, unless notice was given (lost_pending) or grade D makes it unknown.

    An account under notice keeps its numbers: they say how it stood had no notice been given.
    """
    lost = np.asarray(status, dtype=object) == CohortStatus.LOST_PENDING
    by_health = np.where(score >= scale.green_from, _GREEN, np.where(score >= scale.amber_from, _AMBER, _RED))
    return np.where(lost, _LOST, np.where(grade == "D", _UNKNOWN, by_health))
