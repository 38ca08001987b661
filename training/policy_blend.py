"""How much would a forecast gain if the leads' weights had a say in it?

Input grain: judged rows of several dates: outcome, the model's chance, the policy index. Output: the weight lambda that
the data itself gives to the index, ``logit = (1 - lambda) * model + lambda * (slope * index + intercept)``, with its
interval, and the gain in log-loss on later dates. Whole clusters are redrawn. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from training.metrics import Floats

_REDRAWS = 200
_STEPS = 50
_RIDGE = 1e-6
_EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class BlendRows:
    """Rows with a known outcome; ``date`` counts the dates from 0, ``cluster`` the accounts that share their luck."""

    left: Floats
    chance: Floats
    index: Floats
    date: NDArray[np.int64]
    cluster: NDArray[np.int64]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> BlendRows:
        """From a frame with left (0/1), chance, index, as_of, cluster_id."""
        return cls(
            rows["left"].to_numpy(np.float64),
            rows["chance"].to_numpy(np.float64),
            rows["index"].to_numpy(np.float64),
            pd.factorize(rows["as_of"], sort=True)[0].astype(np.int64),
            pd.factorize(rows["cluster_id"], sort=True)[0].astype(np.int64),
        )

    @property
    def model(self) -> Floats:
        """The model's log-odds."""
        odds: Floats = logit(np.clip(self.chance, _EDGE, 1 - _EDGE))
        return odds

    @property
    def standing(self) -> Floats:
        """The index as distance below the middle: more is riskier."""
        return (50.0 - self.index) / 25.0


@dataclass(frozen=True, slots=True)
class Blend:
    """What the data gives to the index: ``share`` is lambda, 0 = all to the model; lines are (slope, intercept)."""

    share: float
    model_line: tuple[float, float]
    index_line: tuple[float, float]

    def logits(self, rows: BlendRows) -> Floats:
        """The blended log-odds."""
        return (1 - self.share) * self.of_model(rows) + self.share * self.of_index(rows)

    def of_model(self, rows: BlendRows) -> Floats:
        """The model's log-odds, calibrated."""
        return self.model_line[0] * rows.model + self.model_line[1]

    def of_index(self, rows: BlendRows) -> Floats:
        """The index alone as log-odds."""
        return self.index_line[0] * rows.standing + self.index_line[1]


def fit_blend(rows: BlendRows, weight: Floats) -> Blend:
    """Calibrate model and index, then find the share that makes the log-loss least.

    What ranks the wrong way gets slope 0.
    """
    lines = (_platt(rows.model, rows.left, weight), _platt(rows.standing, rows.left, weight))
    model, index = (slope * x + start for (slope, start), x in zip(lines, (rows.model, rows.standing), strict=True))

    def loss(share: float) -> float:
        return float(weight @ log_loss((1 - share) * model + share * index, rows.left))

    inner = minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-4})
    share = min((0.0, float(inner.x), 1.0), key=loss)
    return Blend(share, *lines)


def log_loss(logits: Floats, left: Floats) -> Floats:
    """Log-loss per row."""
    loss: Floats = np.logaddexp(0.0, logits) - left * logits
    return loss


def share_replicates(rows: BlendRows, seed: int) -> Floats:
    """Lambda on redrawn clusters."""
    random = np.random.default_rng(seed)
    clusters = int(rows.cluster.max()) + 1
    drawn = random.multinomial(clusters, np.full(clusters, 1 / clusters), _REDRAWS).astype(np.float64)
    return np.array([fit_blend(rows, counts[rows.cluster]).share for counts in drawn])


def later_forecasts(rows: BlendRows) -> Floats:
    """Log-odds of the blend, the model and the index (n, 3), each calibrated on earlier dates only.

    Walk-forward: each date from the middle on is forecast by what was fitted on the dates before it; NaN before.
    """
    told = np.full((len(rows.left), 3), np.nan)
    last = int(rows.date.max())
    for date in range((last + 1) // 2, last + 1):
        today, before = rows.date == date, (rows.date < date).astype(np.float64)
        if before.any():
            blend = fit_blend(rows, before)
            lines = (blend.logits(rows), blend.of_model(rows), blend.of_index(rows))
            told[today] = np.column_stack(lines)[today]
    return told


def _platt(x: Floats, left: Floats, weight: Floats) -> tuple[float, float]:
    # Newton's method for slope and intercept with a trace of ridge, so that a separable sample has an answer.
    design = np.column_stack([x, np.ones_like(x)])
    rate = np.clip((weight @ left + 0.5) / (weight.sum() + 1.0), _EDGE, 1 - _EDGE)
    point = np.array([0.0, float(logit(rate))])
    for _ in range(_STEPS):
        chance = expit(design @ point)
        gradient = design.T @ (weight * (chance - left)) + _RIDGE * point
        curvature = weight * np.maximum(chance * (1 - chance), 1e-12)
        step = np.linalg.solve(design.T @ (design * curvature[:, None]) + _RIDGE * np.eye(2), gradient)
        point = point - np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-10:  # noqa: PLR2004  log-odds; far below what is told
            break
    if point[0] <= 0:
        return 0.0, float(logit(rate))
    return float(point[0]), float(point[1])
