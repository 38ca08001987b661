"""The calendars that come with us: what a rule says, what was announced against it, and what a calendar may not say."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendars.rules import (
    Belief,
    Calendar,
    Rule,
    Template,
    beliefs,
    calendar_file,
    calendar_named,
    calendar_names,
    known_by,
    newest,
    read_calendar,
)
from features.errors import ConfigError
from features.simulator.campaign_calendar import instances

NAMES = calendar_names()
TEMPLATES = {each.campaign_id: each for name in NAMES for each in calendar_named(name).campaigns}


def editions(campaign: str, *years: int) -> list[Belief]:
    return list(beliefs(Calendar(about="one", campaigns=(TEMPLATES[campaign],)), years))


def told(news: list[Belief]) -> list[tuple[str, str, str, str]]:
    return [(f"{each.known_from}", each.status, f"{each.active[0]}", f"{each.active[1]}") for each in news]


def test_every_kind_of_campaign_has_a_calendar() -> None:
    assert NAMES == ("awards", "seasons", "sports", "trade_shows", "upfronts")
    assert len(TEMPLATES) == sum(len(calendar_named(name).campaigns) for name in NAMES)


@pytest.mark.parametrize("campaign", sorted(TEMPLATES))
def test_every_zone_of_ours_is_known_and_news_come_before_what_they_change(campaign: str) -> None:
    zone = TEMPLATES[campaign].zone
    assert zone is None or ZoneInfo(zone).key == zone
    for before, after in pairwise(editions(campaign, *range(2019, 2028))):
        if before.instance_id == after.instance_id:
            # News may come while a campaign is on, but not after.
            assert before.known_from < after.known_from <= after.event[1]


# Public facts that were written down elsewhere in the house, for another purpose.
@pytest.mark.parametrize("campaign", ["march_madness", "big_game", "fall_launch", "holiday"])
def test_rules_give_the_windows_of_the_made_up_company_whose_dates_are_facts(campaign: str) -> None:
    facts = {run.name: run for run in instances() if run.campaign == campaign}
    last = {each.instance_id: each for each in editions(campaign, *range(2020, 2028))}
    off = {
        name: (last[name].active[0] - run.first, last[name].active[1] - run.last)
        for name, run in facts.items()
        # The season of 2026 opens on a Wednesday: a rule cannot know.
        if name != "fall_launch_2026"
    }
    assert set(off.values()) == {(timedelta(0), timedelta(0))}


def test_the_award_season_of_the_made_up_company_is_met_within_the_miss_we_admit() -> None:
    miss = TEMPLATES["award_season"].within_days
    facts = {run.name: run for run in instances() if run.campaign == "award_season"}
    for each in newest(editions("award_season", *range(2020, 2028))):
        assert abs((each.active[1] - facts[each.instance_id].last).days) <= miss


@pytest.mark.parametrize(
    ("rule", "year", "first"),
    [
        pytest.param({"on_or_after": "03-12", "weekday": "sunday"}, 2026, "2026-03-15", id="the Sunday after"),
        pytest.param({"on_or_after": "03-12", "weekday": "sunday"}, 2023, "2023-03-12", id="or that very day"),
        pytest.param({"on_or_after": "12-25"}, 2024, "2024-12-25", id="a fixed day"),
        pytest.param({"on_or_after": "11-22", "weekday": "thursday", "plus_days": 1}, 2024, "2024-11-29", id="after"),
        pytest.param({"on_or_after": "12-28", "weekday": "friday"}, 2026, "2027-01-01", id="over the end of the year"),
    ],
)
def test_a_rule_gives_the_first_day(rule: dict[str, object], year: int, first: str) -> None:
    assert Rule.model_validate(rule).first_day(year) == date.fromisoformat(first)


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@given(
    year=st.integers(1980, 2100), month=st.integers(1, 12), day=st.integers(1, 28), weekday=st.sampled_from(WEEKDAYS)
)
def test_a_rule_never_leaves_its_week(year: int, month: int, day: int, weekday: str) -> None:
    rule = Rule.model_validate({"on_or_after": f"{month:02}-{day:02}", "weekday": weekday})
    first = rule.first_day(year)
    assert 0 <= (first - date(year, month, day)).days < 7
    assert WEEKDAYS[first.weekday()] == weekday


def test_what_was_cancelled_is_believed_until_the_news() -> None:
    assert told(editions("march_madness", 2020)) == [
        ("2019-02-03", "tentative", "2020-03-09", "2020-04-05"),
        ("2020-03-12", "cancelled", "2020-03-09", "2020-04-05"),
    ]


def test_what_moved_twice_has_three_beliefs() -> None:
    assert told(editions("ibc", 2021)) == [
        ("2020-07-16", "tentative", "2021-08-20", "2021-09-13"),
        ("2021-03-02", "moved", "2021-11-12", "2021-12-06"),
        ("2021-11-23", "cancelled", "2021-11-12", "2021-12-06"),
    ]


def test_what_was_announced_before_a_rule_would_speak_needs_no_rule() -> None:
    assert [row[0] for row in told(editions("world_cup_men", 2022))] == ["2015-03-19", "2022-08-11"]


def test_games_come_back_every_four_years() -> None:
    assert [each.instance_id for each in newest(editions("summer_games", *range(2019, 2030)))] == [
        "summer_games_2020",
        "summer_games_2024",
        "summer_games_2028",
    ]


def test_a_newer_rule_holds_from_its_year_on() -> None:
    days = {each.year: each.event[0] for each in editions("big_game", 2021, 2022)}
    assert days == {2021: date(2021, 2, 7), 2022: date(2022, 2, 13)}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2020-03-11", [("2019-02-03", "tentative")]),
        ("2020-03-12", [("2019-02-03", "tentative"), ("2020-03-12", "cancelled")]),
        # So far ahead that the rule would speak later: then it speaks today.
        ("2018-01-01", [("2018-01-01", "tentative")]),
    ],
)
def test_on_a_day_only_what_is_public_is_known(day: str, expected: list[tuple[str, str]]) -> None:
    news = known_by(editions("march_madness", 2020), date.fromisoformat(day))
    assert [row[:2] for row in told(list(news))] == expected


GOOD = {
    "campaign_id": "gala",
    "name": "Gala",
    "family": "custom",
    "importance": 0.5,
    "rules": [{"on_or_after": "03-01"}],
    "days": 2,
    "within_days": 0,
}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"campaign_id": "The Gala"}, id="an id with a space"),
        pytest.param({"family": "gala"}, id="a family of its own"),
        pytest.param({"rules": []}, id="no rule"),
        pytest.param({"rules": [{"on_or_after": "02-30"}, {"since": 1, "on_or_after": "03-01"}]}, id="two for a year"),
        pytest.param({"rules": [{"on_or_after": "3-1"}]}, id="a day that is none"),
        pytest.param({"days": 0}, id="no day"),
        pytest.param({"active_from": 3}, id="active after its end"),
        pytest.param({"colour": "red"}, id="an unknown key"),
        pytest.param(
            {"announced": [{"year": 2020, "known_from": "2020-01-01", "status": "moved"}]}, id="moved nowhere"
        ),
        pytest.param(
            {
                "announced": [
                    {
                        "year": 2020,
                        "known_from": "2020-01-01",
                        "status": "cancelled",
                        "first": "2020-03-01",
                        "last": "2020-03-01",
                    }
                ]
            },
            id="cancelled with dates",
        ),
        pytest.param(
            {"every_years": 4, "announced": [{"year": 2021, "known_from": "2020-01-01", "status": "cancelled"}]},
            id="news of a year without an edition",
        ),
    ],
)
def test_what_a_template_may_not_say_is_refused(change: dict[str, object]) -> None:
    assert Template.model_validate(GOOD).campaign_id == "gala"
    with pytest.raises(ValueError, match="validation error"):
        Template.model_validate(GOOD | change)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("about: [", "ParserError"),
        ("about: nothing", "campaigns"),
        ("[]", "the document"),
        (f"about: twice\ncampaigns: [{GOOD}, {GOOD}]", "stands there twice"),
    ],
)
def test_a_broken_calendar_is_named_with_the_place(text: str, found: str) -> None:
    with pytest.raises(ConfigError) as told_so:
        read_calendar(text, "mine.yaml")
    assert "mine.yaml" in told_so.value.title
    assert found in told_so.value.found


def test_a_calendar_of_ones_own_is_read_and_an_unknown_name_lists_ours(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"about: mine\ncampaigns: [{GOOD}]")
    assert [each.campaign_id for each in calendar_file(path).campaigns] == ["gala"]
    with pytest.raises(ConfigError) as told_so:
        calendar_named("spors")
    assert "awards, seasons, sports, trade_shows, upfronts" in told_so.value.expected


def test_the_page_admits_the_same_misses_as_the_rules() -> None:
    page = (Path(__file__).parents[2] / "docs" / "campaigns.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|$", page, re.MULTILINE))
    assert told == {name: str(each.within_days) for name, each in TEMPLATES.items() if each.within_days}
