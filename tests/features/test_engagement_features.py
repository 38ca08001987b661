"""The engagement features by example: a few days of use in, one value out, and when there is none."""

from __future__ import annotations

from datetime import date, timedelta
from math import log
from typing import Any

import pytest

from tests.features.histories import days_of, text_table, usage_table, used
from tests.features.view_case import AS_OF, features_of_account

MONDAY = date.fromisoformat(AS_OF)
YEAR_AGO = MONDAY - timedelta(weeks=70)
EVENTS = (
    "event_id | account_id | user_key | product_sku | feature_code | feature_family | action | event_at | session_id"
)


def engagement(tables: dict[str, str], **where: Any) -> dict[str, Any]:
    row: dict[str, Any] = features_of_account("engagement", tables, **where)
    return row


def from_usage(*parts: Any) -> dict[str, Any]:
    return engagement({"usage_daily": usage_table(*parts)})


def test_without_a_usage_source_nothing_is_said_about_usage() -> None:
    row = engagement({})
    assert {name for name, value in row.items() if value is not None} == {"account_id", "as_of", "known_at"}


def test_active_seat_ratio_counts_each_user_of_four_weeks_once() -> None:
    row = from_usage(
        used(["2024-06-03", "2024-06-20"], users=["u1"]),
        used(["2024-06-29"], users=["u2"]),
        used(["2024-06-02"], users=["too early"]),
        used(["2024-06-30"], users=["not known yet"]),
    )
    assert row["active_seat_ratio_w4"] == 0.2


def test_a_total_without_a_user_counts_as_use_but_not_as_a_seat() -> None:
    row = from_usage(used(["2024-06-20"], users=["u1"]), used(["2024-06-21"], users=[None], events=30))
    assert row["active_seat_ratio_w4"] == 0.1
    assert row["core_events_per_active_seat_w4"] == 40


def test_active_seat_ratio_needs_contracted_seats() -> None:
    tables = {"usage_daily": usage_table(used(["2024-06-20"])), "subscription_lines_history": "line_id\n"}
    assert engagement(tables)["active_seat_ratio_w4"] is None


@pytest.mark.parametrize(
    ("then", "change"),
    [(["u1", "u2", "u3", "u4"], -0.2), (["u1"], pytest.approx(0.1)), ([], None)],
    ids=["fewer", "more", "nobody known then"],
)
def test_active_seat_ratio_change_compares_with_the_snapshot_13_weeks_ago(
    then: list[str], change: float | None
) -> None:
    row = from_usage(used(["2024-03-20"], users=then), used(["2024-06-20"], users=["u1", "u2"]))
    assert row["active_seat_ratio_change_13w"] == change


def steady(weeks: int, events: int, *, until: date = MONDAY, **facts: Any) -> list[dict[str, Any]]:
    return used(days_of(until - timedelta(weeks=weeks), weeks), events=events, **facts)


@pytest.mark.parametrize(
    ("lately", "par"),
    [(10, 0.0), (20, log(2)), (5, -log(2)), (0, -4.4)],
    ids=["as ever", "doubled", "halved", "stopped"],
)
def test_usage_par_compares_four_weeks_with_the_quiet_weeks_of_a_year(lately: int, par: float) -> None:
    month = steady(4, lately) if lately else []
    row = from_usage(steady(66, 10, until=MONDAY - timedelta(weeks=4)), month)
    assert row["usage_par_w4"] == pytest.approx(par, abs=0.06)
    assert row["usage_par_w13"] == pytest.approx(log((90 + 4 * lately) / 130), abs=0.06)


def test_a_young_account_is_compared_with_the_seats_of_its_segment() -> None:
    # a2 has 40 seats and 80 actions a week; a1 has 10 seats and has just begun: 20 are to be expected, 40 are done.
    others = steady(70, 80, account_id="a2")
    row = from_usage(others, steady(3, 40))
    assert row["usage_par_w4"] == pytest.approx(log(2), abs=0.2)


def test_usage_par_expects_more_of_a_campaign() -> None:
    calendar = {
        "campaign_instances_history": text_table(
            "campaign_instance_id|known_from|campaign_id|label|active_start_local|active_end_local|tz_policy|status",
            [("big", "2023-01-02", "big", "Big", "2024-06-03", "2024-06-30", "account_local", "confirmed")],
        ),
        "account_campaigns_history": text_table(
            "account_id|campaign_instance_id|known_from|participation|confidence",
            [("a1", "big", "2023-01-02", "declared", 1)],
        ),
    }
    usage = usage_table(steady(62, 10, until=MONDAY - timedelta(weeks=8)), steady(8, 30))
    plain = engagement({"usage_daily": usage})
    in_campaign = engagement({"usage_daily": usage, **calendar})
    # Four weeks of three times the quiet level are what a campaign is for; in the ramp before it 1.5 times is usual.
    assert in_campaign["usage_par_w4"] == pytest.approx(0, abs=0.15)
    assert plain["usage_par_w4"] > 0.5
    assert in_campaign["usage_par_w13"] < plain["usage_par_w13"]


def test_usage_par_slope_is_that_of_a_straight_line() -> None:
    # 13 weeks in which use grows by the same factor: its logarithm grows by the same step.
    growing = [
        row for week in range(13) for row in used([MONDAY - timedelta(weeks=13 - week)], events=round(1000 * 1.1**week))
    ]
    row = from_usage(steady(57, 1000, until=MONDAY - timedelta(weeks=13)), growing)
    assert row["usage_par_slope_w13"] == pytest.approx(log(1.1), abs=0.02)


def test_usage_par_slope_needs_eight_weeks() -> None:
    assert from_usage(steady(8, 10))["usage_par_slope_w13"] is None
    assert from_usage(steady(9, 10))["usage_par_slope_w13"] is not None


def test_active_seats_par_compares_with_the_accounts_own_quiet_weeks() -> None:
    before = used(days_of(YEAR_AGO, 66), users=["u1", "u2", "u3", "u4"])
    lately = used(days_of(MONDAY - timedelta(weeks=4), 4), users=["u1", "u2"])
    assert from_usage(before, lately)["active_seats_par_w4"] == pytest.approx(-log(2), abs=0.06)


@pytest.mark.parametrize("weeks", [8, 13, 26, 52])
def test_active_seats_par_compares_with_the_segments_seats(weeks: int) -> None:
    # In a2 20 of 40 seats are active, in a1 2 of 10: two fifths of what the segment's seats do.
    others = used(days_of(YEAR_AGO, 70), users=[f"v{number}" for number in range(20)], account_id="a2")
    row = from_usage(others, used(days_of(YEAR_AGO, 70), users=["u1", "u2"]))
    # The segment's level contains a1 itself: 22 active of 50 seats.
    assert row[f"active_seats_par_w{weeks}"] == pytest.approx(log(2 / (10 * 22 / 50)), abs=0.06)


def test_active_seats_yoy_is_the_ratio_of_the_same_four_weeks() -> None:
    then = used(["2023-06-10", "2023-06-20"], users=["u1", "u2"])
    row = from_usage(used(["2023-05-20"]), then, used(["2024-06-20"], users=["u1"]))
    assert row["active_seats_yoy"] == pytest.approx(log(1.5 / 4.5))
    assert from_usage(then, used(["2024-06-20"]))["active_seats_yoy"] is None


def test_work_time_and_sessions_are_means_over_active_seat_weeks() -> None:
    row = from_usage(
        used(["2024-06-10", "2024-06-11", "2024-06-18"], events=12, sessions=2, active_minutes=30.5),
        used(["2024-06-18"], users=["u2"], events=4, sessions=1, active_minutes=8.5),
    )
    # Three seat-weeks: u1 in two weeks, u2 in one.
    assert row["core_events_per_active_seat_w4"] == pytest.approx(40 / 3)
    assert row["sessions_per_active_seat_w4"] == pytest.approx(7 / 3)
    assert row["active_minutes_per_seat_w4"] == pytest.approx(100 / 3)


def test_sources_without_sessions_or_minutes_give_neither() -> None:
    row = from_usage(used(["2024-06-18"]))
    assert (row["sessions_per_active_seat_w4"], row["active_minutes_per_seat_w4"]) == (None, None)


@pytest.mark.parametrize(
    ("days", "silence"),
    [(["2024-06-26"], 5), (["2024-06-26", "2024-06-30"], 5), (["2024-01-10"], 90)],
    ids=["the last day", "a day not known yet", "at most 90"],
)
def test_days_since_last_core(days: list[str], silence: int) -> None:
    assert from_usage(used(days))["days_since_last_core"] == silence


def test_use_of_another_family_is_no_core_action() -> None:
    assert from_usage(used(["2024-06-28"], feature_code="review"))["days_since_last_core"] == 90


BREADTH = (
    used(["2024-06-20"], users=["u1", "u2"]),
    used(["2024-04-02"], users=["u1"], feature_code="collab"),
    used(["2024-06-25"], users=["u2"], feature_code="collab"),
    used(["2024-06-20"], users=["u1"], feature_code="export"),
    used(["2024-03-31"], users=["u1", "u2"], feature_code="ai"),
)


def test_feature_breadth_counts_families_that_two_users_share() -> None:
    assert from_usage(*BREADTH)["feature_breadth_w13"] == 2


def test_feature_breadth_of_a_tiny_account_counts_every_family() -> None:
    lines = """
        line_id | valid_from | contract_id | product_sku | quantity
        l1      | 2023-01-02 | c1          | suite       | 2
    """
    row = engagement({"usage_daily": usage_table(*BREADTH), "subscription_lines_history": lines})
    assert row["feature_breadth_w13"] == 3


def test_stickiness_is_the_share_of_the_months_users_on_a_day() -> None:
    row = from_usage(
        used(["2024-06-10", "2024-06-11", "2024-06-12"], users=["u1"]),
        used(["2024-06-10"], users=["u1"], feature_code="collab"),
        used(["2024-06-12"], users=["u2"]),
    )
    assert row["stickiness_w4"] == pytest.approx(4 / 28 / 2)


def test_collaboration_is_compared_and_shared_like_all_use() -> None:
    core = steady(70, 30)
    collab = steady(62, 10, until=MONDAY - timedelta(weeks=8), feature_code="collab")
    row = from_usage(core, collab, steady(8, 5, feature_code="collab"))
    assert row["collab_par_w8"] == pytest.approx(-log(2), abs=0.08)
    assert row["collab_par_w26"] == pytest.approx(log(220 / 260), abs=0.08)
    assert row["collab_share_w13"] == pytest.approx((5 * 10 + 8 * 5) / (13 * 30 + 5 * 10 + 8 * 5))


SEATS = "seat_id | valid_from | account_id | user_key | role | assigned_at | revoked_at | available_at"


def test_seat_adoption_lag_is_the_mean_wait_until_the_first_core_action() -> None:
    seats = text_table(
        SEATS,
        [
            ("s1", "2024-06-03T09:00", "a1", "u1", "creator", "2024-06-03T09:00", None, "2024-06-04"),
            ("s2", "2024-06-05T09:00", "a1", "u2", "creator", "2024-06-05T09:00", None, "2024-06-06"),
            ("s3", "2023-06-05T09:00", "a1", "u3", "creator", "2023-06-05T09:00", None, "2023-06-06"),
        ],
    )
    usage = usage_table(
        used(["2024-06-10", "2024-06-13"], users=["u1"]),
        used(["2024-06-01", "2024-06-04"], users=["u2"]),
        used(["2024-06-20"], users=["u2"], feature_code="collab"),
    )
    row = engagement({"seat_assignments_history": seats, "usage_daily": usage})
    # u1 waited 7 days; u2 has not worked since the seat came, 26 days ago; s3 is not new.
    assert row["seat_adoption_lag_days_w26"] == (7 + 26) / 2


def test_seat_adoption_lag_is_zero_for_a_use_on_the_day_itself_and_none_without_new_seats() -> None:
    seats = text_table(SEATS, [("s1", "2024-06-03", "a1", "u1", "creator", "2024-06-03", None, "2024-06-04")])
    tables = {"seat_assignments_history": seats, "usage_daily": usage_table(used(["2024-06-03"]))}
    assert engagement(tables)["seat_adoption_lag_days_w26"] == 0
    assert engagement({"usage_daily": usage_table(used(["2024-06-03"]))})["seat_adoption_lag_days_w26"] is None


def test_unassigned_seats_are_contracted_ones_that_nobody_has() -> None:
    rows: list[tuple[Any, ...]] = [
        (f"s{number}", "2024-01-08", "a1", f"u{number}", "creator", "2024-01-08", None, "2024-01-09")
        for number in range(6)
    ]
    rows += [
        ("s0", "2024-05-06", "a1", "u0", "creator", "2024-01-08", "2024-05-06", "2024-05-07"),
        ("s1", "2024-06-29", "a1", "u1", "creator", "2024-01-08", "2024-06-29", "2024-07-02"),
        ("s2", "2024-05-20", "a1", "u2", "creator", "2024-01-08", "2024-08-01", "2024-05-20"),
    ]
    row = engagement({"seat_assignments_history": text_table(SEATS, rows)})
    # s0 was taken back; of s1 that is not known yet; s2 goes only in August.
    assert row["unassigned_seat_share"] == 0.5


def test_more_seats_assigned_than_contracted_leave_none_unassigned() -> None:
    rows = [(f"s{n}", "2024-01-08", "a1", f"u{n}", "creator", "2024-01-08", None, "2024-01-09") for n in range(12)]
    assert engagement({"seat_assignments_history": text_table(SEATS, rows)})["unassigned_seat_share"] == 0


def worked(user: str, events: int, last: str) -> list[dict[str, Any]]:
    return used([date(2024, 3, 4), date.fromisoformat(last)], users=[user], events=events)


KEY_USERS = (
    worked("u1", 90, "2024-06-27"),
    worked("u2", 80, "2024-05-28"),
    worked("u3", 70, "2024-06-20"),
    worked("u4", 10, "2024-03-05"),
)


def test_champion_inactive_days_is_the_longest_silence_of_the_three_key_users() -> None:
    assert from_usage(*KEY_USERS)["champion_inactive_days"] == 34


def test_a_freelancer_is_no_champion() -> None:
    seats = text_table(SEATS, [("s2", "2024-01-08", "a1", "u2", "freelancer", "2024-01-08", None, "2024-01-09")])
    row = engagement({"seat_assignments_history": seats, "usage_daily": usage_table(*KEY_USERS)})
    # u4 moves up: silent since March, counted to 60.
    assert row["champion_inactive_days"] == 60


def test_work_of_the_last_four_weeks_makes_no_champion() -> None:
    newcomer = used(["2024-06-10"], users=["u5"], events=5000)
    assert from_usage(*KEY_USERS, newcomer)["champion_inactive_days"] == 34
    assert from_usage(newcomer)["champion_inactive_days"] is None


def test_a_corrected_day_counts_once_with_its_last_number() -> None:
    first = used(["2024-06-18"], events=10)
    corrected = used(["2024-06-18"], events=4, available_at="2024-06-22T00:00:00")
    assert from_usage(first, corrected)["core_events_per_active_seat_w4"] == 4
    # Corrected only after the snapshot: the first number stands.
    later = used(["2024-06-18"], events=4, available_at="2024-07-02T00:00:00")
    assert from_usage(first, later)["core_events_per_active_seat_w4"] == 10


def test_a_day_taken_back_never_was() -> None:
    row = from_usage(
        used(["2024-06-18"], users=["u1", "u2"]),
        used(["2024-06-18"], users=["u2"], op="delete", available_at="2024-06-22T00:00:00"),
    )
    assert row["active_seat_ratio_w4"] == 0.1
    assert row["core_events_per_active_seat_w4"] == 10


def events_table(*rows: tuple[Any, ...]) -> str:
    return text_table(EVENTS, rows)


def test_events_count_where_no_day_total_is_known() -> None:
    events = events_table(
        ("e1", "a1", "u1", "suite", "layers", "core", "edit", "2024-06-18T10:00", "x"),
        ("e2", "a1", "u1", "suite", "layers", "core", "edit", "2024-06-18T11:00", "x"),
        ("e2", "a1", "u1", "suite", "layers", "core", "edit", "2024-06-18T11:00", "x"),
        ("e3", "a1", "u2", "suite", "notes", "collab", "comment", "2024-06-19T11:00", "y"),
    )
    row = engagement({"usage_events": events})
    assert row["core_events_per_active_seat_w4"] == 1
    assert row["sessions_per_active_seat_w4"] == 1
    assert row["collab_share_w13"] == pytest.approx(1 / 3)


def test_a_day_total_replaces_the_events_of_its_account_product_and_day() -> None:
    events = events_table(
        ("e1", "a1", "u1", "suite", "layers", "core", "edit", "2024-06-18T10:00", "x"),
        ("e2", "a1", "u1", "suite", "layers", "core", "edit", "2024-06-19T10:00", "x"),
        ("e3", "a1", "u1", "other product", "layers", "core", "edit", "2024-06-18T10:00", "x"),
    )
    row = engagement({"usage_events": events, "usage_daily": usage_table(used(["2024-06-18"], events=25))})
    assert row["core_events_per_active_seat_w4"] == 27
