"""Is the timing of each period what a calendar on paper says?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue import FEATURES, TIMING_FEATURES
from training.config import TrainingConfig
from training.periods import (
    FEATURE_OF_INPUT,
    MODEL_INPUTS,
    SNAPSHOT_FEATURES,
    TIMING_INPUTS,
    Timing,
    decision_now,
    decisions_between,
    timing_inputs,
)

MONTH = 365.25 / 12
BOUNDS = TrainingConfig().intervals_days


def timing(days: float | None, term_days: float, evergreen: float = 0.0) -> Timing:
    return Timing(np.array([np.nan if days is None else days]), np.array([evergreen]), np.array([term_days]))


def between(when: Timing, low: float, high: float) -> float:
    return float(decisions_between(when, np.array([float(low)]), np.array([float(high)]))[0])


@pytest.mark.parametrize(
    ("days", "term_days", "counts"),
    [
        (10, 365, [1, 0, 0, 0, 0, 0, 0]),
        (15, 365, [1, 0, 0, 0, 0, 0, 0]),  # the last day of an interval belongs to it
        (16, 365, [0, 1, 0, 0, 0, 0, 0]),
        (0, 365, [1, 0, 0, 0, 0, 0, 0]),  # due today: notice can still come today
        (400, 365, [0, 0, 0, 0, 0, 0, 0]),
        (10, 30, [1, 0, 1, 1, 1, 1, 1]),  # 10, 40, 70, 100, 130, 160
        (5, 10, [2, 1, 3, 3, 3, 3, 3]),
        (20, np.inf, [0, 1, 0, 0, 0, 0, 0]),
        (None, np.inf, [0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_each_decision_falls_in_one_interval(days: float | None, term_days: float, counts: list[int]) -> None:
    assert [between(timing(days, term_days), low, high) for low, high in BOUNDS] == counts


@given(days=st.integers(0, 400), term=st.integers(1, 800))
def test_decisions_are_counted_as_by_walking_the_calendar(days: int, term: int) -> None:
    walked = range(days, 181, term)
    for low, high in BOUNDS:
        expected = sum(low < day <= high or (day == 0 and low == 0) for day in walked)
        assert between(timing(days, term), low, high) == expected


def test_timing_columns_stand_in_their_order() -> None:
    columns = timing_inputs(timing(40, 12 * MONTH), np.array([30.0]), np.array([60.0]))
    assert dict(zip(TIMING_INPUTS, columns[0], strict=True)) == {
        "interval_start_days": 30,
        "interval_length_days": 30,
        "days_to_decision_at_start": 10,
        "decisions_in_interval": 1,
        "is_evergreen": 0,
    }


def test_an_evergreen_contract_has_no_date() -> None:
    columns = timing_inputs(timing(None, np.inf, evergreen=1.0), np.array([0.0]), np.array([15.0]))
    assert np.isnan(columns[0, 2])
    assert columns[0, 3:].tolist() == [0, 1]


def test_the_health_row_is_a_dated_decision_in_the_first_interval() -> None:
    now = decision_now(3, TrainingConfig())
    assert now.tolist() == [[0.0, 15.0, 7.0, 1.0, 0.0]] * 3


def test_rows_are_taken_with_their_own_timing() -> None:
    three = Timing(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0]), np.array([30.0, 60.0, 90.0]))
    taken = three.take(np.array([2, 0]))
    assert (taken.days_to_decision.tolist(), taken.evergreen.tolist(), taken.term_days.tolist()) == (
        [3, 1],
        [0, 0],
        [90, 30],
    )


def test_every_input_speaks_for_one_feature_of_the_catalogue() -> None:
    declared = {feature.name for feature in FEATURES}
    assert {FEATURE_OF_INPUT[name] for name in MODEL_INPUTS} == set(SNAPSHOT_FEATURES)
    assert set(SNAPSHOT_FEATURES) <= declared
    assert SNAPSHOT_FEATURES[-2:] == TIMING_FEATURES
