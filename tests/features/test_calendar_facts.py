"""How far do our rules miss the dates that really came? Compared with a list of dated events.

The list is no part of the repository. It is looked for where PULSE_CAMPAIGN_FACTS says, else beside the checkout;
without it there is nothing to test here. ``pytest -s`` prints the miss of every rule.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from features.calendars.rules import Belief, Calendar, beliefs, calendar_named, calendar_names, newest

FACTS = Path(
    os.environ.get("PULSE_CAMPAIGN_FACTS")
    or Path(__file__).parents[3] / "shared" / "data" / "campaign_calendar" / "events.csv"
)
pytestmark = pytest.mark.skipif(
    not FACTS.is_file(),
    reason=f"the dated events are not here: set PULSE_CAMPAIGN_FACTS to their file (looked at {FACTS})",
)

EVENTS = {
    "march_madness": "NCAA men March Madness (Selection Sunday to final)",
    "big_game": "Super Bowl",
    "nfl_draft": "NFL Draft",
    "masters": "The Masters",
    "summer_games": "Olympic Games",
    "winter_games": "Olympic Games",
    "world_cup_men": "FIFA World Cup (men)",
    "world_cup_women": "FIFA World Cup (women)",
    "uefa_euro": "UEFA Euro",
    "award_season": "Academy Awards (Oscars)",
    "golden_globes": "Golden Globes",
    "grammys": "Grammy Awards",
    "emmys": "Primetime Emmy Awards",
    "fall_launch": "NFL regular season kickoff",
    "holiday": "Black Friday",
    "christmas": "Christmas",
    "valentines_day": "Valentine's Day",
    "mothers_day": "Mother's Day (US)",
    "independence_day": "Independence Day (US)",
    "prime_day": "Amazon Prime Day (US)",
    "halloween": "Halloween",
    "singles_day": "Singles' Day",
    "us_election": "US general election",
    "upfronts": "US TV Upfronts week",
    "cannes_lions": "Cannes Lions",
    "ces": "CES",
    "sundance": "Sundance",
    "sxsw": "SXSW",
    "nab_show": "NAB Show",
    "cannes_film_festival": "Cannes Film Festival",
    "comic_con": "San Diego Comic-Con",
    "siggraph": "SIGGRAPH",
    "ibc": "IBC Amsterdam",
    "adobe_max": "Adobe MAX",
}
WITHOUT_A_RULE = {
    "Lunar New Year": "its day comes from an astronomical table",
    "Easter Sunday": "no campaign of the customers this is made for",
    "NCAA women final": "lies within March Madness",
    "Thanksgiving (US)": "the day before Black Friday",
    "Cyber Monday": "lies within the holiday season",
}
SPANS = {"summer_games": (6, 9), "winter_games": (1, 3)}
YEARS = range(2019, 2028)


@dataclass(frozen=True)
class Fact:
    event: str
    first: date
    last: date
    status: str
    confidence: str

    @property
    def is_sure(self) -> bool:
        return self.confidence == "high" and self.status in ("held", "virtual")


def facts() -> list[Fact]:
    with FACTS.open(newline="") as stream:
        return [
            Fact(
                row["event"],
                date.fromisoformat(row["start_date"]),
                date.fromisoformat(row["end_date"]),
                row["status"],
                row["confidence"],
            )
            for row in csv.DictReader(stream)
        ]


def facts_of(campaign: str) -> list[Fact]:
    first, last = SPANS.get(campaign, (1, 12))
    return [each for each in facts() if each.event == EVENTS[campaign] and first <= each.first.month <= last]


TEMPLATES = {each.campaign_id: each for name in calendar_names() for each in calendar_named(name).campaigns}


def editions(campaign: str) -> list[Belief]:
    return list(newest(beliefs(Calendar(about="one", campaigns=(TEMPLATES[campaign],)), YEARS)))


def edition_of(fact: Fact, campaign: str) -> Belief:
    """The edition whose last belief lies nearest to the fact."""
    return min(editions(campaign), key=lambda each: abs((each.event[0] - fact.first).days))


def test_every_dated_event_has_a_rule_or_a_reason_to_have_none() -> None:
    assert {each.event for each in facts()} == set(EVENTS.values()) | set(WITHOUT_A_RULE)
    assert set(EVENTS) == set(TEMPLATES)


@pytest.mark.parametrize("campaign", sorted(TEMPLATES))
def test_a_rule_admits_exactly_its_largest_miss(campaign: str) -> None:
    # Years with an announcement are left out: there the rule was not the last word.
    misses = {}
    for fact in facts_of(campaign):
        edition = edition_of(fact, campaign)
        if fact.is_sure and not any(each.year == edition.year for each in TEMPLATES[campaign].announced):
            misses[fact.first.year] = (fact.first - TEMPLATES[campaign].by_rule(edition.year)[0]).days
    print(f"{campaign:<22} {misses}")  # noqa: T201 - the report that -s shows
    if misses:
        assert max(map(abs, misses.values())) == TEMPLATES[campaign].within_days
    else:
        assert campaign in ("summer_games", "world_cup_men", "uefa_euro")


@pytest.mark.parametrize("campaign", sorted(name for name, each in TEMPLATES.items() if each.announced))
def test_what_was_announced_is_what_came(campaign: str) -> None:
    announced = {each.year for each in TEMPLATES[campaign].announced}
    for fact in facts_of(campaign):
        edition = edition_of(fact, campaign)
        if edition.year in announced and fact.confidence == "high":
            assert edition.event == (fact.first, fact.last), edition.instance_id
            assert (edition.status == "cancelled") is (fact.status == "cancelled"), edition.instance_id


def test_every_cancelled_or_shifted_event_of_2020_and_2021_is_among_the_announcements() -> None:
    for fact in facts():
        if fact.first.year in (2020, 2021) and fact.status == "cancelled" and fact.event in EVENTS.values():
            campaigns = [name for name, event in EVENTS.items() if event == fact.event]
            assert [edition_of(fact, name).status for name in campaigns] == ["cancelled"], fact.event


def test_half_of_all_rules_miss_by_no_day_and_none_of_them_hides_its_miss() -> None:
    exact = [name for name, each in TEMPLATES.items() if each.within_days == 0]
    assert len(exact) >= len(TEMPLATES) / 2
