from __future__ import annotations

import numpy as np
import pytest

from tests.training.judged_case import SMALL_PLAN, portfolio
from training.calibration_check import (
    LEAST_EXPECTED_PER_BIN,
    calibration_error,
    expected_calibration_error,
    merged_bins,
    noise_floor,
    observed_over_expected,
    quantile_bins,
    reliability_curve,
)
from training.estimates import Question
from training.judged import Judged

JUDGED = Judged.of(portfolio(500, seed=2).judged, SMALL_PLAN)
RISK = JUDGED.column("risk_90")
LEFT = JUDGED.column("y_90")


def question() -> Question:
    return Question(JUDGED, JUDGED.mature(90), LEFT)


def skewed_risks(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).beta(1, 21.2, rows)


def test_observed_over_expected_is_leavers_over_the_sum_of_risks() -> None:
    found = observed_over_expected(question(), RISK)
    assert (found.observed, found.expected) == (LEFT.sum(), pytest.approx(RISK.sum()))
    assert found.ratio.value == pytest.approx(LEFT.sum() / RISK.sum())
    assert found.ratio.low < found.ratio.value < found.ratio.high
    assert found.exact_low < found.ratio.value < found.exact_high


def test_recurring_accounts_make_the_bootstrap_interval_wider_than_the_exact_one() -> None:
    # The exact interval takes the seven snapshots of an account as seven accounts.
    found = observed_over_expected(question(), RISK)
    assert found.ratio.width > 1.2 * (found.exact_high - found.exact_low)


def test_in_a_single_snapshot_both_intervals_agree() -> None:
    alone = Judged.of(portfolio(3000, snapshots=1, seed=8).judged, SMALL_PLAN.model_copy(update={"replicates": 500}))
    found = observed_over_expected(Question(alone, alone.mature(90), alone.column("y_90")), alone.column("risk_90"))
    assert found.ratio.low == pytest.approx(found.exact_low, abs=0.06)
    assert found.ratio.high == pytest.approx(found.exact_high, abs=0.06)


def test_twice_the_risk_halves_the_ratio_and_cannot_be_luck() -> None:
    fair, doubled = observed_over_expected(question(), RISK), observed_over_expected(question(), 2 * RISK)
    assert doubled.ratio.value == pytest.approx(fair.ratio.value / 2)
    assert doubled.ratio.high < 1
    assert doubled.p_value < 1e-6


def test_a_missing_risk_leaves_no_ratio_and_says_how_many() -> None:
    holed = RISK.copy()
    holed[:3] = np.nan
    found = observed_over_expected(question(), holed)
    assert (found.expected, found.ratio.value, found.exact_low, found.p_value) == (None, None, None, None)
    assert found.ratio.reason == f"3 of {len(RISK)} scores are missing"


def test_quantile_bins_are_equally_full_and_rise_with_the_risk() -> None:
    risk = skewed_risks(1000)
    bins = quantile_bins(risk)
    assert np.bincount(bins).tolist() == [100] * 10
    assert all(risk[bins == low].max() <= risk[bins == low + 1].min() for low in range(9))


def test_equal_risks_are_never_parted() -> None:
    risk = np.repeat([0.01, 0.02, 0.5], [700, 200, 100])
    bins = quantile_bins(risk)
    assert [len(np.unique(bins[risk == level])) for level in (0.01, 0.02, 0.5)] == [1, 1, 1]
    assert quantile_bins(np.full(50, 0.3)).tolist() == [0] * 50


@pytest.mark.parametrize("rows", [100, 700, 3000, 20_000])
def test_merged_bins_hold_enough_expected_leavers_or_there_is_only_one(rows: int) -> None:
    risk = skewed_risks(rows)
    bins = merged_bins(quantile_bins(risk), risk)
    expected = np.bincount(bins, weights=risk)
    assert 1 <= len(expected) <= 10
    assert len(expected) == 1 or expected.min() >= LEAST_EXPECTED_PER_BIN
    assert expected.sum() == pytest.approx(risk.sum())
    assert (np.diff(bins[np.argsort(risk, kind="stable")]) >= 0).all()


def test_the_reliability_curve_counts_every_row_once() -> None:
    curve = reliability_curve(question(), RISK)
    assert sum(one.rows for one in curve) == len(RISK)
    assert sum(one.expected for one in curve) == pytest.approx(RISK.sum())
    assert sum(one.observed_rate * one.rows for one in curve) == pytest.approx(LEFT.sum())
    assert [one.mean_risk for one in curve] == sorted(one.mean_risk for one in curve)
    assert all(one.low <= one.observed_rate <= one.high for one in curve)


def test_there_is_no_curve_without_rows_or_with_missing_scores() -> None:
    assert reliability_curve(question().among(np.zeros(len(RISK), dtype=bool)), RISK) == ()
    assert reliability_curve(question(), np.full(len(RISK), np.nan)) == ()


def test_calibration_error_weighs_the_gap_of_each_bin_by_its_rows() -> None:
    risk, left = np.array([0.1, 0.2, 0.4, 0.8]), np.array([0.0, 1.0, 1.0, 1.0])
    bins = np.array([0, 0, 1, 1])
    by_hand = 2 / 4 * abs(0.5 - 0.15) + 2 / 4 * abs(1.0 - 0.6)
    assert calibration_error(risk, left, bins) == pytest.approx(by_hand)
    assert calibration_error(risk, np.stack([left, risk]), bins) == pytest.approx([by_hand, 0.0])


@pytest.mark.parametrize(("rows", "median", "p95"), [(250, 0.026, 0.042), (1000, 0.014, 0.021), (5000, 0.006, 0.009)])
def test_the_noise_floor_is_that_of_the_published_table(rows: int, median: float, p95: float) -> None:
    # Domain reference 4.6: perfectly calibrated scores with a mean of 4.5 %, ten quantile bins.
    risk = skewed_risks(rows)
    errors = noise_floor(risk, quantile_bins(risk), np.arange(rows), draws=400, seed=1)
    assert np.quantile(errors, 0.5) == pytest.approx(median, rel=0.15)
    assert np.quantile(errors, 0.95) == pytest.approx(p95, rel=0.15)


def test_accounts_that_recur_raise_the_noise_floor() -> None:
    risk = np.tile(skewed_risks(200), 6)
    bins, accounts = quantile_bins(risk), np.tile(np.arange(200), 6)
    alone = noise_floor(risk, bins, np.arange(1200), draws=200, seed=1)
    sharing = noise_floor(risk, bins, accounts, draws=200, seed=1)
    assert np.quantile(sharing, 0.95) > 1.5 * np.quantile(alone, 0.95)


def test_the_error_of_right_risks_lies_under_its_floor_and_of_doubled_risks_above() -> None:
    fair, doubled = expected_calibration_error(question(), RISK), expected_calibration_error(question(), 2 * RISK)
    assert fair.value < fair.floor_p95_recurring
    assert doubled.value > doubled.floor_p95_recurring
    assert fair.floor_median < fair.floor_p95 < fair.floor_p95_recurring
    assert fair.bins == 10


def test_no_scores_give_no_calibration_error_and_a_reason() -> None:
    found = expected_calibration_error(question(), np.full(len(RISK), np.nan))
    assert (found.value, found.floor_p95, found.reason) == (None, None, "no scores")
