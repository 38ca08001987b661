"""How likely is each account to decide within 30, 60, 90 and 180 days, for one who sees its whole latent state?

Grain out: one row per account and Monday 00:00 UTC, from the first whole week of the contract to the end of the
simulated time (the Monday after the last week included), as long as the account has not decided to leave. Known at s: h
and f of the week that begins, drops at wraps before s, the calendar, who joins, and the shocks and switches to come.
Unknown: the noise of h and f, and whether coming wraps drop. Given s, h and f are Gaussian, so the risk of a decision
window is one Gauss-Hermite sum; monthly hazards are added up with a second-order term for their common noise. There is
no Monte-Carlo noise. That term gives monthly accounts too little where their 180-day risk exceeds .6 (.1 at .73), which
few reach. Nobody acts: where alerts are worked on, this is the risk without that work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.company import Company
from features.simulator.decisions import WINDOW_DAYS
from features.simulator.outlook import WEEKS_AHEAD, Outlook, Wraps, outlook_of, wraps_of
from features.simulator.timeline import NEVER, Flags, Floats, Ints
from features.simulator.world import HazardLaw
from features.vocabulary import HORIZONS_DAYS

_NODES = 9
_CHUNK = 20_000
_HORIZONS = np.asarray(HORIZONS_DAYS)


@dataclass(frozen=True, slots=True)
class OracleRows:
    """Per row: account, week s, risk per horizon, days to the notice deadline (NEVER = evergreen), known risk set."""

    account: Ints
    week: Ints
    risk: Floats
    days_to_decision: Ints
    is_at_risk: Flags


def oracle_rows(company: Company) -> OracleRows:
    """The state oracle for every account and Monday on which the account could still decide."""
    weeks = np.arange(company.time.weeks + 1)
    first = np.maximum(0, company.time.first_week_from(company.accounts.first_start))
    open_rows = (weeks[None, :] >= first[:, None]) & (weeks[None, :] <= company.decisions.week[:, None])
    account, week = np.nonzero(open_rows)
    monday = company.time.monday(week)
    deadline = _next_deadline(company, account, monday)
    return OracleRows(
        account=account,
        week=week,
        risk=risks_at(company, account, week),
        days_to_decision=np.where(deadline < NEVER, deadline - monday, NEVER),
        is_at_risk=monday - company.accounts.first_start[account] >= 26 * 7,
    )


def risks_at(company: Company, account: Ints, week: Ints) -> Floats:
    """True risk within each horizon for accounts at the Mondays of weeks, given that they have not decided before."""
    wraps = wraps_of(company)
    risk = np.empty((len(account), len(_HORIZONS)))
    for begin in range(0, len(account), _CHUNK):
        rows = slice(begin, begin + _CHUNK)
        risk[rows] = _risks(company, wraps, account[rows], week[rows])
    return risk


def _risks(company: Company, wraps: Wraps, account: Ints, week: Ints) -> Floats:
    outlook = outlook_of(company, wraps, account, week)
    monthly = company.accounts.term_months[account] == 1
    risk = np.empty((len(account), len(_HORIZONS)))
    risk[monthly] = _monthly_risk(company, outlook.rows(monthly))
    gap = _next_deadline(company, account, company.time.monday(week)) - company.time.monday(week)
    risk[~monthly] = _term_risk(company.world.hazard, outlook.rows(~monthly), gap[~monthly])
    return risk


def _next_deadline(company: Company, account: Ints, monday: Ints) -> Ints:
    deadline = company.terms.deadline[account]
    return np.asarray(np.where(deadline >= monday[:, None], deadline, NEVER).min(axis=1))


def _term_risk(law: HazardLaw, outlook: Outlook, gap: Ints) -> Floats:
    row = np.arange(len(gap))
    first_day = np.maximum(0, gap - WINDOW_DAYS + 1)
    week = np.minimum((first_day + gap) // 14, WEEKS_AHEAD - 1)
    days = np.clip(np.minimum(gap[:, None] + 1, _HORIZONS) - first_day[:, None], 0, WINDOW_DAYS)
    soon = np.flatnonzero(days[:, -1] > 0)
    usual = soon[~_crosses_switch(outlook, first_day, gap)[soon]]
    stays = np.ones(days.shape)
    stays[usual] = _stays(law, outlook, usual, weeks=(week[usual],), days=(days[usual],))
    if len(usual) < len(soon):
        # A window in which prices rise counts by its weeks; otherwise the week of its middle speaks for it.
        crossing = np.setdiff1d(soon, usual)
        weeks = (first_day[crossing] // 7, gap[crossing] // 7)
        before = np.minimum(days[crossing], (7 * weeks[1] - first_day[crossing])[:, None])
        parts = (before, days[crossing] - before)
        stays[crossing] = _stays(law, outlook, crossing, weeks=weeks, days=parts)
    mean = law.other_intercept + law.other_h * outlook.h + law.other_f * outlook.f + outlook.added
    # Mid-term hazards are so small that the mean of a lognormal is exact to 1e-4.
    weekly = np.exp(mean + (law.other_h**2 + law.other_f**2 * outlook.f_factor**2) * outlook.variance / 2)
    others = weekly @ (_days_within() / 7) - days / 7 * weekly[row, week][:, None]
    return np.asarray(1 - stays * np.exp(-others))


def _crosses_switch(outlook: Outlook, first_day: Ints, last_day: Ints) -> Flags:
    row = np.arange(len(first_day))
    first, last = (np.minimum(day // 7, WEEKS_AHEAD - 1) for day in (first_day, last_day))
    return np.asarray(outlook.added[row, first] != outlook.added[row, last], dtype=np.bool_)


def _stays(law: HazardLaw, outlook: Outlook, row: Ints, *, weeks: tuple[Ints, ...], days: tuple[Ints, ...]) -> Floats:
    # Chance to stay through the days of the window that fall into each horizon, told by the weeks they lie in.
    stays = np.zeros(days[0].shape)
    terms = [_window_terms(law, outlook, row, week) for week in weeks]
    drop_chance = outlook.drop_chance[row, weeks[-1]]
    for node, weight in zip(*_gauss_hermite(), strict=True):
        for dropped in (0, 1):
            share = drop_chance if dropped else 1 - drop_chance
            exponent = np.zeros(stays.shape)
            for (logit, spread), part in zip(terms, days, strict=True):
                pressure = _softplus(logit + law.drop * dropped + spread * node)
                exponent = exponent + -part / WINDOW_DAYS * pressure[:, None]
            stays += (weight * share)[:, None] * np.exp(exponent)
    return stays


def _window_terms(law: HazardLaw, outlook: Outlook, row: Ints, week: Ints) -> tuple[Floats, Floats]:
    logit = law.window_intercept + law.agency * outlook.agency[row] + law.shock * outlook.shock[row, week]
    logit = logit + law.window_h * outlook.h[row, week] + law.window_f * outlook.f[row, week]
    loading = law.window_h**2 + law.window_f**2 * outlook.f_factor[row, week] ** 2
    return logit + outlook.added[row, week], np.sqrt(loading * outlook.variance[row, week])


def _monthly_risk(company: Company, outlook: Outlook) -> Floats:
    law = company.world.hazard
    logit = law.monthly_intercept + law.monthly_h * outlook.h + law.monthly_f * outlook.f + law.shock * outlook.shock
    logit = logit + outlook.added
    spread = np.sqrt((law.monthly_h**2 + law.monthly_f**2 * outlook.f_factor**2) * outlook.variance)
    weekly = np.zeros(logit.shape)
    for node, weight in zip(*_gauss_hermite(), strict=True):
        quiet = _softplus(logit + spread * node)
        hurt = _softplus(logit + law.drop + spread * node)
        weekly += weight * (quiet + outlook.drop_chance * (hurt - quiet))
    share = _days_within() / 7
    mean = weekly @ share
    # The noise of h and f is shared between weeks: E exp(-X) = exp(-mean + variance / 2) to second order.
    variance = np.empty(mean.shape)
    # Rows share a covariance when the price rises equally far ahead (all of them, without a price rise).
    until = (outlook.f_factor == outlook.f_factor[:, :1]).sum(axis=1) * 2 + (outlook.f_factor[:, 0] == 1)
    for pattern in np.unique(until):
        rows = until == pattern
        factor = outlook.f_factor[rows][0]
        loading = law.monthly_h**2 + law.monthly_f**2 * factor[:, None] * factor[None, :]
        common = np.expm1(loading * _covariance(company))
        for horizon in range(len(_HORIZONS)):
            weighted = weekly[rows] * share[:, horizon]
            variance[rows, horizon] = ((weighted @ common) * weighted).sum(axis=1)
    return -np.expm1(-mean + variance / 2)


def _covariance(company: Company) -> Floats:
    law, step = company.world.latent, np.arange(WEEKS_AHEAD)
    apart, together = np.abs(step[:, None] - step[None, :]), step[:, None] + step[None, :]
    return np.asarray(law.stationary_sd**2 * (law.persistence**apart - law.persistence**together), dtype=np.float64)


def _days_within() -> Floats:
    # Days of each week ahead (rows) that lie within each horizon (columns).
    return np.clip(_HORIZONS[None, :] - 7 * np.arange(WEEKS_AHEAD)[:, None], 0, 7).astype(np.float64)


def _gauss_hermite() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return np.asarray(nodes), np.asarray(weights / weights.sum())


def _softplus(logit: Floats) -> Floats:
    # -ln(1 - sigmoid): the cumulative hazard that belongs to a probability.
    return np.asarray(np.log1p(np.exp(logit)), dtype=np.float64)
