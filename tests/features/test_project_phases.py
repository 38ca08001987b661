"""In which phase of its projects an account is: the phase to go by where no campaign is known."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.features.view_case import COMPANY, features_of_account

AS_OF = "2024-07-01"


def day(offset: int) -> str:
    return f"{date(2024, 7, 1) + timedelta(days=offset)}"


def projects(*rows: str) -> dict[str, str]:
    head = "project_id|valid_from|account_id|kind|status_canonical|actual_end_on"
    return {"projects_history": "\n".join([head, *rows])}


def milestones(*rows: str) -> dict[str, str]:
    head = "milestone_id|valid_from|project_id|kind|planned_on|baseline_on|completed_on|status_canonical"
    return {"milestones_history": "\n".join([head, *rows])}


def tasks(project: str, **counts: int) -> dict[str, str]:
    rows = [
        f"{project}-{status}-{number}|2024-01-08|{project}|{status}"
        for status, count in counts.items()
        for number in range(count)
    ]
    return {"tasks_history": "\n".join(["task_id|valid_from|project_id|status_canonical", *rows])}


def context(*parts: dict[str, str], as_of: Any = AS_OF) -> Any:
    return features_of_account("context", {name: text for part in parts for name, text in part.items()}, as_of=as_of)


def phase(*parts: dict[str, str]) -> str | None:
    row: dict[str, Any] = context(*parts)
    return row["project_phase"]


ACTIVE = projects("p1|2024-01-08|a1|promo|active|-")


def test_without_projects_there_is_no_basis_and_no_zero() -> None:
    row = context({})
    names = ("project_phase", "projects_planning_share", "projects_production_share", "projects_delivery_share")
    assert [row[name] for name in names] == [None] * 4
    # No campaign is known either: the phase is none, never an error.
    assert row["phase"] == "none"


def test_an_active_project_of_which_no_tasks_are_known_is_in_production() -> None:
    row = context(ACTIVE)
    assert row["project_phase"] == "production"
    assert row["projects_production_share"] == 1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param({"todo": 10}, "planning", id="none is started"),
        pytest.param({"todo": 10, "in_progress": 1}, "planning", id="1 of 11"),
        pytest.param({"todo": 9, "in_progress": 1}, "production", id="a tenth"),
        pytest.param({"ready": 5, "on_hold": 6, "done": 1}, "planning", id="ready and on hold are not started"),
        pytest.param({"todo": 5, "review": 1}, "production", id="a review is begun work"),
        pytest.param({"omitted": 50, "todo": 8, "approved": 1}, "production", id="omitted tasks are no work"),
        pytest.param({"omitted": 3}, "production", id="only omitted ones: none are known"),
    ],
)
def test_a_project_is_planned_while_less_than_a_tenth_of_its_tasks_is_started(
    counts: dict[str, int], expected: str
) -> None:
    assert phase(ACTIVE, tasks("p1", **counts)) == expected


@pytest.mark.parametrize(
    ("milestone", "expected"),
    [
        pytest.param(f"delivery|{day(14)}|{day(14)}|-|in_progress", "delivery", id="14 days before"),
        pytest.param(f"delivery|{day(15)}|{day(15)}|-|in_progress", "production", id="15 days before"),
        pytest.param(f"delivery|{day(-14)}|{day(-14)}|-|in_progress", "delivery", id="14 days late"),
        pytest.param(f"delivery|{day(-15)}|{day(-15)}|-|in_progress", "production", id="15 days late"),
        pytest.param(f"airdate|{day(3)}|{day(3)}|-|not_started", "delivery", id="an air date"),
        pytest.param(f"review|{day(3)}|{day(3)}|-|in_progress", "production", id="a review is no delivery"),
        pytest.param(f"delivery|{day(3)}|{day(3)}|-|waived", "production", id="waived"),
        pytest.param(f"delivery|{day(3)}|{day(-90)}|-|in_progress", "delivery", id="by the plan of now"),
        pytest.param(f"delivery|{day(3)}|{day(3)}|{day(-30)}|done", "production", id="done a month ago"),
        pytest.param(f"delivery|{day(-90)}|{day(-90)}|{day(-10)}|done", "delivery", id="done ten days ago"),
    ],
)
def test_a_project_is_in_delivery_around_the_day_it_delivers(milestone: str, expected: str) -> None:
    assert phase(ACTIVE, milestones(f"m1|2024-01-08|p1|{milestone}")) == expected


def test_delivery_comes_before_planning() -> None:
    due = milestones(f"m1|2024-01-08|p1|delivery|{day(3)}|{day(3)}|-|in_progress")
    assert phase(ACTIVE, due, tasks("p1", todo=10)) == "delivery"


@pytest.mark.parametrize(("ended", "expected"), [(0, "wrap"), (-42, "wrap"), (-43, "idle"), (-400, "idle")], ids=str)
def test_after_the_last_delivery_the_account_wraps_for_42_days(ended: int, expected: str) -> None:
    over = projects("p1|2023-01-09|a1|promo|active|-", f"p1|{day(min(ended, -1))}|a1|promo|delivered|{day(ended)}")
    assert phase(over) == expected


def test_a_delivered_milestone_wraps_a_project_that_was_put_on_hold() -> None:
    held = projects("p1|2023-01-09|a1|promo|active|-", f"p1|{day(-5)}|a1|promo|on_hold|-")
    assert phase(held) == "idle"
    assert phase(held, milestones(f"m1|2024-01-08|p1|delivery|{day(-8)}|{day(-8)}|{day(-8)}|done")) == "wrap"


def test_another_active_project_keeps_the_account_at_work() -> None:
    both = projects(
        "p1|2023-01-09|a1|promo|active|-",
        f"p1|{day(-5)}|a1|promo|delivered|{day(-5)}",
        "p2|2024-01-08|a1|promo|active|-",
    )
    assert phase(both) == "production"


def test_a_plan_alone_is_no_work() -> None:
    assert phase(projects("p1|2024-01-08|a1|promo|planned|-")) == "idle"


FOUR = projects(*(f"p{number}|2024-01-08|a1|promo|active|-" for number in range(1, 5)))


def test_shares_are_of_active_projects_and_the_most_frequent_phase_leads() -> None:
    row = context(FOUR, tasks("p1", todo=20))
    shares = [row[f"projects_{name}_share"] for name in ("planning", "production", "delivery")]
    assert (shares, row["project_phase"]) == ([0.25, 0.75, 0], "production")


def test_where_phases_are_as_frequent_delivery_leads_before_production() -> None:
    due = (f"m{number}|2024-01-08|p{number}|delivery|{day(3)}|{day(3)}|-|in_progress" for number in (1, 2))
    row = context(FOUR, milestones(*due))
    assert (row["projects_delivery_share"], row["project_phase"]) == (0.5, "delivery")


def test_production_leads_before_planning_where_equal() -> None:
    row = context(projects("p1|2024-01-08|a1|promo|active|-", "p2|2024-01-08|a1|promo|active|-"), tasks("p1", todo=9))
    assert row["project_phase"] == "production"


def test_only_what_was_known_at_the_snapshot_counts() -> None:
    late = """
        project_id | valid_from | available_at | account_id | kind  | status_canonical | actual_end_on
        p1         | 2024-05-06 | 2024-05-06   | a1         | promo | active           | -
        p1         | 2024-06-12 | 2024-06-26   | a1         | promo | delivered        | 2024-06-12
    """
    begun = """
        task_id | valid_from | available_at | project_id | status_canonical
        t1      | 2024-05-06 | 2024-05-06   | p1         | todo
        t1      | 2024-05-20 | 2024-06-05   | p1         | in_progress
    """
    mondays = ["2024-05-06", "2024-06-03", "2024-06-10", "2024-06-24", "2024-07-01"]
    rows = context({"projects_history": late, "tasks_history": begun}, as_of=mondays)
    assert [row["project_phase"] for row in rows] == ["planning", "planning", "production", "production", "wrap"]


def test_a_task_that_was_deleted_is_gone() -> None:
    states = """
        task_id | valid_from | project_id | status_canonical | op
        t1      | 2024-05-06 | p1         | in_progress      | upsert
        t2      | 2024-05-06 | p1         | todo             | upsert
        t1      | 2024-06-10 | p1         | in_progress      | delete
    """
    rows = context(ACTIVE, {"tasks_history": states}, as_of=["2024-06-10", "2024-06-17"])
    # A change on a Monday is known with the next one at the latest.
    assert [row["project_phase"] for row in rows][-1] == "planning"


def test_nothing_is_said_of_an_account_that_does_not_consent() -> None:
    accounts = """
        account_id | valid_from | segment | hq_tz | consent_pm_data
        a1         | 2023-01-02 | studio  | UTC   | true
        a1         | 2024-06-26 | studio  | UTC   | false
    """
    rows = context({**COMPANY, "accounts_history": accounts}, ACTIVE, as_of=["2024-06-24", "2024-07-01"])
    assert [row["project_phase"] for row in rows] == ["production", None]
    assert rows[1]["projects_production_share"] is None
