"""What do the features of wraps and of the tool's reach into projects say about a small case?"""

from __future__ import annotations

from datetime import date
from functools import partial
from math import log

import pytest

from tests.features.histories import days_of, usage_table, used
from tests.features.view_case import COMPANY, features_of_account, view_rows

features = partial(features_of_account, "output_quality")


def wrapped(after: int, *, status: str = "delivered") -> dict[str, str]:
    """Ten actions a week, then so many from the wrap of Monday 22 April on."""
    projects = f"""
        project_id | valid_from | account_id | kind  | status_canonical
        p1         | 2023-06-05 | a1         | promo | active
        p1         | 2024-04-17 | a1         | promo | {status}
        p2         | 2023-06-05 | a2         | promo | active
    """
    before, back = used(days_of(date(2023, 1, 2), 68)), used(days_of(date(2024, 4, 22), 10), events=after)
    return {"projects_history": projects, "usage_daily": usage_table(before, back)}


def test_usage_after_the_last_project_is_set_against_what_was_to_be_expected() -> None:
    rows = features(wrapped(5), as_of=["2024-05-13", "2024-05-20", "2024-06-03", "2024-07-01"])
    found = [row["project_wrap_usage_par"] for row in rows]
    # The third week from the wrap is closed on 13 May, the fourth on 20 May, the sixth on 3 June.
    assert found[0] is None
    assert found[1] == pytest.approx(log(1 / 2), abs=0.08)
    assert found[2] == found[3] == pytest.approx(log(1 / 2), abs=0.15)
    as_usual = features(wrapped(10))["project_wrap_usage_par"]
    assert as_usual == pytest.approx(0, abs=0.02)


def test_a_project_that_runs_on_is_no_wrap() -> None:
    assert features(wrapped(5, status="active"))["project_wrap_usage_par"] is None
    assert features(wrapped(5), account="a2")["project_wrap_usage_par"] is None
    assert features(wrapped(5), as_of="2025-04-28")["project_wrap_usage_par"] is None


MARK = "event_id | account_id | user_key | project_key | asset_key | client_at | available_at | op | feature_family"


def marks(*rows: str) -> dict[str, str]:
    return {"usage_events": "\n".join([MARK, *(f"{row} | core" for row in rows)])}


ROOMS = """
    project_id | valid_from | account_id | kind  | status_canonical
    p1         | 2024-01-08 | a1         | promo | active
    p2         | 2024-01-08 | a1         | promo | active
    p3         | 2024-01-08 | a1         | promo | planned
    p4         | 2024-01-08 | a2         | promo | active
"""


def test_projects_are_matched_with_those_that_usage_names() -> None:
    rows = features(
        {
            "projects_history": ROOMS,
            **marks(
                "e1 | a1 | u1 | p1 | - | 2024-06-03 | 2024-06-03 | upsert",
                "e2 | a1 | u2 | p1 | - | 2024-06-03 | 2024-06-03 | upsert",
                "e3 | a1 | u1 | p3 | - | 2024-06-03 | 2024-06-26 | upsert",
                "e4 | a1 | u1 | p9 | - | 2024-06-03 | 2024-06-03 | upsert",
                "e5 | a1 | u1 | p4 | - | 2024-06-03 | 2024-06-03 | upsert",
                "e6 | a1 | u1 | p2 | - | 2024-03-31 | 2024-04-01 | upsert",
                "e7 | a1 | u1 | -  | - | 2024-06-03 | 2024-06-03 | upsert",
            ),
        },
        as_of=["2024-06-24", "2024-07-01"],
    )
    # On 24 June p2 was used within 13 weeks; on 1 July p3 is known to be used. p9 is nobody's, p4 another account's.
    assert [row["projects_in_tool_share_w13"] for row in rows] == [2 / 2, 1 / 2]
    assert [row["project_coverage_w13"] for row in rows] == [2 / 4, 2 / 4]


def test_an_action_taken_back_counts_until_that_is_known() -> None:
    rows = features(
        {
            "projects_history": ROOMS,
            **marks(
                "e1 | a1 | u1 | p1 | - | 2024-06-03 | 2024-06-03 | upsert",
                "e2 | a1 | u1 | p2 | - | 2024-06-03 | 2024-06-03 | upsert",
                "e2 | a1 | u1 | p2 | - | 2024-06-03 | 2024-06-26 | delete",
            ),
        },
        as_of=["2024-06-24", "2024-07-01"],
    )
    assert [row["projects_in_tool_share_w13"] for row in rows] == [1, 1 / 2]


def test_usage_that_names_no_project_says_nothing_of_projects() -> None:
    row = features({"projects_history": ROOMS, **marks("e1 | a1 | u1 | - | - | 2024-06-03 | 2024-06-03 | upsert")})
    assert (row["projects_in_tool_share_w13"], row["project_coverage_w13"]) == (None, None)
    # Projects that are used, and production data that know none of them: nothing can be relied on.
    alone = features(marks("e1 | a1 | u1 | p1 | - | 2024-06-03 | 2024-06-03 | upsert"))
    assert (alone["projects_in_tool_share_w13"], alone["project_coverage_w13"]) == (None, 0)


def test_steps_are_reached_through_the_assets_that_usage_names() -> None:
    tasks = """
        task_id | valid_from | project_id | asset_id | step | status_canonical | assignee_key
        t1 | 2024-06-03 | p1 | s1 | comp | todo    | u1
        t2 | 2024-06-03 | p1 | s1 | anim | todo    | u2
        t3 | 2024-06-03 | p1 | s1 | edit | todo    | -
        t4 | 2024-06-03 | p1 | s2 | comp | todo    | u1
        t5 | 2024-06-03 | p1 | s1 | lit  | omitted | u1
        t6 | 2024-06-03 | p1 | s1 | -    | todo    | u1
        t7 | 2024-06-03 | p2 | s3 | roto | todo    | -
    """
    one = marks(
        "e1 | a1 | u1 | - | s1 | 2024-06-05 | 2024-06-05 | upsert",
        "e2 | a1 | -  | - | s3 | 2024-06-05 | 2024-06-26 | upsert",
    )
    rows = features({"projects_history": ROOMS, "tasks_history": tasks, **one}, as_of=["2024-06-24", "2024-07-01"])
    # comp and edit in p1; from when e2 is known also roto in p2. anim is another's, lit was given up.
    assert [row["tool_steps_per_project_w13"] for row in rows] == [2, 3 / 2]


TASK = "task_id | valid_from | project_id | asset_id | step | status_canonical | due_on"
REVIEW = "review_event_id | version_id | asset_id | account_id | type | happened_at"


def test_nothing_is_told_of_an_account_that_does_not_consent() -> None:
    accounts = "account_id | valid_from | segment | hq_tz | consent_pm_data\na1 | 2023-01-02 | studio | UTC | false"
    given = {
        **COMPANY,
        **wrapped(5),
        **marks("e1 | a1 | u1 | p1 | s1 | 2024-06-03 | 2024-06-03 | upsert"),
        "tasks_history": f"{TASK}\n t1 | 2024-06-03 | p1 | s1 | comp | in_progress | 2024-06-10",
        "review_events": f"{REVIEW}\n r1 | v1 | s1 | a1 | comment | 2024-05-02",
        "accounts_history": accounts,
    }
    (row,) = view_rows("output_quality", given)
    assert {name for name, value in row.items() if value is not None} == {"account_id", "as_of", "known_at"}
