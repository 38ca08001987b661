"""What really happened, for those who grade the service and for nobody else?

Grain out: tables in ``truth/``: account_weeks, accounts, participation, decisions, shocks, planted, oracle; and a
manifest. What only some regimes plant is written by `specials`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.simulator.campaign_tables import took_part
from features.simulator.company import Company
from features.simulator.decisions import KINDS
from features.simulator.facts import drop_risk_ratio, spike_ratio
from features.simulator.oracle import OracleRows
from features.simulator.seats import SeatPlan
from features.simulator.timeline import NEVER, Floats, Ints, moments
from features.simulator.usage import mean_actions
from features.simulator.world import PHASES, SEGMENTS
from features.simulator.writer import Coded
from features.vocabulary import HORIZONS_DAYS

VERSION = "3"
"""Raise it when the same seed gives other rows."""


def write_truth(
    folder: Path, company: Company, plan: SeatPlan, oracle: OracleRows, *, cycle_ratio: float
) -> dict[str, int]:
    """Write every table of the truth; rows per table. ``cycle_ratio`` is the planted fact that reviews measured."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "account_weeks": _account_weeks(company, plan),
        "accounts": _accounts(company),
        "participation": _participation(company),
        "decisions": _decisions(company),
        "shocks": _shocks(company),
        "planted": _planted(company, plan, cycle_ratio),
        "oracle": _oracle(company, oracle),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd", compression_level=1, store_schema=False)
    return {name: table.num_rows for name, table in tables.items()}


def write_manifest(folder: Path, company: Company, *, regime: str) -> None:
    """Write ``manifest.json``: what to ask for to get the same company again."""
    document = {
        "regime": regime,
        "seed": company.streams.seed,
        "accounts": len(company.accounts),
        "start": company.time.start.isoformat(),
        "weeks": company.time.weeks,
        "simulator_version": VERSION,
        "parameters": company.world.model_dump(mode="json"),
    }
    (folder / "manifest.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def _account_weeks(company: Company, plan: SeatPlan) -> pa.Table:
    weeks = np.arange(company.time.weeks)
    monday = company.time.monday(weeks)[None, :]
    customer = (company.accounts.first_start[:, None] <= monday) & (monday < company.decisions.gone_from[:, None])
    account, week = np.nonzero(customer)
    core, collab = mean_actions(company, plan.weekly)
    latent, campaigns = company.latent, company.campaigns
    return _table(
        {
            "account_id": Coded(account, company.accounts.ids),
            "week_start": _moments(company.time.monday(week)),
            "h": latent.h[account, week],
            "f": latent.f[account, week],
            "w": latent.w[account, week],
            "shock": latent.shock[account, week],
            "phase": Coded(campaigns.phase[account, week], PHASES),
            "drop_in_usage": campaigns.usage_drop[account, week],
            "drop_in_hazard": campaigns.hazard_drop[account, week],
            "seats": plan.weekly[account, week],
            "mean_core_events": core[account, week],
            "mean_collab_events": collab[account, week],
            "undecided": week <= company.decisions.week[account],
            "hazard": company.hazard.weekly[account, week],
            "is_whole_week": company.live[account, week],
        }
    )


def _accounts(company: Company) -> pa.Table:
    accounts = company.accounts
    traits = ("level_h", "level_f", "core_effect", "collab_effect", "lift_effect", "review_effect")
    return _table(
        {
            "account_id": accounts.ids,
            "never_joins": accounts.never_joins,
            "susceptible": accounts.susceptible,
            **{name: getattr(accounts, name) for name in traits},
        }
    )


def _participation(company: Company) -> pa.Table:
    campaigns = company.campaigns
    account, run = np.nonzero(took_part(company))
    return _table(
        {
            "account_id": Coded(account, company.accounts.ids),
            "campaign_instance_id": Coded(run, [each.name for each in campaigns.instances]),
            "campaign_id": [campaigns.instances[each].campaign for each in run.tolist()],
            "active_start": _days(campaigns.first_day[run]),
            "active_end": _days(campaigns.last_day[run]),
            "wrap_week_start": _moments(company.time.monday(campaigns.wrap_week[run])),
            "drop_chance": campaigns.drop_chance[account, run],
            "dropped": campaigns.dropped[account, run],
        }
    )


def _decisions(company: Company) -> pa.Table:
    decisions = company.decisions
    who = np.flatnonzero(decisions.leaves)
    return _table(
        {
            "account_id": Coded(who, company.accounts.ids),
            "decided_at": _moments(decisions.decided_at[who]),
            "kind": Coded(decisions.kind[who], KINDS),
            "effective_on": _days(decisions.gone_from[who] - 1),
            "known_at": _moments(decisions.known_at[who]),
        }
    )


def _shocks(company: Company) -> pa.Table:
    shocks = company.shocks
    return _table(
        {
            "segment": Coded(shocks.segment, SEGMENTS),
            "first_day": _days(shocks.first_day),
            "weeks": shocks.weeks,
        }
    )


def _planted(company: Company, plan: SeatPlan, cycle_ratio: float) -> pa.Table:
    core, _ = mean_actions(company, plan.weekly)
    risk = drop_risk_ratio(company)
    law = company.world
    facts = (
        ("engagement_spike", "usage.phase_lift[active]", law.usage.phase_lift[-1], 3.5, spike_ratio(company, core)),
        ("revision_cycle_ratio", "production.cycle_active_ratio", law.production.cycle_active_ratio, 0.6, cycle_ratio),
        ("post_drop_risk_ratio_90", "hazard.drop", law.hazard.drop, 1.3, risk.ratio),
    )
    fact, parameter, value, target, measured = zip(*facts, strict=True)
    return _table(
        {
            "fact": list(fact),
            "parameter": list(parameter),
            "value": pa.array(value, pa.float64()),
            "target_over_many_seeds": pa.array(target, pa.float64()),
            "true_in_this_seed": pa.array(measured, pa.float64(), from_pandas=True),
        }
    )


def _oracle(company: Company, oracle: OracleRows) -> pa.Table:
    monday = company.time.monday(oracle.week)
    until = company.decisions.decided_at[oracle.account] - monday
    evergreen = oracle.days_to_decision >= NEVER
    return _table(
        {
            "account_id": Coded(oracle.account, company.accounts.ids),
            "as_of": _moments(monday),
            **{f"p_{days}": oracle.risk[:, place] for place, days in enumerate(HORIZONS_DAYS)},
            **{f"decision_in_{days}": _within(oracle.days_to_decision, days) for days in HORIZONS_DAYS},
            "days_to_decision": pa.array(oracle.days_to_decision, mask=evergreen),
            "is_at_risk": oracle.is_at_risk,
            "days_until_left": pa.array(until, mask=until >= NEVER / 2),
        }
    )


def _within(days_to_decision: Ints, horizon: int) -> pa.Array:
    return pa.array(days_to_decision < horizon)


def _moments(day: Floats | Ints) -> pa.Array:
    return pa.array(moments(day)).cast(pa.timestamp("us", tz="UTC"))


def _days(day: Ints) -> pa.Array:
    return pa.array(day.astype(np.int32)).cast(pa.date32())


def _table(columns: Mapping[str, Any]) -> pa.Table:
    return pa.table({name: cell.arrow() if isinstance(cell, Coded) else cell for name, cell in columns.items()})
