"""What do the features of output quality say about a small case?"""

from __future__ import annotations

from functools import partial
from math import log

import pytest

from features.catalogue import features_of
from features.vocabulary import Subcategory
from tests.features.view_case import COMPANY, features_of_account, view_rows

features = partial(features_of_account, "output_quality")

VERSIONS = """
    version_id | asset_id | project_id | account_id | version_no | created_at
    v1         | s1       | p1         | a1         | 1          | 2024-06-10T00:00
    v2         | s1       | p1         | a1         | 2          | 2024-06-14T00:00
"""
FEEDBACK = """
    review_event_id | version_id | asset_id | account_id | type              | happened_at
    r1              | v1         | s1       | a1         | changes_requested | 2024-06-11T00:00
"""


def test_without_data_every_row_is_there_and_has_no_value() -> None:
    names = [feature.name for feature in features_of(Subcategory.OUTPUT_QUALITY)]
    rows = view_rows("output_quality", {}, as_of=["2024-06-24", "2024-07-01"])
    assert [row["account_id"] for row in rows] == ["a1", "a1", "a2", "a2"]
    assert list(rows[0]) == ["account_id", "as_of", "known_at", *names]
    assert all(row[name] is None for row in rows for name in names)
    assert all(row["known_at"] == row["as_of"] for row in rows)


def test_a_revision_runs_from_the_first_feedback_to_the_next_version() -> None:
    assert features({"asset_versions": VERSIONS, "review_events": FEEDBACK})["revision_cycle_hours_w8"] == 72


def test_a_revision_without_feedback_runs_from_the_version_before() -> None:
    assert features({"asset_versions": VERSIONS})["revision_cycle_hours_w8"] == 96


def test_feedback_after_the_next_version_starts_no_revision() -> None:
    late = FEEDBACK.replace("2024-06-11T00:00", "2024-06-14T00:01")
    assert features({"asset_versions": VERSIONS, "review_events": late})["revision_cycle_hours_w8"] == 96


def test_earlier_feedback_takes_over_when_it_becomes_known() -> None:
    events = """
        review_event_id | version_id | asset_id | account_id | type              | happened_at      | available_at
        r1              | v1         | s1       | a1         | changes_requested | 2024-06-12T00:00 | 2024-06-12T00:00
        r2              | v1         | s1       | a1         | comment           | 2024-06-11T00:00 | 2024-06-20T00:00
    """
    rows = features({"asset_versions": VERSIONS, "review_events": events}, as_of=["2024-06-17", "2024-06-24"])
    assert [row["revision_cycle_hours_w8"] for row in rows] == [48, 72]


def test_the_median_is_the_mean_of_the_middle_two_revisions_closed_in_8_weeks() -> None:
    versions = """
        version_id | asset_id | project_id | account_id | version_no | created_at
        v1         | s1       | p1         | a1         | 1          | 2024-06-10T00:00
        v2         | s1       | p1         | a1         | 2          | 2024-06-10T10:00
        v3         | s1       | p1         | a1         | 3          | 2024-06-11T06:00
        w1         | s2       | p1         | a1         | 1          | 2024-05-05T23:00
        w2         | s2       | p1         | a1         | 2          | 2024-05-06T00:00
        x1         | s3       | p1         | a1         | 1          | 2024-04-20T00:00
        x2         | s3       | p1         | a1         | 2          | 2024-05-05T23:00
        y1         | s4       | p1         | a1         | 1          | 2024-06-01T00:00
        y2         | s4       | p1         | a1         | 2          | 2024-06-20T00:00
    """
    # 1, 10, 20 and 456 hours; s3 closed an hour before the window.
    assert features({"asset_versions": versions})["revision_cycle_hours_w8"] == 15


def test_revisions_are_compared_with_the_segments_known_so_far() -> None:
    versions = """
        version_id | asset_id | project_id | account_id | version_no | created_at       | available_at
        v1         | s1       | p1         | a1         | 1          | 2024-06-03T00:00 | 2024-06-03T00:00
        v2         | s1       | p1         | a1         | 2          | 2024-06-05T00:00 | 2024-06-05T00:00
        w1         | s2       | p2         | a2         | 1          | 2024-06-03T00:00 | 2024-06-03T00:00
        w2         | s2       | p2         | a2         | 2          | 2024-06-07T00:00 | 2024-06-19T00:00
    """
    rows = features({"asset_versions": versions}, as_of=["2024-06-17", "2024-06-24"])
    expected = [0, (log(48) - (log(48) + log(96)) / 2) / (1 + 5)]
    assert [row["revision_cycle_par_w26"] for row in rows] == pytest.approx(expected, abs=1e-6)


def test_revisions_are_compared_within_their_phase_and_segment() -> None:
    versions = """
        version_id | asset_id | project_id | account_id | version_no | created_at
        v1         | s1       | p1         | a1         | 1          | 2024-06-03T00:00
        v2         | s1       | p1         | a1         | 2          | 2024-06-05T00:00
        w1         | s2       | p2         | a2         | 1          | 2024-06-03T00:00
        w2         | s2       | p2         | a2         | 2          | 2024-06-07T00:00
        x1         | s3       | p3         | a3         | 1          | 2024-06-03T00:00
        x2         | s3       | p3         | a3         | 2          | 2024-06-08T00:00
    """
    campaign = {
        "campaigns": """
            campaign_id | known_from | default_pre_days | default_post_days
            games       | 2023-01-02 | 28               | 42
        """,
        "campaign_instances_history": """
            campaign_instance_id | known_from | campaign_id | active_start_local | active_end_local | tz_policy
            games_2024           | 2023-01-02 | games       | 2024-05-27         | 2024-06-23       | account_local
        """,
        "account_campaigns_history": """
            account_id | campaign_instance_id | known_from | participation | confidence
            a1         | games_2024           | 2024-01-01 | declared      | 1
        """,
    }
    contract = "c3 | 2023-01-02 | a3 | 2023-01-02 | 2025-12-31 | 36 | USD | 9"
    third = {
        "accounts_history": f"{COMPANY['accounts_history']}\n a3 | 2023-01-02 | agency | UTC | US",
        "contracts_history": f"{COMPANY['contracts_history']}\n {contract}",
    }
    tables = {"asset_versions": versions, **campaign, **third}
    # a1 is in its campaign, a2 is not, a3 is of another segment: each is compared with itself alone.
    assert [row["revision_cycle_par_w26"] for row in view_rows("output_quality", tables)] == [0, 0, 0]


OPEN = """
    version_id | asset_id | project_id | account_id | version_no | created_at
    v1         | s1       | p1         | a1         | 1          | 2024-06-01
    w1         | s2       | p1         | a1         | 1          | 2024-06-01
    x1         | s3       | p1         | a2         | 1          | 2024-06-01
"""


def open_revision_overdue_share(events: str, versions: str = OPEN) -> float:
    header = "review_event_id | version_id | asset_id | account_id | type | happened_at"
    share: float = features({"asset_versions": versions, "review_events": f"{header}\n{events}"})[
        "open_revision_overdue_share"
    ]
    return share


def test_a_revision_is_overdue_after_7_days() -> None:
    events = """
        r1 | v1 | s1 | a1 | changes_requested | 2024-06-23T23:59
        r2 | w1 | s2 | a1 | changes_requested | 2024-06-24T00:00
        r3 | x1 | s3 | a2 | rejected          | 2024-06-29T00:00
    """
    # 1 of 2 here, 1 of 3 in the portfolio.
    assert open_revision_overdue_share(events) == pytest.approx((1 + 4 / 3) / (2 + 4))


def test_a_newer_version_or_an_approval_closes_a_revision() -> None:
    newer = f"{OPEN}\n v2 | s1 | p1 | a1 | 2 | 2024-06-20"
    events = """
        r1 | v1 | s1 | a1 | changes_requested | 2024-06-10
        r2 | w1 | s2 | a1 | changes_requested | 2024-06-10
        r3 | w1 | s2 | a1 | approved          | 2024-06-25
        r4 | x1 | s3 | a2 | rejected          | 2024-06-10
    """
    # None is open here; the one of the portfolio is overdue.
    assert open_revision_overdue_share(events, newer) == pytest.approx((0 + 4 * 1) / (0 + 4))


def test_a_comment_opens_a_revision_only_while_no_decision_is_known() -> None:
    events = """
        r1 | v1 | s1 | a1 | comment  | 2024-06-10
        r2 | w1 | s2 | a1 | approved | 2024-06-10
        r3 | w1 | s2 | a1 | comment  | 2024-06-11
        r4 | x1 | s3 | a2 | rejected | 2024-06-29
    """
    assert open_revision_overdue_share(events) == pytest.approx((1 + 4 / 2) / (1 + 4))


APPROVED = """
    version_id | asset_id | project_id | account_id | version_no | created_at
    v1         | s1       | p1         | a1         | 1          | 2024-03-01
    v2         | s1       | p1         | a1         | 2          | 2024-03-05
    v3         | s1       | p1         | a1         | 3          | 2024-03-09
    w1         | s2       | p1         | a1         | 1          | 2024-03-01
    x1         | s3       | p2         | a2         | 1          | 2024-03-01
"""
APPROVALS = """
    review_event_id | version_id | asset_id | account_id | type            | happened_at
    r1              | v3         | s1       | a1         | approved        | 2024-03-10
    r2              | v3         | s1       | a1         | client_approved | 2024-03-12
    r3              | w1         | s2       | a1         | approved        | 2024-03-10
    r4              | x1         | s3       | a2         | approved        | 2024-03-10
"""


def test_versions_are_counted_up_to_the_approval_of_each_asset() -> None:
    row = features({"asset_versions": APPROVED, "review_events": APPROVALS})
    assert row["versions_per_approved_asset_w26"] == (3 + 1) / 2
    assert row["first_pass_approval_rate_w26"] == pytest.approx((1 + 10 * 2 / 3) / (2 + 10))


def test_a_withdrawn_approval_counts_until_the_withdrawal_is_known() -> None:
    events = """
        review_event_id | version_id | asset_id | account_id | type               | happened_at | available_at
        r1              | v3         | s1       | a1         | approved           | 2024-03-10  | 2024-03-10
        r2              | w1         | s2       | a1         | approved           | 2024-03-10  | 2024-03-10
        r3              | w1         | s2       | a1         | approval_withdrawn | 2024-03-20  | 2024-06-26
    """
    rows = features({"asset_versions": APPROVED, "review_events": events}, as_of=["2024-06-24", "2024-07-01"])
    assert [row["versions_per_approved_asset_w26"] for row in rows] == [2, 3]
    assert [row["first_pass_approval_rate_w26"] for row in rows] == pytest.approx([0.5, 0])


def test_changes_wanted_after_an_approval_end_it_and_the_next_approval_counts() -> None:
    events = APPROVALS.replace("r1              | v3", "r1              | v1").replace(
        "r2              | v3         | s1       | a1         | client_approved",
        "r2 | v1 | s1 | a1 | changes_requested",
    )
    tables = {"asset_versions": APPROVED, "review_events": events}
    assert features(tables)["versions_per_approved_asset_w26"] == 1
    again = f"{events}\n r6 | v3 | s1 | a1 | approved | 2024-04-01"
    assert features({**tables, "review_events": again})["versions_per_approved_asset_w26"] == (3 + 1) / 2


def test_assets_approved_more_than_26_weeks_ago_do_not_count() -> None:
    old = {"asset_versions": APPROVED, "review_events": APPROVALS}
    rows = features(old, as_of=["2024-09-09", "2024-09-16"])
    # An approval of Sunday 10 March is out of the window on 9 September, one of Tuesday 12 March a week later.
    assert [row["versions_per_approved_asset_w26"] for row in rows] == [3, None]


def test_a_decision_waits_from_the_last_submission_known() -> None:
    events = """
        review_event_id | version_id | asset_id | account_id | type      | happened_at      | available_at
        r1              | v1         | s1       | a1         | submitted | 2024-06-10T06:00 | 2024-06-10T06:00
        r2              | v1         | s1       | a1         | submitted | 2024-06-10T18:00 | 2024-06-19T00:00
        r3              | v1         | s1       | a1         | approved  | 2024-06-11T00:00 | 2024-06-11T00:00
        r4              | v2         | s1       | a1         | approved  | 2024-06-14T02:00 | 2024-06-14T02:00
    """
    rows = features({"asset_versions": VERSIONS, "review_events": events}, as_of=["2024-06-17", "2024-06-24"])
    # Version 2 was never submitted: it waits from its creation.
    assert [row["approval_latency_hours_w13"] for row in rows] == [(18 + 2) / 2, (6 + 2) / 2]


def test_work_sent_back_is_counted_per_decision() -> None:
    events = """
        review_event_id | version_id | asset_id | account_id | type              | happened_at
        r1              | v1         | s1       | a1         | changes_requested | 2024-06-11
        r2              | v1         | s1       | a1         | comment           | 2024-06-11
        r3              | v2         | s1       | a1         | approved          | 2024-06-15
        r4              | x1         | s3       | a2         | approved          | 2024-06-15
    """
    row = features({"asset_versions": VERSIONS, "review_events": events})
    assert row["rejection_rate_w26"] == pytest.approx((1 + 10 / 3) / (2 + 10))


def test_a_deleted_decision_counts_until_its_deletion_is_known() -> None:
    events = """
        review_event_id | version_id | asset_id | account_id | type              | happened_at | available_at | op
        r1              | v1         | s1       | a1         | changes_requested | 2024-06-11  | 2024-06-11   | upsert
        r1              | v1         | s1       | a1         | changes_requested | 2024-06-11  | 2024-06-20   | delete
        r2              | v2         | s1       | a1         | approved          | 2024-06-15  | 2024-06-15   | upsert
    """
    rows = features({"asset_versions": VERSIONS, "review_events": events}, as_of=["2024-06-17", "2024-06-24"])
    assert [row["rejection_rate_w26"] for row in rows] == pytest.approx([0.5, 0])
