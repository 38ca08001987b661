"""Do log-odds become the health scores, risks and bands that the domain reference lists?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, logit

from training.config import ScoreScale, TrainingConfig
from training.scorecard import bands, base_points, health, points_of, points_per_log_odd, risks, summed

SCALE = ScoreScale()
ENDS = TrainingConfig().interval_bounds_days[1:]
HORIZONS = (30, 60, 90, 180)


@pytest.mark.parametrize(
    ("chance", "expected"),
    [
        (0.02, 92.9),
        (0.04, 80.5),
        (0.08, 67.8),
        (0.12, 60),
        (0.2, 49.5),
        (0.3, 40.2),
        (0.4, 32.5),
        (0.6, 18.5),
        (0.8, 1.5),
    ],
)
def test_health_follows_the_table_of_the_domain(chance: float, expected: float) -> None:
    base = base_points(1.0, 0.0, float(logit(chance)), SCALE)
    assert base == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("edge", "chance"), [(65, 0.093), (45, 0.245)])
def test_band_edges_are_the_risks_of_the_domain(edge: float, chance: float) -> None:
    assert base_points(1.0, 0.0, float(logit(chance)), SCALE) == pytest.approx(edge, abs=0.2)


def test_double_odds_cost_the_agreed_points() -> None:
    assert points_per_log_odd(SCALE) * np.log(2) == pytest.approx(12)


def test_slope_and_intercept_act_on_the_usual_margin() -> None:
    assert base_points(2.0, 0.5, -1.0, SCALE) == pytest.approx(base_points(1.0, 0.0, -1.5, SCALE))


def test_points_are_healthier_where_the_contribution_is_below_the_usual() -> None:
    points = points_of(np.array([[0.1, -0.2]]), np.array([0.0, 0.0]), 1.0, SCALE)
    assert points[0, 0] < 0 < points[0, 1]
    assert points[0, 1] == pytest.approx(0.2 * 12 / np.log(2))


def test_no_zero_bears_a_sign() -> None:
    # SQLite gives -0.0 back as 0.0: with a sign, a score that is derived again would differ from the one that was kept.
    points = points_of(np.array([[0.1, 0.0]]), np.array([0.1, 0.0]), 1.0, SCALE)
    found = health(60.0, points, np.array([0.0]), SCALE)
    assert not np.signbit([*points[0], *found.shrink, *found.clip]).any()


_logits = hnp.arrays(np.float64, (5, 7), elements=st.floats(-1e3, 1e3))


@given(logits=_logits)
def test_risk_never_falls_as_the_horizon_grows(logits: np.ndarray) -> None:
    # Law 8, exactly: no tolerance, also at the ends of the number range.
    told = np.column_stack([risks(logits, ENDS, HORIZONS)[days] for days in HORIZONS])
    assert (np.diff(told, axis=1) >= 0).all()
    assert ((told >= 0) & (told <= 1)).all()


def test_risk_is_the_chance_of_leaving_in_any_of_its_intervals() -> None:
    logits = np.random.default_rng(1).normal(-3, 1, (50, 7))
    told = risks(logits, ENDS, HORIZONS)
    for days in HORIZONS:
        inside = [k for k, end in enumerate(ENDS) if end <= days]
        np.testing.assert_allclose(told[days], 1 - np.prod(1 - expit(logits[:, inside]), axis=1), atol=1e-15)


@given(
    points=hnp.arrays(np.float64, (4, 7), elements=st.floats(-80, 80)),
    shift=hnp.arrays(np.float64, 4, elements=st.floats(-3, 3)),
    base=st.floats(0, 100),
)
def test_health_is_its_parts_and_stays_between_0_and_100(points: np.ndarray, shift: np.ndarray, base: float) -> None:
    told = health(base, points, shift, SCALE)
    assert ((told.score >= 0) & (told.score <= 100)).all()
    np.testing.assert_allclose(told.base + points.sum(axis=1) + told.shrink + told.clip, told.score, atol=1e-9)
    inside = (told.score > 0) & (told.score < 100)
    assert (told.clip[inside] == 0).all()


def test_more_risk_by_shrinkage_is_less_health() -> None:
    told = health(60.0, np.zeros((1, 7)), np.array([0.5]), SCALE)
    assert told.shrink[0] == pytest.approx(-0.5 * 12 / np.log(2))
    assert told.score[0] < 60


def test_a_sum_is_the_same_bits_for_one_row_and_for_many() -> None:
    many = np.random.default_rng(4).normal(size=(1001, 97))
    whole = summed(many, range(97))
    assert all(summed(many[i : i + 1], range(97))[0] == whole[i] for i in range(0, 1001, 7))
    assert summed(many, []).tolist() == [0.0] * 1001


@pytest.mark.parametrize(
    ("score", "grade", "status", "band"),
    [
        (65.0, "A", "at_risk", "green"),
        (64.999, "A", "at_risk", "amber"),
        (45.0, "C", "at_risk", "amber"),
        (44.999, "B", "at_risk", "red"),
        (10.0, "D", "at_risk", "unknown"),
        (99.0, "D", "onboarding", "unknown"),
        (99.0, "A", "lost_pending", "lost_pending"),
        (10.0, "D", "lost_pending", "lost_pending"),
    ],
)
def test_the_band_of_a_score(score: float, grade: str, status: str, band: str) -> None:
    found = bands(np.array([score]), np.array([grade], dtype=object), pd.Series([status]), SCALE)
    assert found.tolist() == [band]
