"""What do the features of output quality say about projects and milestones?"""

from __future__ import annotations

from functools import partial

import pytest

from tests.features.view_case import COMPANY, features_of_account

features = partial(features_of_account, "output_quality")

PROJECTS = """
    project_id | valid_from | account_id | kind  | status_canonical | actual_end_on
    p1         | 2024-01-08 | a1         | promo | active           | -
    p2         | 2024-01-08 | a2         | promo | active           | -
"""
MILESTONES = """
    milestone_id | valid_from | project_id | kind     | planned_on | baseline_on | completed_on | status_canonical
    m1           | 2024-01-08 | p1         | delivery | 2024-03-01 | 2024-03-01  | 2024-03-01   | done
    m2           | 2024-01-08 | p1         | delivery | 2024-05-09 | 2024-03-01  | 2024-03-05   | done
    m3           | 2024-01-08 | p1         | delivery | 2024-06-01 | 2024-06-01  | -            | in_progress
    m4           | 2024-01-08 | p1         | delivery | 2024-06-01 | 2024-06-01  | -            | waived
    m5           | 2024-01-08 | p1         | review   | 2024-02-01 | 2024-02-01  | 2024-01-30   | done
    m6           | 2024-01-08 | p2         | delivery | 2024-06-01 | 2024-06-01  | 2024-05-30   | done
    m7           | 2024-01-08 | p1         | delivery | 2024-07-01 | 2024-07-01  | -            | in_progress
"""


def test_a_delivery_is_on_time_by_its_first_planned_date() -> None:
    row = features({"projects_history": PROJECTS, "milestones_history": MILESTONES})
    # m1 in time; m2 late in spite of its new plan; m3 open; m4 waived, m5 no delivery, m7 not yet due. 2 of 4 with a2.
    assert row["on_time_delivery_rate_w26"] == pytest.approx((1 + 4 * 2 / 4) / (3 + 4))


def test_slip_is_counted_over_milestones_of_every_kind() -> None:
    row = features({"projects_history": PROJECTS, "milestones_history": MILESTONES})
    assert row["delivery_slip_days_w26"] == pytest.approx((0 + 4 - 2) / 3)


def test_a_completion_counts_when_it_is_known_and_an_older_state_known_later_never() -> None:
    states = """
        milestone_id | valid_from | available_at | project_id | kind     | baseline_on | completed_on | status_canonical
        m1           | 2024-01-08 | 2024-01-08   | p1         | delivery | 2024-06-01  | -            | not_started
        m1           | 2024-05-30 | 2024-06-20   | p1         | delivery | 2024-06-01  | 2024-05-30   | done
        m1           | 2024-05-20 | 2024-06-27   | p1         | delivery | 2024-06-01  | -            | in_progress
    """
    tables = {"projects_history": PROJECTS, "milestones_history": states}
    rows = features(tables, as_of=["2024-06-17", "2024-06-24", "2024-07-01"])
    assert [row["on_time_delivery_rate_w26"] for row in rows] == [0, 1, 1]
    assert [row["delivery_slip_days_w26"] for row in rows] == [None, -2, -2]


def test_an_account_without_projects_has_no_value_and_one_without_milestones_no_slip() -> None:
    row = features({"projects_history": PROJECTS.replace("a1", "a9")})
    assert row["on_time_delivery_rate_w26"] is row["active_projects"] is row["project_wrap_recency_days"] is None
    assert features({"projects_history": PROJECTS})["delivery_slip_days_w26"] is None


LIFE = """
    project_id | valid_from       | available_at     | account_id | status_canonical | planned_start_on | actual_end_on
    p1         | 2024-02-05       | 2024-02-05       | a1         | planned          | 2024-03-04       | -
    p1         | 2024-03-04T08:00 | 2024-03-04T08:00 | a1         | active           | 2024-03-04       | -
    p1         | 2024-04-10T17:00 | 2024-04-24T09:00 | a1         | delivered        | 2024-03-04       | 2024-04-10
    p2         | 2024-05-20T08:00 | 2024-05-20T08:00 | a1         | active           | -                | -
"""
MONDAYS = ["2024-03-04", "2024-03-11", "2024-04-22", "2024-04-29", "2024-05-20", "2024-05-27"]


def test_a_project_is_active_from_when_that_is_known_to_when_its_end_is() -> None:
    rows = features({"projects_history": LIFE}, as_of=MONDAYS)
    assert [row["active_projects"] for row in rows] == [0, 1, 1, 0, 0, 1]


def test_days_without_a_project_count_from_its_end_however_late_it_was_known() -> None:
    rows = features({"projects_history": LIFE}, as_of=MONDAYS)
    assert [row["project_wrap_recency_days"] for row in rows] == [None, 0, 0, 19, 40, 0]


def test_days_without_a_project_end_at_a_year() -> None:
    ended = """
        project_id | valid_from | account_id | kind  | status_canonical
        p1         | 2023-02-06 | a1         | promo | active
        p1         | 2023-03-06 | a1         | promo | archived
    """
    row = features({"projects_history": ended})
    # Where the source gives no end, it is when the state began.
    assert row["project_wrap_recency_days"] == 365
    assert row["project_gap_weeks_w52"] == 52


def test_weeks_without_a_project_count_from_the_first_one() -> None:
    rows = features({"projects_history": LIFE}, as_of=MONDAYS)
    # Idle as known then on 29 April, 6, 13 and 20 May.
    assert [row["project_gap_weeks_w52"] for row in rows] == [0, 0, 0, 1, 4, 4]


def test_a_project_starts_soon_when_planned_within_60_days() -> None:
    planned = """
        project_id | valid_from | account_id | kind  | status_canonical | planned_start_on
        p1         | 2024-06-01 | a1         | promo | planned          | 2024-08-30
        p2         | 2024-06-01 | a1         | promo | planned          | 2024-08-31
        p3         | 2024-06-01 | a1         | promo | planned          | 2024-07-01
        p4         | 2024-06-01 | a1         | promo | planned          | 2024-06-30
        p5         | 2024-06-01 | a1         | promo | active           | 2024-08-01
        p6         | 2024-06-01 | a1         | promo | planned          | -
    """
    assert features({"projects_history": planned})["projects_starting_next_60d"] == 2


def test_a_plan_that_moved_counts_as_known_at_as_of() -> None:
    planned = """
        project_id | valid_from | available_at | account_id | kind  | status_canonical | planned_start_on
        p1         | 2024-06-01 | 2024-06-01   | a1         | promo | planned          | 2024-07-15
        p1         | 2024-06-15 | 2024-06-25   | a1         | promo | planned          | 2024-12-01
    """
    rows = features({"projects_history": planned}, as_of=["2024-06-24", "2024-07-01"])
    assert [row["projects_starting_next_60d"] for row in rows] == [1, 0]


def test_a_deleted_project_is_gone() -> None:
    states = """
        project_id | valid_from | available_at | account_id | kind  | status_canonical | op
        p1         | 2024-06-01 | 2024-06-01   | a1         | promo | active           | upsert
        p1         | 2024-06-20 | 2024-06-20   | a1         | promo | active           | delete
    """
    rows = features({"projects_history": states}, as_of=["2024-06-17", "2024-06-24"])
    assert [row["active_projects"] for row in rows] == [1, 0]


def test_nothing_is_read_of_an_account_that_does_not_consent() -> None:
    accounts = """
        account_id | valid_from | segment | hq_tz | consent_pm_data
        a1         | 2023-01-02 | studio  | UTC   | true
        a1         | 2024-06-26 | studio  | UTC   | false
        a2         | 2023-01-02 | studio  | UTC   | -
    """
    tables = {**COMPANY, "accounts_history": accounts, "projects_history": LIFE, "milestones_history": MILESTONES}
    before, after = features(tables, as_of=["2024-06-24", "2024-07-01"])
    assert before["active_projects"] == 1
    assert {name: value for name, value in after.items() if value is not None}.keys() == {
        "account_id",
        "as_of",
        "known_at",
    }
