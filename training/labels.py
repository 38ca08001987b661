"""Which accounts had decided to leave, as far as that was known at ``data_cut``?

Input grain: contract terms and contract events of the warehouse. Output grain: one row per account that has decided
to leave, or one label per scored row and horizon. The event is the decision, not its effect: ``t* = min(notice,
effective)`` (domain 4.1). Only rows with ``available_at <= data_cut`` are read, so a notice that is recorded late
counts from then on.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.errors import DataContractError
from features.identity import open_resolved
from features.settings import Home
from features.vocabulary import HORIZONS_DAYS, require_utc
from features.warehouse import Warehouse
from training.config import TrainingConfig
from training.coverage import Coverage, coverage
from training.endings import NONPAYMENT, Lapse, first_lapse
from training.target import Target

OUTCOME_COLUMNS = ("account_id", "decided_at", "effective_at", "known_at", "kind", "voluntary")
_MOMENTS = ("decided_at", "effective_at", "known_at")
_SECONDS_PER_DAY = 86_400.0
_RECURRING = [str(target) for target in Target if target.recurs]

_LAST_WORD = """
SELECT MAX(k.available_at) AS available_at FROM (
    SELECT available_at FROM contracts_history UNION ALL SELECT available_at FROM contract_events
) AS k CROSS JOIN label_cut AS l
WHERE k.available_at <= l.data_cut
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
    with open_resolved(Warehouse(home)) as engine:
        engine.name_rows("label_cut", pa.table({"data_cut": pa.array([cut], pa.timestamp("us", tz="UTC"))}))
        covered = coverage(engine, grace)
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

    Zero or negative days: the account had decided before ``as_of``, known then or not. Of outcomes that recur, the
    first after ``as_of`` is meant; those before it are over and done with.
    """
    recurs = decided["kind"].isin(_RECURRING)
    if not recurs.any():
        return _days_to_lapse(rows, decided)
    gone, _ = _days_to_lapse(rows, decided[~recurs])
    ahead, voluntary = _days_to_next(rows, decided)
    over = gone.le(0)
    return ahead.where(~over, gone), voluntary & ~over


def _days_to_lapse(rows: pd.DataFrame, decided: pd.DataFrame) -> tuple[pd.Series[float], pd.Series[bool]]:
    found = decided.set_index("account_id")
    decided_at = rows["account_id"].map(found["decided_at"])
    voluntary = rows["account_id"].map(found["voluntary"].astype(bool))
    days = (pd.to_datetime(decided_at, utc=True) - rows["as_of"]).dt.total_seconds() / _SECONDS_PER_DAY
    return days.astype(np.float64), voluntary.eq(True)


def _days_to_next(rows: pd.DataFrame, decided: pd.DataFrame) -> tuple[pd.Series[float], pd.Series[bool]]:
    asked = pd.DataFrame({"account_id": rows["account_id"].astype(object), "as_of": rows["as_of"].to_numpy()})
    asked["as_of"] = pd.to_datetime(asked["as_of"], utc=True).astype("datetime64[us, UTC]")
    later = decided[["account_id", "decided_at", "voluntary"]].sort_values("decided_at")
    later["account_id"] = later["account_id"].astype(object)
    later["decided_at"] = later["decided_at"].astype("datetime64[us, UTC]")
    found = pd.merge_asof(
        asked.assign(place=np.arange(len(asked))).sort_values("as_of"),
        later,
        left_on="as_of",
        right_on="decided_at",
        by="account_id",
        direction="forward",
        allow_exact_matches=False,
    ).sort_values("place")
    days = (found["decided_at"] - found["as_of"]).dt.total_seconds() / _SECONDS_PER_DAY
    voluntary = found["voluntary"].eq(True).to_numpy(bool)
    return pd.Series(days.to_numpy(np.float64), rows.index), pd.Series(voluntary, rows.index)


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


def _lapses(covered: Coverage, grace: timedelta, heard_until: datetime) -> dict[str, Lapse]:
    found = {name: first_lapse(covered.of(name), grace=grace, heard_until=heard_until) for name in covered.contracts}
    return {account: lapse for account, lapse in found.items() if lapse is not None}


def _source_fell_silent(accounts: int, heard: datetime, cut: datetime) -> DataContractError:
    return DataContractError(
        "contracts are older than the labels that should be read from them",
        expected=f"rows of contracts_history or contract_events up to {cut.date()}",
        found=f"none after {heard.date()}, while the terms of {accounts} accounts ran out",
        todo=f"ingest newer contracts, or train as of {heard.date()}",
    )


def _moments(moments: list[Any]) -> pd.Series[pd.Timestamp]:
    return pd.Series(pd.to_datetime(moments, utc=True)).astype("datetime64[us, UTC]")
