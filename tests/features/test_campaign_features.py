"""The campaign features by example: a calendar, a few weeks of use, one value out, and when there is none."""

from __future__ import annotations

from datetime import date, timedelta
from math import log
from typing import Any

import pytest

from tests.features.histories import days_of, text_table, usage_table, used
from tests.features.view_case import AS_OF, features_of_account

INSTANCES = "campaign_instance_id|known_from|campaign_id|label|active_start_local|active_end_local|tz_policy|status"
PARTS = "account_id|campaign_instance_id|known_from|participation|confidence"
START = date(2023, 1, 2)
SPRING = (date(2024, 3, 4), 4)
"""The campaign of most cases: four weeks from 4 March 2024; the wrap is on 1 April, weeks 3-6 end on 13 May."""


def calendar(*runs: tuple[Any, ...], joined: tuple[str, ...] | None = None, **part: Any) -> dict[str, str]:
    """Instances (name, first day, weeks, campaign) known from the start; joined by a1, all of them by default."""
    instances = [
        (name, START, campaign, name, first, first + timedelta(days=7 * weeks - 1), "account_local", "confirmed")
        for name, first, weeks, campaign in runs
    ]
    parts = [
        ("a1", name, part.get("known", START), part.get("participation", "declared"), part.get("confidence", 1))
        for name, *_ in runs
        if joined is None or name in joined
    ]
    return {
        "campaign_instances_history": text_table(INSTANCES, instances),
        "account_campaigns_history": text_table(PARTS, parts),
    }


def spring(**part: Any) -> dict[str, str]:
    return calendar(("spring_24", *SPRING, "spring"), **part)


def weekly(first: date, weeks: int, events: int, **facts: Any) -> list[dict[str, Any]]:
    return used(days_of(first, weeks), events=events, **facts) if events else []


def quiet(events: int = 10, *, weeks: int = 78, **facts: Any) -> list[dict[str, Any]]:
    """The same every week from the start, but not in the weeks of a campaign in spring 2024 and the six after it."""
    busy = set(days_of(SPRING[0], 10))
    return [row for row in weekly(START, weeks, events, **facts) if row["usage_date"] not in busy]


def around(active: int, first_two: int, later: int, **facts: Any) -> list[dict[str, Any]]:
    return [
        *weekly(SPRING[0], 4, active, **facts),
        *weekly(SPRING[0] + timedelta(weeks=4), 2, first_two, **facts),
        *weekly(SPRING[0] + timedelta(weeks=6), 4, later, **facts),
    ]


def campaign(tables: dict[str, str], *usage: Any, as_of: str = AS_OF) -> dict[str, Any]:
    source = {"usage_daily": usage_table(*usage)} if usage else {}
    row: dict[str, Any] = features_of_account("campaign", {**tables, **source}, as_of=as_of)
    return row


def values(row: dict[str, Any]) -> set[str]:
    return {name for name, value in row.items() if value is not None} - {"account_id", "as_of", "known_at"}


def test_without_a_campaign_source_there_is_no_basis() -> None:
    assert values(campaign({}, quiet())) == set()


def test_an_account_without_campaigns_has_none_in_a_year_and_nothing_else() -> None:
    others = {**spring(), "account_campaigns_history": text_table(PARTS, [("a2", "spring_24", START, "declared", 1)])}
    row = campaign(others, quiet())
    assert values(row) == {"campaigns_joined_w52"}
    assert row["campaigns_joined_w52"] == 0


@pytest.mark.parametrize(
    ("as_of", "live"),
    [
        ("2024-01-29", (0, 0, 0)),
        ("2024-02-05", (1, 0, 0)),
        ("2024-03-04", (0, 1, 0)),
        ("2024-03-25", (0, 1, 0)),
        ("2024-04-01", (0, 0, 1)),
        ("2024-05-13", (0, 0, 0)),
    ],
)
def test_live_campaigns_are_counted_by_phase(as_of: str, live: tuple[int, int, int]) -> None:
    row = campaign(spring(), as_of=as_of)
    assert tuple(row[f"campaigns_live_{phase}"] for phase in ("pre", "active", "post")) == live


@pytest.mark.parametrize(
    ("as_of", "weeks"), [("2024-03-25", None), ("2024-04-01", 0), ("2024-07-01", 13), ("2025-08-04", 60)]
)
def test_weeks_since_wrap_count_from_the_last_end(as_of: str, weeks: float | None) -> None:
    assert campaign(spring(), as_of=as_of)["weeks_since_wrap"] == weeks


@pytest.mark.parametrize(
    ("as_of", "part", "weeks"),
    [
        ("2024-02-05", {}, 4),
        ("2023-01-09", {}, 60),
        ("2024-03-04", {}, None),
        ("2024-02-05", {"confidence": 0.4}, None),
        ("2024-02-05", {"known": "2024-02-06"}, None),
    ],
    ids=["four weeks", "at most 60", "it has begun", "not trusted", "not known yet"],
)
def test_weeks_to_next_start_need_a_trusted_campaign_known(
    as_of: str, part: dict[str, Any], weeks: float | None
) -> None:
    assert campaign(spring(**part), as_of=as_of)["weeks_to_next_start"] == weeks


def test_campaigns_joined_are_those_that_began_within_52_weeks() -> None:
    runs = calendar(
        ("too early", date(2023, 7, 2), 1, "a"),
        ("in time", date(2023, 7, 4), 1, "b"),
        ("running", date(2024, 6, 24), 2, "c"),
        ("to come", date(2024, 7, 8), 2, "d"),
        ("declined", date(2024, 5, 6), 1, "e"),
        joined=("too early", "in time", "running", "to come"),
    )
    assert campaign(runs)["campaigns_joined_w52"] == 2


LAST_SPRING = ("spring_23", date(2023, 3, 6), 4, "spring")
THIS_SPRING = ("spring_24", *SPRING, "spring")


@pytest.mark.parametrize(
    ("joined", "as_of", "lapsed"),
    [
        (("spring_23",), "2024-03-11", 1),
        (("spring_23",), "2024-05-06", 1),
        (("spring_23",), "2024-05-20", 0),
        (("spring_23",), "2024-03-04", 0),
        (("spring_23", "spring_24"), "2024-03-11", 0),
        (("fall_23",), "2024-03-11", 0),
    ],
    ids=[
        "it runs",
        "it ended five weeks ago",
        "seven weeks ago",
        "it has not begun",
        "joined again",
        "never joined it",
    ],
)
def test_participation_lapses_when_the_next_instance_runs_without_the_account(
    joined: tuple[str, ...], as_of: str, lapsed: int
) -> None:
    fall = ("fall_23", date(2023, 9, 4), 2, "fall")
    row = campaign(calendar(LAST_SPRING, THIS_SPRING, fall, joined=joined), as_of=as_of)
    assert row["participation_lapsed"] == lapsed


def test_a_cancelled_instance_is_not_left_out() -> None:
    tables = calendar(LAST_SPRING, THIS_SPRING, joined=("spring_23",))
    news = f"spring_24|2024-01-08|spring|spring_24|{SPRING[0]}|2024-03-31|account_local|cancelled"
    tables["campaign_instances_history"] += f"\n{news}"
    assert campaign(tables, as_of="2024-03-11")["participation_lapsed"] == 0


def test_spike_ratio_is_the_active_weeks_over_the_quiet_level() -> None:
    row = campaign(spring(), quiet(10), around(30, 10, 10))
    assert row["spike_ratio_last"] == pytest.approx(3)
    # Three times is what is expected while nothing else was seen.
    assert row["spike_ratio_par"] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("as_of", "ratio"), [("2024-03-11", None), ("2024-03-18", 3.0)])
def test_a_running_campaign_is_judged_from_its_second_closed_week(as_of: str, ratio: float | None) -> None:
    row = campaign(spring(), quiet(10), around(30, 10, 10), as_of=as_of)
    assert row["spike_ratio_last"] == (ratio if ratio is None else pytest.approx(ratio))


def test_weeks_known_late_count_when_they_are_known() -> None:
    late = weekly(SPRING[0], 4, 30, available_at="2024-06-26T00:00:00")
    tables = spring()
    usage = [*quiet(10), *weekly(SPRING[0] + timedelta(weeks=4), 6, 10), *late]
    assert campaign(tables, usage, as_of="2024-06-24")["spike_ratio_last"] == 0
    assert campaign(tables, usage, as_of="2024-07-01")["spike_ratio_last"] == pytest.approx(3)


def test_a_campaign_is_compared_with_its_own_instance_before() -> None:
    runs = calendar(LAST_SPRING, THIS_SPRING, ("fall_23", date(2023, 9, 4), 2, "fall"))
    usage = [row for row in quiet(10) if row["usage_date"] not in set(days_of(date(2023, 3, 6), 4))]
    row = campaign(runs, usage, weekly(date(2023, 3, 6), 4, 20), around(30, 10, 10))
    assert row["spike_ratio_vs_prev"] == pytest.approx(log(1.5), abs=0.01)
    alone = campaign(calendar(THIS_SPRING, ("fall_23", date(2023, 9, 4), 2, "fall")), usage, around(30, 10, 10))
    assert alone["spike_ratio_vs_prev"] is None


def test_collaboration_in_a_campaign_is_compared_with_what_the_phase_lets_expect_and_with_the_one_before() -> None:
    runs = calendar(THIS_SPRING, ("fall_23", date(2023, 9, 4), 2, "fall"))
    fall = set(days_of(date(2023, 9, 4), 2))
    collab = [row for row in quiet(10, feature_code="collab") if row["usage_date"] not in fall]
    row = campaign(
        runs,
        quiet(10),
        collab,
        weekly(date(2023, 9, 4), 2, 30, feature_code="collab"),
        around(15, 10, 10, feature_code="collab"),
    )
    assert row["collab_intensity_active"] == pytest.approx(-log(2), abs=0.1)
    assert row["collab_intensity_vs_prev"] == pytest.approx(-log(2), abs=0.1)


def test_ramp_before_a_campaign_is_compared_with_a_usual_ramp() -> None:
    ramp = set(days_of(date(2024, 2, 5), 4))
    before = [row for row in quiet(10) if row["usage_date"] not in ramp]
    row = campaign(spring(), before, weekly(date(2024, 2, 5), 4, 30), around(30, 10, 10))
    assert row["ramp_ratio_pre"] == pytest.approx(log(2), abs=0.1)


def test_peak_is_the_busiest_active_week() -> None:
    busy = used(["2024-03-12", "2024-03-14"], users=[f"u{number}" for number in range(6)])
    after = used(["2024-04-09"], users=[f"u{number}" for number in range(9)])
    row = campaign(spring(), quiet(10), around(30, 10, 10), busy, after)
    assert row["peak_active_seat_ratio"] == 0.6


def test_post_retention_looks_at_weeks_three_to_six_after_the_wrap() -> None:
    halved = campaign(spring(), quiet(20), around(60, 30, 8))
    as_expected = campaign(spring(), quiet(20), around(60, 0, 17))
    assert as_expected["post_retention"] == pytest.approx(0, abs=0.1)
    assert halved["post_retention"] == pytest.approx(log(8 / 17), abs=0.1)


@pytest.mark.parametrize(("as_of", "known"), [("2024-04-22", False), ("2024-04-29", True)])
def test_post_retention_waits_for_two_closed_weeks(as_of: str, known: bool) -> None:
    row = campaign(spring(), quiet(20), around(60, 17, 17), as_of=as_of)
    assert (row["post_retention"] is not None, row["post_drop_flag"] is not None) == (known, known)


@pytest.mark.parametrize(
    ("collab_after", "as_of", "flag"),
    [(9, AS_OF, 0), (1, AS_OF, 1), (1, "2024-09-30", 1), (1, "2024-10-07", 0)],
    ids=["came back", "stayed away", "26 weeks later", "27 weeks later"],
)
def test_a_drop_after_the_wrap_is_flagged_for_half_a_year(collab_after: int, as_of: str, flag: int) -> None:
    row = campaign(
        spring(),
        quiet(20, weeks=100),
        around(60, 17, 12),
        quiet(10, weeks=100, feature_code="collab"),
        around(30, 9, collab_after, feature_code="collab"),
        as_of=as_of,
    )
    assert row["post_drop_flag"] == flag
    assert (row["post_collab_retention"] < -1) is (collab_after == 1)


def test_an_account_that_works_together_little_in_the_campaign_has_not_dropped_after_it() -> None:
    def flag(active_collab: int) -> float:
        row = campaign(
            spring(),
            quiet(20),
            around(60, 17, 14),
            quiet(10, feature_code="collab"),
            around(active_collab, 5, 5, feature_code="collab"),
        )
        return float(row["post_drop_flag"])

    assert (flag(60), flag(5)) == (1, 0)


TICKETS = "ticket_id|valid_from|account_id|created_at|priority|status"


def test_support_burden_counts_urgent_tickets_of_the_active_weeks_per_100_seats() -> None:
    tickets = text_table(
        TICKETS,
        [
            ("t1", "2024-03-05", "a1", "2024-03-05", "urgent", "open"),
            ("t2", "2024-03-31", "a1", "2024-03-31", "high", "open"),
            ("t3", "2024-03-20", "a1", "2024-03-20", "low", "open"),
            ("t4", "2024-04-01", "a1", "2024-04-01", "urgent", "open"),
            ("t5", "2024-03-06", "a1", "2024-03-06", "low", "open"),
            ("t5", "2024-04-06", "a1", "2024-03-06", "urgent", "open"),
        ],
    )
    tables = {**spring(), "tickets_history": tickets}
    usage = [*quiet(10), *around(30, 10, 10)]
    assert campaign(tables, usage)["campaign_support_burden"] == 30
    assert campaign(tables, usage, as_of="2024-04-01")["campaign_support_burden"] == 20
    assert campaign(spring(), usage)["campaign_support_burden"] is None


def test_mood_is_drawn_to_the_usual_mood_around_campaigns() -> None:
    answers = "response_id|question_key|survey_id|survey_family|account_id|submitted_at|scale_min|scale_max|score_raw"
    surveys = text_table(
        answers,
        [
            ("r1", "q", "s", "csat", "a1", "2024-03-12", 1, 5, 5),
            ("r2", "q", "s", "csat", "a2", "2024-03-13", 1, 5, 3),
            ("r3", "q", "s", "csat", "a1", "2024-06-13", 1, 5, 1),
        ],
    )
    parts = [(name, "spring_24", START, "declared", 1) for name in ("a1", "a2")]
    tables = {**spring(), "survey_responses": surveys, "account_campaigns_history": text_table(PARTS, parts)}
    # 1.0 and 0.5 were given in campaign weeks, the 0 of June was not.
    assert campaign(tables)["campaign_sentiment"] == pytest.approx((1 + 4 * 0.75) / 5)
    assert campaign(spring())["campaign_sentiment"] is None


def test_a_move_of_the_campaign_changes_what_is_known_from_then_on() -> None:
    tables = spring()
    tables["campaign_instances_history"] += (
        "\nspring_24|2024-03-20|spring|spring_24|2024-03-25|2024-04-21|account_local|moved"
    )
    usage = [*quiet(10), *around(30, 10, 10)]
    before = campaign(tables, usage, as_of="2024-03-18")
    after = campaign(tables, usage, as_of="2024-03-25")
    assert (before["campaigns_live_active"], before["spike_ratio_last"]) == (1, pytest.approx(3))
    assert (after["campaigns_live_active"], after["spike_ratio_last"]) == (1, None)
