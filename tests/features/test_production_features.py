"""What do the features of comments, reuse, tasks and campaigns' revisions say about a small case?"""

from __future__ import annotations

from functools import partial
from math import log

import pytest

from tests.features.view_case import features_of_account

features = partial(features_of_account, "output_quality")

VERSIONS = """
    version_id | asset_id | project_id | account_id | version_no | created_at
    v1         | s1       | p1         | a1         | 1          | 2024-05-01
    w1         | s2       | p1         | a1         | 1          | 2024-05-01
"""
REVIEW = "review_event_id | version_id | asset_id | account_id | type | thread_id | happened_at | available_at"


def reviews(*rows: str) -> dict[str, str]:
    return {"asset_versions": VERSIONS, "review_events": "\n".join([REVIEW, *rows])}


def test_a_comment_is_left_open_when_it_is_older_than_14_days_and_nothing_settled_it() -> None:
    row = features(
        reviews(
            "r1 | v1 | s1 | a1 | comment | - | 2024-06-16T23:59 | 2024-06-17",
            "r2 | v1 | s1 | a1 | comment | - | 2024-06-17T00:00 | 2024-06-17",
            "r3 | w1 | s2 | a1 | comment | - | 2024-04-01T00:00 | 2024-04-01",
            "r4 | w1 | s2 | a1 | comment | - | 2024-03-31T23:59 | 2024-04-01",
            "r5 | w1 | s2 | a1 | approved | - | 2024-05-01T00:00 | 2024-05-01",
        )
    )
    # r1 is open and r3 was approved; r2 is too young, r4 too old.
    assert row["unresolved_comment_share_w13"] == 1 / 2


def test_a_resolution_settles_its_thread_once_it_is_known() -> None:
    rows = features(
        reviews(
            "r1 | v1 | s1 | a1 | comment          | t1 | 2024-05-02 | 2024-05-02",
            "r2 | v1 | s1 | a1 | comment          | t2 | 2024-05-02 | 2024-05-02",
            "r3 | v1 | s1 | a1 | comment_resolved | t1 | 2024-05-03 | 2024-06-27",
            "r4 | v1 | s1 | a1 | comment_resolved | t1 | 2024-05-04 | 2024-06-28",
        ),
        as_of=["2024-06-24", "2024-07-01"],
    )
    # Resolved twice is resolved once.
    assert [row["unresolved_comment_share_w13"] for row in rows] == [1, 0.5]


def test_a_resolution_without_a_thread_settles_what_was_said_before_on_its_version() -> None:
    row = features(
        reviews(
            "r1 | v1 | s1 | a1 | comment          | t1 | 2024-05-02 | 2024-05-02",
            "r2 | v1 | s1 | a1 | comment          | t2 | 2024-05-04 | 2024-05-04",
            "r3 | w1 | s2 | a1 | comment          | -  | 2024-05-02 | 2024-05-02",
            "r4 | v1 | s1 | a1 | comment_resolved | -  | 2024-05-03 | 2024-05-03",
        )
    )
    assert row["unresolved_comment_share_w13"] == pytest.approx(2 / 3)


def test_a_withdrawn_approval_opens_the_comments_again() -> None:
    rows = features(
        reviews(
            "r1 | v1 | s1 | a1 | comment            | - | 2024-05-02 | 2024-05-02",
            "r2 | v1 | s1 | a1 | approved           | - | 2024-05-03 | 2024-05-03",
            "r3 | v1 | s1 | a1 | approval_withdrawn | - | 2024-06-26 | 2024-06-26",
        ),
        as_of=["2024-06-24", "2024-07-01"],
    )
    assert [row["unresolved_comment_share_w13"] for row in rows] == [0, 1]


def test_a_resolved_comment_on_its_own_neither_opens_a_revision_nor_closes_one() -> None:
    row = features(
        reviews(
            "r1 | v1 | s1 | a1 | changes_requested | t1 | 2024-06-10 | 2024-06-10",
            "r2 | v1 | s1 | a1 | comment_resolved  | t1 | 2024-06-11 | 2024-06-11",
        )
    )
    assert row["open_revision_overdue_share"] == pytest.approx((1 + 4 * 1) / (1 + 4))


REUSED = """
    version_id | asset_id | project_id | account_id | version_no | created_at | available_at | supersedes_version_id
    t1         | template | p1         | a1         | 1          | 2023-05-01 | 2023-05-01   | -
    v1         | s1       | p1         | a1         | 1          | 2024-05-01 | 2024-05-01   | t1
    v2         | s1       | p1         | a1         | 2          | 2024-05-02 | 2024-05-02   | v1
    w1         | s2       | p1         | a1         | 1          | 2024-05-01 | 2024-06-26   | t1
    x1         | s3       | p1         | a1         | 1          | 2024-05-01 | 2024-05-01   | -
    y1         | s4       | p2         | a2         | 1          | 2024-05-01 | 2024-05-01   | -
"""


def test_a_version_that_follows_one_of_another_asset_is_reuse() -> None:
    rows = features({"asset_versions": REUSED}, as_of=["2024-06-24", "2024-07-01"])
    assert [row["asset_reuse_rate_w26"] for row in rows] == pytest.approx([1 / 3, 2 / 4])
    # Nothing of a2 says what came before: no reuse is not known, it is unknown.
    assert features({"asset_versions": REUSED}, account="a2")["asset_reuse_rate_w26"] is None


PROJECTS = """
    project_id | valid_from | account_id | kind  | status_canonical
    p1         | 2023-06-05 | a1         | promo | active
    p2         | 2023-06-05 | a2         | promo | active
"""
TASK = "task_id | valid_from | available_at | project_id | status_canonical | due_on | done_at"


def tasks(*rows: str, header: str = TASK) -> dict[str, str]:
    return {"projects_history": PROJECTS, "tasks_history": "\n".join([header, *rows])}


def test_a_task_is_done_in_time_by_the_day_it_is_due() -> None:
    given = tasks(
        "t1 | 2024-06-03T09:00 | 2024-06-03 | p1 | done        | 2024-06-10 | 2024-06-10T23:00",
        "t2 | 2024-06-03T09:00 | 2024-06-03 | p1 | approved    | 2024-06-02 | -",
        "t3 | 2024-06-03T09:00 | 2024-06-03 | p1 | in_progress | 2024-06-30 | -",
        "t4 | 2024-06-03T09:00 | 2024-06-03 | p1 | omitted     | 2024-06-10 | -",
        "t5 | 2024-06-03T09:00 | 2024-06-03 | p1 | on_hold     | 2024-06-10 | -",
        "t6 | 2024-06-03T09:00 | 2024-06-03 | p1 | done        | 2024-07-01 | 2024-06-03T09:00",
        "t7 | 2024-06-03T09:00 | 2024-06-03 | p1 | done        | 2024-05-05 | 2024-05-01T09:00",
        "t8 | 2024-06-03T09:00 | 2024-06-03 | p2 | done        | 2024-06-10 | 2024-06-09T09:00",
    )
    # t1 of t1, t2 (done when its state began, a day late) and t3; t6 is not yet due, t7 was due before. 2 of 4 with a2.
    assert features(given)["task_completion_rate_w8"] == pytest.approx((1 + 10 * 2 / 4) / (3 + 10))


def test_a_due_date_that_moved_counts_as_known_at_as_of() -> None:
    given = tasks(
        "t1 | 2024-06-03 | 2024-06-03 | p1 | todo | 2024-06-10 | -",
        "t1 | 2024-06-12 | 2024-06-25 | p1 | todo | 2024-08-10 | -",
        "t2 | 2024-06-03 | 2024-06-03 | p2 | done | 2024-06-05 | 2024-06-04T00:00",
    )
    rows = features(given, as_of=["2024-06-24", "2024-07-01"])
    assert [row["task_completion_rate_w8"] for row in rows] == pytest.approx([(0 + 10 / 2) / (1 + 10), 1])


def test_nine_in_ten_tasks_in_progress_are_at_most_so_old() -> None:
    begun = [f"t{day} | 2024-06-{day:02} | 2024-06-30 | p1 | in_progress | - | -" for day in range(11, 31)]
    # Ages 1 to 20 days: the 18th of 20.
    assert features(tasks(*begun))["task_age_p90_days"] == 18
    assert features(tasks(*begun[:1]))["task_age_p90_days"] == 20


def test_work_in_progress_is_as_old_as_its_first_beginning_known() -> None:
    rows = features(
        tasks(
            "t1 | 2024-05-01 | 2024-05-01 | p1 | todo        | - | -",
            "t1 | 2024-06-03 | 2024-06-03 | p1 | in_progress | - | -",
            "t1 | 2024-06-10 | 2024-06-10 | p1 | on_hold     | - | -",
            "t1 | 2024-06-12 | 2024-06-19 | p1 | review      | - | -",
            "t1 | 2024-06-26 | 2024-06-26 | p1 | done        | - | -",
        ),
        as_of=["2024-06-10", "2024-06-17", "2024-06-24", "2024-07-01"],
    )
    assert [row["task_age_p90_days"] for row in rows] == [None, None, 21, None]
    assert features(tasks("t1 | 2024-06-03 | 2024-06-03 | p1 | todo | - | -"))["task_age_p90_days"] is None


def test_tasks_given_up_are_counted_among_those_touched() -> None:
    given = tasks(
        "t1 | 2024-04-01 | 2024-04-01 | p1 | omitted | - | -",
        "t2 | 2024-06-03 | 2024-06-03 | p1 | todo    | - | -",
        "t3 | 2024-03-31 | 2024-03-31 | p1 | omitted | - | -",
        "t4 | 2024-06-03 | 2024-06-03 | p1 | omitted | - | -",
        "t4 | 2024-06-05 | 2024-06-26 | p1 | ready   | - | -",
    )
    rows = features(given, as_of=["2024-06-24", "2024-07-01"])
    # t3's state began before the window of 1 July; on 24 June t4 counts as given up.
    assert [row["omitted_task_share_w13"] for row in rows] == pytest.approx([3 / 4, 1 / 3])
    assert features(given, account="a2")["omitted_task_share_w13"] is None


CAMPAIGN = {
    "campaigns": "campaign_id | known_from | default_pre_days | default_post_days\ngames | 2023-01-02 | 7 | 7",
    "campaign_instances_history": """
        campaign_instance_id | known_from | campaign_id | active_start_local | active_end_local | tz_policy
        games_2023           | 2023-01-02 | games       | 2023-09-04         | 2023-09-17       | account_local
        games_2024           | 2023-01-02 | games       | 2024-03-04         | 2024-03-17       | account_local
    """,
    "account_campaigns_history": """
        account_id | campaign_instance_id | known_from | participation | confidence
        a1         | games_2023           | 2023-01-02 | declared      | 1
        a1         | games_2024           | 2024-01-01 | declared      | 1
    """,
}


def revisions(*cycles: tuple[str, str]) -> dict[str, str]:
    rows = ["version_id | asset_id | project_id | account_id | version_no | created_at"]
    for number, (begun, closed) in enumerate(cycles):
        rows += [f"v{number} | s{number} | p1 | a1 | 1 | {begun}", f"w{number} | s{number} | p1 | a1 | 2 | {closed}"]
    return {**CAMPAIGN, "asset_versions": "\n".join(rows)}


def test_revisions_of_the_last_campaign_are_set_against_quiet_weeks() -> None:
    quiet = [(f"2024-05-{day:02}T00:00", f"2024-05-{day:02}T08:00") for day in (6, 7, 8)]
    active = [("2024-03-04", "2024-03-05"), ("2024-03-12", "2024-03-13"), ("2024-03-17T10:00", "2024-03-19T10:00")]
    others = [("2023-09-05", "2023-09-25"), ("2024-03-19", "2024-05-01")]
    row = features(revisions(*quiet, *active, *others))
    expected = log(24 * 24 * 48) / 3 - log(8)
    assert row["revision_cycle_active_ratio_last"] == pytest.approx(expected, abs=1e-6)
    # Two revisions are no habit.
    assert features(revisions(*quiet, *active[:2]))["revision_cycle_active_ratio_last"] is None
    assert features(revisions(*quiet[:2], *active))["revision_cycle_active_ratio_last"] is None


def test_without_a_campaign_in_52_weeks_there_is_nothing_to_set_against_quiet_weeks() -> None:
    cycles = [(f"2024-03-{day:02}", f"2024-03-{day + 1:02}") for day in (5, 6, 7)]
    quiet = [(f"2024-05-{day:02}", f"2024-05-{day + 1:02}") for day in (6, 7, 8)]
    found = features(revisions(*cycles, *quiet), as_of=["2024-07-01", "2025-03-10", "2025-03-17"])
    # Windows are by the day: the campaign ended on 18 March at midnight.
    assert [row["revision_cycle_active_ratio_last"] for row in found] == [0, 0, None]
