"""Is a campaign that was begun late told from one that was begun as planned, whoever moved the calendar and when?"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.campaign_starts import campaign_starts
from features.settings import Home
from features.vocabulary import parse_moment
from tests.training.warehouse_case import home_with

UNTIL, SINCE = parse_moment("2024-05-06"), parse_moment("2024-02-05")
PLANNED = date(2024, 3, 18)

ACCOUNTS = "account_id | valid_from | hq_tz\n" + "\n".join(f"a{n} | 2022-01-01 | America/New_York" for n in range(1, 6))
CAMPAIGNS = """
campaign_id | known_from | default_pre_days | default_post_days
spring      | 2022-01-01 | 28               | 42
"""
AS_PLANNED = """
campaign_instance_id | known_from | campaign_id | label | active_start_local | active_end_local | tz_policy | status
spring_2024 | 2023-06-01 | spring | Spring | 2024-03-18 | 2024-04-08 | account_local | confirmed
autumn_2024 | 2023-06-01 | spring | Autumn | 2024-10-07 | 2024-10-28 | account_local | confirmed
"""
MOVED = (
    AS_PLANNED
    + """
spring_2024 | 2024-03-08 | spring | Spring | 2024-04-08 | 2024-04-29 | account_local | moved
"""
)
LONG_AGO = (
    AS_PLANNED
    + """
spring_2024 | 2023-12-01 | spring | Spring | 2024-04-08 | 2024-04-29 | account_local | moved
"""
)
PART = """
account_id | campaign_instance_id | known_from | participation | confidence | own_active_start_local | own_active_end_local
a1 | spring_2024 | 2024-01-01 | declared | 1 | - | -
a2 | spring_2024 | 2024-01-01 | declared | 1 | - | -
a3 | spring_2024 | 2024-03-20 | declared | 1 | - | -
a4 | spring_2024 | 2024-01-01 | declined | 1 | - | -
a5 | spring_2024 | 2024-01-01 | declared | 1 | 2024-04-01 | 2024-04-22
a1 | autumn_2024 | 2024-01-01 | declared | 1 | - | -
"""  # noqa: E501 - the names of the columns


def busy_from(**monday: date) -> str:
    """Every week of 30 ten core actions, and twenty from an account's Monday on."""
    lines = ["account_id | user_key | product_sku | feature_code | usage_date | events"]
    for account, begin in monday.items():
        for week in range(-30, 7):
            day = PLANNED + timedelta(weeks=week)
            lines.append(f"{account} | u | suite | core | {day} | {20 if day >= begin else 10}")
    return "\n".join(lines)


def told(folder: Path, calendar: str, usage: str, **span: object) -> pd.DataFrame:
    home: Home = home_with(
        folder,
        accounts_history=ACCOUNTS,
        campaigns=CAMPAIGNS,
        campaign_instances_history=calendar,
        account_campaigns_history=PART,
        usage_daily=usage,
    )
    found = campaign_starts(home, since=SINCE, until=UNTIL)
    assert list(found["account_id"]) == sorted(found["account_id"])
    return found.set_index("account_id")


ON_TIME = busy_from(a1=PLANNED - timedelta(weeks=1), a2=PLANNED + timedelta(weeks=3), a3=PLANNED, a5=date(2024, 4, 1))


def test_what_was_planned_is_set_beside_the_week_in_which_use_rose(tmp_path: Path) -> None:
    found = told(tmp_path, AS_PLANNED, ON_TIME)
    # Who declined has no start, and autumn lies ahead; an account's own date is its plan.
    assert found["planned_on"].to_dict() == {
        **dict.fromkeys(("a1", "a2", "a3"), PLANNED),
        "a5": date(2024, 4, 1),
    }
    assert found["moved_days"].eq(0).all()
    assert found["risen_days"].to_dict() == {"a1": -7.0, "a2": 21.0, "a3": 0.0, "a5": 0.0}


def test_a_calendar_put_right_at_the_last_moment_was_wrong_for_all_who_had_planned_by_it(tmp_path: Path) -> None:
    later = busy_from(a1=PLANNED + timedelta(weeks=3), a2=PLANNED + timedelta(weeks=2), a3=PLANNED)
    found = told(tmp_path, MOVED, later)
    # a3 is known to take part only since; the plan of the campaign was its plan all the same.
    assert found.loc[["a1", "a2", "a3"], "planned_on"].eq(PLANNED).all()
    assert found.loc[["a1", "a2", "a3"], "moved_days"].eq(21).all()
    assert found.loc[["a1", "a2", "a3"], "risen_days"].to_list() == [21.0, 14.0, 0.0]


def test_a_move_that_was_known_four_weeks_ahead_is_the_plan(tmp_path: Path) -> None:
    found = told(tmp_path, LONG_AGO, busy_from(a1=date(2024, 4, 8)))
    assert (found.loc["a1", "planned_on"], found.loc["a1", "moved_days"]) == (date(2024, 4, 8), 0.0)
    assert found.loc["a1", "risen_days"] == 0.0


@pytest.mark.parametrize(
    "usage",
    [
        busy_from(a1=date(2025, 1, 6)),  # never rises
        "\n".join(busy_from(a1=PLANNED).splitlines()[:1] + busy_from(a1=PLANNED).splitlines()[25:]),  # too short a past
    ],
)
def test_where_use_does_not_rise_or_has_no_past_nothing_is_claimed(tmp_path: Path, usage: str) -> None:
    assert pd.isna(told(tmp_path, AS_PLANNED, usage).loc["a1", "risen_days"])


def test_one_busy_week_and_a_week_that_is_not_over_are_no_rise(tmp_path: Path) -> None:
    lines = busy_from(a1=date(2025, 1, 6)).splitlines()
    spike = [line.replace(f"{PLANNED} | 10", f"{PLANNED} | 90") for line in lines]
    assert pd.isna(told(tmp_path / "spike", AS_PLANNED, "\n".join(spike)).loc["a1", "risen_days"])
    edge = busy_from(a1=date(2024, 4, 29))  # its second week begins on the day of the question
    assert pd.isna(told(tmp_path / "edge", AS_PLANNED, edge).loc["a1", "risen_days"])


def test_without_campaigns_there_is_nothing_to_begin(tmp_path: Path) -> None:
    found = campaign_starts(home_with(tmp_path, accounts_history=ACCOUNTS), since=SINCE, until=UNTIL)
    assert found.empty
    assert list(found.columns) == [
        "account_id",
        "campaign_id",
        "campaign_instance_id",
        "planned_on",
        "moved_days",
        "risen_days",
    ]
