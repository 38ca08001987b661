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
from serving.ledger import Place

MOST_CHARACTERS = 2000
"""An id of 200 characters, all of them escaped, and the rest of a cursor fit."""

_MOST_ENTRIES = 1 << 63


def cursor_of(place: Place) -> str:
    """The cursor for a place."""
    document = [place.as_of.isoformat(), place.newest_id, place.value_at_risk, place.account_id]
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """The place a cursor stands for.

    Raises:
        UsageError: it is none of ours.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        as_of, newest_id, value, account_id = json.loads(text)
        return Place(parse_moment(str(as_of)), _whole(newest_id), _finite(value), _text(account_id))
    except (binascii.Error, ValueError, TypeError, RecursionError, UsageError) as cause:
        raise UsageError(
            "this cursor cannot be used",
            expected="the next_cursor of the page before",
            found="another text",
            todo="begin again without a cursor",
        ) from cause


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
