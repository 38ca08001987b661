"""Usage for feature cases, written as the days that a case is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any


def text_table(columns: str, rows: Iterable[Sequence[Any]]) -> str:
    """A text table from column names and rows; None is null."""
    cells = [" | ".join("-" if cell is None else str(cell) for cell in row) for row in rows]
    return "\n".join([columns, *cells])


def days_of(first: date, weeks: int, weekdays: Sequence[int] = (0,)) -> list[date]:
    """The given weekdays (0 = Monday) of consecutive weeks, the first of which begins on Monday ``first``."""
    return [first + timedelta(weeks=week, days=day) for week in range(weeks) for day in weekdays]


def used(days: Iterable[date | str], *, users: Iterable[str | None] = ("u1",), **facts: Any) -> list[dict[str, Any]]:
    """Rows of usage_daily: every user on every day, 10 core actions each where ``facts`` say nothing else."""
    row = {"account_id": "a1", "feature_code": "core", "product_sku": "suite", "events": 10, **facts}
    dates = [day if isinstance(day, date) else date.fromisoformat(day) for day in days]
    return [row | {"user_key": user, "usage_date": day} for day in dates for user in users]


def usage_table(*parts: Sequence[Mapping[str, Any]]) -> str:
    """usage_daily from rows of :func:`used`; a day is known at six the next morning where a row says nothing else."""
    rows = [row for part in parts for row in part]
    names = sorted({name for row in rows for name in row} | {"available_at"})
    filled = [{"available_at": f"{row['usage_date'] + timedelta(days=1)}T06:00:00", **row} for row in rows]
    return text_table(" | ".join(names), [[row.get(name) for name in names] for row in filled])
