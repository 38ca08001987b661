"""Which accounts had decided to leave, as far as that was known at ``data_cut``?

Input grain: contract terms and contract events of the warehouse. Output grain: one row per account that has decided
to leave, or one label per scored row and horizon. The event is the decision, not its effect: ``t* = min(notice,
effective)`` (domain 4.1). Only rows with ``available_at <= data_cut`` are read, so a notice that is recorded late
counts from then on.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.errors import DataContractError
from features.settings import Home
from features.vocabulary import HORIZONS_DAYS, require_utc
from features.warehouse import Engine, Warehouse
from training.config import TrainingConfig
from training.endings import NONPAYMENT, ContractEvent, Lapse, Stretch, Term, first_lapse, stretches_of

OUTCOME_COLUMNS = ("account_id", "decided_at", "effective_at", "known_at", "kind", "voluntary")
_MOMENTS = ("decided_at", "effective_at", "known_at")
_SECONDS_PER_DAY = 86_400.0

# The latest version of each state; a tombstone takes its state back. recency 1 is the latest state of each term.
_TERMS = """
WITH versions AS (
    SELECT c.contract_id, c.account_id, c.start_on, c.end_on, c.valid_from, c.op,
        ROW_NUMBER() OVER (
            PARTITION BY c.contract_id, c.valid_from ORDER BY c.available_at DESC, c.row_hash
        ) AS version
    FROM contracts_history AS c CROSS JOIN label_cut AS l
    WHERE c.available_at <= l.data_cut
),
states AS (
    SELECT contract_id, account_id, start_on, end_on,
        ROW_NUMBER() OVER (PARTITION BY contract_id, start_on ORDER BY valid_from DESC, account_id) AS recency
    FROM versions WHERE version = 1 AND op = 'upsert'
)
SELECT contract_id, account_id, start_on, end_on, recency FROM states ORDER BY contract_id, start_on, recency
"""

_EVENTS = """
WITH versions AS (
    SELECT e.contract_id, e.type, e.event_at, e.effective_on, e.available_at, e.op,
        ROW_NUMBER() OVER (PARTITION BY e.contract_event_id ORDER BY e.available_at DESC, e.row_hash) AS version
    FROM contract_events AS e CROSS JOIN label_cut AS l
    WHERE e.available_at <= l.data_cut
)
SELECT contract_id, type, event_at, effective_on, available_at FROM versions WHERE version = 1 AND op = 'upsert'
ORDER BY contract_id, event_at, available_at, type
"""

_LAST_WORD = """
SELECT MAX(k.available_at) AS available_at FROM (
    SELECT available_at FROM contracts_history UNION ALL SELECT available_at FROM contract_events
) AS k CROSS JOIN label_cut AS l
WHERE k.available_at <= l.data_cut
"""

# An account that another one bought is covered by the buyer's contracts too: a merger is no churn.
_BUYERS = """
WITH known AS (
    SELECT a.account_id, a.acquired_by_account_id, a.op,
        ROW_NUMBER() OVER (
            PARTITION BY a.account_id ORDER BY a.valid_from DESC, a.available_at DESC, a.row_hash
        ) AS recency
    FROM accounts_history AS a CROSS JOIN label_cut AS l
    WHERE a.available_at <= l.data_cut
)
SELECT account_id, acquired_by_account_id AS buyer_id FROM known
WHERE recency = 1 AND op = 'upsert' AND acquired_by_account_id IS NOT NULL
"""


def outcomes(home: Home, data_cut: datetime, config: TrainingConfig) -> pd.DataFrame:
    """One row per account that has decided to leave, ordered by account; columns :data:`OUTCOME_COLUMNS`.

    ``kind`` is full_churn (notice, or a term that ran out), cancellation or terminated_nonpayment; ``voluntary`` is
    False for the last. A merger, a late renewal within the grace, a notice taken back, and the loss of one contract
    among several are no outcomes. After a comeback only the first lapse counts. A term that ran out in silence is an
    outcome only if the contract source has spoken since its grace ended: a source that fell silent is no customer who
    left.

    Raises:
        DataContractError: so many weeks without any contract row that final labels would rest on the source's silence.
    """
    grace, cut = config.grace, require_utc(data_cut)
    with Warehouse(home).engine() as engine:
        engine.name_rows("label_cut", pa.table({"data_cut": pa.array([cut], pa.timestamp("us", tz="UTC"))}))
        covered = _contracts_of_accounts(engine, grace)
        heard = engine.fetch(_LAST_WORD).column("available_at")[0].as_py()
    told = _lapses(covered, grace, min(cut, heard) if heard else cut)
    doubtful = _lapses(covered, grace, cut - config.label_lag).keys() - told.keys()
    if doubtful:
        raise _source_fell_silent(len(doubtful), heard, cut)
    return outcome_frame(told)


def outcome_frame(lapses: dict[str, Lapse]) -> pd.DataFrame:
    """Lapses per account as a frame with :data:`OUTCOME_COLUMNS`; moments are UTC microseconds."""
    ordered = sorted(lapses.items())
    frame = pd.DataFrame(
        {
            "account_id": pd.Series([account for account, _ in ordered], dtype=object),
            **{name: _moments([getattr(lapse, name) for _, lapse in ordered]) for name in _MOMENTS},
            "kind": pd.Series([lapse.kind for _, lapse in ordered], dtype=object),
        }
    )
    return frame.assign(voluntary=frame["kind"] != NONPAYMENT)


def days_to_decision_taken(rows: pd.DataFrame, decided: pd.DataFrame) -> tuple[pd.Series[float], pd.Series[bool]]:
    """For each row (account_id, as_of): days from ``as_of`` to t* (NaN when none is known), and was it voluntary?

    Zero or negative days: the account had decided before ``as_of``, known then or not.
    """
    found = decided.set_index("account_id")
    decided_at = rows["account_id"].map(found["decided_at"])
    voluntary = rows["account_id"].map(found["voluntary"].astype(bool))
    days = (pd.to_datetime(decided_at, utc=True) - rows["as_of"]).dt.total_seconds() / _SECONDS_PER_DAY
    return days.astype(np.float64), voluntary.eq(True)


def horizon_labels(
    rows: pd.DataFrame, decided: pd.DataFrame, *, data_cut: datetime, config: TrainingConfig
) -> pd.DataFrame:
    """Columns ``y_<h>`` for rows of (account_id, as_of), in their order and with their index.

    1: left of its own will within the horizon; 0: did not; null: the label is not final at ``data_cut``, the account
    had decided before ``as_of``, or the vendor ended the contract first (censored).
    """
    days, voluntary = days_to_decision_taken(rows, decided)
    labels = {}
    for horizon in HORIZONS_DAYS:
        final = rows["as_of"] + timedelta(days=horizon) + config.settling <= pd.Timestamp(data_cut)
        inside = days.le(horizon)
        known = final & ~days.le(0) & (voluntary | ~inside)
        labels[f"y_{horizon}"] = inside.astype(np.float64).where(known)
    return pd.DataFrame(labels, index=rows.index)


def _lapses(covered: dict[str, list[list[Stretch]]], grace: timedelta, heard_until: datetime) -> dict[str, Lapse]:
    found = {name: first_lapse(contracts, grace=grace, heard_until=heard_until) for name, contracts in covered.items()}
    return {account: lapse for account, lapse in found.items() if lapse is not None}


def _source_fell_silent(accounts: int, heard: datetime, cut: datetime) -> DataContractError:
    return DataContractError(
        "contracts are older than the labels that should be read from them",
        expected=f"rows of contracts_history or contract_events up to {cut.date()}",
        found=f"none after {heard.date()}, while the terms of {accounts} accounts ran out",
        todo=f"ingest newer contracts, or train as of {heard.date()}",
    )


def _contracts_of_accounts(engine: Engine, grace: timedelta) -> dict[str, list[list[Stretch]]]:
    events: dict[str, list[ContractEvent]] = defaultdict(list)
    for row in engine.fetch(_EVENTS).to_pylist():
        events[row.pop("contract_id")].append(ContractEvent(**row))
    terms: dict[str, list[Term]] = defaultdict(list)
    contracts: dict[str, dict[str, None]] = defaultdict(dict)
    for row in engine.fetch(_TERMS).to_pylist():
        # A contract that moved to another account covers both: the old account went on there.
        contracts[row["account_id"]][row["contract_id"]] = None
        if row["recency"] == 1:
            terms[row["contract_id"]].append(Term(row["start_on"], row["end_on"]))
    for row in engine.fetch(_BUYERS).to_pylist():
        if row["account_id"] in contracts:
            contracts[row["account_id"]].update(contracts.get(row["buyer_id"], {}))
    stretches = {name: stretches_of(each, events[name], grace) for name, each in terms.items()}
    return {account: [stretches[name] for name in names] for account, names in contracts.items()}


def _moments(moments: list[Any]) -> pd.Series[pd.Timestamp]:
    return pd.Series(pd.to_datetime(moments, utc=True)).astype("datetime64[us, UTC]")
