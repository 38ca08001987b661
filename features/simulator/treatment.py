"""Who is alerted, in which arm, and what does working on an alert do to the hazard?

Grain out: one row per alert, and the hazard with the effect in it. Accounts are randomised once; alerts are raised in
both arms by the same rule, and worked on in the treated one only. The oracle in the truth stays the risk without
treatment: it is what an alert is raised for and what an effect is measured against.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from features.simulator.company import Company, live_weeks
from features.simulator.decisions import Hazard, draw_decisions
from features.simulator.oracle import risks_at
from features.simulator.special_laws import TreatmentLaw, week_at
from features.simulator.timeline import Flags, Floats, Ints, sigmoid
from features.vocabulary import HORIZONS_DAYS

_HEADLINE = HORIZONS_DAYS.index(90)


@dataclass(frozen=True, slots=True)
class Alerts:
    """Alerts in the order of account and week: the week, the risk as the rule saw it, the playbook, treated or not."""

    account: Ints
    week: Ints
    seen_risk: Floats
    playbook: Ints
    treated: Flags


def treated_company(company: Company, law: TreatmentLaw) -> tuple[Company, Alerts]:
    """The same company with an effect of the work on its alerts; alerts of accounts that have decided are left out."""
    raised = _raise_alerts(company, law)
    effect = np.asarray([playbook.gamma for playbook in law.playbooks])[raised.playbook] * raised.treated
    keeps = np.ones(company.hazard.weekly.shape)
    for account, week, gamma in zip(raised.account, raised.week, effect, strict=True):
        keeps[account, week + 1 : week + 1 + law.lasts_weeks] = 1 - gamma
    hazard = _eased(company.hazard, keeps)
    decisions = draw_decisions(
        company.world, company.streams, company.accounts, terms=company.terms, hazard=hazard, time=company.time
    )
    live = live_weeks(company.accounts, decisions, company.time)
    kept = np.flatnonzero(raised.week <= decisions.week[raised.account])
    alerts = Alerts(*(getattr(raised, name)[kept] for name in Alerts.__slots__))
    return replace(company, hazard=hazard, decisions=decisions, live=live), alerts


def _raise_alerts(company: Company, law: TreatmentLaw) -> Alerts:
    count, weeks = len(company.accounts), company.time.weeks
    first = week_at(law.at, weeks)
    risk = _risk(company, first)
    blur = company.streams.named("treatment/blur").standard_normal((count, company.time.span))[:, :weeks]
    logit = np.log(risk) - np.log1p(-risk) + law.blur_sd * blur
    signed = company.accounts.first_start[:, None] <= company.time.monday(np.arange(weeks))[None, :]
    due = signed & (sigmoid(logit) >= law.from_risk)
    raised, quiet_until = np.zeros((count, weeks), dtype=np.bool_), np.zeros(count, dtype=np.int64)
    for monday in range(first, weeks):
        now = due[:, monday] & (quiet_until <= monday)
        raised[now, monday] = True
        quiet_until[now] = monday + 1 + law.lasts_weeks
    account, week = np.nonzero(raised)
    playbook = company.streams.named("treatment/playbooks").integers(0, len(law.playbooks), (count, weeks))
    arm = company.streams.named("treatment/arms").permutation(count) % 2 == 1
    return Alerts(
        account=account,
        week=week,
        seen_risk=sigmoid(logit)[account, week],
        playbook=playbook[account, week],
        treated=arm[account],
    )


def _risk(company: Company, first: int) -> Floats:
    weeks = np.arange(first, company.time.weeks)
    account, week = (place.ravel() for place in np.meshgrid(np.arange(len(company.accounts)), weeks, indexing="ij"))
    risk = np.full((len(company.accounts), company.time.weeks), 1e-9)
    risk[account, week] = risks_at(company, account, week)[:, _HEADLINE]
    return risk


def _eased(hazard: Hazard, keeps: Floats) -> Hazard:
    # A week's chance to leave is multiplied; its daily hazards follow, in proportion.
    weekly = hazard.weekly * keeps
    with np.errstate(invalid="ignore"):
        share = np.log1p(-weekly) / np.log1p(-hazard.weekly)
    share = np.where(hazard.weekly > 0, share, 1.0)
    return Hazard(
        window_days=hazard.window_days,
        daily_window=hazard.daily_window * share,
        daily_other=hazard.daily_other * share,
        weekly=weekly,
    )
