from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import UsageError
from serving.api.cursors import MOST_CHARACTERS, cursor_of, place_of, priority_cursor_of, priority_reading_of
from serving.entries import PriorityReading
from serving.ledger import Place
from tests.serving.service_case import newest


@given(
    st.text(min_size=1, max_size=200),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_place_comes_back_from_its_cursor(account_id: str, value: float) -> None:
    place = Place(newest(), 1 << 40, value, account_id)
    assert place_of(cursor_of(place)) == place


@given(st.text(min_size=1, max_size=200), st.floats(0, 101), st.integers(1, (1 << 63) - 1))
def test_a_place_in_the_leads_order_comes_back_from_its_cursor(account_id: str, index: float, number: int) -> None:
    reading = PriorityReading(Place(newest(), 1 << 40), number, 7, index, account_id)
    assert priority_reading_of(priority_cursor_of(reading)) == reading
    assert len(priority_cursor_of(reading)) <= MOST_CHARACTERS
    with pytest.raises(UsageError, match="this cursor cannot be used"):
        place_of(priority_cursor_of(reading))


def test_the_longest_cursor_fits() -> None:
    for letter in ("\U0001f600", "\x01", '"'):
        longest = Place(newest(), (1 << 63) - 1, -1.7976931348623157e308, letter * 200)
        assert len(cursor_of(longest)) <= MOST_CHARACTERS


def encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "xx",
        "not base64!",
        "é",
        encoded({}),
        encoded([1, 2]),
        encoded(["yesterday", 1, 1.0, "a"]),
        encoded(["2024-04-15", 1, 1.0, "a"])[:-3],
        encoded(["2024-04-15", 1 << 63, 1.0, "a"]),
        encoded(["2024-04-15", -1, 1.0, "a"]),
        encoded(["2024-04-15", True, 1.0, "a"]),
        encoded(["2024-04-15", 1, None, "a"]),
        encoded(["2024-04-15", 1, float("nan"), "a"]),
        encoded(["2024-04-15", 1, 1.0, 5]),
        encoded(["2024-04-15", 1, 1.0, "a", "b"]),
        base64.urlsafe_b64encode(b"[" * 900).decode().rstrip("="),
    ],
)
def test_what_is_no_cursor_of_ours_is_refused(cursor: str) -> None:
    for read in (place_of, priority_reading_of):
        with pytest.raises(UsageError, match="this cursor cannot be used"):
            read(cursor)


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader_of_cursors(text: str) -> None:
    with pytest.raises(UsageError):
        place_of(text)
