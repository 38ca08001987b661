"""What is the whole truth about one made-up company?

Everything latent is drawn here, before any table is written: the observed tables only read it, so no table can change
who leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from features.errors import UsageError
from features.simulator.decisions import Decisions, Hazard, draw_decisions, true_hazard
from features.simulator.entities import Accounts, Terms, draw_accounts, terms_of
from features.simulator.latent import Latent, Shocks, draw_latent, draw_shocks
from features.simulator.participation import Participation, draw_participation
from features.simulator.streams import Streams
from features.simulator.timeline import Flags, Timeline, timeline
from features.simulator.world import World


@dataclass(frozen=True, slots=True)
class Company:
    """The latent company of one seed. ``live[i, t]``: account i has a contract in all of the simulated week t."""

    world: World
    streams: Streams
    time: Timeline
    accounts: Accounts
    terms: Terms
    shocks: Shocks
    latent: Latent
    campaigns: Participation
    hazard: Hazard
    decisions: Decisions
    live: Flags


def found_company(world: World, *, accounts: int, seed: int, start: date, weeks: int) -> Company:
    """Draw a company.

    Raises:
        UsageError: no account is asked for, or the time is not one that can be simulated.
    """
    if accounts < 1:
        raise UsageError(
            "a company needs accounts", expected="at least 1 account", found=str(accounts), todo="ask for more accounts"
        )
    time, streams = timeline(start, weeks), Streams(seed)
    portfolio = draw_accounts(world, streams, count=accounts, time=time)
    terms = terms_of(portfolio, time, world.portfolio.prior_years)
    shocks = draw_shocks(world.market, streams, time, world.rollout)
    latent = draw_latent(world, streams, portfolio, shocks)
    campaigns = draw_participation(world, streams, portfolio, latent=latent, time=time)
    hazard = true_hazard(world, portfolio, terms, latent=latent, drop=campaigns.hazard_drop, time=time)
    decisions = draw_decisions(world, streams, portfolio, terms=terms, hazard=hazard, time=time)
    return Company(
        world=world,
        streams=streams,
        time=time,
        accounts=portfolio,
        terms=terms,
        shocks=shocks,
        latent=latent,
        campaigns=campaigns,
        hazard=hazard,
        decisions=decisions,
        live=live_weeks(portfolio, decisions, time),
    )


def live_weeks(accounts: Accounts, decisions: Decisions, time: Timeline) -> Flags:
    """Account x simulated week: a contract in all of the week."""
    monday = time.monday(np.arange(time.weeks))
    started = accounts.first_start[:, None] <= monday[None, :]
    return np.asarray(started & (monday[None, :] + 7 <= decisions.gone_from[:, None]), dtype=np.bool_)
