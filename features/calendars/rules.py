"""When does a yearly campaign run, by a rule of ours, and what was announced otherwise?

In: a calendar (YAML, reviewed). Out: one :class:`Belief` per campaign, year and announcement, oldest first. A rule
names the event's first day; the active window, in which people work for it, is given in days around the event. Dates
are local to the event's zone, or to each account where there is none. Pure but for reading the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigError

FORESIGHT = timedelta(days=400)
"""A rule makes a date known this long before it: more than a year, so that the next edition is always known."""

_RULED = "tentative"
"""Status of a date that rests on a rule alone."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_OF_YEAR = r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Part):
    """The event's first day: a weekday on or after a day of the year, or that very day, and perhaps some days more."""

    since: int = Field(default=1, description="first year for which the rule holds")
    on_or_after: str = Field(pattern=_DAY_OF_YEAR, description="MM-DD")
    weekday: Weekday | None = Field(default=None, description="the first such weekday; none = the day itself")
    plus_days: int = Field(default=0, ge=0, le=31, description="days later")

    def first_day(self, year: int) -> date:
        """The event's first day in a year."""
        day = date.fromisoformat(f"{year}-{self.on_or_after}")
        if self.weekday is not None:
            day += timedelta(days=(_WEEKDAYS.index(self.weekday) - day.weekday()) % 7)
        return day + timedelta(days=self.plus_days)


class Announcement(_Part):
    """What was made public against the rule. ``first`` and ``last`` are the event's days; none where cancelled."""

    year: int
    known_from: date = Field(description="day of the announcement")
    status: Literal["confirmed", "moved", "cancelled"]
    first: date | None = None
    last: date | None = None

    @model_validator(mode="after")
    def _dates_fit_the_status(self) -> Announcement:
        if (self.first is None) != (self.last is None) or (self.first is None) != (self.status == "cancelled"):
            raise ValueError(f"{self.year}: a cancelled edition has no dates, every other has first and last")
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError(f"{self.year}: the last day lies before the first")
        return self


class Template(_Part):
    """One campaign that comes back every ``every_years`` years (counted from ``as_in``)."""

    campaign_id: str = Field(pattern=r"^[a-z0-9_]+$")
    name: str = Field(min_length=1)
    family: Literal["sports", "awards", "season", "holiday", "upfront", "election", "custom"]
    region: str | None = None
    zone: str | None = Field(default=None, description="IANA zone of the event; none = each account's own midnight")
    importance: float = Field(ge=0, le=1)
    rules: tuple[Rule, ...] = Field(min_length=1, description="by year, the oldest first")
    days: int = Field(ge=1, le=60, description="length of the event")
    active_from: int = Field(default=0, description="first active day, in days from the event's first day")
    active_to: int = Field(default=0, description="last active day, in days from the event's last day")
    pre_days: int = Field(default=28, ge=0, description="length of the pre phase, in days")
    post_days: int = Field(default=42, ge=0, description="length of the post phase, in days")
    every_years: int = Field(default=1, ge=1)
    as_in: int = Field(default=2020, description="a year with an edition")
    within_days: int = Field(ge=0, description="largest miss of the rule in the years it was compared with; see docs")
    announced: tuple[Announcement, ...] = ()

    @model_validator(mode="after")
    def _is_one_calendar(self) -> Template:
        order = [rule.since for rule in self.rules]
        if order != sorted(set(order)):
            raise ValueError(f"{self.campaign_id}: rules must go from the oldest to the newest")
        if any(not self.has_edition(each.year) for each in self.announced):
            raise ValueError(f"{self.campaign_id}: an announcement for a year without an edition")
        if self.active_from > self.days - 1 + self.active_to:
            raise ValueError(f"{self.campaign_id}: the active window ends before it starts")
        return self

    def has_edition(self, year: int) -> bool:
        """Is there an edition in this year, by the rule?"""
        return (year - self.as_in) % self.every_years == 0 and year >= self.rules[0].since

    def by_rule(self, year: int) -> tuple[date, date]:
        """The event's first and last day by the rule alone."""
        rule = next(rule for rule in reversed(self.rules) if rule.since <= year)
        first = rule.first_day(year)
        return first, first + timedelta(days=self.days - 1)


class Calendar(_Part):
    """A set of campaigns."""

    about: str
    campaigns: tuple[Template, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Calendar:
        names = [template.campaign_id for template in self.campaigns]
        if len(set(names)) != len(names):
            raise ValueError("a campaign stands there twice")
        return self


@dataclass(frozen=True, slots=True)
class Belief:
    """What was public about one edition from a day on: the event's days, and the active window made from them."""

    template: Template
    year: int
    known_from: date
    status: str
    event: tuple[date, date]

    @property
    def instance_id(self) -> str:
        """The instance, for example ``march_madness_2025``."""
        return f"{self.template.campaign_id}_{self.year}"

    @property
    def is_ruled(self) -> bool:
        """Does it rest on the rule alone?"""
        return self.status == _RULED

    @property
    def active(self) -> tuple[date, date]:
        """First and last active day."""
        first, last = self.event
        return first + timedelta(days=self.template.active_from), last + timedelta(days=self.template.active_to)


def beliefs(calendar: Calendar, years: Iterable[int]) -> Iterator[Belief]:
    """Everything public about the editions of these years: the rule's date first, then each announcement."""
    ordered = sorted(set(years))
    for template in calendar.campaigns:
        for year in filter(template.has_edition, ordered):
            yield from _edition(template, year)


def known_by(news: Iterable[Belief], day: date) -> Iterator[Belief]:
    """The beliefs that are public on a day; of an edition so far ahead that none is, the first one, known that day."""
    for _, edition in groupby(news, key=lambda belief: belief.instance_id):
        rows = list(edition)
        public = [belief for belief in rows if belief.known_from <= day]
        yield from public or [replace(rows[0], known_from=day)]


def newest(news: Iterable[Belief]) -> Iterator[Belief]:
    """The last belief of each edition."""
    for _, edition in groupby(news, key=lambda belief: belief.instance_id):
        yield list(edition)[-1]


def calendar_names() -> tuple[str, ...]:
    """The calendars that come with us."""
    folder = resources.files("features.calendars")
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def calendar_named(name: str) -> Calendar:
    """One of :func:`calendar_names`.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in calendar_names():
        raise ConfigError(
            "there is no such calendar",
            expected=f"a file, or one of {', '.join(calendar_names())}",
            found=name,
            todo="check the path or the name",
        )
    return read_calendar(resources.files("features.calendars").joinpath(f"{name}.yaml").read_text("utf-8"), name)


def calendar_file(path: Path) -> Calendar:
    """A calendar of the customer's own, in the same YAML.

    Raises:
        ConfigError: it is no YAML, or it says something that is not allowed.
    """
    return read_calendar(path.read_bytes().decode("utf-8", "replace"), path.name)


def read_calendar(text: str, where: str) -> Calendar:
    """A calendar from its text; ``where`` names it in refusals."""
    try:
        return Calendar.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as cause:
        raise _refused(where, "a YAML document", type(cause).__name__) from None
    except ValidationError as cause:
        first = cause.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise _refused(where, "keys and values that a calendar may have", f"{place}: {first['msg']}") from None


def _edition(template: Template, year: int) -> Iterator[Belief]:
    planned = template.by_rule(year)
    ruled = Belief(template, year, planned[0] + timedelta(days=template.active_from) - FORESIGHT, _RULED, planned)
    news = sorted((each for each in template.announced if each.year == year), key=lambda each: each.known_from)
    # What was announced before the rule would speak needs no rule.
    if not news or ruled.known_from < news[0].known_from:
        yield ruled
    for each in news:
        if each.first is not None and each.last is not None:
            planned = (each.first, each.last)
        yield Belief(template, year, each.known_from, each.status, planned)


def _refused(where: str, expected: str, found: str) -> ConfigError:
    return ConfigError(
        f"the calendar {where} cannot be used", expected=expected, found=found, todo="correct the calendar"
    )
