"""What does the vendor's desk record of alerts and of the work on them?

Grain out: canonical rows of `alerts` (both arms; those of the control arm are shed) and `interventions` (treated arm).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from features.simulator.company import Company
from features.simulator.contracts import contract_ids
from features.simulator.special_laws import TreatmentLaw
from features.simulator.timeline import NEVER, Floats, Ints, moments
from features.simulator.treatment import Alerts
from features.simulator.writer import CanonicalWriter, Coded, ids, micros

ARMS = ("control", "treated")
_RAISED, _BEGUN, _DONE = 6 / 24, 2.0, 16.0
"""Days after the Monday: the alert, the first talk, the end of the work."""
_PROACTIVE_DAYS = 30
_COST_MINOR = np.asarray((50_000, 20_000, 80_000))


def write_treatment(writer: CanonicalWriter, company: Company, law: TreatmentLaw, alerts: Alerts) -> None:
    """Write both tables."""
    _write_alerts(writer, company, alerts)
    _write_work(writer, company, law, alerts)


def _team(company: Company, account: Ints) -> Coded:
    names = [f"csm-{place:02d}" for place in range(1, company.world.portfolio.csm_team + 1)]
    return Coded(company.accounts.csm[account], names)


def _write_alerts(writer: CanonicalWriter, company: Company, alerts: Alerts) -> None:
    monday = company.time.monday(alerts.week)
    number = np.arange(len(alerts.account))
    writer.append(
        "alerts",
        len(number),
        {
            "alert_id": ids("al", number),
            "episode_id": ids("ep", number),
            "account_id": Coded(alerts.account, company.accounts.ids),
            "rule_id": "risk_90_reached",
            "risk_90": np.round(alerts.seen_risk, 4),
            "created_at": micros(monday + _RAISED),
            "owner_id": _team(company, alerts.account),
            "due_at": micros(monday + _BEGUN + 1),
            "state": Coded(alerts.treated.astype(np.int8), ("shed", "done")),
            "external_refs": Coded(alerts.treated.astype(np.int8), [f"arm:{arm}" for arm in ARMS]),
        },
    )


def _write_work(writer: CanonicalWriter, company: Company, law: TreatmentLaw, alerts: Alerts) -> None:
    worked = np.flatnonzero(alerts.treated)
    account, day = alerts.account[worked], company.time.monday(alerts.week[worked])
    writer.append(
        "interventions",
        len(worked),
        {
            "intervention_id": ids("iv", worked),
            "alert_id": ids("al", worked),
            "account_id": Coded(account, company.accounts.ids),
            "playbook_id": Coded(alerts.playbook[worked], [playbook.name for playbook in law.playbooks]),
            "kind": Coded(alerts.playbook[worked], [playbook.kind for playbook in law.playbooks]),
            "proactive": days_to_deadline(company, account, day) > _PROACTIVE_DAYS,
            "started_at": micros(day + _BEGUN),
            "ended_at": micros(day + _DONE),
            "actor_id": _team(company, account),
            "cost_minor": _COST_MINOR[alerts.playbook[worked] % len(_COST_MINOR)],
            "assigned_arm": ARMS[1],
            # An intervention is told when it is over.
            "recorded_at": micros(day + _DONE),
            "available_at": micros(day + _DONE + 1 / 24),
        },
    )


def treatment_truth(company: Company, law: TreatmentLaw, alerts: Alerts) -> pa.Table:
    """One row per alert: arm, planted gamma, from when until when it works, and when the account decided, if it did."""
    gamma = np.asarray([playbook.gamma for playbook in law.playbooks])[alerts.playbook]
    decided = company.decisions.decided_at[alerts.account]
    return pa.table(
        {
            "alert_id": ids("al", np.arange(len(alerts.account))),
            "account_id": Coded(alerts.account, company.accounts.ids).arrow().cast(pa.string()),
            "contract_id": Coded(alerts.account, contract_ids(company)).arrow().cast(pa.string()),
            "arm": Coded(alerts.treated.astype(np.int8), ARMS).arrow().cast(pa.string()),
            "playbook_id": [law.playbooks[place].name for place in alerts.playbook],
            "gamma": np.where(alerts.treated, gamma, 0.0),
            "raised_at": _moments(company.time.monday(alerts.week) + _RAISED),
            "works_from": _moments(company.time.monday(alerts.week + 1)),
            "works_until": _moments(company.time.monday(alerts.week + 1 + law.lasts_weeks)),
            "decided_at": pa.array(moments(np.minimum(decided, NEVER)), mask=decided >= NEVER).cast(
                pa.timestamp("us", tz="UTC")
            ),
        }
    )


def days_to_deadline(company: Company, account: Ints, day: Ints) -> Ints:
    """Days until the next date to give notice by; NEVER = evergreen."""
    deadline = company.terms.deadline[account]
    following = np.where(deadline >= day[:, None], deadline, NEVER).min(axis=1)
    return np.where(following < NEVER, following - day, NEVER)


def _moments(day: Floats | Ints) -> pa.Array:
    return pa.array(moments(day)).cast(pa.timestamp("us", tz="UTC"))
