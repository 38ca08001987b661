"""The risk-adjusted CUSUM: quiet while risks come true, loud soon after they stop doing so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from training.cusum import RISE, cusum, limit_for

MONTHS = 26
STATED = np.full(MONTHS, 15.0)
LIMIT = limit_for([STATED, *[STATED / 5] * 5], false_alarms=0.2, seed=1)


def drawn(ratio: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).poisson(STATED * ratio).astype(float)


def test_the_scores_are_log_likelihood_ratios_of_a_poisson_count() -> None:
    observed, stated = np.array([9.0]), np.array([4.0])
    found = cusum(observed, stated, 100.0)
    above = poisson.logpmf(9, 4 * RISE) - poisson.logpmf(9, 4)
    below = poisson.logpmf(9, 4 / RISE) - poisson.logpmf(9, 4)
    assert found.above[0] == pytest.approx(max(above, 0))
    assert found.below[0] == max(below, 0) == 0


def test_a_path_never_falls_below_zero_and_adds_up_from_there() -> None:
    found = cusum(np.array([0.0, 0.0, 12.0, 12.0]), np.full(4, 4.0), 100.0)
    assert (found.above[:2] == 0).all()
    assert found.above[3] == pytest.approx(2 * found.above[2])


def test_a_model_whose_risks_are_true_seldom_alarms_in_two_years() -> None:
    # The limit shares a fifth among six charts; one chart alone stays well below it.
    alarms = [cusum(drawn(np.ones(MONTHS), seed), STATED, LIMIT).crossed is not None for seed in range(300)]
    assert np.mean(alarms) < 0.12


@pytest.mark.parametrize(("ratio", "direction"), [(1.6, "above"), (0.55, "below")])
def test_a_change_is_found_within_four_months_and_its_beginning_guessed(ratio: float, direction: str) -> None:
    changed = np.where(np.arange(MONTHS) < 10, 1.0, ratio)
    delays, onsets = [], []
    for seed in range(100):
        found = cusum(drawn(changed, seed), STATED, LIMIT)
        place = found.crossed_above if direction == "above" else found.crossed_below
        delays.append(np.inf if place is None else place - 10)
        onsets.append(np.nan if found.onset is None else found.onset - 10)
    assert np.median(delays) <= 4
    assert abs(np.nanmedian(onsets)) <= 1


def test_a_model_that_is_off_by_a_tenth_is_no_case() -> None:
    alarms = [cusum(drawn(np.full(MONTHS, 1.1), seed), STATED, LIMIT).crossed is not None for seed in range(200)]
    assert np.mean(alarms) < 0.3


def test_the_limit_holds_what_it_promises_for_all_charts_together() -> None:
    series = [np.full(MONTHS, level) for level in (15.0, 3.0, 3.0, 1.0)]
    limit = limit_for(series, false_alarms=0.2, seed=3)
    random = np.random.default_rng(8)
    any_alarm = [
        any(cusum(random.poisson(one).astype(float), one, limit).crossed is not None for one in series)
        for _ in range(400)
    ]
    assert np.mean(any_alarm) == pytest.approx(0.2, abs=0.06)


def test_without_an_alarm_there_is_no_beginning() -> None:
    found = cusum(STATED, STATED, LIMIT)
    assert (found.crossed, found.onset, found.crossed_above, found.crossed_below) == (None, None, None, None)
