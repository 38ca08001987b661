"""Do calibrated chances come true, and is the calibration the one that maximum likelihood gives?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from features.errors import NoUsableSignal
from training.calibrate import Calibration, calibrate, fit_platt
from training.config import TrainingConfig
from training.periods import Floats

from .bundle_case import SMALL, trained

PLANTED = np.array([-0.5, 0.3, 0.0])


def planted(rows: int = 60_000, slope: float = 0.7, seed: int = 5) -> tuple[Floats, np.ndarray, Floats]:
    """Margins, intervals and outcomes whose log-odds are ``slope * margin + PLANTED[interval]``."""
    draw = np.random.default_rng(seed)
    margin, interval = draw.normal(-2, 1.5, rows), draw.integers(0, 3, rows)
    y = (draw.random(rows) < expit(slope * margin + PLANTED[interval])).astype(np.float64)
    return margin, interval, y


def fitted(
    margin: Floats, interval: np.ndarray, y: Floats, *, weight: Floats | None = None, prior: float = 0.0
) -> Calibration:
    ones = np.ones(len(y)) if weight is None else weight
    return fit_platt(margin, interval, y, weight=ones, intervals=3, prior_events=prior)


def test_planted_slope_and_intercepts_are_recovered() -> None:
    found = fitted(*planted())
    assert found.slope == pytest.approx(0.7, abs=0.03)
    np.testing.assert_allclose(found.intercepts, PLANTED, atol=0.06)
    assert found.events == planted()[2].sum()


def test_without_a_prior_it_is_logistic_regression() -> None:
    # Outside oracle: scikit-learn, unpenalised, on the margin and one indicator per interval.
    margin, interval, y = planted(rows=5000)
    weight = np.where(y > 0, 1.0, 4.0)
    design = np.column_stack([margin, np.eye(3)[interval]])
    oracle = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=5000)
    oracle.fit(design, y, sample_weight=weight)
    found = fitted(margin, interval, y, weight=weight)
    np.testing.assert_allclose([found.slope, *found.intercepts], oracle.coef_[0], atol=2e-5)


def test_one_interval_is_plain_platt_scaling() -> None:
    margin, _, y = planted(rows=4000)
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(margin[:, None], y)
    found = fit_platt(
        margin, np.zeros(len(y), dtype=np.int64), y, weight=np.ones(len(y)), intervals=1, prior_events=20.0
    )
    expected = [oracle.coef_[0, 0], oracle.intercept_[0]]
    np.testing.assert_allclose([found.slope, found.intercepts[0]], expected, atol=1e-5)


def test_a_heavy_prior_gives_every_interval_the_same_intercept() -> None:
    found = fitted(*planted(rows=5000), prior=1e9)
    assert np.ptp(found.intercepts) < 1e-4


def test_the_prior_weighs_as_much_as_that_many_events() -> None:
    # One interval with n events of its own and a prior of n events: its intercept goes about half way to the others'.
    draw = np.random.default_rng(2)
    interval = np.repeat([0, 1], [200_000, 4_000])
    rate = np.array([0.01, 0.03])[interval]
    y = (draw.random(len(rate)) < rate).astype(np.float64)
    margin = draw.normal(0, 1e-3, len(y)) + 0.001 * y

    def intercepts(prior: float) -> Floats:
        found = fit_platt(margin, interval, y, weight=np.ones(len(y)), intervals=2, prior_events=prior)
        return np.array(found.intercepts)

    own_events = float(y[interval == 1].sum())
    free, pulled = intercepts(0.0), intercepts(2 * own_events)
    # With prior n0 on each of the two, the gap shrinks by 1 / (1 + n0 / (2 n)) where the first interval hardly moves.
    assert np.ptp(pulled) / np.ptp(free) == pytest.approx(0.5, abs=0.1)


def test_an_interval_without_rows_stands_at_the_common_intercept() -> None:
    margin, interval, y = planted(rows=6000)
    found = fit_platt(margin, interval, y, weight=np.ones(len(y)), intervals=4, prior_events=20.0)
    assert min(found.intercepts[:3]) < found.intercepts[3] < max(found.intercepts[:3])


def test_sampling_weights_give_the_chances_of_all_periods() -> None:
    margin, interval, y = planted()
    kept = (y > 0) | (np.random.default_rng(9).random(len(y)) < 0.25)
    weight = np.where(y > 0, 1.0, 4.0)[kept]
    whole = fitted(margin, interval, y)
    sampled = fitted(margin[kept], interval[kept], y[kept], weight=weight)
    np.testing.assert_allclose([sampled.slope, *sampled.intercepts], [whole.slope, *whole.intercepts], atol=0.06)


def test_expected_events_equal_observed_ones_on_the_rows_it_was_fitted_on() -> None:
    held_out = trained().found.out_of_fold
    found = calibrate(held_out, SMALL)
    chance = expit(found.logits(held_out["margin"].to_numpy(), held_out["interval"].to_numpy(np.int64)))
    weight = held_out["weight"].to_numpy()
    # Holds exactly for unpenalised intercepts; the common one is unpenalised.
    assert (weight * chance).sum() == pytest.approx((weight * held_out["y"]).sum(), rel=1e-4)


def test_margins_that_point_the_wrong_way_are_refused() -> None:
    margin, interval, y = planted(rows=4000)
    with pytest.raises(NoUsableSignal, match="says nothing"):
        fitted(-margin, interval, y)


def test_no_event_is_refused() -> None:
    margin, interval, y = planted(rows=100)
    with pytest.raises(NoUsableSignal, match="no event"):
        fitted(margin, interval, 0 * y)


def test_one_interval_for_all_rows_is_the_same_as_naming_it_for_each() -> None:
    found = Calibration(slope=1.5, intercepts=(0.1, -0.2), events=9)
    margin = np.array([-1.0, 0.0, 2.5])
    np.testing.assert_array_equal(found.logits(margin, 1), found.logits(margin, np.array([1, 1, 1])))
    assert found.logits(margin, 0).tolist() == [-1.4, 0.1, 3.85]


def test_calibrate_reads_the_columns_of_the_out_of_fold_rows() -> None:
    margin, interval, y = planted(rows=3000)
    frame = pd.DataFrame({"margin": margin, "interval": interval, "y": y, "weight": 1.0})
    config = TrainingConfig(interval_bounds_days=(0, 30, 60, 90, 180), intercept_prior_events=7)
    expected = fit_platt(margin, interval, y, weight=np.ones(len(y)), intervals=4, prior_events=7)
    assert calibrate(frame, config) == expected
