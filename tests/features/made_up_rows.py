"""Made-up rows for a few accounts, as untidy as sources are, and what is known of them at a moment in plain Python.

Events come late, are corrected and are taken back; states become known out of order. Everything follows from a seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

Row = dict[str, Any]

FIRST = datetime(2023, 1, 2, tzinfo=UTC)
ACCOUNTS = ("a1", "a2", "a3")
WEEKS = 60
_DELAYS = (timedelta(0), timedelta(minutes=30), timedelta(hours=20), timedelta(days=3), timedelta(days=17))
_CORRECTED, _DELETED = 0.1, 0.07

COMPANY: dict[str, list[Row]] = {
    "accounts_history": [
        {"account_id": name, "valid_from": FIRST, "segment": segment, "hq_tz": "UTC"}
        for name, segment in zip(ACCOUNTS, ("studio", "studio", "agency"), strict=True)
    ],
    "contracts_history": [
        {
            "contract_id": f"c-{name}",
            "valid_from": FIRST,
            "account_id": name,
            "start_on": FIRST.date(),
            "end_on": date(2026, 12, 31),
            "term_months": 48,
            "currency": "USD",
            "acv_minor": 1_000_000,
        }
        for name in ACCOUNTS
    ],
    "subscription_lines_history": [
        {
            "line_id": f"l-{name}",
            "valid_from": FIRST,
            "contract_id": f"c-{name}",
            "product_sku": "suite",
            "quantity": 20,
        }
        for name in ACCOUNTS
    ],
}


def moment(random: Random, *, after: datetime = FIRST, within: timedelta = timedelta(weeks=WEEKS)) -> datetime:
    """A minute in the time after ``after``; now and then exactly a Monday's midnight."""
    at = after + timedelta(minutes=random.randrange(1, int(within.total_seconds() // 60)))
    if random.random() < 0.05:
        at = at.replace(hour=0, minute=0) - timedelta(days=at.weekday())
    return max(at, after + timedelta(minutes=1))


def event(random: Random, at: datetime, change: Mapping[str, Sequence[Any]], **cells: Any) -> list[Row]:
    """One event as its source sends it: perhaps corrected later in the columns of ``change``, perhaps taken back."""
    row: Row = {"event_at": at, "available_at": at + random.choice(_DELAYS), "op": "upsert", **cells}
    rows = [row]
    if random.random() < _CORRECTED:
        fixed = {name: random.choice(values) for name, values in change.items()}
        rows.append({**row, **fixed, "available_at": row["available_at"] + moment_after(random)})
    if random.random() < _DELETED:
        rows.append({**rows[-1], "available_at": rows[-1]["available_at"] + moment_after(random), "op": "delete"})
    return rows


def state(random: Random, at: datetime, **cells: Any) -> Row:
    """One state of a record, known after a delay of its own, so that states overtake each other."""
    return {"valid_from": at, "available_at": at + random.choice(_DELAYS), "op": "upsert", **cells}


def moment_after(random: Random) -> timedelta:
    """How long after a row the next version of it is sent."""
    return timedelta(minutes=random.randrange(1, 60 * 24 * 40))


def known_events(rows: Iterable[Row], key: str, as_of: datetime) -> list[Row]:
    """The last version of each event that was known at ``as_of``, without those taken back."""
    found = [row for row in rows if row["available_at"] <= as_of and row["event_at"] < as_of]
    return _last(found, key, "available_at")


def known_states(rows: Iterable[Row], key: str, as_of: datetime) -> list[Row]:
    """The state of each record at ``as_of``: the latest that held among those known."""
    found = [row for row in rows if row["available_at"] <= as_of and row["valid_from"] <= as_of]
    return _last(found, key, "valid_from")


def _last(rows: list[Row], key: str, by: str) -> list[Row]:
    last: dict[Any, Row] = {}
    for row in sorted(rows, key=lambda row: (row[by], row["available_at"])):
        last[row[key]] = row
    return [row for row in last.values() if row["op"] == "upsert"]


def text_table(rows: Sequence[Row]) -> str:
    """Rows as a text table."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [" | ".join(_cell(row.get(name)) for name in names) for row in rows]
    return "\n".join([" | ".join(names), *lines])


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M")
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def share(part: float, whole: float) -> float | None:
    """A quotient, None where there is nothing to divide by."""
    return part / whole if whole else None


def shrunk(part: float, whole: float, prior: float | None, weight: float) -> float | None:
    """A share drawn to a prior as if ``weight`` more had been seen."""
    return None if prior is None else (part + weight * prior) / (whole + weight)


def median(values: Sequence[float]) -> float | None:
    """The middle one, or the mean of the middle two."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if not ordered:
        return None
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
