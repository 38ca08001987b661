"""How well does one column of scores order and state one column of outcomes?

Input: one score and one outcome weight per row. Output: numbers; nothing here knows accounts, horizons or dates. Every
kernel takes *positive* and *negative* weights in place of labels: ``positive = w * y`` and ``negative = w * (1 - y)``,
with ``y`` a label (0 or 1) or a true probability (then the metric is "soft": each row stands for a share of a leaver
and a share of a stayer). Weights may carry leading axes, so that all bootstrap replicates are graded at once. A number
that does not exist (no positive, no negative, no weight) is NaN here; whoever reports it must say why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LOG_FLOOR = float(np.finfo(np.float64).eps)
"""Smallest probability that log-loss takes the logarithm of, as in scikit-learn."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Positive and negative weight at each distinct score, best score first; the last axis runs over scores."""

    positive: Floats
    negative: Floats


class Ranking:
    """The order of rows by a score (highest first, ties kept together): made once, asked for many weightings."""

    def __init__(self, score: ArrayLike) -> None:
        values = np.asarray(score, dtype=np.float64)
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise ValueError("a ranking needs a column of finite scores")
        self.order = np.argsort(-values, kind="stable")
        ranked = values[self.order]
        self.starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))

    def levels(self, positive: Floats, negative: Floats) -> Levels:
        """Weights summed per distinct score."""
        return Levels(self._per_level(positive), self._per_level(negative))

    def _per_level(self, weight: Floats) -> Floats:
        summed: Floats = np.add.reduceat(weight[..., self.order], self.starts, axis=-1, dtype=np.float64)
        return summed


def divided(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient, NaN where the denominator is not above zero."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    quotient: Floats = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return quotient


def roc_auc(levels: Levels) -> Floats:
    """Chance that a leaver outranks a stayer, ties counting half (Mann-Whitney); NaN without both."""
    stayers = levels.negative.sum(axis=-1, keepdims=True)
    outranked = stayers - np.cumsum(levels.negative, axis=-1) + levels.negative / 2
    pairs = levels.positive.sum(axis=-1) * stayers[..., 0]
    return divided((levels.positive * outranked).sum(axis=-1), pairs)


def average_precision(levels: Levels) -> Floats:
    """Precision averaged over leavers, in steps, without interpolation (as scikit-learn). NaN without a positive."""
    found = np.cumsum(levels.positive, axis=-1)
    seen = found + np.cumsum(levels.negative, axis=-1)
    precision = np.nan_to_num(divided(found, seen))
    return divided((levels.positive * precision).sum(axis=-1), levels.positive.sum(axis=-1))


def brier_terms(risk: Floats, outcome: Floats) -> Floats:
    """Per row: expected squared error of the stated risk; ``outcome`` is a label or a true probability."""
    return outcome * (1 - risk) ** 2 + (1 - outcome) * risk**2


def log_loss_terms(risk: Floats, outcome: Floats) -> Floats:
    """Per row: minus the expected log-likelihood of the stated risk, in nats; risks are kept off 0 and 1."""
    kept = np.clip(risk, LOG_FLOOR, 1 - LOG_FLOOR)
    return -(outcome * np.log(kept) + (1 - outcome) * np.log1p(-kept))


def captured_shares(levels: Levels, shares: Floats) -> Floats:
    """Share of the positives among the top ``shares`` of all weight (cumulative gains).

    Rows of equal score are taken in proportion, as if drawn at random among themselves. Needs one weighting (no
    leading axis) with a positive in it.
    """
    found = np.concatenate(([0.0], np.cumsum(levels.positive)))
    seen = np.concatenate(([0.0], np.cumsum(levels.positive + levels.negative)))
    captured: Floats = np.interp(shares, seen / seen[-1], found / found[-1])
    return captured
