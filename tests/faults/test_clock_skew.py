"""Row 36: does everything that has a time to live hold when the clock is wrong, is set back, or changes its hour?

Each case lets something begin while the clock stands somewhere, sets the clock, and says what must hold then. All our
moments are in UTC: the hour that a summer time repeats or leaves out, and a leap day, are moments like any others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from features.settings import Home
from serving.access.limits import Limits, a_minute, an_hour
from serving.access.people import PeopleStore
from serving.access.sessions import SessionRules, SessionStore
from serving.access.tables import PeopleTables
from serving.freshness import Freshness
from serving.idempotency import Claim, IdempotencyKeys
from serving.problems import Refused
from serving.request_log import silent_tell
from tests.faults.reporter import report
from tests.serving.people_case import START, new_home

HOUR, FAR = timedelta(hours=1), timedelta(days=400)
RULES = SessionRules(idle=timedelta(hours=2), longest=timedelta(hours=12))
STARTS = {
    "any day": START,
    "the hour that comes twice": datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Paris")).astimezone(UTC),
    "the hour that is left out": datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),
    "a leap day": datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC),
}


class Clock:
    """A clock in our hands."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return new_home(tmp_path_factory.mktemp("clock"))


def session_lives(home: Home, began: datetime, now: datetime) -> bool:
    """Does a session that began at one moment open something at another?"""
    tables = PeopleTables(home)
    person = PeopleStore(tables).require("ada@vendor.example")
    sessions = SessionStore(tables, RULES)
    return sessions.owner(sessions.begin(person.id, how="password", at=began), at=now) == person.id


def link_lives(home: Home, began: datetime, now: datetime) -> bool:
    """Does a link to a password open something?"""
    store = PeopleStore(PeopleTables(home))
    code = store.make_link(store.require("ada@vendor.example"), who="user root", at=began)
    return store.of_link(code, at=now) is not None


def is_let_in(home: Home, began: datetime, now: datetime) -> bool:
    """May somebody who had nothing left ask again?"""
    clock = Clock(began)
    limits = Limits(home, clock=clock, tell=silent_tell, environment={})
    name = f"{began} {now}"
    assert [limits.take(an_hour(2), "try", name).allowed for _ in range(3)] == [True, True, False]
    clock.now = now
    return limits.take(an_hour(2), "try", name).allowed


def takes_over(home: Home, began: datetime, now: datetime) -> bool:
    """Is a key free again whose call hangs?"""
    keys, name = IdempotencyKeys(home), f"{began} {now}"
    assert isinstance(keys.claim(name, "body", now=began), Claim)
    try:
        return isinstance(keys.claim(name, "body", now=now), Claim)
    except Refused:
        return False


def is_scored(_: Home, taken: datetime, now: datetime) -> bool:
    """Are features of one moment told as fresh at another?"""
    return not Freshness.of(taken, now).stale


CASES: dict[str, tuple[Callable[[Home, datetime, datetime], bool], timedelta, bool]] = {
    "a session, a clock set back by an hour": (session_lives, -HOUR, True),
    "a session, an hour later": (session_lives, HOUR, True),
    "a session of a clock that was far ahead": (session_lives, -FAR, False),
    "a session, a clock far ahead": (session_lives, FAR, False),
    "a link, a clock set back by an hour": (link_lives, -HOUR, True),
    "a link, an hour later": (link_lives, HOUR, True),
    "a link of a clock that was far ahead": (link_lives, -FAR, False),
    "a link, a clock far ahead": (link_lives, FAR, False),
    "a limit, a clock set back by a minute": (is_let_in, -timedelta(minutes=1), False),
    "a limit, a little later": (is_let_in, timedelta(minutes=59), False),
    "a limit, an hour later": (is_let_in, HOUR, True),
    "a limit of a clock that was far ahead": (is_let_in, -FAR, True),
    "a key, a clock set back by a minute": (takes_over, -timedelta(minutes=1), False),
    "a key, an hour later": (takes_over, HOUR, True),
    "a key of a clock that was ahead": (takes_over, -HOUR, True),
    "a key of a clock that was far ahead": (takes_over, -FAR, True),
    "features, an hour later": (is_scored, HOUR, True),
    "features of a clock that was far ahead": (is_scored, -FAR, False),
    "features, a clock far ahead": (is_scored, FAR, False),
}


def test_row_36_what_lives_for_a_while_keeps_its_rule_whatever_the_clock_does(home: Home) -> None:
    wrong = [
        f"{name}, begun in {start}"
        for start, began in STARTS.items()
        for name, (lives, change, expected) in CASES.items()
        if lives(home, began, began + change) is not expected
    ]
    assert wrong == []
    report(36, len(wrong), len(STARTS) * len(CASES), "sessions, links, limits, keys or features outlived a wrong clock")


@pytest.fixture
def counted(tmp_path: Path) -> tuple[Limits, Clock]:
    clock = Clock(START)
    return Limits(Home(root=tmp_path).prepare(), clock=clock, tell=silent_tell, environment={}), clock


def test_in_an_hour_that_comes_twice_nobody_gets_twice_as_much(counted: tuple[Limits, Clock]) -> None:
    limits, clock = counted
    clock.now = datetime(2026, 10, 25, 2, 59, 50, tzinfo=ZoneInfo("Europe/Paris"))
    assert limits.take(a_minute(1), "request", "bot").allowed
    clock.now = datetime(2026, 10, 25, 2, 0, 5, tzinfo=ZoneInfo("Europe/Paris"), fold=1)
    assert not limits.take(a_minute(1), "request", "bot").allowed
    clock.now += timedelta(minutes=1)
    assert limits.take(a_minute(1), "request", "bot").allowed


def test_what_another_worker_counts_a_little_ahead_counts_for_all(counted: tuple[Limits, Clock]) -> None:
    # Clocks of two machines are never quite the same.
    limits, clock = counted
    clock.now += timedelta(seconds=5)
    assert limits.take(a_minute(1), "request", "bot").allowed
    clock.now -= timedelta(seconds=5)
    assert not limits.take(a_minute(1), "request", "bot").allowed
