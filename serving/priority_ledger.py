"""In which order did the leads' weights put the accounts of a batch, as it was told?

Append-only. Grain: one row per policy, batch and account. Policy and batch name the order for good: weights and scores
are both append-only, so the same order comes out of them again (:func:`serving.leads_priority.ranked`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from features.state import insert_new
from features.vocabulary import Subcategory
from serving.ledger import Ledger
from serving.ledger_tables import LEADS_PRIORITY, moment_text


@dataclass(frozen=True, slots=True)
class Ranked:
    """One account in the order: the entry it was ranked by, its index and its standings, each 0 to 100, 100 = best."""

    account_id: str
    entry_id: int
    index: float
    standings: Mapping[Subcategory, float]


def stored_order(ledger: Ledger, policy_id: int, batch_mark: int) -> tuple[Ranked, ...]:
    """The order that was told, lowest index first; empty when it never was."""
    wanted = (LEADS_PRIORITY.c.policy_id == policy_id) & (LEADS_PRIORITY.c.batch_mark == batch_mark)
    query = sa.select(LEADS_PRIORITY).where(wanted)
    with ledger.connected() as connection:
        rows = connection.execute(query.order_by(LEADS_PRIORITY.c.policy_index, LEADS_PRIORITY.c.account_id)).all()
    return tuple(Ranked(row.account_id, row.entry_id, row.policy_index, _read(row.standings)) for row in rows)


def keep_order(ledger: Ledger, order: Sequence[Ranked], *, policy_id: int, batch_mark: int, told_at: datetime) -> None:
    """Write an order down, all or nothing; what is there already stays as it is.

    Raises:
        ServiceUnavailable: the state database cannot be written.
    """
    rows = [
        {
            "policy_id": policy_id,
            "batch_mark": batch_mark,
            "account_id": one.account_id,
            "entry_id": one.entry_id,
            "policy_index": one.index,
            "standings": json.dumps({str(part): standing for part, standing in one.standings.items()}),
            "told_at": moment_text(told_at),
        }
        for one in order
    ]
    if not rows:
        return
    with ledger.connected() as connection, connection.begin():
        connection.execute(insert_new(connection, LEADS_PRIORITY), rows)


def _read(text: str) -> dict[Subcategory, float]:
    return {Subcategory(part): float(standing) for part, standing in json.loads(text).items()}
