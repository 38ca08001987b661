"""Which users are no people of the customer: scripts, the vendor's own staff, testers?

Grain in: seats and daily usage. Grain out: per account and user, the stretches of time in which its rows count. Two
things tell: the kind of identity that the licence system gives the seat, and days that nobody can work. A user counts
until that is known, so what is learnt later changes no snapshot of before.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from enum import StrEnum

from features.aliases import Belonging
from features.query_engine import QueryEngine


class UserKind(StrEnum):
    """Why a user is left out."""

    BOT = "bot"
    INTERNAL = "internal"
    TEST = "test"


IDENTITY_WORDS = {
    **dict.fromkeys(("bot", "service", "service account", "machine", "technical", "api", "automation"), UserKind.BOT),
    **dict.fromkeys(("internal", "vendor", "employee of vendor"), UserKind.INTERNAL),
    **dict.fromkeys(("test", "tester", "demo"), UserKind.TEST),
}
"""What ``identity_type`` of a seat says of its user, in lower case, with blanks for hyphens and underscores."""

SLEEPLESS_MINUTES = 20 * 60
"""Active minutes in one row of one day that no person works: telemetry counts activity, not open windows."""

SLEEPLESS_DAYS = 10
"""So many such days make a machine: one or two are a clock that jumped, or a deadline."""

MACHINES_ACT_IN = {
    "seat_assignments_history": "user_key",
    "usage_daily": "user_key",
    "usage_events": "user_key",
    "review_events": "actor_key",
}
"""The tables from which such users are left out, and the column that names them."""

_SEATS = """
SELECT account_id, user_key, identity_type, valid_from, available_at, op, row_hash FROM {seats} AS s
WHERE EXISTS (
    SELECT 1 FROM {seats} AS t
    WHERE t.account_id = s.account_id AND t.user_key = s.user_key
    AND REPLACE(REPLACE(LOWER(t.identity_type), '-', ' '), '_', ' ') IN ({words})
)
"""

_SLEEPLESS = """
SELECT account_id, user_key, known_at FROM (
    SELECT account_id, user_key, known_at,
        ROW_NUMBER() OVER (PARTITION BY account_id, user_key ORDER BY known_at, usage_date) AS day_no
    FROM (
        SELECT account_id, user_key, usage_date, MIN(available_at) AS known_at FROM {usage}
        WHERE active_minutes >= {minutes} AND op = 'upsert' AND user_key IS NOT NULL
        GROUP BY account_id, user_key, usage_date
    ) AS days
) AS numbered
WHERE day_no = {days}
"""

User = tuple[str, str]
"""Account and user."""


def machines(engine: QueryEngine, *, seats: str, usage: str) -> dict[User, dict[datetime, UserKind | None]]:
    """Per account and user that was ever left out: from when, and why; None from when it counts again.

    ``seats`` and ``usage`` are the relations to read: rows under the accounts that they count to.
    """
    found = _by_seat(engine, seats)
    query = _SLEEPLESS.format(usage=f'"{usage}"', minutes=SLEEPLESS_MINUTES, days=SLEEPLESS_DAYS)
    for row in engine.fetch(query).to_pylist():
        changes = found.setdefault((row["account_id"], row["user_key"]), {})
        # What nobody can work is no person's work, whatever its seat is called later.
        kept = {at: kind for at, kind in changes.items() if at < row["known_at"]}
        found[row["account_id"], row["user_key"]] = {**kept, row["known_at"]: UserKind.BOT}
    return found


def belongings_of(user: User, changes: dict[datetime, UserKind | None]) -> tuple[Belonging, ...]:
    """The stretches in which the rows of a user count to it, or to nobody."""
    ordered = sorted(changes.items())
    starts = [(None, user[1]), *((at, user[1] if kind is None else None) for at, kind in ordered)]
    ends = [*(at for at, _ in ordered), None]
    return tuple(Belonging(name, at, until) for (at, name), until in zip(starts, ends, strict=True))


def _by_seat(engine: QueryEngine, seats: str) -> dict[User, dict[datetime, UserKind | None]]:
    words = ", ".join(f"'{word}'" for word in IDENTITY_WORDS)
    states: defaultdict[User, list[dict[str, object]]] = defaultdict(list)
    for row in engine.fetch(_SEATS.format(seats=f'"{seats}"', words=words)).to_pylist():
        states[row["account_id"], row["user_key"]].append(row)
    return {user: _changes(rows) for user, rows in states.items()}


def _changes(states: list[dict[str, object]]) -> dict[datetime, UserKind | None]:
    changes: dict[datetime, UserKind | None] = {}
    said: UserKind | None = None
    for at in sorted({_seen_at(row) for row in states}):
        held = max((row for row in states if _seen_at(row) <= at), key=_weight)
        kind = _kind(held)
        if kind != said:
            changes[at] = said = kind
    return changes


def _seen_at(row: dict[str, object]) -> datetime:
    moments = (row["valid_from"], row["available_at"])
    return max(moment for moment in moments if isinstance(moment, datetime))


def _weight(row: dict[str, object]) -> tuple[object, object, int]:
    number = row["row_hash"]
    return row["valid_from"], row["available_at"], -number if isinstance(number, int) else 0


def _kind(row: dict[str, object]) -> UserKind | None:
    word = str(row["identity_type"] or "").lower().replace("-", " ").replace("_", " ")
    return IDENTITY_WORDS.get(word) if row["op"] == "upsert" else None
