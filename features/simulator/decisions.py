"""Who decides to leave, and when?

Grain out: the true hazard per account and week, and one decision (or none) per account. The daily hazard is constant
within a week for the days of the decision window (the 7 days that end with the notice deadline) and for the other days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.entities import AGENCY, Accounts, Terms
from features.simulator.latent import Latent
from features.simulator.streams import Streams
from features.simulator.switches import added_logit, finance_factor
from features.simulator.timeline import NEVER, Codes, Flags, Floats, Ints, Timeline, sigmoid
from features.simulator.world import HazardLaw, World

WINDOW_DAYS = 7
WINDOW, OTHER, MONTHLY = 0, 1, 2
KINDS = ("decision_window", "mid_term", "monthly")


@dataclass(frozen=True, slots=True)
class Hazard:
    """Cumulative daily hazards per account and week, days of the window in each week, and the week's probability."""

    window_days: Codes
    daily_window: Floats
    daily_other: Floats
    weekly: Floats


@dataclass(frozen=True, slots=True)
class Decisions:
    """``decided_at`` (day with time, NEVER = stays), week (``weeks`` = stays), kind code, first day after the end.

    ``known_at`` is when the vendor's records show the notice.
    """

    decided_at: Floats
    week: Ints
    kind: Codes
    gone_from: Ints
    known_at: Floats

    @property
    def leaves(self) -> Flags:
        """True for accounts that decide to leave in the simulated time."""
        return np.asarray(self.decided_at < NEVER, dtype=np.bool_)


def window_logit(law: HazardLaw, accounts: Accounts, h: Floats, f: Floats, pressure: Floats) -> Floats:
    """Logit of leaving in the decision window; ``pressure`` = what shocks and drops add."""
    agency = law.agency * (accounts.segment == AGENCY)[:, None]
    return np.asarray(law.window_intercept + law.window_h * h + law.window_f * f + pressure + agency)


def true_hazard(
    world: World, accounts: Accounts, terms: Terms, *, latent: Latent, drop: Flags, time: Timeline
) -> Hazard:
    """The hazard that every account-week would have if the account had not left before, and nobody acted."""
    law, added = world.hazard, added_logit(world, time)[None, :]
    f = latent.f * finance_factor(world, time)[None, :]
    pressure = law.shock * latent.shock + law.drop * drop + added
    in_window = -np.log1p(-sigmoid(window_logit(law, accounts, latent.h, f, pressure))) / WINDOW_DAYS
    monthly_logit = law.monthly_intercept + law.monthly_h * latent.h + law.monthly_f * f + pressure
    other_logit = law.other_intercept + law.other_h * latent.h + law.other_f * f + added
    is_monthly = (accounts.term_months == 1)[:, None]
    other = -np.log1p(-sigmoid(np.where(is_monthly, monthly_logit, other_logit))) / 7
    days = window_days(terms, time)
    weekly = -np.expm1(-(days * in_window + (7 - days) * other))
    return Hazard(window_days=days, daily_window=in_window, daily_other=other, weekly=weekly)


def window_days(terms: Terms, time: Timeline) -> Codes:
    """Days of decision windows in each account-week."""
    days = np.zeros((len(terms.deadline), time.span), dtype=np.int8)
    for back in range(WINDOW_DAYS):
        week = (terms.deadline - back - time.first_day) // 7
        account, term = np.nonzero((week >= 0) & (week < time.span))
        # Two windows of one account never share a week: terms are a year or longer.
        days[account, week[account, term]] += 1
    return days


def draw_decisions(
    world: World, streams: Streams, accounts: Accounts, *, terms: Terms, hazard: Hazard, time: Timeline
) -> Decisions:
    """Let every account decide week by week, until it leaves or the simulated time ends."""
    count = len(accounts)
    first_week = np.maximum(0, time.first_week_from(accounts.first_start))
    can_decide = np.arange(time.weeks)[None, :] >= first_week[:, None]
    draw = streams.named("decisions/leave").random((count, time.span))[:, : time.weeks]
    leaves_now = can_decide & (draw < hazard.weekly[:, : time.weeks])
    leaves = np.any(leaves_now, axis=1).astype(np.bool_)
    week = np.where(leaves, leaves_now.argmax(axis=1), time.weeks)
    detail = streams.named("decisions/moment").random((3, count))
    day, in_window = _day_of(hazard, terms, week=np.minimum(week, time.weeks - 1), time=time, draw=detail[0])
    decided = np.where(leaves, day + (8 + 10 * detail[1]) / 24, float(NEVER))
    monthly = accounts.term_months == 1
    kind = np.where(monthly, MONTHLY, np.where(in_window, WINDOW, OTHER)).astype(np.int8)
    lag = _notice_lag(world.hazard, streams.named("decisions/lag"), count)
    return Decisions(
        decided_at=decided,
        week=week,
        kind=kind,
        gone_from=_gone_from(world, terms, decided, kind, leaves=leaves),
        known_at=np.where(leaves, decided + lag, float(NEVER)),
    )


def _day_of(hazard: Hazard, terms: Terms, *, week: Ints, time: Timeline, draw: Floats) -> tuple[Ints, Flags]:
    # Invert the cumulative hazard of the seven days of the week in which the account leaves.
    row = np.arange(len(week))
    days = time.monday(week)[:, None] + np.arange(7)[None, :]
    distance = terms.deadline[:, :, None] - days[:, None, :]
    in_window = ((distance >= 0) & (distance < WINDOW_DAYS)).any(axis=1)
    daily = np.where(in_window, hazard.daily_window[row, week][:, None], hazard.daily_other[row, week][:, None])
    cumulative = np.cumsum(daily, axis=1)
    gone = -np.expm1(-cumulative)
    pick = (gone < (draw * gone[:, -1])[:, None]).sum(axis=1)
    return days[row, pick], np.asarray(in_window)[row, pick]


def _gone_from(world: World, terms: Terms, decided: Floats, kind: Codes, *, leaves: Flags) -> Ints:
    # Notice in the window ends the contract with its term; every other notice takes effect four weeks later.
    next_term = np.where(terms.starts > decided[:, None], terms.starts, NEVER).min(axis=1)
    soon = np.floor(decided).astype(np.int64) + world.portfolio.effective_after_days + 1
    gone = np.where(kind == WINDOW, next_term, np.minimum(soon, next_term))
    return np.where(leaves, gone, NEVER).astype(np.int64)


def _notice_lag(law: HazardLaw, rng: np.random.Generator, count: int) -> Floats:
    spread = np.log(law.notice_lag_p95_days / law.notice_lag_median_days) / 1.6448536269514722
    return np.asarray(law.notice_lag_median_days * np.exp(spread * rng.standard_normal(count)))
