"""What do the features of surveys and support say about a small case?"""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from math import log

import pytest

from features.catalogue import features_of
from features.vocabulary import Subcategory
from tests.features.view_case import features_of_account, view_rows

features = partial(features_of_account, "sentiment")

ANSWER = "response_id | survey_id | survey_family | account_id | submitted_at | question_key | score_raw"
TICKET = "ticket_id | valid_from | account_id | created_at | priority | status | reopens | solved_at"


def answers(rows: str, header: str = ANSWER) -> dict[str, str]:
    return {"survey_responses": f"{header}\n{rows}"}


def tickets(rows: str, header: str = TICKET) -> dict[str, str]:
    return {"tickets_history": f"{header}\n{rows}"}


def test_without_data_every_row_is_there_and_has_no_value() -> None:
    names = [feature.name for feature in features_of(Subcategory.SENTIMENT)]
    rows = view_rows("sentiment", {}, as_of=["2024-06-24", "2024-07-01"])
    assert [row["account_id"] for row in rows] == ["a1", "a1", "a2", "a2"]
    assert list(rows[0]) == ["account_id", "as_of", "known_at", *names]
    assert all(row[name] is None for row in rows for name in names)


def test_the_last_score_is_the_mean_of_the_last_day() -> None:
    rows = """
        n1 | s | nps | a1 | 2024-06-03T09:00 | recommend | 7
        n2 | s | nps | a1 | 2024-06-03T17:00 | recommend | 4
        n3 | s | nps | a1 | 2024-05-01T09:00 | recommend | 10
        n3 | s | nps | a1 | 2024-06-20T09:00 | why       | -
    """
    row = features(answers(rows))
    assert row["nps_last"] == 5.5
    assert row["nps_age_weeks"] == 4
    assert row["nps_mean_w52"] == pytest.approx((7 + 4 + 10 + 2 * 7) / (3 + 2))
    assert row["nps_detractor_share_w52"] == pytest.approx((1 + 2 / 3) / (3 + 2))


def test_a_score_known_late_counts_from_then_on() -> None:
    rows = """
        n1 | s | nps | a1 | 2024-03-04 | 2024-03-04 | recommend | 9
        n2 | s | nps | a1 | 2024-06-17 | 2024-06-27 | recommend | 2
    """
    header = ANSWER.replace("submitted_at", "submitted_at | available_at")
    found = features(answers(rows, header), as_of=["2024-06-24", "2024-07-01"])
    assert [(row["nps_last"], row["nps_age_weeks"]) for row in found] == [(9, 16), (2, 2)]


def test_an_old_score_has_an_age_but_is_no_last_score() -> None:
    rows = """
        n1 | s | nps | a1 | 2023-06-26 | recommend | 3
        n2 | s | nps | a2 | 2024-06-24 | recommend | 9
    """
    row = features(answers(rows))
    assert (row["nps_last"], row["nps_age_weeks"]) == (None, 53)
    # Nothing of its own in 52 weeks: the portfolio's mean and share.
    assert (row["nps_mean_w52"], row["nps_detractor_share_w52"]) == (9, 0)


def test_an_age_ends_at_104_weeks() -> None:
    rows = "n1 | s | nps | a1 | 2023-02-01 | recommend | 3"
    assert features(answers(rows), as_of="2025-06-30")["nps_age_weeks"] == 104


def test_the_change_needs_an_answer_in_both_half_years() -> None:
    rows = """
        n1 | s | nps | a1 | 2023-12-31 | recommend | 9
        n2 | s | nps | a1 | 2024-01-01 | recommend | 6
        n3 | s | nps | a1 | 2024-06-01 | recommend | 5
        n4 | s | nps | a2 | 2024-06-01 | recommend | 5
    """
    assert features(answers(rows))["nps_change"] == 5.5 - 9
    assert features(answers(rows), account="a2")["nps_change"] is None


def test_every_scale_is_read_on_0_to_10() -> None:
    header = f"{ANSWER} | scale_min | scale_max | score_01"
    rows = """
        n1 | s | nps | a1 | 2024-06-03 | recommend | 4 | 1 | 5 | -
        n2 | s | nps | a1 | 2024-06-10 | recommend | - | - | - | 0.9
    """
    found = features(answers(rows, header), as_of=["2024-06-10", "2024-06-17"])
    assert [row["nps_last"] for row in found] == [7.5, 9]


def test_ratings_under_the_middle_of_the_scale_are_bad() -> None:
    header = f"{ANSWER} | scale_min | scale_max"
    rows = """
        c1 | s | csat | a1 | 2024-06-03 | satisfied | 1 | 1 | 5
        c2 | s | csat | a1 | 2024-06-03 | satisfied | 3 | 1 | 5
        c3 | s | csat | a2 | 2024-06-03 | satisfied | 5 | 1 | 5
        c4 | s | csat | a1 | 2023-12-31 | satisfied | 1 | 1 | 5
    """
    row = features(answers(rows, header))
    assert row["csat_bad_share_w26"] == pytest.approx((1 + 4 / 3) / (2 + 4))


def test_answers_are_set_against_invitations_of_the_same_kind() -> None:
    invitations = """
        invitation_id | account_id | survey_family | sent_at    | status
        v1            | a1         | nps           | 2024-05-01 | sent
        v2            | a1         | nps           | 2024-05-01 | sent
        v3            | a1         | nps           | 2024-05-01 | sent
        v4            | a1         | nps           | 2023-05-01 | sent
        v5            | a1         | nps           | 2024-05-01 | bounced
        v6            | a1         | csat          | 2024-05-01 | sent
    """
    rows = """
        n1 | s | nps  | a1 | 2024-05-02 | recommend | 9
        n1 | s | nps  | a1 | 2024-05-02 | why       | -
        c1 | s | csat | a1 | 2024-05-02 | satisfied | 5
        c2 | s | csat | a1 | 2024-05-03 | satisfied | 5
        p1 | s | ces  | a1 | 2024-05-03 | easy      | 5
    """
    # 1 of 3 and 1 of 1: a second rating without an invitation makes up for no silence.
    assert features({"survey_invitations": invitations, **answers(rows)})["survey_response_rate_w52"] == 2 / 4
    assert features(answers(rows))["survey_response_rate_w52"] is None


OPENED = """
    t1 | 2024-06-10 | a1 | 2024-06-10 | urgent | open   | 0 | -
    t2 | 2024-04-01 | a1 | 2024-04-01 | normal | open   | 0 | -
    t3 | 2024-03-31 | a1 | 2024-03-31 | high   | open   | 0 | -
    t4 | 2023-12-31 | a1 | 2023-12-31 | low    | open   | 0 | -
    t5 | 2024-06-10 | a2 | 2024-06-10 | low    | open   | 0 | -
"""


def test_tickets_are_counted_when_opened() -> None:
    row = features(tickets(OPENED))
    assert row["tickets_per_100_seats_w13"] == 2 / 10 * 100
    assert row["urgent_ticket_share_w26"] == pytest.approx((2 + 4 * 2 / 4) / (3 + 4))


def test_the_oldest_open_ticket_is_as_old_as_its_opening_and_at_most_180_days() -> None:
    assert features(tickets(OPENED))["open_ticket_age_days"] == 180
    assert features(tickets(OPENED), account="a2")["open_ticket_age_days"] == 21
    solved = f"{OPENED}\n t5 | 2024-06-20T06:00 | a2 | 2024-06-10 | low | solved | 0 | 2024-06-20T06:00"
    assert features(tickets(solved), account="a2")["open_ticket_age_days"] == 0


REOPENED = """
    t1 | 2024-06-10T00:00 | 2024-06-10 | a1 | 2024-06-10 | low | open   | 0 | -
    t1 | 2024-06-11T12:00 | 2024-06-12 | a1 | 2024-06-10 | low | solved | 0 | 2024-06-11T12:00
    t1 | 2024-06-18T00:00 | 2024-06-19 | a1 | 2024-06-10 | low | open   | 1 | -
    t1 | 2024-06-28T00:00 | 2024-06-28 | a1 | 2024-06-10 | low | solved | 1 | 2024-06-28T00:00
    t2 | 2024-06-10T00:00 | 2024-06-10 | a1 | 2024-06-10 | low | open   | 0 | -
    t2 | 2024-06-10T12:00 | 2024-06-10 | a1 | 2024-06-10 | low | closed | 0 | 2024-06-10T12:00
"""
KNOWN_TICKET = TICKET.replace("valid_from", "valid_from | available_at")
MONDAYS = ["2024-06-17", "2024-06-24", "2024-07-01"]


def test_a_reopened_ticket_is_open_again_until_solved_again() -> None:
    rows = features(tickets(REOPENED, KNOWN_TICKET), as_of=MONDAYS)
    assert [row["open_ticket_age_days"] for row in rows] == [0, 14, 0]
    assert [row["ticket_reopen_rate_w26"] for row in rows] == [0, 0.5, 0.5]
    assert [row["ticket_resolution_hours_w13"] for row in rows] == [(36 + 12) / 2, 12, (18 * 24 + 12) / 2]


def test_a_state_known_after_a_later_one_never_holds() -> None:
    rows = """
        t1 | 2024-06-10T00:00 | 2024-06-10 | a1 | 2024-06-10 | low | open    | 0 | -
        t1 | 2024-06-12T00:00 | 2024-06-12 | a1 | 2024-06-10 | low | solved  | 0 | 2024-06-12T00:00
        t1 | 2024-06-11T00:00 | 2024-06-20 | a1 | 2024-06-10 | low | pending | 0 | -
    """
    found = features(tickets(rows, KNOWN_TICKET), as_of=MONDAYS)
    assert [row["open_ticket_age_days"] for row in found] == [0, 0, 0]
    assert [row["ticket_resolution_hours_w13"] for row in found] == [48, 48, 48]


def test_no_ticket_solved_means_no_time_to_a_solution() -> None:
    assert features(tickets(OPENED))["ticket_resolution_hours_w13"] is None


def test_tickets_are_compared_with_what_the_segment_opens_per_seat() -> None:
    rows = """
        t1 | 2024-06-17 | a1 | 2024-06-17 | low | open | 0 | -
        t2 | 2024-06-26 | a1 | 2024-06-26 | low | open | 0 | -
        t3 | 2024-06-26 | a2 | 2024-06-26 | low | open | 0 | -
    """
    found = features(tickets(rows), as_of=["2024-06-24", "2024-07-01"])
    # 50 seats a week; support is known since the first ticket, a week before: 1 in 50 seat-weeks, then 3 in 100.
    expected = [log((1 + 1) / (10 * 1 / 50 + 1)), log((2 + 1) / (20 * 3 / 100 + 1))]
    assert [row["tickets_par_w26"] for row in found] == pytest.approx(expected, abs=1e-8)


def test_support_is_a_source_for_26_weeks_after_the_last_ticket_known() -> None:
    rows = "t1 | 2024-01-09 | a2 | 2024-01-08 | low | solved | 0 | 2024-01-09"
    found = features(tickets(rows), as_of=["2024-01-08", "2024-01-15", "2024-07-01", "2024-07-15"])
    assert [row["tickets_per_100_seats_w13"] for row in found] == [None, 0, 0, None]
    assert [row["open_ticket_age_days"] for row in found] == [None, 0, 0, None]


def test_silence_is_told_only_of_those_who_use_less() -> None:
    usage = ["account_id | user_key | product_sku | feature_code | usage_date | events"]
    for week in range(78):
        day = date(2023, 1, 2) + timedelta(weeks=week)
        amount = 100 if week < 60 else 1
        usage += [f"a1 | u1 | suite | core | {day} | {amount}", f"a2 | u2 | suite | core | {day} | 100"]
    rows = "t1 | 2024-01-02 | a2 | 2024-01-02 | low | solved | 0 | 2024-01-03"
    tables = {"usage_daily": "\n".join(usage), **tickets(rows)}
    assert [row["ticket_silence_flag"] for row in view_rows("sentiment", tables)] == [1, 0]
    spoke = tickets(f"{rows}\n t2 | 2024-06-02 | a1 | 2024-06-02 | low | open | 0 | -")
    assert features({**tables, **spoke})["ticket_silence_flag"] == 0
    assert features(tickets(rows))["ticket_silence_flag"] is None
