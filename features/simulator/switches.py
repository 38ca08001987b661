"""What changes in the middle of the simulated time, from which week on?

Grain out: factors and loadings per week. Without a switch they are 1 and the usual loading in every week, so one path
of code serves all regimes. A switch counts from the Monday of its week.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from features.errors import UsageError
from features.simulator.campaign_calendar import Belief, Instance
from features.simulator.special_laws import LateMove, week_at
from features.simulator.timeline import Floats, Timeline
from features.simulator.world import World


@dataclass(frozen=True, slots=True)
class Switch:
    """One change of a world in time: its name, the first day on which it holds, and what it does."""

    name: str
    first_day: int
    meaning: str


def finance_factor(world: World, time: Timeline) -> Floats:
    """What every loading on f is multiplied with, per week of the latent world."""
    if world.price is None:
        return np.ones(time.span)
    return np.where(np.arange(time.span) < week_at(world.price.at, time.weeks), 1.0, world.price.finance_factor)


def added_logit(world: World, time: Timeline) -> Floats:
    """What is added to every logit of leaving, per week of the latent world."""
    if world.price is None:
        return np.zeros(time.span)
    return np.where(np.arange(time.span) < week_at(world.price.at, time.weeks), 0.0, world.price.base_logit)


def collab_loadings(world: World, time: Timeline) -> Floats:
    """Loading of collaboration on h, per simulated week and phase."""
    usual = np.tile(np.asarray(world.usage.collab_loading), (time.weeks, 1))
    if world.loading is not None:
        usual[week_at(world.loading.at, time.weeks) :] = world.loading.collab_loading
    return usual


def with_late_move(runs: tuple[Instance, ...], law: LateMove | None, time: Timeline) -> tuple[Instance, ...]:
    """The runs of all campaigns, the last one of the law's campaign moved.

    Raises:
        UsageError: no run of the campaign lies, when moved, within the simulated time.
    """
    if law is None:
        return runs
    end, by = time.start + timedelta(weeks=time.weeks), timedelta(days=law.by_days)
    within = [run for run in runs if run.campaign == law.campaign and run.ran and _fits(run, time.start, end - by)]
    if not within:
        raise UsageError(
            f"there is no {law.campaign} to move",
            expected="simulated time that holds a whole run of it and the move",
            found=f"{time.start.isoformat()} to {end.isoformat()}",
            todo="ask for more weeks, or start earlier in a year",
        )
    chosen = max(within, key=lambda run: run.first)
    first, last = chosen.first + by, chosen.last + by
    told = Belief(chosen.first - timedelta(days=law.known_days_before), first, last, "moved")
    moved = replace(chosen, first=first, last=last, beliefs=(*chosen.beliefs, told))
    return tuple(moved if run is chosen else run for run in runs)


def switches_of(world: World, time: Timeline, runs: tuple[Instance, ...]) -> tuple[Switch, ...]:
    """Every switch of a world in the order of time."""
    found = []
    for law, name, meaning in (
        (world.loading, "loading", "collaboration tells of health after campaigns, no longer in them"),
        (world.instrumentation, "instrumentation", "fewer core actions are counted; people work as before"),
        (world.price, "price", "finances decide more, and everybody leaves more easily"),
        (world.rollout, "rollout", "a competitor's feature takes the susceptible accounts of a segment"),
        (world.treatment, "treatment", "alerts are raised, and worked on in one arm"),
    ):
        if law is not None:
            found.append(Switch(name, int(time.monday(week_at(law.at, time.weeks))), meaning))
    if world.late_move is not None:
        known = max(
            belief.known_from for run in runs for belief in run.beliefs if _is_late(run, belief, world.late_move)
        )
        found.append(Switch("calendar", (known - date(1970, 1, 1)).days, "a campaign is moved at short notice"))
    return tuple(sorted(found, key=lambda switch: switch.first_day))


def _fits(run: Instance, start: date, end: date) -> bool:
    return run.first >= start and run.last < end


def _is_late(run: Instance, belief: Belief, law: LateMove) -> bool:
    return run.campaign == law.campaign and belief.status == "moved"
