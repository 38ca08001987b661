"""When something changes, does the watch name it in time, name nothing else, and does recalibration restore the level?

A model is trained on what was known just before a switch is thrown, then watched every four weeks, as if live. Labels
of the watched horizon are final 30 + 60 days after a snapshot, so the first label that can tell of a switch is final
90 days after it; from then on the watch has 90 days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from features.vocabulary import parse_moment
from training.watch_parts import Cause

from .graded import later_rows, left_over_stated, true_over_stated
from .product import DONE, DRIFTED
from .verdicts import Line, holds, inside
from .worlds import RIGHT_LEVEL, Effort, World, one_command_each

SEED, SEEDS = 90024, {"drift_loading": 90027}
"""90014 is used up, and 90024 for the loading: their drift was looked into."""
ACCOUNTS = {"drift_price": 1500, "drift_instrumentation": 1000, "drift_calendar": 1000, "drift_loading": 1500}
LONGER_WORLDS = {"drift_loading": ("2020-01-06", 312)}
"""Start and weeks. This switch is thrown half way: in four or five years, what lies before it is too short."""
RIGHT = {
    "drift_price": Cause.PRICE,
    "drift_instrumentation": Cause.INSTRUMENTATION,
    "drift_calendar": Cause.CALENDAR,
    "drift_loading": Cause.LOADING,
}
MATURING, IN_TIME = timedelta(days=30 + 60), timedelta(days=90)
WATCHED = timedelta(days=30)
LONGER = timedelta(days=91)
"""Watched so much longer, to tell how late a late answer is."""
GENERAL = {Cause.LEVEL, Cause.INPUTS}
"""Observations that name no switch: they are never a wrong name."""
REFITS = ("intercept", "platt")


@dataclass(frozen=True, slots=True)
class Look:
    """What the watch said at one date."""

    at: datetime
    code: int
    causes: frozenset[Cause]
    step: str
    sentence: str


def measure(regime: str, effort: Effort) -> Iterator[Line]:
    """One switch in a world of its own."""
    company = effort.accounts or ACCOUNTS[regime], effort.seed_or(SEEDS.get(regime, SEED))
    world = World(regime, regime, *company, effort, *LONGER_WORLDS.get(regime, ())).ready()
    switch = switched_at(world)
    begin = max(monday for monday in world.watched_mondays() if monday <= switch)
    told = world.trained(as_of=begin.date().isoformat())
    yield one_command_each(world)
    looks = watched(world, told.document["version"], begin, until=switch + MATURING + IN_TIME + LONGER)
    yield from named(world, looks, switch)
    yield from _restored(world, told.document["version"], looks, switch)


def switched_at(world: World) -> datetime:
    """The first day on which the world's only switch holds."""
    return parse_moment(str(world.truth("switches")["first_day"].iloc[0]))


def watched(world: World, version: str, begin: datetime, until: datetime | None = None) -> list[Look]:
    """The watch over a version every four weeks after ``begin``, up to a date or the end of the simulated time."""
    dates = [monday for monday in world.watched_mondays() if monday > begin]
    return [_look(world, version, at) for at in dates if until is None or at <= until]


def _look(world: World, version: str, at: datetime) -> Look:
    day = at.date().isoformat()
    words = ("monitor", "--as-of", day, "--model", version)
    told = world.place.step(f"watch-{version}-{day}", *words, allowed=(DONE, DRIFTED))
    document: dict[str, Any] = told.document
    causes = frozenset(Cause(one["cause"]) for one in document["suspicions"])
    return Look(at, told.code, causes, document["advice"]["step"], document["advice"]["sentence"])


def named(world: World, looks: list[Look], switch: datetime) -> Iterator[Line]:
    """Is the right switch named in time, and no other one?"""
    right, deadline = RIGHT[world.regime], switch + MATURING + IN_TIME
    after = [look for look in looks if look.at >= switch]
    first = next((look for look in after if right in look.causes), None)
    days = None if first is None else (first.at - switch).days
    seen = ", ".join(f"{look.at:%Y-%m-%d} {'+'.join(sorted(look.causes)) or '-'}" for look in after)
    yield world.line(
        f"{right} is named within {IN_TIME.days} days of matured labels ({(deadline - switch).days} after the switch)",
        "never named" if days is None else f"named {days} days after the switch",
        holds(first is not None and first.at <= deadline),
        f"switch {switch:%Y-%m-%d}; watched: {seen}",
    )
    wrong = sorted({cause for look in after if look.at <= deadline for cause in look.causes - GENERAL - {right}})
    yield world.line("no other switch is named until then", ", ".join(wrong) or "no other", holds(not wrong))


def _restored(world: World, version: str, looks: list[Look], switch: datetime) -> Iterator[Line]:
    after, used, how = answered(world, version, looks, switch)
    rows = later_rows(world.place.home, used, world.truth("oracle"), after=after, until=parse_moment(world.last))
    was = later_rows(world.place.home, version, world.truth("oracle"), after=after, until=parse_moment(world.last))
    true, left, before = (
        true_over_stated(rows, WATCHED.days),
        left_over_stated(rows, WATCHED.days),
        true_over_stated(was, WATCHED.days),
    )
    asked = f"O/E within 30 days in {RIGHT_LEVEL[0]} to {RIGHT_LEVEL[1]} on snapshots after the answer"
    note = f"{how}; without an answer true / stated would be {before.told()}"
    yield world.line(f"{asked}: by outcomes", left, inside(*RIGHT_LEVEL, left, lucky=True), note)
    yield world.line(f"{asked}: true over stated", true, inside(*RIGHT_LEVEL, true, lucky=False))


def answered(world: World, version: str, looks: list[Look], switch: datetime) -> tuple[datetime, str, str]:
    """From when on which version holds, and how it came to that.

    As a scheduler would: whenever the watch advises to refit the level, ``pulse recalibrate`` is run, until one is
    registered. A refit that is not better yet is refused, and asked again four weeks later with more outcomes.
    """
    told: list[str] = []
    for look in looks:
        if look.at < switch or look.step not in REFITS:
            continue
        day = look.at.date().isoformat()
        done = world.place.step(f"recalibrate-{day}", "recalibrate", "--as-of", day, "--model", version)
        told.append(f"{look.step} at {day}: {done.stdout.strip().splitlines()[-1]}")
        if done.document["registered"]:
            return look.at, done.document["registered"], "; ".join(told)
    return switch, version, "; ".join(told) or "no refit was advised"
