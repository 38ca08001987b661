"""How much of a young snapshot is known: against draws of decisions and of their records."""

from __future__ import annotations

import numpy as np
import pytest

from training.maturing import FEWEST_DECISIONS, LEAST_KNOWN, age_when_known, known_share

RANDOM = np.random.default_rng(6)
LAGS = 5.0 * np.exp(1.09 * RANDOM.standard_normal(4000))


@pytest.mark.parametrize("age", [10.0, 28.0, 56.0, 90.0])
def test_the_share_is_that_of_leavers_drawn_one_by_one(age: float) -> None:
    decided = RANDOM.uniform(0, 30, 200_000)
    recorded = decided + RANDOM.choice(LAGS, len(decided))
    assert known_share(LAGS, age, 30) == pytest.approx((recorded <= age).mean(), abs=0.005)


def test_it_grows_with_age_to_the_whole() -> None:
    shares = [known_share(LAGS, age, 30) for age in range(0, 400, 7)]
    assert shares[0] == 0.0
    assert (np.diff(shares) >= 0).all()
    assert shares[-1] == pytest.approx(1.0, abs=1e-3)


def test_without_lag_what_is_known_is_the_time_gone_by() -> None:
    assert known_share(np.zeros(100), 12.0, 30) == pytest.approx(0.4)


def test_of_few_decisions_no_lag_is_told_and_only_final_labels_count() -> None:
    few = LAGS[: FEWEST_DECISIONS - 1]
    assert known_share(few, 80.0, 30) == 0.0
    assert age_when_known(few, 30, 90) == 90


def test_a_snapshot_counts_from_the_first_day_on_which_enough_is_known() -> None:
    age = age_when_known(LAGS, 30, 90)
    assert known_share(LAGS, age - 1, 30) < LEAST_KNOWN <= known_share(LAGS, age, 30)
    # Records that take a quarter of a year are no help: then labels are final first.
    assert age_when_known(np.full(100, 85.0), 30, 90) == 90
