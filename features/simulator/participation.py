"""Who joins which campaign, in which phase is each account-week, and what does a wrap leave behind?

Grain out: account x instance for joining and drops, account x week for phases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.campaign_calendar import CAMPAIGNS, Instance, instances
from features.simulator.entities import Accounts
from features.simulator.latent import Latent
from features.simulator.streams import Streams
from features.simulator.switches import with_late_move
from features.simulator.timeline import Codes, Flags, Floats, Ints, Timeline, day_number, sigmoid
from features.simulator.world import ACTIVE, OFF, POST, PRE, CampaignLaw, World

MIDWEEK = 3
"""Thursday decides the phase of a week: it lies in the phase that holds most of its days."""


@dataclass(frozen=True, slots=True)
class Participation:
    """Joining and its traces.

    ``wrap_week`` is the first whole week after an instance (it may lie outside the latent world); from it on
    ``dropped`` works: on usage for 8 weeks (``usage_drop``), on the hazard for 26 (``hazard_drop``).
    """

    instances: tuple[Instance, ...]
    first_day: Ints
    last_day: Ints
    joined: Flags
    wrap_week: Ints
    drop_chance: Floats
    dropped: Flags
    phase: Codes
    usage_drop: Flags
    hazard_drop: Flags


def draw_participation(
    world: World, streams: Streams, accounts: Accounts, *, latent: Latent, time: Timeline
) -> Participation:
    """Draw who joins and who drops; phases follow."""
    law = world.campaigns
    runs = with_late_move(instances(), world.late_move, time)
    first = np.asarray([day_number(run.first) for run in runs])
    last = np.asarray([day_number(run.last) for run in runs])
    ran = np.asarray([run.ran for run in runs])
    signed = accounts.first_start[:, None] <= first[None, :]
    joined = _joining(world, streams, accounts, runs) & ran[None, :] & signed
    wrap_week = time.first_week_from(last + 1)
    h_at_wrap = latent.h[:, np.clip(wrap_week - 1, 0, time.span - 1)]
    chance = sigmoid(law.drop_intercept + law.drop_loading * h_at_wrap)
    dropped = joined & (streams.named("campaigns/drops").random(joined.shape) < chance)
    return Participation(
        instances=runs,
        first_day=first,
        last_day=last,
        joined=joined,
        wrap_week=wrap_week,
        drop_chance=chance,
        dropped=dropped,
        phase=_phases(law, joined, first, last, time=time),
        usage_drop=_spells(dropped, wrap_week, law.drop_usage_weeks, time.span),
        hazard_drop=_spells(dropped, wrap_week, law.drop_hazard_weeks, time.span),
    )


def _joining(world: World, streams: Streams, accounts: Accounts, runs: tuple[Instance, ...]) -> Flags:
    law = world.campaigns
    rng = streams.named("campaigns/joining")
    keenness = 2 * rng.beta(2, 2, (len(accounts), len(CAMPAIGNS)))
    base = np.asarray([law.base[campaign] for campaign in CAMPAIGNS]).T[accounts.segment]
    chance = np.minimum(1.0, base * keenness)
    kind = [CAMPAIGNS.index(run.campaign) for run in runs]
    chance = chance[:, kind]
    if world.thin is not None:
        chance[accounts.thin] = world.thin.join_chance
    joins = rng.random((len(accounts), len(runs))) < chance
    return np.asarray(joins & ~accounts.never_joins[:, None], dtype=np.bool_)


def _phases(law: CampaignLaw, joined: Flags, first: Ints, last: Ints, *, time: Timeline) -> Codes:
    midweek = time.monday(np.arange(time.span)) + MIDWEEK
    phase = np.zeros((len(joined), time.span), dtype=np.int8)
    for run, (begin, end) in enumerate(zip(first, last, strict=True)):
        weeks = np.zeros(time.span, dtype=np.int8)
        weeks[(midweek >= begin) & (midweek - end <= law.memory_days)] = OFF
        weeks[(midweek >= begin - law.pre_days) & (midweek < begin)] = PRE
        weeks[(midweek > end) & (midweek <= end + law.post_days)] = POST
        weeks[(midweek >= begin) & (midweek <= end)] = ACTIVE
        who = joined[:, run]
        phase[who] = np.maximum(phase[who], weeks[None, :])
    return phase


def _spells(dropped: Flags, wrap_week: Ints, length: int, span: int) -> Flags:
    active = np.zeros((len(dropped), span), dtype=np.bool_)
    for run, week in enumerate(wrap_week):
        active[dropped[:, run], max(0, week) : max(0, week + length)] = True
    return active
