"""How are the model's log-odds turned into chances that come true?

Input grain: out-of-fold periods, each held out in later time. Output: one slope for all intervals and one intercept
per interval: ``logit(lambda_k) = slope * r + intercept_k``. Affine, so contributions keep adding up, and with one
slope horizons cannot cross (Platt scaling, domain 4.7.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from features.errors import NoUsableSignal
from training.config import TrainingConfig
from training.periods import Floats

_LEAST_SLOPE = 1e-3
"""A slope this flat says that the margins order nothing."""

_LEAST_EVENTS_PER_PARAMETER = 1e-12


@dataclass(frozen=True, slots=True)
class Calibration:
    """From raw log-odds to calibrated ones: ``slope * r + intercepts[k]`` for interval k.

    ``events`` is the number of out-of-fold events it rests on.
    """

    slope: float
    intercepts: tuple[float, ...]
    events: int

    def logits(self, margins: Floats, interval: npt.NDArray[np.int64] | int) -> Floats:
        """Calibrated log-odds of leaving within the interval; the interval is one for all rows, or one per row."""
        shift = np.asarray(self.intercepts, dtype=np.float64)[interval]
        logits: Floats = self.slope * margins + shift
        return logits


@dataclass(frozen=True, slots=True)
class _Sample:
    margin: Floats
    interval: npt.NDArray[np.int64]
    y: Floats
    weight: Floats


def calibrate(out_of_fold: pd.DataFrame, config: TrainingConfig) -> Calibration:
    """Fit the calibration on out-of-fold periods (columns margin, interval, y, weight).

    Sampling weights are obeyed, so chances refer to all periods, not to the kept ones.

    Raises:
        NoUsableSignal: no event, or margins that do not order the outcomes.
    """
    return fit_platt(
        out_of_fold["margin"].to_numpy(np.float64),
        out_of_fold["interval"].to_numpy(np.int64),
        out_of_fold["y"].to_numpy(np.float64),
        weight=out_of_fold["weight"].to_numpy(np.float64),
        intervals=len(config.intervals_days),
        prior_events=config.intercept_prior_events,
    )


def fit_platt(
    margin: Floats,
    interval: npt.NDArray[np.int64],
    y: Floats,
    *,
    weight: Floats,
    intervals: int,
    prior_events: float,
) -> Calibration:
    """The penalised maximum-likelihood slope (above 0) and intercepts.

    The penalty on an intercept is ``prior_events / 2 * (b_k - b)^2`` with a free common ``b``: as much information as
    that many events carry, since for rare outcomes the information on an intercept is the number of events.
    """
    events = int((y > 0).sum())
    if events == 0:
        raise _no_signal("no event")
    start = np.zeros(2 + intervals)
    start[0] = 1.0
    found = minimize(
        _loss_and_gradient,
        start,
        args=(_Sample(margin, interval, y, weight), prior_events),
        jac=True,
        method="L-BFGS-B",
        bounds=[(_LEAST_SLOPE, None), *[(None, None)] * (1 + intervals)],
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10},
    )
    slope, common, offsets = found.x[0], found.x[1], found.x[2:]
    if not slope > _LEAST_SLOPE:
        raise _no_signal("a slope of 0")
    return Calibration(float(slope), tuple(float(common + offset) for offset in offsets), events)


def _loss_and_gradient(point: Floats, sample: _Sample, prior_events: float) -> tuple[float, Floats]:
    # point = (slope, common b, b_k - b for each k); everything is divided by the total weight, for the optimiser's
    # sake.
    slope, common, offsets = point[0], point[1], point[2:]
    logit = slope * sample.margin + common + offsets[sample.interval]
    total = sample.weight.sum()
    penalty = max(prior_events, _LEAST_EVENTS_PER_PARAMETER)
    loss = (sample.weight * (np.logaddexp(0.0, logit) - sample.y * logit)).sum() + 0.5 * penalty * (offsets**2).sum()
    residual = sample.weight * (expit(logit) - sample.y)
    of_interval = np.bincount(sample.interval, weights=residual, minlength=len(offsets)) + penalty * offsets
    gradient = np.array([(residual * sample.margin).sum(), residual.sum(), *of_interval])
    return float(loss / total), gradient / total


def _no_signal(found: str) -> NoUsableSignal:
    return NoUsableSignal(
        "the model's order says nothing about later outcomes",
        expected="out-of-fold margins that rise with the share that left",
        found=found,
        todo="ingest more history; until then renewal dates are the best guide",
    )
