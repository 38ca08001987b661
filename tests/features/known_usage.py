"""Which usage was known at a moment, read row by row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from math import floor
from typing import Any, NamedTuple

from tests.features.made_up_rows import Row

WEEK = timedelta(weeks=1)


class Use(NamedTuple):
    """What one user did in one family on one day."""

    account: str
    user: str | None
    day: date
    week: datetime
    family: str
    events: int
    sessions: int
    seconds: int


def uses_known_at(tables: Mapping[str, list[Row]], monday: datetime) -> list[Use]:
    """Every use of the weeks over by a Monday that was known then: the last version of each row, day totals first."""
    totals = _last(tables["usage_daily"], ("account_id", "user_key", "feature_code", "usage_date"), monday)
    covered = {
        (row["account_id"], row["product_sku"], row["usage_date"])
        for row in tables["usage_daily"]
        if row["op"] == "upsert" and row["available_at"] <= monday
    }
    uses = [_use(row, row["event_at"], row["feature_code"]) for row in totals]
    sessions: set[Any] = set()
    uses += [
        _use({**row, **_one(row, sessions)}, row["event_at"], row["feature_family"])
        for row in _last(tables["usage_events"], ("event_id",), monday)
        if (row["account_id"], row["product_sku"], row["event_at"].date()) not in covered
    ]
    return [use for use in uses if use.events > 0 and use.week + WEEK <= monday]


def _last(rows: list[Row], key: tuple[str, ...], as_of: datetime) -> list[Row]:
    last: dict[Any, Row] = {}
    for _, row in sorted(enumerate(rows), key=lambda pair: (pair[1]["available_at"], -pair[0])):
        if row["available_at"] <= as_of:
            last[tuple(row[name] for name in key)] = row
    return [row for row in last.values() if row["op"] == "upsert"]


def _one(row: Row, sessions: set[Any]) -> Row:
    # A session counts once per account, user, family and day.
    session = (row["session_id"], row["account_id"], row["user_key"], row["feature_family"], row["event_at"].date())
    is_new = row["session_id"] is not None and session not in sessions
    sessions.add(session)
    return {"events": 1, "sessions": int(is_new), "active_minutes": floor((row["duration_s"] or 0) + 0.5) / 60}


def _use(row: Row, at: datetime, family: str) -> Use:
    midnight = at.replace(hour=0, minute=0)
    return Use(
        row["account_id"],
        row["user_key"],
        at.date(),
        midnight - timedelta(days=at.weekday()),
        family,
        row["events"],
        row["sessions"] or 0,
        floor((row["active_minutes"] or 0) * 60 + 0.5),
    )
