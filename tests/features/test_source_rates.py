"""Which weeks is a source's rate compared with, and what follows from them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from features.source_arrivals import Company, Delivery
from features.source_rates import LIKE_MIX, NEAREST_WEEKS, SAME_PHASES, TRAILING, YEAR_BEFORE, Rate, quantile, rate_of

Value = TypeVar("Value")

WEEK = timedelta(days=7)
CLOSED = datetime(2024, 6, 3, tzinfo=UTC)
QUIET = (0.0, 0.0, 0.0, 1.0)
BUSY = (0.0, 1.0, 0.0, 0.0)


def rate(counts: Sequence[int], mixes: Sequence[tuple[float, ...]] = ()) -> Rate:
    """The rate of a source with so many rows per week, the last of them ending at CLOSED, in weeks of such mixes."""
    return rate_of(_delivery(_by_week(counts)), Company(CLOSED, CLOSED, 0, _by_week(mixes)))


def _by_week(values: Sequence[Value]) -> dict[datetime, Value]:
    return {CLOSED - (len(values) - place) * WEEK: value for place, value in enumerate(values)}


def _delivery(rows: Mapping[datetime, int]) -> Delivery:
    return Delivery("desk", "tickets_history", CLOSED, CLOSED, (CLOSED.date(),), rows, None, None)


def active(share: float) -> tuple[float, ...]:
    """A week in which so many of the account-days lay in a campaign."""
    return (0.0, share, 0.0, 1 - share)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([5], 0.1, 5), ([3, 1, 2], 0.1, 1), ([3, 1, 2], 0.9, 3), (range(1, 21), 0.95, 19), (range(1, 11), 0.1, 1)],
)
def test_a_quantile_is_the_nearest_rank(values: Sequence[int], share: float, expected: int) -> None:
    # The law of the nearest rank: at least the share lies at or under it, and of no smaller value is that true.
    found = quantile(values, share)
    assert found == expected
    assert sum(value <= found for value in values) >= share * len(values)
    assert all(sum(value <= smaller for value in values) < share * len(values) for smaller in values if smaller < found)


def test_weeks_are_alike_up_to_a_quarter_of_the_account_days_in_other_phases() -> None:
    counts = [0, *[100] * 10, *[25] * 4]
    near = rate(counts, [QUIET] * 11 + [active(LIKE_MIX)] * 4)
    assert (near.expected, near.compared_with, near.is_thin) == (400, SAME_PHASES, True)
    far = rate(counts, [QUIET] * 11 + [active(LIKE_MIX + 0.01)] * 4)
    assert (far.expected, far.low, far.high, far.is_thin, far.is_flooding) == (None, None, None, False, False)


def test_each_judged_week_is_compared_with_weeks_like_itself() -> None:
    counts = [0, *[10] * 5, *[90] * 5, 10, 10, 90, 90]
    found = rate(counts, [QUIET] * 6 + [BUSY] * 5 + [QUIET] * 2 + [BUSY] * 2)
    assert (found.rows, found.expected, found.is_thin, found.is_flooding) == (200, 200, False, False)


def test_pre_post_and_active_weeks_are_not_alike() -> None:
    phases = [(1.0, 0.0, 0.0, 0.0), BUSY, (0.0, 0.0, 1.0, 0.0), QUIET]
    counts = [0, *[20] * 3, *[90] * 3, *[15] * 3, *[10] * 3, 20, 90, 15, 10]
    found = rate(counts, [QUIET, *(phase for phase in phases for _ in range(3)), *phases])
    assert (found.rows, found.expected) == (135, 135)


def test_of_weeks_equally_alike_the_later_ones_count() -> None:
    # A company that grew: the old quiet weeks, at a tenth of the rows, are as alike but longer ago.
    counts = [0, *[10] * 60, *[100] * NEAREST_WEEKS, *[100] * 4]
    found = rate(counts, [QUIET] * len(counts))
    assert (found.expected, found.low, found.high) == (400, 120, 1200)


def test_the_nearest_weeks_count_before_the_later_ones() -> None:
    counts = [0, *[50] * NEAREST_WEEKS, *[100] * NEAREST_WEEKS, *[50] * 4]
    mixes = [QUIET, *[active(0.5)] * NEAREST_WEEKS, *[active(0.3)] * NEAREST_WEEKS, *[active(0.5)] * 4]
    assert rate(counts, mixes).expected == 200


@pytest.mark.parametrize(("weeks", "expected"), [(2, None), (3, 40), (4, 40)])
def test_an_expectation_rests_on_three_weeks_at_least(weeks: int, expected: float | None) -> None:
    counts = [500, *[10] * weeks, *[10] * 4]
    assert rate(counts).expected == expected
    assert rate(counts, [QUIET] * len(counts)).expected == expected


def test_a_week_without_a_row_counts_as_none() -> None:
    rows = {CLOSED - number * WEEK: 40 for number in (1, 2, 3, 4, 5, 6, 7, 20)}
    found = rate_of(_delivery(rows), Company(CLOSED, CLOSED, 0, {}))
    assert (found.rows, found.expected, found.compared_with) == (160, 0, TRAILING)


def test_the_year_before_is_asked_before_the_half_year() -> None:
    assert rate([0] + [10] * 52 + [10] * 4).compared_with == TRAILING
    found = rate([0] + [70] * 6 + [10] * 46 + [30] * 4 + [0])
    assert found.compared_with == YEAR_BEFORE
    assert found.rows == 90


def test_a_source_of_which_no_week_has_closed_has_no_expectation() -> None:
    assert rate([]) == Rate(0, None, None, None, TRAILING)
