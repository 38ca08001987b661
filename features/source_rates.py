"""How many rows should a source have delivered in the last full weeks, judged by its own history?

Grain in: rows per closed week of one source and table, and the campaign phases of the company in each week. Grain out:
one :class:`Rate`. Each judged week is compared with earlier weeks of the same source in which the company's accounts
stood in the same mix of campaign phases. While no campaign is known: with the same weeks a year before, or else with
the half year before. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from statistics import median

from features.source_arrivals import LOOK_BACK_WEEKS, Company, Delivery
from features.vocabulary import WEEK

JUDGED_WEEKS = 4

LIKE_MIX = 0.25
"""Two weeks are alike when at most so large a share of account-days lies in other phases: a quarter of the accounts at
three times their quiet work makes the company's rows half as many again, far inside of the bounds below."""

NEAREST_WEEKS = 13
"""Of the weeks alike the nearest count, the later ones where equally near: a quarter of a year at most, so that a
company that grows is compared with what it lately was."""

FEWEST_WEEKS = 3
"""An expectation rests on so many weeks at least: the middle one of three survives one outage."""

FEWEST_ROWS = 20
"""Fewer expected rows are not judged: from 20 on, chance alone leaves the bounds less than once in 10,000."""

THIN, FLOODING = 0.3, 3.0
"""Bounds as shares of the expectation (domain reference 2.5, rule 10)."""

_LOW, _HIGH = 0.1, 0.9
"""And what is out of bounds must also lie outside of all but a tenth of the comparable weeks, so that a source that
always comes in bursts is not blamed for one."""

SAME_PHASES = "weeks with about the same mix of campaign phases"
YEAR_BEFORE = "the same weeks a year before"
TRAILING = "the 26 weeks before"


@dataclass(frozen=True, slots=True)
class Rate:
    """Rows of the last :data:`JUDGED_WEEKS` full weeks beside what was to be expected.

    ``expected`` is the sum of medians, ``low`` and ``high`` the bounds outside of which the rate is judged; all three
    are None where history has too few comparable weeks. ``compared_with`` says which weeks were looked for.
    """

    rows: int
    expected: float | None
    low: float | None
    high: float | None
    compared_with: str

    @property
    def is_judged(self) -> bool:
        """Is there an expectation, of enough rows to be missed?"""
        return self.expected is not None and self.expected >= FEWEST_ROWS

    @property
    def is_thin(self) -> bool:
        """Are there far fewer rows than expected?"""
        return self.is_judged and self.low is not None and self.rows < self.low

    @property
    def is_flooding(self) -> bool:
        """Are there far more rows than expected?"""
        return self.is_judged and self.high is not None and self.rows > self.high


def rate_of(delivery: Delivery, company: Company) -> Rate:
    """The rate of one source and table. Its first week is compared with nothing: it may hold years of history."""
    judged = [company.closed_at - back * WEEK for back in range(JUDGED_WEEKS, 0, -1)]
    rows = sum(delivery.rows.get(week, 0) for week in judged)
    past = _past(delivery.rows, judged[0])
    if company.mixes:
        basis, alike = SAME_PHASES, [_same_phases(week, past, company.mixes) for week in judged]
    else:
        basis, alike = YEAR_BEFORE, [_year_before(week, past) for week in judged]
        if min(map(len, alike)) < FEWEST_WEEKS:
            basis, alike = TRAILING, [past[-26:]] * JUDGED_WEEKS
    if min(map(len, alike)) < FEWEST_WEEKS:
        return Rate(rows, None, None, None, basis)
    counts = [[delivery.rows.get(week, 0) for week in weeks] for weeks in alike]
    expected = float(sum(median(each) for each in counts))
    low = min(THIN * expected, sum(quantile(each, _LOW) for each in counts))
    high = max(FLOODING * expected, sum(quantile(each, _HIGH) for each in counts))
    return Rate(rows, expected, low, high, basis)


def quantile(values: Sequence[int], share: float) -> int:
    """The smallest of the values that at least this share of them does not exceed (nearest rank); at least one."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def _past(rows: Mapping[datetime, int], until: datetime) -> list[datetime]:
    if not rows:
        return []
    first = max(min(rows) + WEEK, until - (LOOK_BACK_WEEKS - JUDGED_WEEKS) * WEEK)
    return [first + number * WEEK for number in range(max(0, (until - first) // WEEK))]


def _same_phases(
    week: datetime, past: Sequence[datetime], mixes: Mapping[datetime, tuple[float, ...]]
) -> list[datetime]:
    if week not in mixes:
        return []
    distances = {each: _distance(mixes[each], mixes[week]) for each in reversed(past) if each in mixes}
    alike = [each for each, distance in distances.items() if distance <= LIKE_MIX]
    return sorted(alike, key=lambda each: distances[each])[:NEAREST_WEEKS]


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 2


def _year_before(week: datetime, past: Sequence[datetime]) -> list[datetime]:
    return [each for each in (week - back * WEEK for back in (53, 52, 51)) if each in past]
