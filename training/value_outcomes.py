"""Whose annual value was decided to fall, or to rise, as far as that was known at ``data_cut``?

Input grain: contract states and events of the warehouse. Output grain: one row per account and change, and one per
account that left, in the columns of :mod:`training.labels`. The same rules of time as for churn: the event is the
decision, and only rows with ``available_at <= data_cut`` are read. An account that left is censored from then on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from features.identity import open_resolved
from features.settings import Home
from features.vocabulary import require_utc
from features.warehouse import Warehouse
from training.config import TrainingConfig
from training.coverage import Coverage, coverage
from training.endings import NONPAYMENT, ContractEvent, Stretch, midnight
from training.labels import OUTCOME_COLUMNS, outcomes
from training.target import Target
from training.value_changes import ChangeRule, Move, ValueChange, value_changes

_RESIZING = {"signed", "renewed", "expanded", "contracted"}
_MERGED = "merged_into"
_FAR = pd.Timestamp.max.tz_localize("UTC")

# The latest version of each state of a contract: what it is worth, from when on, and since when that was known.
_STATES = """
WITH versions AS (
    SELECT c.contract_id, c.valid_from, c.start_on, c.acv_minor, c.currency, c.available_at, c.op,
        ROW_NUMBER() OVER (
            PARTITION BY c.contract_id, c.valid_from ORDER BY c.available_at DESC, c.row_hash
        ) AS version
    FROM contracts_history AS c CROSS JOIN label_cut AS l
    WHERE c.available_at <= l.data_cut
)
SELECT contract_id, valid_from, start_on, acv_minor, currency, available_at FROM versions
WHERE version = 1 AND op = 'upsert'
ORDER BY contract_id, valid_from
"""


@dataclass(frozen=True, slots=True)
class _State:
    day: date
    value: int
    currency: str
    known_at: datetime


def target_outcomes(home: Home, data_cut: datetime, config: TrainingConfig) -> pd.DataFrame:
    """The outcomes of ``config.target`` in the columns of :data:`training.labels.OUTCOME_COLUMNS`.

    For churn: :func:`training.labels.outcomes`. For the others: every change that counts, ordered by account and
    moment, ``kind`` is the target, ``voluntary`` says whether the customer decided it; and the accounts that left, with
    ``voluntary`` False, so that they are censored.

    Raises:
        DataContractError: as :func:`training.labels.outcomes`.
    """
    lapses = outcomes(home, data_cut, config)
    if not config.target.recurs:
        return lapses
    rule = ChangeRule(config.contraction_share, config.upsell_share, config.grace)
    found = {account: value_changes(moves, rule) for account, moves in value_moves(home, data_cut, config).items()}
    return _frame(found, config.target, lapses, require_utc(data_cut))


def value_moves(home: Home, data_cut: datetime, config: TrainingConfig) -> dict[str, list[Move]]:
    """What the contracts of every account were worth from which day on, as known at ``data_cut``."""
    cut = require_utc(data_cut)
    with open_resolved(Warehouse(home)) as engine:
        engine.name_rows("label_cut", pa.table({"data_cut": pa.array([cut], pa.timestamp("us", tz="UTC"))}))
        covered = coverage(engine, config.grace)
        states = _states(engine.fetch(_STATES).to_pylist())
    return {account: _moves(account, covered, states, config) for account in covered.contracts}


def _states(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[_State]]:
    states: dict[str, list[_State]] = defaultdict(list)
    for row in rows:
        # A renewal is often written down before its term begins; it is worth nothing until then.
        day = max(row["valid_from"].date(), row["start_on"])
        states[row["contract_id"]].append(_State(day, row["acv_minor"], row["currency"], row["available_at"]))
    return states


def _moves(account: str, covered: Coverage, states: Mapping[str, list[_State]], config: TrainingConfig) -> list[Move]:
    moves: list[Move] = []
    for contract in covered.contracts[account]:
        events, own = covered.events.get(contract, []), states.get(contract, [])
        moves += [_resized(contract, state, events) for state in own]
        currency = own[-1].currency if own else ""
        moves += _over(contract, covered.stretches[contract], currency, config.grace)
        moves += [
            Move(e.effective_on, contract, 0, currency, e.event_at, e.available_at) for e in events if e.type == _MERGED
        ]
    return moves


def _resized(contract: str, state: _State, events: Sequence[ContractEvent]) -> Move:
    said = [e.event_at for e in events if e.type in _RESIZING and e.effective_on == state.day]
    decided = min([midnight(state.day), *said])
    return Move(state.day, contract, state.value, state.currency, decided, state.known_at)


def _over(contract: str, stretches: Sequence[Stretch], currency: str, grace: timedelta) -> list[Move]:
    # A contract is worth nothing after an ending that no further term follows within the grace.
    moves = []
    for stretch, follower in zip(stretches, [*stretches[1:], None], strict=True):
        ending = stretch.ending
        if ending is None or (follower is not None and follower.start_on - ending.last_day <= grace):
            continue
        known = ending.stated_at or ending.decided_at + grace
        day = ending.last_day + timedelta(days=1)
        willing = ending.kind != NONPAYMENT
        moves.append(Move(day, contract, 0, currency, ending.decided_at, known, willing))
    return moves


def _frame(
    found: Mapping[str, Sequence[ValueChange]], target: Target, lapses: pd.DataFrame, cut: datetime
) -> pd.DataFrame:
    gone = dict(zip(lapses["account_id"], lapses["decided_at"], strict=True))
    rows = [
        (account, one.decided_at, midnight(one.day), one.known_at, str(target), one.voluntary)
        for account, changes in found.items()
        for one in changes
        # What falls away because the account leaves is no contraction.
        if one.kind is target and one.known_at <= cut and not one.decided_at >= gone.get(account, _FAR)
    ]
    changed = pd.DataFrame(rows, columns=list(OUTCOME_COLUMNS))
    for name in ("decided_at", "effective_at", "known_at"):
        changed[name] = pd.to_datetime(changed[name], utc=True).astype("datetime64[us, UTC]")
    both = pd.concat([changed, lapses.assign(voluntary=False)] if len(lapses) else [changed], ignore_index=True)
    return both.astype({"voluntary": bool}).sort_values(["account_id", "decided_at"], kind="stable", ignore_index=True)
