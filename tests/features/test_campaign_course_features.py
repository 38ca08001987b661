"""How a campaign runs its course, by example: the ramp, the late start, seats taken for it, the first use after it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.features.histories import days_of, text_table, usage_table, used
from tests.features.test_campaign_features import SPRING, calendar, campaign, quiet, spring, weekly
from tests.features.view_case import features_of_account

FALL = ("fall_23", date(2023, 9, 4), 4, "fall")
THIS_SPRING = ("spring_24", *SPRING, "spring")
LINES = "line_id | valid_from | available_at | contract_id | product_sku | quantity"
RAMP = SPRING[0] - timedelta(weeks=4)


def without(rows: list[dict[str, Any]], first: date, weeks: int) -> list[dict[str, Any]]:
    gone = set(days_of(first, weeks))
    return [row for row in rows if row["usage_date"] not in gone]


def ramped(first: date, *events: int) -> list[dict[str, Any]]:
    return [row for week, done in enumerate(events) for row in weekly(first + timedelta(weeks=week), 1, done)]


def two_ramps(fall: tuple[int, ...], this: tuple[int, ...]) -> list[dict[str, Any]]:
    """A quiet level of 100 with two ramps as told."""
    before = FALL[1] - timedelta(weeks=4)
    flat = without(without(quiet(100), before, 14), RAMP, 4)
    return [*flat, *ramped(before, *fall), *weekly(FALL[1], 4, 300), *ramped(RAMP, *this), *weekly(SPRING[0], 4, 300)]


def test_the_ramp_is_compared_with_the_one_before_by_its_growth_from_week_to_week() -> None:
    tables = calendar(FALL, THIS_SPRING)
    row = campaign(tables, two_ramps((100, 120, 140, 160), (100, 150, 200, 250)))
    # 20 and 50 of 100 quiet actions a week.
    assert row["ramp_speed_change"] == pytest.approx(0.5 - 0.2, abs=0.03)
    other_way = campaign(tables, two_ramps((100, 150, 200, 250), (160, 140, 120, 100)))
    assert other_way["ramp_speed_change"] == pytest.approx(-0.2 - 0.5, abs=0.03)


def test_ramp_speed_change_is_known_from_the_third_week_of_a_second_ramp() -> None:
    tables, usage = calendar(FALL, THIS_SPRING), two_ramps((100, 120, 140, 160), (100, 150, 200, 250))
    early, known = (campaign(tables, usage, as_of=day)["ramp_speed_change"] for day in ("2024-02-19", "2024-02-26"))
    assert early is None
    assert known == pytest.approx(0.5 - 0.2, abs=0.03)
    assert campaign(calendar(THIS_SPRING), usage)["ramp_speed_change"] is None


@pytest.mark.parametrize(
    ("weeks", "delay"),
    [
        ((100, 100, 100, 100, 300, 300, 300, 300), 0),
        ((100, 160, 160, 160, 300, 300, 300, 300), -21),
        ((100, 100, 100, 100, 140, 140, 160, 300), 14),
        ((100, 100, 100, 100, 100, 100, 100, 100), 28),
    ],
    ids=["on time", "three weeks early", "two weeks late", "never: to the wrap"],
)
def test_a_campaign_starts_with_the_first_week_at_one_and_a_half_times_the_quiet_level(
    weeks: tuple[int, ...], delay: int
) -> None:
    row = campaign(spring(), without(quiet(100), RAMP, 14), ramped(RAMP, *weeks))
    assert row["campaign_start_delay_days"] == delay


def test_campaign_start_delay_days_counts_what_is_known_and_to_as_of_until_then() -> None:
    late = weekly(SPRING[0], 1, 300, available_at="2024-03-20T00:00:00")
    usage = [*without(quiet(100), RAMP, 14), *weekly(RAMP, 4, 100), *late, *weekly(date(2024, 3, 11), 1, 100)]
    found = [campaign(spring(), usage, as_of=day) for day in ("2024-03-11", "2024-03-18", "2024-03-25")]
    # A week of an active phase says nothing yet; then nobody has begun for two weeks; then it turns out that they had.
    assert [row["campaign_start_delay_days"] for row in found] == [None, 14, 0]


def seats(*changes: tuple[str, str, int]) -> dict[str, str]:
    """Seats of a1 from a day, known on a day."""
    rows = [("l1", since, known, "c1", "suite", count) for since, known, count in changes]
    return {**spring(), "subscription_lines_history": text_table(LINES, rows)}


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ([("2023-01-02", 10)], 0),
        ([("2023-01-02", 10), ("2024-02-12", 25), ("2024-04-10", 10)], 15 / 25),
        ([("2023-01-02", 10), ("2024-02-12", 25), ("2024-04-10", 20)], 5 / 25),
        ([("2023-01-02", 10), ("2024-02-12", 25)], 0),
        ([("2023-01-02", 10), ("2024-02-12", 25), ("2024-04-10", 5)], 15 / 25),
        ([("2023-01-02", 10), ("2024-02-12", 25), ("2024-05-20", 10)], 0),
        ([("2023-01-02", 25), ("2024-04-10", 10)], 0),
        ([("2024-02-12", 10)], None),
    ],
    ids=["steady", "rented", "some kept", "all kept", "more given back", "after the post phase", "shrunk", "new"],
)
def test_rented_seats_are_taken_for_a_campaign_and_given_back_after_it(
    changes: list[tuple[str, int]], share: float | None
) -> None:
    row = campaign(seats(*((since, since, count) for since, count in changes)))
    assert row["rented_seat_share"] == share


def test_rented_seat_share_is_told_when_a_week_after_the_wrap_has_closed() -> None:
    tables = seats(("2023-01-02", "2023-01-02", 10), ("2024-02-12", "2024-02-12", 20), ("2024-04-03", "2024-04-10", 10))
    found = features_of_account("campaign", tables, as_of=["2024-04-01", "2024-04-08", "2024-04-15"])
    assert [row["rented_seat_share"] for row in found] == [None, 0, 0.5]


def at_work(*days: str, **facts: Any) -> list[dict[str, Any]]:
    """The quiet weeks before the campaign, its weeks, and some days after it."""
    before = [row for row in quiet() if row["usage_date"] < SPRING[0]]
    return [*before, *weekly(SPRING[0], 4, 30), *used(days, **facts)]


@pytest.mark.parametrize(
    ("as_of", "days", "waited"),
    [
        ("2024-03-25", [], None),
        ("2024-04-01", [], 0),
        ("2024-04-15", [], 14),
        ("2024-07-01", [], 60),
        ("2024-04-15", ["2024-04-01"], 0),
        ("2024-04-22", ["2024-04-19", "2024-04-10"], 9),
        ("2024-04-15", ["2024-04-14"], 14),
        ("2024-04-22", ["2024-04-14"], 13),
    ],
    ids=["not over", "just over", "nobody yet", "at most 60", "at once", "the first counts", "not known yet", "known"],
)
def test_the_first_use_after_the_wrap_is_waited_for(as_of: str, days: list[str], waited: int | None) -> None:
    assert campaign(spring(), at_work(*days), as_of=as_of)["first_use_after_wrap_days"] == waited


def test_only_core_work_ends_the_wait_and_what_is_taken_back_never_did() -> None:
    talk = at_work("2024-04-03", feature_code="collab")
    assert campaign(spring(), talk, as_of="2024-04-15")["first_use_after_wrap_days"] == 14
    done = at_work("2024-04-03", op="upsert")
    gone = used(["2024-04-03"], op="delete", available_at="2024-04-20T00:00:00")
    found = [campaign(spring(), done, gone, as_of=day) for day in ("2024-04-15", "2024-04-22")]
    assert [row["first_use_after_wrap_days"] for row in found] == [2, 21]


def test_the_wait_begins_at_the_local_end_of_the_campaign() -> None:
    usage = {"usage_daily": usage_table(at_work("2024-03-31", "2024-04-02"))}
    for zone in ("Asia/Tokyo", "America/Los_Angeles", "UTC"):
        instances = spring()["campaign_instances_history"]
        instances = instances.replace("account_local", "event_tz").replace(
            "tz_policy|status", "tz_policy|event_tz|status"
        )
        instances = instances.replace("| confirmed", f"| {zone} | confirmed")
        row = features_of_account(
            "campaign", {**spring(), **usage, "campaign_instances_history": instances}, as_of="2024-04-15"
        )
        # The last active day is no day after it, wherever it ended.
        assert row["first_use_after_wrap_days"] == 1


def test_a_wrap_before_any_use_was_known_tells_nothing() -> None:
    assert campaign(spring(), weekly(date(2024, 5, 6), 4, 10))["first_use_after_wrap_days"] is None
