"""Where nothing changes, how often does the watch cry?

Companies of unused seeds, a model that learnt until the middle of 2023, and the watch every four weeks for a
year and a half. An alarm is a date at which somebody is told to look (exit code 12): the watch tells of a finding once,
and one that is still open calls nobody again.
"""

from __future__ import annotations

from collections.abc import Iterator

from features.vocabulary import parse_moment

from .drift import GENERAL, Look, watched
from .product import DRIFTED
from .verdicts import Line, Outcome, counted_rate, holds
from .worlds import Effort, World

ACCOUNTS, SEEDS = 1500, (90013, 90017, 90018)
"""The first is the clean twin of the dirty company: one company less to build."""
BEGIN = "2023-07-03"
MOST_A_YEAR = 2.0
_ASKED = f"at most {MOST_A_YEAR:.0f} false alarms a year in the stable regime"


def measure(effort: Effort) -> Iterator[Line]:
    """False alarms in a year, per company and over all."""
    alarms, years, seeds = 0, 0.0, effort.seeds or SEEDS
    for seed in seeds:
        world = World("stable", "campaign", effort.accounts or ACCOUNTS, seed, effort).ready()
        told = world.trained("train-early", as_of=BEGIN)
        looks = watched(world, told.document["version"], parse_moment(BEGIN))
        span = (looks[-1].at - parse_moment(BEGIN)).days / 365.25
        count, found = alarms_in(looks), counted_rate(alarms_in(looks), span)
        alarms, years = alarms + count, years + span
        yield world.line(
            _ASKED,
            found,
            Outcome.PASS if count <= MOST_A_YEAR * span else Outcome.FAIL,
            _seen(looks, count, span),
        )
        wrong = sorted({cause for look in looks for cause in look.causes - GENERAL})
        yield world.line("no switch is named where none was thrown", ", ".join(wrong) or "none", holds(not wrong))
    if len(seeds) > 1:
        found = counted_rate(alarms, years)
        outcome = Outcome.PASS if (found.value or 0) <= MOST_A_YEAR else Outcome.FAIL
        line = world.line(_ASKED, found, outcome, f"{alarms} alarms in {years:.1f} years of watching")
        yield line.model_copy(update={"world": f"campaign, {world.accounts:,} accounts, {len(seeds)} seeds together"})


def alarms_in(looks: list[Look]) -> int:
    """Dates at which something new was told."""
    return sum(look.code == DRIFTED for look in looks)


def _seen(looks: list[Look], count: int, span: float) -> str:
    calls = [f"{look.at:%Y-%m-%d} {look.step}: {look.sentence}" for look in looks if look.code == DRIFTED]
    return f"{count} alarms in {span:.1f} years. {'; '.join(calls)}"
