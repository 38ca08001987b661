"""The features of depth by example: advanced days, seats that never got past a try, clients who review, weak weeks."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.features.histories import text_table, usage_table, used
from tests.features.view_case import AS_OF, COMPANY, features_of_account

MONDAY = date.fromisoformat(AS_OF)
SEATS = "seat_id | valid_from | account_id | user_key | role | assigned_at | revoked_at"
REVIEWS = "review_event_id|available_at|version_id|asset_id|account_id|type|happened_at|decided_by|actor_key"


def engagement(tables: dict[str, str], **where: Any) -> Any:
    return features_of_account("engagement", tables, **where)


def history(lately: int) -> list[dict[str, Any]]:
    """70 weeks of uneven use, the last three of them as told."""
    weeks = [MONDAY - timedelta(weeks=70 - week) for week in range(70)]
    uneven = [80 + 7 * week % 40 for week in range(67)] + [lately] * 3
    return [row for week, events in zip(weeks, uneven, strict=True) for row in used([week], events=events)]


def test_weak_weeks_are_those_under_the_fifth_of_the_year_before_them() -> None:
    weak, strong = (engagement({"usage_daily": usage_table(history(lately))}) for lately in (5, 500))
    # The ten weeks before are the same; of uneven weeks about a fifth are always among the weakest.
    assert weak["low_usage_weeks_w13"] - strong["low_usage_weeks_w13"] == 3
    assert 0 <= strong["low_usage_weeks_w13"] <= 4


@pytest.mark.parametrize(("weeks", "is_told"), [(33, False), (42, True)])
def test_low_usage_weeks_w13_needs_eight_weeks_with_half_a_year_before_each(weeks: int, is_told: bool) -> None:
    rows = [row for row in history(100) if row["usage_date"] >= MONDAY - timedelta(weeks=weeks)]
    row = engagement({"usage_daily": usage_table(rows)})
    assert (row["low_usage_weeks_w13"] is not None) == is_told


def test_embedded_users_work_with_advanced_features_on_four_days_of_four_weeks() -> None:
    usage = usage_table(
        used(["2024-06-03", "2024-06-04", "2024-06-12", "2024-06-29"], users=["relies"], feature_code="review"),
        used(["2024-06-03", "2024-06-04", "2024-06-12"], users=["tries"], feature_code="automation"),
        # Two families on one day are one day; the day before the window and one not known yet are none.
        used(["2024-06-03"], users=["tries"], feature_code="ai"),
        used(["2024-06-02", "2024-06-30"], users=["tries"], feature_code="export"),
        used(["2024-06-05", "2024-06-06", "2024-06-07", "2024-06-10"], users=["works"], feature_code="core"),
        used(["2024-06-05", "2024-06-06", "2024-06-07", "2024-06-10"], users=["talks"], feature_code="collab"),
    )
    assert engagement({"usage_daily": usage})["embedded_user_share_w4"] == 1 / 4
    assert engagement({"usage_daily": usage}, as_of="2024-08-05")["embedded_user_share_w4"] is None


def test_an_advanced_day_that_is_taken_back_counts_until_then() -> None:
    days = used(["2024-06-03", "2024-06-04", "2024-06-05", "2024-06-06"], feature_code="asset_mgmt", op="upsert")
    gone = used(["2024-06-06"], feature_code="asset_mgmt", op="delete", available_at="2024-06-12T00:00:00")
    rows = engagement({"usage_daily": usage_table(days, gone)}, as_of=["2024-06-10", "2024-06-17"])
    assert [row["embedded_user_share_w4"] for row in rows] == [1, 0]


def test_trial_only_seats_used_advanced_features_on_one_day_at_most() -> None:
    usage = usage_table(
        used(["2023-02-06", "2023-02-07"], users=["long ago"], feature_code="review"),
        used(["2024-06-12"], users=["once"], feature_code="review"),
        used(["2024-06-12"], users=["never"], feature_code="core"),
    )
    people = ("long ago", "once", "never", "unseen", "gone")
    seats = [
        (f"s{number}", "2023-02-01", "a1", name, "creator", "2023-02-01", "2024-06-03" if name == "gone" else None)
        for number, name in enumerate(people)
    ]
    tables = {"usage_daily": usage, "seat_assignments_history": text_table(SEATS, seats)}
    assert engagement(tables)["trial_only_seat_share"] == 3 / 4
    later = {**tables, "usage_daily": usage.replace("2024-06-13T06:00:00", "2024-07-02T06:00:00")}
    assert engagement(later)["trial_only_seat_share"] == 3 / 4
    before, after = engagement(tables, as_of=["2023-02-06", "2023-02-13"])
    # At first no use is known at all, then one of five has tried twice.
    assert (before["trial_only_seat_share"], after["trial_only_seat_share"]) == (None, 4 / 5)
    assert engagement({"usage_daily": usage})["trial_only_seat_share"] is None


def test_a_second_advanced_day_makes_a_seat_a_used_one_from_when_it_is_known() -> None:
    usage = usage_table(
        used(["2024-05-06"], users=["u1"], feature_code="ai"),
        used(["2024-05-07"], users=["u1"], feature_code="ai", available_at="2024-06-26T00:00:00"),
    )
    seats = text_table(SEATS, [("s1", "2024-01-01", "a1", "u1", "creator", "2024-01-01", None)])
    tables = {"usage_daily": usage, "seat_assignments_history": seats}
    rows = engagement(tables, as_of=["2024-06-24", "2024-07-01"])
    assert [row["trial_only_seat_share"] for row in rows] == [1, 0]


def reviews(*rows: tuple[Any, ...]) -> dict[str, str]:
    """Review events (actor, day, who decided, known on) of a1."""
    events = [
        (f"e{number}", known, "v1", "as1", "a1", "comment", happened, by, actor)
        for number, (actor, happened, by, known) in enumerate(rows)
    ]
    return {"review_events": text_table(REVIEWS, events)}


def test_client_reviewers_are_different_people_of_the_clients_in_13_weeks() -> None:
    tables = reviews(
        ("c1", "2024-04-01", "client", "2024-04-01"),
        ("c1", "2024-06-20", "client", "2024-06-20"),
        ("c2", "2024-06-20", "client", "2024-06-20"),
        ("too early", "2024-03-31", "client", "2024-03-31"),
        ("not known yet", "2024-06-20", "client", "2024-07-02"),
        ("own", "2024-06-20", "internal", "2024-06-20"),
        (None, "2024-06-20", "client", "2024-06-20"),
    )
    assert engagement(tables)["client_reviewers_w13"] == 2
    assert engagement(tables, account="a2")["client_reviewers_w13"] is None


def test_client_reviewers_w13_is_told_only_by_a_source_that_names_actors() -> None:
    own = reviews(("own", "2024-02-05", "internal", "2024-02-05"))
    rows = engagement(own, as_of=["2024-02-05", "2024-02-12", "2024-08-05", "2024-08-12"])
    assert [row["client_reviewers_w13"] for row in rows] == [None, 0, 0, None]
    unnamed = reviews((None, "2024-06-20", "client", "2024-06-20"))
    assert engagement(unnamed)["client_reviewers_w13"] is None


def test_client_reviewers_w13_needs_consent_to_production_data() -> None:
    named = reviews(("c1", "2024-06-20", "client", "2024-06-20"))
    header, *rows = (line.strip() for line in COMPANY["accounts_history"].strip().splitlines())
    refused = "\n".join([f"{header} | consent_pm_data", *(f"{row} | false" for row in rows)])
    assert engagement({**named, "accounts_history": refused})["client_reviewers_w13"] is None
