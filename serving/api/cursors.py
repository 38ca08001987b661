"""How does a reader of a long list say where he stands?

A cursor is opaque to clients: the ``as_of`` of the list, the newest entry when reading began, and the last row that was
seen. It says nothing of filters: a reader who changes them goes on from the same place.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any

from features.errors import UsageError
from features.vocabulary import parse_moment
from serving.entries import Place, PriorityReading

MOST_CHARACTERS = 2000
"""An id of 200 characters, all of them escaped, and the rest of a cursor fit."""

_MOST_ENTRIES = 1 << 63


def cursor_of(place: Place) -> str:
    """The cursor for a place."""
    return _packed([place.as_of.isoformat(), place.newest_id, place.value_at_risk, place.account_id])


def priority_cursor_of(reading: PriorityReading) -> str:
    """The cursor for a place in the leads' order."""
    place, order = reading.place, [reading.policy_id, reading.batch_mark]
    return _packed([place.as_of.isoformat(), place.newest_id, *order, reading.policy_index, reading.account_id])


def place_of(cursor: str) -> Place:
    """The place a cursor stands for.

    Raises:
        UsageError: it is none of ours.
    """
    try:
        as_of, newest_id, value, account_id = _unpacked(cursor)
        return Place(parse_moment(str(as_of)), _whole(newest_id), _finite(value), _text(account_id))
    except _UNREADABLE as cause:
        raise _refused() from cause


def priority_reading_of(cursor: str) -> PriorityReading:
    """The place in the leads' order that a cursor stands for.

    Raises:
        UsageError: it is none of ours, or one of another order.
    """
    try:
        as_of, newest_id, policy_id, mark, index, account_id = _unpacked(cursor)
        place = Place(parse_moment(str(as_of)), _whole(newest_id))
        return PriorityReading(place, _whole(policy_id), _whole(mark), _finite(index), _text(account_id))
    except _UNREADABLE as cause:
        raise _refused() from cause


_UNREADABLE = (binascii.Error, ValueError, TypeError, RecursionError, UsageError)


def _packed(document: list[Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(cursor: str) -> Any:
    return json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))


def _refused() -> UsageError:
    return UsageError(
        "this cursor cannot be used",
        expected="the next_cursor of the page before, of the same order",
        found="another text",
        todo="begin again without a cursor",
    )


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST_ENTRIES:
        raise ValueError("not an entry")
    return value


def _finite(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a value")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not an id")
    return value
