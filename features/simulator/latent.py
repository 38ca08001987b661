"""How do health, finance and the competitors' pressure move from week to week?

Grain out: one value per account and week of the latent world (rows are accounts).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.entities import Accounts
from features.simulator.special_laws import RolloutLaw, week_at
from features.simulator.streams import Streams
from features.simulator.timeline import Flags, Floats, Ints, Timeline
from features.simulator.world import SEGMENTS, LatentLaw, MarketLaw, World


@dataclass(frozen=True, slots=True)
class Shocks:
    """Moves of competitors: segment, first day and length of each, and per segment and week whether one is at work.

    ``rollout`` is the same for the one big move of the regime `shock`.
    """

    segment: Ints
    first_day: Ints
    weeks: Ints
    weekly: Flags
    rollout: Flags


@dataclass(frozen=True, slots=True)
class Latent:
    """Health ``h``, finance ``f`` (0 = average, positive = better), week's workload ``w`` and ``shock`` felt or not.

    ``pull`` is what shocks take from h in a week; ``taken`` = by the rollout of the regime `shock`.
    """

    h: Floats
    f: Floats
    w: Floats
    shock: Flags
    pull: Floats
    taken: Flags


def draw_shocks(law: MarketLaw, streams: Streams, time: Timeline, rollout: RolloutLaw | None = None) -> Shocks:
    """Shocks per segment, from one shock's length before the start to the end of the latent world."""
    rng = streams.named("market/shocks")
    weeks = time.span + law.shock_weeks
    counts = rng.poisson(law.shocks_per_year * weeks / 52, len(SEGMENTS))
    segment = np.repeat(np.arange(len(SEGMENTS)), counts)
    first_week = rng.integers(-law.shock_weeks, time.span, len(segment))
    weekly = np.zeros((len(SEGMENTS), time.span), dtype=np.bool_)
    for kind, week in zip(segment, first_week, strict=True):
        weekly[kind, max(0, week) : max(0, week + law.shock_weeks)] = True
    length = np.full(len(segment), law.shock_weeks)
    taken = np.zeros_like(weekly)
    if rollout is not None:
        week = week_at(rollout.at, time.weeks)
        taken[rollout.segment, week : week + rollout.weeks] = True
        segment, first_week = np.append(segment, rollout.segment), np.append(first_week, week)
        length = np.append(length, rollout.weeks)
    return Shocks(
        segment=segment, first_day=time.monday(first_week), weeks=length, weekly=weekly | taken, rollout=taken
    )


def draw_latent(world: World, streams: Streams, accounts: Accounts, shocks: Shocks) -> Latent:
    """Paths of h, f and w over the latent world; h and f start in their stationary law."""
    law = world.latent
    shock = shocks.weekly[accounts.segment] & accounts.susceptible[:, None]
    taken = shocks.rollout[accounts.segment] & accounts.susceptible[:, None]
    strongest = world.rollout.pull if world.rollout is not None else 0.0
    pull = np.where(taken, strongest, law.shock_pull * shock)
    shape = shock.shape
    return Latent(
        h=_path(law, streams.named("latent/h"), accounts.level_h, pull),
        f=_path(law, streams.named("latent/f"), accounts.level_f, np.zeros(shape)),
        w=law.workload_sd * streams.named("latent/w").standard_normal(shape),
        shock=shock,
        pull=pull,
        taken=taken,
    )


def _path(law: LatentLaw, rng: np.random.Generator, level: Floats, pull: Floats) -> Floats:
    noise = rng.standard_normal(pull.shape)
    step_sd = law.stationary_sd * np.sqrt(1 - law.persistence**2)
    path = np.empty(pull.shape)
    path[:, 0] = level + law.stationary_sd * noise[:, 0]
    for week in range(1, pull.shape[1]):
        drift = law.persistence * (path[:, week - 1] - level) - pull[:, week]
        path[:, week] = level + drift + step_sd * noise[:, week]
    return path
