"""Is a promise called kept only when the number itself keeps it?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, poisson

from .verdicts import Measured, Outcome, at_least, counted_rate, holds, inside, share

BAND = (0.8, 1.25)


def of(value: float | None, low: float | None = None, high: float | None = None) -> Measured:
    return Measured(value=value, low=low, high=high)


@pytest.mark.parametrize(
    ("found", "lucky", "outcome"),
    [
        (of(0.8, 0.4, 1.6), True, Outcome.PASS),
        (of(1.25, 1.2, 1.3), False, Outcome.PASS),
        # A miss that luck may explain is told apart from a miss, but never called a pass.
        (of(1.3, 1.1, 1.6), True, Outcome.UNDERPOWERED),
        (of(1.3, 1.26, 1.6), True, Outcome.FAIL),
        (of(0.7, 0.5, 0.79), True, Outcome.FAIL),
        (of(0.7, 0.5, 0.81), True, Outcome.UNDERPOWERED),
        # Graded with true chances there is no luck to blame.
        (of(1.3, 1.1, 1.6), False, Outcome.FAIL),
        (of(1.3), True, Outcome.FAIL),
        (of(None), True, Outcome.UNDERPOWERED),
    ],
)
def test_a_band_is_never_widened_by_an_interval(found: Measured, lucky: bool, outcome: Outcome) -> None:
    assert inside(*BAND, found, lucky=lucky) is outcome


@pytest.mark.parametrize(
    ("value", "outcome"), [(0.75, Outcome.PASS), (0.7499, Outcome.FAIL), (None, Outcome.UNDERPOWERED)]
)
def test_a_least_value_is_decided_by_the_number_whatever_its_interval(value: float | None, outcome: Outcome) -> None:
    assert at_least(0.75, of(value, 0.1, 0.9)) is outcome


def test_what_is_seen_and_not_counted_is_kept_or_broken() -> None:
    assert (holds(True), holds(False)) == (Outcome.PASS, Outcome.FAIL)


@pytest.mark.parametrize(("count", "total"), [(0, 12), (5, 12), (12, 12)])
def test_a_share_has_the_exact_interval(count: int, total: int) -> None:
    found, oracle = share(count, total), binomtest(count, total).proportion_ci(0.95, "exact")
    assert (found.value, found.low, found.high) == pytest.approx((count / total, oracle.low, oracle.high))


def test_nothing_of_nothing_is_not_measured() -> None:
    assert share(0, 0) == of(None)
    assert share(0, 0).told() == "not measured"


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_rate_of_rare_events_has_the_exact_interval(count: int) -> None:
    # At either end of the interval a count as far out has a chance of 2.5 %.
    found = counted_rate(count, 1.5)
    assert found.value == count / 1.5
    assert poisson.cdf(count, (found.high or 0) * 1.5) == pytest.approx(0.025)
    assert found.low == 0 if count == 0 else poisson.sf(count - 1, (found.low or 0) * 1.5) == pytest.approx(0.025)


def test_a_number_is_told_with_its_interval_where_it_has_one() -> None:
    assert of(0.734, 0.681, 0.764).told() == "0.73 (0.68 to 0.76)"
    assert of(0.7341).told(3) == "0.734"


def test_no_line_can_hold_a_number_that_is_none() -> None:
    with pytest.raises(ValueError, match="finite"):
        of(float(np.nan))
