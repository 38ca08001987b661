"""Which words and which rule of time does every room share?

Nothing here touches a disk or a clock. A moment is always a timezone-aware UTC ``datetime``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from features.errors import UsageError

WEEK = timedelta(days=7)
HORIZONS_DAYS = (30, 60, 90, 180)
"""Days ahead for which a risk is stated. 90 is the headline."""


class Subcategory(StrEnum):
    """The six parts of the health score, and the context that is shown beside them."""

    ENGAGEMENT = "engagement"
    CAMPAIGN = "campaign"
    OUTPUT_QUALITY = "output_quality"
    FINANCIAL = "financial"
    SENTIMENT = "sentiment"
    MARKET = "market"
    CONTEXT = "context"


class Phase(StrEnum):
    """Where an account stands in its campaigns; the order is the rule for overlaps (strongest first)."""

    ACTIVE = "active"
    POST = "post"
    PRE = "pre"
    OFF = "off"
    NONE = "none"


class Band(StrEnum):
    """What a customer-success manager sees first. ``lost_pending`` = notice given; ``unknown`` = too little data."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    UNKNOWN = "unknown"
    LOST_PENDING = "lost_pending"


class CohortStatus(StrEnum):
    """What an account is at an ``as_of``: able to leave, already leaving, or too new to be judged."""

    AT_RISK = "at_risk"
    LOST_PENDING = "lost_pending"
    ONBOARDING = "onboarding"


def parse_moment(text: str) -> datetime:
    """Read ``YYYY-MM-DD`` (midnight UTC) or an ISO moment with a zone, as UTC.

    Raises:
        UsageError: the text is no date, or a moment without a zone.
    """
    try:
        if len(text) == len("2024-01-01"):
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), tzinfo=UTC)
        moment = datetime.fromisoformat(text)
    except ValueError as cause:
        raise UsageError(
            "this is not a date",
            expected="a date such as 2024-04-15, or a moment with a zone such as 2024-04-15T00:00:00Z",
            found=repr(text),
            todo="write the date as YYYY-MM-DD",
        ) from cause
    return require_utc(moment)


def require_utc(moment: datetime) -> datetime:
    """Return the moment in UTC; a moment without a zone is refused, never guessed."""
    if moment.tzinfo is None:
        raise UsageError(
            "a moment without a zone cannot be placed in time",
            expected="a timezone-aware moment",
            found=moment.isoformat(),
            todo="add the zone, for example +00:00 for UTC",
        )
    return moment.astimezone(ZoneInfo("UTC"))


def is_snapshot(moment: datetime) -> bool:
    """True for a Monday 00:00 UTC, the moments at which feature snapshots are taken."""
    utc = require_utc(moment)
    return utc.weekday() == 0 and (utc.hour, utc.minute, utc.second, utc.microsecond) == (0, 0, 0, 0)


def snapshot_at_or_before(moment: datetime) -> datetime:
    """The latest Monday 00:00 UTC that is not after the moment."""
    utc = require_utc(moment)
    midnight = utc.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=midnight.weekday())


def snapshots_between(first: datetime, last: datetime) -> Iterator[datetime]:
    """Every Monday 00:00 UTC in ``[first, last]``, both ends included."""
    if require_utc(last) < require_utc(first):
        raise UsageError(
            "the range of dates runs backwards",
            expected="a first date at or before the last date",
            found=f"{first.date()} to {last.date()}",
            todo="swap the two dates",
        )
    monday = snapshot_at_or_before(first)
    if monday < require_utc(first):
        monday += WEEK
    while monday <= require_utc(last):
        yield monday
        monday += WEEK
