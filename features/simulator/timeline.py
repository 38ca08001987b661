"""How do weeks, days and moments of the simulated time map to each other?

Days are counted since 1970-01-01 (floats carry the time of day), weeks since the first Monday, moments are UTC
microseconds. The latent world runs some weeks past the end, because risks look ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from features.errors import UsageError

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Codes = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]

EPOCH = date(1970, 1, 1)
LOOK_AHEAD_WEEKS = 27
"""180 days and the rest of the week they end in."""
FIRST_YEAR, LAST_YEAR = 2020, 2027
"""Years for which the campaign calendar has facts."""
NEVER = 1_000_000
"""A day later than every other."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The simulated time: ``weeks`` whole weeks from Monday ``start``."""

    start: date
    weeks: int

    @property
    def first_day(self) -> int:
        """Day number of the first Monday."""
        return day_number(self.start)

    @property
    def end_day(self) -> int:
        """Day number of the Monday after the last week: the moment of the export."""
        return self.first_day + 7 * self.weeks

    @property
    def span(self) -> int:
        """Weeks of the latent world: the simulated ones and those that a risk looks ahead."""
        return self.weeks + LOOK_AHEAD_WEEKS

    def monday(self, week: Ints | int) -> Ints:
        """Day number of a week's Monday."""
        return np.asarray(self.first_day + 7 * np.asarray(week), dtype=np.int64)

    def week_of(self, day: Ints | Floats) -> Ints:
        """Week that holds the day, held inside the latent world."""
        week = np.floor((np.asarray(day, dtype=np.float64) - self.first_day) / 7).astype(np.int64)
        return np.clip(week, 0, self.span - 1)

    def first_week_from(self, day: Ints | Floats) -> Ints:
        """First week whose Monday is not before the day; may be negative or past the end."""
        return np.ceil((np.asarray(day, dtype=np.float64) - self.first_day) / 7).astype(np.int64)


def timeline(start: date, weeks: int) -> Timeline:
    """A checked timeline.

    Raises:
        UsageError: the start is no Monday, there are no weeks, or the calendar has no facts for the range.
    """
    if start.weekday() != 0:
        raise UsageError(
            "a simulation starts on a Monday",
            expected="a Monday",
            found=f"{start.isoformat()}, a {start:%A}",
            todo=f"use {(start - timedelta(days=start.weekday())).isoformat()}",
        )
    if weeks < 1:
        raise UsageError(
            "a simulation needs time", expected="at least 1 week", found=str(weeks), todo="ask for more weeks"
        )
    end = start + timedelta(weeks=weeks)
    if start.year < FIRST_YEAR or end.year > LAST_YEAR:
        raise UsageError(
            "the campaign calendar has no facts for this range",
            expected=f"years {FIRST_YEAR} to {LAST_YEAR}",
            found=f"{start.isoformat()} to {end.isoformat()}",
            todo="choose another start or fewer weeks",
        )
    return Timeline(start, weeks)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def moments(day: Floats | Ints) -> Ints:
    """UTC microseconds of a day number, to the second."""
    return np.rint(np.asarray(day, dtype=np.float64) * 86_400).astype(np.int64) * 1_000_000


def sigmoid(logit: Floats) -> Floats:
    """1 / (1 + exp(-x))."""
    return np.asarray(1.0 / (1.0 + np.exp(-logit)), dtype=np.float64)
