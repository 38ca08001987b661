"""Are scripts, testers and the vendor's own people left out, from when it is known what they are, and nobody else?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from features.machines import IDENTITY_WORDS, SLEEPLESS_DAYS, SLEEPLESS_MINUTES, UserKind, belongings_of, machines
from features.warehouse import open_engine
from tests.features.identity_case import LONG_AGO, alias, named, resolved_rows
from tests.features.made_up_rows import FIRST, Row

DAY = timedelta(days=1)


def days(user: str, count: int, minutes: float, *, account: str = "a", first: int = 0) -> list[Row]:
    """One row of a user on each of so many days, known a day later."""
    told: Row = {"account_id": account, "user_key": user, "product_sku": "s", "active_minutes": minutes, "op": "upsert"}
    return [
        {**told, "usage_date": (FIRST + n * DAY).date(), "available_at": FIRST + (n + 1) * DAY}
        for n in range(first, first + count)
    ]


def seat(user: str, word: str | None, at: datetime = FIRST, **cells: Any) -> Row:
    told = {"seat_id": f"seat-{user}", "account_id": "a", "user_key": user, "role": "creator", "identity_type": word}
    return {**told, "assigned_at": FIRST, "valid_from": at, "available_at": at, "op": "upsert", **cells}


def standing(rows: dict[str, list[Row]]) -> set[tuple[str, datetime]]:
    """User and moment of every usage row that nothing takes back."""
    found = resolved_rows(rows, "usage_daily", "user_key, usage_date, available_at, op")
    gone = {(user, day) for user, day, _, op in found if op == "delete"}
    return {(user, day) for user, day, _, op in found if op == "upsert" and (user, day) not in gone}


def test_who_never_sleeps_is_left_out_from_the_tenth_such_day_on_and_before_it_counts() -> None:
    rows = {"usage_daily": [*days("script", 14, SLEEPLESS_MINUTES), *days("person", 14, SLEEPLESS_MINUTES - 1)]}
    assert {user for user, _ in standing(rows)} == {"person"}
    found = resolved_rows(rows, "usage_daily", "user_key, available_at, op")
    known_at = FIRST + SLEEPLESS_DAYS * DAY
    # What was known before stands there as it was known, and is taken back when the tenth day is known.
    assert sorted((at, op) for user, at, op in found if user == "script") == sorted(
        [*((FIRST + (n + 1) * DAY, "upsert") for n in range(9)), *((known_at, "delete") for _ in range(9))]
    )


def test_a_few_sleepless_days_are_a_deadline() -> None:
    rows = {"usage_daily": [*days("artist", SLEEPLESS_DAYS - 1, 1440), *days("artist", 30, 500, first=20)]}
    assert len(standing(rows)) == SLEEPLESS_DAYS - 1 + 30


def test_what_comes_later_does_not_change_since_when_a_script_is_known() -> None:
    early = days("script", 12, 1440)
    again = [{**row, "available_at": row["available_at"] + 90 * DAY, "active_minutes": 3} for row in early]
    for rows in (early, [*early, *again], [*again, *early, *days("script", 5, 1440, first=40)]):
        with open_engine(threads=1) as engine:
            resolved = named(engine, {"usage_daily": rows})
            assert resolved.strangers == {("a", "script"): {FIRST + SLEEPLESS_DAYS * DAY: UserKind.BOT}}


@pytest.mark.parametrize("word", ["Service-Account", "internal", "TEST", "bot", "technical"])
def test_a_seat_that_says_what_its_user_is_leaves_it_out_of_usage_seats_and_reviews(word: str) -> None:
    review = {"review_event_id": "r", "asset_id": "x", "account_id": "a", "type": "comment", "actor_key": "robot"}
    rows: dict[str, list[Row]] = {
        "seat_assignments_history": [seat("robot", word), seat("ann", "named"), seat("bob", None)],
        "usage_daily": [*days("robot", 2, 5), *days("ann", 2, 5)],
        "usage_events": [
            {"event_id": "e", "account_id": "a", "user_key": "robot", "product_sku": "s", "event_at": FIRST + DAY}
        ],
        "review_events": [{**review, "event_at": FIRST + DAY}, {**review, "review_event_id": "s", "actor_key": "ann"}],
    }
    rows["review_events"][1]["event_at"] = FIRST + DAY
    assert {user for user, _ in standing(rows)} == {"ann"}
    assert resolved_rows(rows, "seat_assignments_history", "user_key, op") == [("ann", "upsert"), ("bob", "upsert")]
    assert resolved_rows(rows, "usage_events", "event_id") == []
    assert resolved_rows(rows, "review_events", "actor_key") == [("ann",)]


def test_a_seat_that_becomes_a_person_s_counts_again() -> None:
    rows = {
        "seat_assignments_history": [seat("u", "test"), seat("u", "named", FIRST + 5 * DAY)],
        "usage_daily": days("u", 8, 5),
    }
    with open_engine(threads=1) as engine:
        changes = named(engine, rows).strangers["a", "u"]
    assert changes == {FIRST: UserKind.TEST, FIRST + 5 * DAY: None}
    assert [each.account_id for each in belongings_of(("a", "u"), dict(changes))] == ["u", None, "u"]
    assert len(standing(rows)) == 8


def test_a_user_is_one_of_its_account_and_no_other_account_s_and_follows_its_account() -> None:
    rows = {
        "seat_assignments_history": [seat("u", "bot", account_id="old")],
        "usage_daily": [*days("u", 3, 5, account="a"), *days("u", 3, 5, account="b")],
        "account_aliases": [alias("old", "a", LONG_AGO)],
    }
    assert {row[0] for row in resolved_rows(rows, "usage_daily", "account_id")} == {"b"}


def test_where_nobody_is_a_stranger_nothing_is_done() -> None:
    rows = {"seat_assignments_history": [seat("ann", "named")], "usage_daily": days("ann", 3, 5)}
    with open_engine(threads=1) as engine:
        assert named(engine, rows).strangers == {}
        # The tables are those that came, not one query above them.
        assert "_user_key_usage_daily_moves" not in _names(engine)
        assert machines(engine, seats="seat_assignments_history", usage="usage_daily") == {}


def test_words_are_lower_case_and_each_means_one_kind() -> None:
    assert {word for word in IDENTITY_WORDS if word != word.lower() or "_" in word or "-" in word} == set()
    assert set(IDENTITY_WORDS.values()) == set(UserKind)


def _names(engine: Any) -> set[str]:
    return {row["name"] for row in engine.fetch("SHOW TABLES").to_pylist()}
