"""Do as many accounts leave as the stated risks say?

Input: the rows of a :class:`Question` and their stated risks. Output: observed over expected, the reliability curve,
and the calibration error beside the error that chance alone would give.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.estimates import Question
from training.evaluation_parts import Calibration, CalibrationError, ReliabilityBin
from training.metrics import Floats, divided
from training.poisson_binomial import ratio_interval, two_sided_p

MOST_BINS = 10
"""Deciles: what readers expect, and the number the published noise floors were simulated with."""

LEAST_EXPECTED_PER_BIN = 20
"""Below 20 expected leavers the interval of a bin's rate is wider than +-45 %, and the curve draws noise."""

Bins = NDArray[np.intp]


def observed_over_expected(question: Question, risk: Floats) -> Calibration:
    """O/E of these rows with the account-bootstrap interval and the exact Poisson-binomial one."""
    stated = risk[question.rows]
    drawn = question.summed(np.column_stack([question.outcome, stated]), lambda sums: divided(sums[:, 0], sums[:, 1]))
    usable = not drawn.reason
    leavers = round(float(question.outcome.sum()))
    exact = ratio_interval(stated, leavers) if usable else None
    return Calibration(
        observed=float(question.outcome.sum()),
        expected=float(stated.sum()) if usable else None,
        ratio=question.estimate(drawn),
        exact_low=exact.low if exact else None,
        exact_high=exact.high if exact else None,
        p_value=two_sided_p(stated, leavers) if usable else None,
    )


def quantile_bins(risk: Floats, most: int = MOST_BINS) -> Bins:
    """Bin of each row, 0 = lowest risk: equally full bins, equal risks never parted."""
    inner = np.unique(np.quantile(risk, np.arange(1, most) / most))
    found: Bins = np.unique(np.searchsorted(inner, risk, side="left"), return_inverse=True)[1]
    return found


def merged_bins(bins: Bins, risk: Floats, least_expected: float = LEAST_EXPECTED_PER_BIN) -> Bins:
    """Neighbouring bins joined, from the lowest up, until each holds enough expected leavers (or one bin is left)."""
    expected = np.bincount(bins, weights=risk)
    joined = np.zeros(len(expected), dtype=np.intp)
    current, held = 0, 0.0
    for number, leavers in enumerate(expected):
        if held >= least_expected and expected[number:].sum() >= least_expected:
            current, held = current + 1, 0.0
        joined[number] = current
        held += leavers
    found: Bins = joined[bins]
    return found


def reliability_curve(question: Question, risk: Floats) -> tuple[ReliabilityBin, ...]:
    """Stated risk against observed rate in at most ten quantile bins; empty when there is nothing to draw."""
    stated = risk[question.rows]
    if not len(stated) or np.isnan(stated).any():
        return ()
    bins = merged_bins(quantile_bins(stated), stated)
    return tuple(_bin(question, stated, bins == number) for number in range(bins.max() + 1))


def _bin(question: Question, stated: Floats, inside: NDArray[np.bool_]) -> ReliabilityBin:
    terms = np.column_stack([question.outcome * inside, inside.astype(np.float64)])
    rate = question.estimate(question.summed(terms, lambda sums: divided(sums[:, 0], sums[:, 1])))
    return ReliabilityBin(
        rows=int(inside.sum()),
        expected=float(stated[inside].sum()),
        mean_risk=float(stated[inside].mean()),
        observed_rate=float(question.outcome[inside].mean()),
        low=rate.low,
        high=rate.high,
    )


def calibration_error(risk: Floats, outcome: Floats, bins: Bins) -> Floats:
    """ECE: mean over rows of abs(observed rate - mean risk) of their bin; ``outcome`` may have leading axes."""
    member = np.zeros((len(risk), bins.max() + 1))
    member[np.arange(len(risk)), bins] = 1
    error: Floats = np.abs((outcome - risk) @ member).sum(axis=-1) / len(risk)
    return error


def noise_floor(risk: Floats, bins: Bins, sharers: Bins, *, draws: int, seed: int) -> Floats:
    """ECE in simulated worlds where every stated risk is right, one value per draw.

    Rows with the same number in ``sharers`` share their luck (one uniform draw against each row's risk).
    """
    generator = np.random.default_rng(seed)
    step = max(1, 2_000_000 // len(risk))
    errors = []
    for start in range(0, draws, step):
        luck = generator.random((min(step, draws - start), int(sharers.max()) + 1))[:, sharers]
        errors.append(calibration_error(risk, (luck < risk).astype(np.float64), bins))
    return np.concatenate(errors)


def expected_calibration_error(question: Question, risk: Floats) -> CalibrationError:
    """ECE over ten quantile bins with its noise floor for independent rows and for recurring accounts."""
    stated = risk[question.rows]
    bins = quantile_bins(stated) if len(stated) and not np.isnan(stated).any() else None
    if bins is None:
        return withheld_error("no scores")
    plan = question.judged.plan
    accounts = np.unique(question.judged.rows["account_id"].to_numpy(dtype=str)[question.rows], return_inverse=True)[1]
    alone = noise_floor(stated, bins, np.arange(len(stated)), draws=plan.noise_draws, seed=plan.seed)
    recurring = noise_floor(stated, bins, accounts, draws=plan.noise_draws, seed=plan.seed)
    return CalibrationError(
        value=float(calibration_error(stated, question.outcome, bins)),
        bins=int(bins.max()) + 1,
        floor_median=float(np.quantile(alone, 0.5)),
        floor_p95=float(np.quantile(alone, 0.95)),
        floor_p95_recurring=float(np.quantile(recurring, 0.95)),
    )


def withheld_error(reason: str) -> CalibrationError:
    """No calibration error, and why."""
    return CalibrationError(
        value=None, bins=0, floor_median=None, floor_p95=None, floor_p95_recurring=None, reason=reason
    )
