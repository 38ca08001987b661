"""Which numbers were planted in this company, and what do they measure as?

Grain in: a company. Grain out: one number per planted fact, measured on the latent truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.campaign_tables import took_part
from features.simulator.company import Company
from features.simulator.oracle import risks_at
from features.simulator.timeline import Flags, Floats
from features.simulator.world import OFF
from features.vocabulary import HORIZONS_DAYS

SPIKE_CAMPAIGN = "march_madness"
_HEADLINE = HORIZONS_DAYS.index(90)


@dataclass(frozen=True, slots=True)
class RiskRatio:
    """Mean true 90-day risk at the wrap, with and without a drop, and how many wraps stand behind each."""

    dropped: float
    kept: float
    dropped_count: int
    kept_count: int

    @property
    def ratio(self) -> float:
        """Risk with a drop over risk without."""
        return self.dropped / self.kept


def spike_ratio(company: Company, weekly_actions: Floats) -> float:
    """Weekly core actions of participants in the active weeks of March Madness over those in their own off weeks.

    Both are means per account, over the accounts that have both. Formula: sum of active means / sum of off means; NaN
    when no account has both.
    """
    active = _active_weeks(company, SPIKE_CAMPAIGN)
    weeks = slice(0, company.time.weeks)
    off = company.live & (company.campaigns.phase[:, weeks] == OFF)
    both = active.any(axis=1) & off.any(axis=1)
    if not both.any():
        return float("nan")
    return float(_row_means(weekly_actions, active)[both].sum() / _row_means(weekly_actions, off)[both].sum())


def drop_risk_ratio(company: Company) -> RiskRatio:
    """True 90-day risk on the first Monday after each wrap, for accounts that had not decided by then."""
    campaigns = company.campaigns
    account, run = np.nonzero(took_part(company))
    week = campaigns.wrap_week[run]
    started = company.accounts.first_start[account] <= company.time.monday(week)
    asked = (week >= 0) & (week <= company.decisions.week[account]) & started
    account, run, week = account[asked], run[asked], week[asked]
    risk = risks_at(company, account, week)[:, _HEADLINE]
    dropped = campaigns.dropped[account, run]
    return RiskRatio(
        dropped=_mean(risk[dropped]),
        kept=_mean(risk[~dropped]),
        dropped_count=int(dropped.sum()),
        kept_count=int((~dropped).sum()),
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _active_weeks(company: Company, campaign: str) -> Flags:
    # Whole weeks of the campaign's active windows, for those who take part and are customers.
    time, campaigns = company.time, company.campaigns
    monday = time.monday(np.arange(time.weeks))
    active = np.zeros((len(company.accounts), time.weeks), dtype=np.bool_)
    for run, instance in enumerate(campaigns.instances):
        if instance.campaign == campaign:
            within = (monday >= campaigns.first_day[run]) & (monday + 6 <= campaigns.last_day[run])
            active |= campaigns.joined[:, run, None] & within[None, :]
    return active & company.live


def _row_means(values: Floats, where: Flags) -> Floats:
    total = np.where(where, values, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(1, where.sum(axis=1)), dtype=np.float64)
