"""What is expected of each account in the weeks ahead, for one who sees its whole latent state?

Grain out: row x week ahead, where a row is an account at the Monday of a week. Week 0 is the one that begins; its h and
f are known. After it h and f are Gaussian around a path that fades to the account's level; whether a coming wrap drops
is a chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.company import Company
from features.simulator.entities import AGENCY
from features.simulator.switches import added_logit, finance_factor
from features.simulator.timeline import Flags, Floats, Ints, sigmoid

WEEKS_AHEAD = 26
"""180 days touch 26 weeks."""


@dataclass(frozen=True, slots=True)
class Wraps:
    """Per account and week: wraps that begin to work, and the first week in which drops known by then work no more."""

    coming: Ints
    dropped_until: Ints


@dataclass(frozen=True, slots=True)
class Outlook:
    """Means of h and f, the variance that each has by then, shock, chance of a drop at work, and whether an agency.

    ``f`` is weighed by ``f_factor`` (1 without a price rise), the variance is not; ``added`` goes onto every logit.
    """

    h: Floats
    f: Floats
    f_factor: Floats
    variance: Floats
    shock: Floats
    drop_chance: Floats
    agency: Floats
    added: Floats

    def rows(self, which: Flags) -> Outlook:
        """The outlook of some rows."""
        return Outlook(*(getattr(self, name)[which] for name in Outlook.__slots__))


def wraps_of(company: Company) -> Wraps:
    """When wraps of joined campaigns begin to work, and how long the drops behind them do."""
    campaigns = company.campaigns
    coming = np.zeros(campaigns.phase.shape, dtype=np.int64)
    until = np.zeros(campaigns.phase.shape, dtype=np.int64)
    for run, week in enumerate(campaigns.wrap_week.tolist()):
        if 0 <= week < company.time.span:
            coming[:, week] += campaigns.joined[:, run]
        end = week + company.world.campaigns.drop_hazard_weeks
        if end > 0:
            known = until[:, max(0, week) :]
            np.maximum(known, np.where(campaigns.dropped[:, run], end, 0)[:, None], out=known)
    return Wraps(coming=coming, dropped_until=until)


def outlook_of(company: Company, wraps: Wraps, account: Ints, week: Ints) -> Outlook:
    """The outlook of each account at the Monday of its week."""
    law = company.world.latent
    ahead = week[:, None] + np.arange(WEEKS_AHEAD)[None, :]
    shock = company.latent.shock[account[:, None], ahead].astype(np.float64)
    pull = company.latent.pull[account[:, None], ahead]
    factor = finance_factor(company.world, company.time)[ahead]
    fade = law.persistence ** np.arange(WEEKS_AHEAD)
    level_h, level_f = company.accounts.level_h[account][:, None], company.accounts.level_f[account][:, None]
    h = level_h + fade * (company.latent.h[account, week][:, None] - level_h)
    pulled = np.zeros(len(account))
    for step in range(1, WEEKS_AHEAD):
        pulled = law.persistence * pulled + pull[:, step]
        h[:, step] -= pulled
    return Outlook(
        h=h,
        f=factor * (level_f + fade * (company.latent.f[account, week][:, None] - level_f)),
        f_factor=factor,
        variance=np.tile(law.stationary_sd**2 * (1 - fade**2), (len(account), 1)),
        shock=shock,
        drop_chance=_drop_chance(company, wraps, h, account=account, ahead=ahead),
        agency=(company.accounts.segment[account] == AGENCY).astype(np.float64),
        added=added_logit(company.world, company.time)[ahead],
    )


def _drop_chance(company: Company, wraps: Wraps, h: Floats, *, account: Ints, ahead: Ints) -> Floats:
    law = company.world.campaigns
    coming = wraps.coming[account[:, None], ahead]
    # A wrap that works from the first week on is known already.
    coming[:, 0] = 0
    at_wrap = np.roll(h, 1, axis=1)
    chance = sigmoid(law.drop_intercept + law.drop_loading * at_wrap)
    drop = -np.expm1(np.cumsum(coming * np.log1p(-chance), axis=1))
    drop[ahead < wraps.dropped_until[account, ahead[:, 0]][:, None]] = 1.0
    return np.asarray(drop)
