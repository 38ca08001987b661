"""What does the vendor know about campaigns and who joins them, and since when?

Grain out: canonical rows of `campaigns`, `campaign_instances_history` and `account_campaigns_history`, all as beliefs
with the moment from which they were held.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from features.simulator.campaign_calendar import CAMPAIGNS, FAMILY, TITLES
from features.simulator.company import Company
from features.simulator.timeline import Flags, Floats, Ints, day_number
from features.simulator.writer import CanonicalWriter, Coded, micros

_KINDS = ("declared", "inferred", "prior", "declined")
DECLARED, INFERRED, PRIOR, DECLINED = range(4)
_DECLARED_SHARE = 0.82
_INFERRED_SHARE = 0.13
"""The other 5 % of joiners are never recorded: the vendor does not know everything."""
_WITHDRAWN_SHARE = 0.015
"""Accounts that declare a campaign and step back a week before it starts."""
_PRIOR_SHARE = 0.30
_PRIOR_CONFIDENCE = 0.45
"""A guess from the segment alone stays under 0.5: it never puts an account into a phase."""
_ROLES = ("promo_studio", "rights_holder", "sponsor_agency")
_EVENT_TZ = {"march_madness": "America/New_York", "big_game": "America/New_York"}


def write_campaigns(writer: CanonicalWriter, company: Company) -> None:
    """Write the three tables."""
    _write_kinds(writer, company)
    _write_instances(writer, company)
    _write_beliefs(writer, company)


def took_part(company: Company) -> Flags:
    """Account x instance: joined, and still a customer when it started."""
    starts_before_end = company.campaigns.first_day[None, :] < company.decisions.gone_from[:, None]
    return np.asarray(company.campaigns.joined & starts_before_end, dtype=np.bool_)


def _write_kinds(writer: CanonicalWriter, company: Company) -> None:
    law = company.world.campaigns
    writer.append(
        "campaigns",
        len(CAMPAIGNS),
        {
            "campaign_id": list(CAMPAIGNS),
            "known_from": micros(np.full(len(CAMPAIGNS), day_number(date(2019, 1, 1)))),
            "name": [TITLES[campaign] for campaign in CAMPAIGNS],
            "family": [FAMILY[campaign] for campaign in CAMPAIGNS],
            "default_pre_days": law.pre_days,
            "default_post_days": law.post_days,
            "importance": np.asarray((1.0, 0.8, 0.7, 0.8, 0.6)),
            "owner": "campaign desk",
        },
    )


def _write_instances(writer: CanonicalWriter, company: Company) -> None:
    rows = [(run, belief) for run in company.campaigns.instances for belief in run.beliefs]
    writer.append(
        "campaign_instances_history",
        len(rows),
        {
            "campaign_instance_id": [run.name for run, _ in rows],
            "known_from": micros(np.asarray([day_number(belief.known_from) for _, belief in rows])),
            "campaign_id": [run.campaign for run, _ in rows],
            "label": [f"{TITLES[run.campaign]} {run.last.year}" for run, _ in rows],
            "active_start_local": np.asarray([day_number(belief.first) for _, belief in rows]),
            "active_end_local": np.asarray([day_number(belief.last) for _, belief in rows]),
            "tz_policy": ["event_tz" if run.campaign in _EVENT_TZ else "account_local" for run, _ in rows],
            "event_tz": [_EVENT_TZ.get(run.campaign) for run, _ in rows],
            "status": [belief.status for _, belief in rows],
            "source": "public announcement",
        },
    )


def _write_beliefs(writer: CanonicalWriter, company: Company) -> None:
    shape = company.campaigns.joined.shape
    rng = company.streams.named("campaigns/records")
    how, when, trust = rng.random(shape), rng.random(shape), rng.random(shape)
    part = took_part(company)
    declared = part & (how < _DECLARED_SHARE)
    inferred = part & ~declared & (how < _DECLARED_SHARE + _INFERRED_SHARE)
    could_join = ~company.accounts.never_joins[:, None] & ~company.campaigns.joined
    withdrawn = could_join & (how < _WITHDRAWN_SHARE)
    guessed = ~company.accounts.never_joins[:, None] & (trust < _PRIOR_SHARE)
    early = -42 + np.rint(24 * (when - 0.5))
    _write_belief(
        writer,
        company,
        guessed,
        PRIOR,
        days_from_start=-119 + 0 * when,
        confidence=trust / _PRIOR_SHARE * _PRIOR_CONFIDENCE,
    )
    _write_belief(writer, company, declared | withdrawn, DECLARED, days_from_start=early, confidence=0 * trust + 1.0)
    _write_belief(writer, company, withdrawn, DECLINED, days_from_start=0 * when - 7, confidence=0 * trust + 1.0)
    _write_belief(
        writer, company, inferred, INFERRED, days_from_start=10 + np.rint(7 * when), confidence=0.55 + 0.35 * trust
    )


def _write_belief(
    writer: CanonicalWriter,
    company: Company,
    who: Flags,
    kind: int,
    *,
    days_from_start: Floats,
    confidence: Floats,
) -> None:
    account, run = np.nonzero(who)
    known = company.campaigns.first_day[run] + days_from_start[account, run] + 10 / 24
    # Nothing is known of an account before its contract (then in the order of the kinds); what was never known while
    # it lasted is not written.
    known = np.maximum(known, company.accounts.first_start[account] + (10 + kind) / 24)
    kept = known < np.minimum(company.decisions.gone_from[account], company.campaigns.last_day[run] + 1)
    account, run, known = account[kept], run[kept], known[kept]
    writer.append(
        "account_campaigns_history",
        len(account),
        _belief_cells(company, account, run, known, kind=kind)
        | {
            "confidence": np.round(confidence[account, run], 2),
        },
    )


def _belief_cells(company: Company, account: Ints, run: Ints, known: Floats, *, kind: int) -> dict[str, object]:
    return {
        "account_id": Coded(account, company.accounts.ids),
        "campaign_instance_id": Coded(run, [each.name for each in company.campaigns.instances]),
        "known_from": micros(known),
        "participation": _KINDS[kind],
        "role": Coded(company.accounts.segment[account], _ROLES),
    }
