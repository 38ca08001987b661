"""What do decision makers, review pulses, texts and sponsors say about a small case?"""

from __future__ import annotations

from functools import partial

import pytest

from tests.features.view_case import features_of_account

features = partial(features_of_account, "sentiment")

MONDAYS = ["2024-06-24", "2024-07-01"]
SCORES = (
    "response_id | survey_id | survey_family | account_id | respondent_key | submitted_at | question_key | score_raw"
)
SEATS = "seat_id | valid_from | available_at | account_id | user_key | role | assigned_at"


def scores(*rows: str) -> dict[str, str]:
    """Recommendation scores of a1 from rows of who, when and how much."""
    filled = []
    for number, row in enumerate(rows):
        who, at, score = (cell.strip() for cell in row.split("|"))
        filled.append(f"n{number} | s | nps | a1 | {who} | {at} | recommend | {score}")
    return {"survey_responses": "\n".join([SCORES, *filled])}


def seats(*rows: str) -> dict[str, str]:
    return {"seat_assignments_history": "\n".join([SEATS, *(f"{row} | 2024-01-08" for row in rows)])}


def test_a_decision_maker_is_critical_by_the_last_score_of_52_weeks() -> None:
    held = seats(
        "s1 | 2024-01-08 | 2024-01-08 | a1 | ann | admin",
        "s2 | 2024-01-08 | 2024-01-08 | a1 | bob | producer",
        "s3 | 2024-01-08 | 2024-01-08 | a1 | cat | creator",
    )
    flag = "decision_maker_detractor_flag"
    assert features(held | scores("ann | 2024-03-04 | 7", "cat | 2024-03-04 | 0"))[flag] == 0
    assert features(held | scores("ann | 2024-03-04 | 9", "bob | 2024-03-04 | 6"))[flag] == 1
    assert features(held | scores("ann | 2024-03-04 | 2", "ann | 2024-05-06 | 9"))[flag] == 0
    assert features(held | scores("ann | 2023-07-02 | 2"))[flag] is None
    assert features(held | scores("cat | 2024-03-04 | 2", "- | 2024-03-04 | 2"))[flag] is None


def test_who_decides_is_who_has_the_seat_as_known_at_as_of() -> None:
    held = seats(
        "s1 | 2024-01-08 | 2024-01-08 | a1 | ann | admin",
        "s1 | 2024-06-20 | 2024-06-26 | a1 | bob | admin",
    )
    rows = features(held | scores("ann | 2024-03-04 | 2", "bob | 2024-03-04 | 9"), as_of=MONDAYS)
    assert [row["decision_maker_detractor_flag"] for row in rows] == [1, 0]


CAMPAIGN = {
    "campaigns": "campaign_id | known_from | default_pre_days | default_post_days\ngames | 2023-01-02 | 14 | 28",
    "campaign_instances_history": """
        campaign_instance_id | known_from | campaign_id | active_start_local | active_end_local | tz_policy
        games_2024           | 2023-01-02 | games       | 2024-03-04         | 2024-03-17       | account_local
    """,
    "account_campaigns_history": """
        account_id | campaign_instance_id | known_from | participation | confidence
        a1         | games_2024           | 2024-01-01 | declared      | 1
    """,
}
PULSE = "response_id | survey_id | survey_family | account_id | submitted_at | question_key | score_01"


def test_the_pulse_after_campaigns_is_drawn_to_the_portfolios() -> None:
    answers = f"""{PULSE}
        p1 | s | review_pulse | a1 | 2024-03-20 | went_well | 0.2
        p2 | s | review_pulse | a1 | 2024-03-12 | went_well | 0.9
        p3 | s | nps          | a1 | 2024-03-20 | recommend | 0.9
        p4 | s | review_pulse | a2 | 2024-03-20 | went_well | 0.9
    """
    name = "review_pulse_mean_post_w52"
    # p2 came while the campaign ran, p3 is no pulse, a2 took part in none.
    assert features(CAMPAIGN | {"survey_responses": answers})[name] == pytest.approx((2 + 2 * 2) / (1 + 2))
    late = answers.replace("p1 | s | review_pulse | a1 | 2024-03-20", "p1 | s | review_pulse | a1 | 2024-03-25")
    both = late + "p5 | s | review_pulse | a1 | 2024-04-10 | went_well | 0.8"
    assert features(CAMPAIGN | {"survey_responses": both})[name] == pytest.approx((2 + 8 + 2 * 5) / (2 + 2))
    assert features(CAMPAIGN | {"survey_responses": both}, account="a2")[name] == 5
    assert features(CAMPAIGN | {"survey_responses": both}, as_of="2025-04-14")[name] is None


TEXT = "text_id | account_id | written_at | available_at | sentiment | topics"


def texts(*rows: str) -> dict[str, str]:
    return {"texts": "\n".join([TEXT, *rows])}


def test_tone_and_topics_are_those_of_texts_of_26_weeks() -> None:
    rows = features(
        texts(
            "x1 | a1 | 2024-01-01 | 2024-01-01 | -0.5 | price speed",
            "x2 | a1 | 2024-06-03 | 2024-06-03 | 0.25 | praise",
            "x3 | a1 | 2024-06-04 | 2024-06-26 | -    | missing_feature",
            "x4 | a1 | 2024-06-04 | 2024-06-04 | 0.25 | -",
            "x5 | a1 | 2023-12-24 | 2023-12-25 | -1   | competitor",
            "x6 | -  | 2024-06-04 | 2024-06-04 | -1   | competitor",
            "x7 | a1 | 2024-06-04 | 2024-06-04 | -    | prices uncompetitor",
        ),
        as_of=MONDAYS,
    )
    # x5 lies before the window of 24 June, too; a topic is a whole word.
    assert [row["text_sentiment_w26"] for row in rows] == [0, 0]
    assert [row["text_risk_topic_share_w26"] for row in rows] == pytest.approx([1 / 3, 2 / 4])


def test_an_account_without_texts_has_neither_tone_nor_topics() -> None:
    row = features(texts("x1 | a2 | 2024-06-03 | 2024-06-03 | -0.5 | price"))
    assert (row["text_sentiment_w26"], row["text_risk_topic_share_w26"]) == (None, None)
    untold = features(texts("x1 | a1 | 2024-06-03 | 2024-06-03 | - | -"))
    assert (untold["text_sentiment_w26"], untold["text_risk_topic_share_w26"]) == (None, None)


NOTICE = """
    contract_event_id | event_at   | available_at | contract_id | account_id | type             | effective_on
    e1                | 2024-05-01 | 2024-06-12   | c1          | a1         | notice_given     | 2025-12-31
    e2                | 2024-06-19 | 2024-06-26   | c1          | a1         | notice_withdrawn | 2024-06-19
"""


def test_what_is_written_after_a_notice_is_left_out_while_the_notice_stands() -> None:
    given = {
        "contract_events": NOTICE,
        **texts(
            "x1 | a1 | 2024-04-30T23:59 | 2024-05-01 | 0.5 | praise",
            "x2 | a1 | 2024-05-01T00:00 | 2024-05-02 | -1  | competitor",
        ),
    }
    rows = features(given, as_of=["2024-06-10", "2024-06-17", "2024-07-01"])
    # Not known yet, known, withdrawn.
    assert [row["text_sentiment_w26"] for row in rows] == [-0.25, 0.5, -0.25]
    assert [row["text_risk_topic_share_w26"] for row in rows] == [0.5, 0, 0.5]


DONE = (
    "intervention_id | account_id | playbook_id | kind | started_at | ended_at | available_at | op | customer_response"
)


def test_a_sponsor_was_last_in_touch_at_the_last_executive_review_with_an_answer() -> None:
    given = f"""{DONE}
        i1 | a1 | p | exec_review | 2024-04-01 | 2024-05-06 | 2024-05-06 | upsert | wants a plan
        i2 | a1 | p | exec_review | 2024-06-03 | -          | 2024-06-03 | upsert | none
        i3 | a1 | p | exec_review | 2024-06-04 | -          | 2024-06-04 | upsert | -
        i4 | a1 | p | call        | 2024-06-05 | -          | 2024-06-05 | upsert | fine
        i5 | a1 | p | exec_review | 2024-06-17 | -          | 2024-06-26 | upsert | fine
        i6 | a2 | p | exec_review | 2023-06-05 | -          | 2023-06-05 | upsert | fine
    """
    rows = features({"interventions": given}, as_of=MONDAYS)
    assert [row["exec_contact_days"] for row in rows] == [49, 14]
    assert features({"interventions": given}, account="a2")["exec_contact_days"] == 365
    assert features({})["exec_contact_days"] is None
    taken_back = f"{given} i5 | a1 | p | exec_review | 2024-06-17 | - | 2024-06-28 | delete | fine"
    assert features({"interventions": taken_back})["exec_contact_days"] == 56
