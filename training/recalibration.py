"""How is a model that ranks well, but states too much or too little, put right without learning anew?

Input grain: one row per account and snapshot with a final label: stated log-odds of leaving in each interval of the
shortest horizon, whether the account left within it, its cluster. Output: one line on the log-odds of every interval,
``slope * stated + shift``, and what it is worth on accounts that it was not fitted on. With so few leavers nothing more
can be fitted. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize
from scipy.special import expit, logit

from training.bundle import Bundle
from training.evaluation_parts import Document
from training.metrics import Floats, log_loss_terms
from training.reference import Reference
from training.shrinkage import Table
from training.venn_abers import RiskSpread, SpreadTable
from training.watch_parts import Step

FOLDS = 5
_FLOOR, _CEILING = 0.05, 20.0
"""Slopes beyond these say that stated risks order nothing, or were no risks: no case for recalibration."""
ACCEPTED = (0.8, 1.25)
"""Counted over stated leavers after the change must lie here, or its interval must hold 1."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line on the log-odds; the default changes nothing."""

    slope: float = 1.0
    shift: float = 0.0

    def on(self, logits: Floats) -> Floats:
        """The log-odds after it."""
        return self.slope * logits + self.shift


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows with final labels: stated log-odds (n, intervals), outcome 0 or 1, the cluster (family) as a code."""

    logits: Floats
    left: Floats
    cluster: NDArray[np.int64]

    def take(self, mask: NDArray[np.bool_]) -> Counted:
        """Some of the rows."""
        return Counted(self.logits[mask], self.left[mask], self.cluster[mask])


class Recalibration(Document):
    """What a step of the ladder would do; ``accepted`` says whether it may be registered."""

    version_from: str
    step: Step
    slope: float
    shift: float = Field(description="in log-odds; 0.4 raises a risk of 2 % to 3 %")
    rows: int
    leavers: int
    stated: float = Field(description="leavers stated before the change")
    restated: float = Field(description="leavers stated after it, each account by a line fitted without it")
    gain: float = Field(description="log-loss saved per row on accounts that the line was not fitted on")
    gain_low: float
    gain_high: float
    accepted: bool
    refused: str = Field(description="why it may not be registered; empty where it may")
    sentence: str


def chance_of(logits: Floats) -> Floats:
    """The chance to leave in any of the intervals, from log-odds (n, intervals)."""
    chance: Floats = -np.expm1(-np.logaddexp(0.0, logits).sum(axis=1))
    return chance


def fit_line(rows: Counted, step: Step) -> Line:
    """The maximum-likelihood line: the shift alone for the step ``intercept``, slope and shift for ``platt``."""
    slopes = (_FLOOR, _CEILING) if step is Step.PLATT else (1.0, 1.0)
    found = minimize(
        _loss_and_gradient,
        np.array([1.0, 0.0]),
        args=(rows,),
        jac=True,
        method="L-BFGS-B",
        bounds=[slopes, (None, None)],
        options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9},
    )
    return Line(float(found.x[0]), float(found.x[1]))


def _loss_and_gradient(point: Floats, rows: Counted) -> tuple[float, Floats]:
    logits = point[0] * rows.logits + point[1]
    staying = np.logaddexp(0.0, logits).sum(axis=1)
    chance = np.maximum(-np.expm1(-staying), 1e-15)
    loss = (rows.left * -np.log(chance) + (1 - rows.left) * staying).sum()
    pull = ((1 - rows.left) - rows.left * np.exp(-staying) / chance)[:, np.newaxis] * expit(logits)
    count = len(rows.left)
    return float(loss / count), np.array([(pull * rows.logits).sum(), pull.sum()]) / count


def folds_of(cluster: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The fold of each row; a cluster is in one fold only, so that no account is judged by a line that knows it."""
    names, codes = np.unique(cluster, return_inverse=True)
    dealt: NDArray[np.int64] = np.random.default_rng(seed).permutation(len(names))[codes] % FOLDS
    return dealt


def lines_without(rows: Counted, step: Step, fold: NDArray[np.int64]) -> tuple[Line, ...]:
    """For each fold the line fitted on all others."""
    return tuple(fit_line(rows.take(fold != number), step) for number in range(FOLDS))


def assess(rows: Counted, step: Step, *, version: str, seed: int) -> Recalibration:
    """Fit a step on all rows and say what it is worth on accounts that it was not fitted on."""
    fold, line = folds_of(rows.cluster, seed), fit_line(rows, step)
    lines = lines_without(rows, step, fold)
    restated_by = [chance_of(one.on(rows.logits)) for one in lines]
    before, later = chance_of(rows.logits), np.select([fold == number for number in range(FOLDS)], restated_by)
    gain, low, high = _mean(log_loss_terms(before, rows.left) - log_loss_terms(later, rows.left), rows.cluster, seed)
    leavers, stated, restated = float(rows.left.sum()), float(before.sum()), float(later.sum())
    refused = _refused(gain, leavers / restated)
    change = f"{leavers:.0f} left; {stated:.1f} were stated, {restated:.1f} would be"
    worth = f"log-loss saved per row {gain:.5f} ({low:.5f} to {high:.5f})"
    return Recalibration(
        version_from=version,
        step=step,
        slope=line.slope,
        shift=line.shift,
        rows=len(rows.left),
        leavers=int(leavers),
        stated=stated,
        restated=restated,
        gain=gain,
        gain_low=low,
        gain_high=high,
        accepted=not refused,
        refused=refused,
        sentence=f"{step}: {change}; {worth}; {refused or 'it may be registered'}",
    )


def _refused(gain: float, ratio: float) -> str:
    if not gain > 0:
        return "it is not better on accounts that it was not fitted on, so the model stays as it is"
    if not ACCEPTED[0] <= ratio <= ACCEPTED[1]:
        allowed = f"{ACCEPTED[0]} to {ACCEPTED[1]}"
        return f"on accounts apart {ratio:.2f} times as many left as it would state, outside {allowed}: train again"
    return ""


def moved(bundle: Bundle, line: Line, *, version: str, facts: dict[str, object]) -> Bundle:
    """The bundle with every stated log-odds on the line; ``facts`` are laid over its own.

    What is usual moves along, so that a thin account is drawn to the new level; points of the parts are stretched by
    the slope, and the shift goes into the base: additivity holds as before.
    """
    was = bundle.calibration
    calibration = replace(
        was,
        slope=line.slope * was.slope,
        intercepts=tuple(line.slope * one + line.shift for one in was.intercepts),
        segments={name: line.slope * one for name, one in was.segments.items()},
        phases={name: line.slope * one for name, one in was.phases.items()},
    )
    return replace(
        bundle,
        version=version,
        calibration=calibration,
        reference=_moved_reference(bundle.reference, line),
        spread=RiskSpread(_moved_table(bundle.spread.regular, line), _moved_table(bundle.spread.thin, line)),
        facts={**bundle.facts, **facts},
    )


def _moved_reference(was: Reference, line: Line) -> Reference:
    def on(level: float) -> float:
        return line.slope * level + line.shift

    def table(levels: Table) -> Table:
        return [[None if one is None else on(one) for one in row] for row in levels]

    return replace(
        was,
        segments={name: on(one) for name, one in was.segments.items()},
        overall=on(was.overall),
        levels={name: table(levels) for name, levels in was.levels.items()},
        offsets={name: line.slope * one for name, one in was.offsets.items()},
    )


def _moved_table(was: SpreadTable, line: Line) -> SpreadTable:
    # Exact for the shift of rare risks: the log-odds of a sum of small chances move as each of them does.
    if line == Line():
        return was

    def on(chances: tuple[float, ...]) -> tuple[float, ...]:
        with np.errstate(divide="ignore"):
            return tuple(expit(line.on(logit(np.array(chances)))).tolist())

    return replace(was, edges=on(was.edges), p0=on(was.p0), p1=on(was.p1), low=on(was.low), high=on(was.high))


def _mean(values: Floats, cluster: NDArray[np.int64], seed: int) -> tuple[float, float, float]:
    codes = np.unique(cluster, return_inverse=True)[1]
    sums, counts = np.bincount(codes, weights=values), np.bincount(codes).astype(np.float64)
    drawn = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), 1000)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
