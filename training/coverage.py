"""Which contracts covered an account, term by term, as far as was known at ``label_cut``?

Input grain: contract terms, contract events and mergers of the warehouse. Output grain: the stretches of each contract
of each account. Only rows with ``available_at <= data_cut`` of the one row of ``label_cut`` are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from features.identity import read_aliases
from features.query_engine import QueryEngine
from training.endings import ContractEvent, Stretch, Term, stretches_of

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


@dataclass(frozen=True, slots=True)
class Coverage:
    """The contracts that ever covered each account, and what is known of each contract."""

    contracts: Mapping[str, tuple[str, ...]]
    stretches: Mapping[str, list[Stretch]]
    events: Mapping[str, list[ContractEvent]]

    def of(self, account: str) -> list[list[Stretch]]:
        """The stretches of each contract of an account."""
        return [self.stretches[name] for name in self.contracts[account]]


def coverage(engine: QueryEngine, grace: timedelta) -> Coverage:
    """Read the contracts of every account, and of every id that two accounts merged left behind.

    The engine has resolved tables (:mod:`features.identity`) and a table ``label_cut`` with one ``data_cut``.
    """
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
    cut = engine.fetch("SELECT data_cut FROM label_cut").column("data_cut")[0].as_py()
    merged = read_aliases(engine).merged(cut)
    for row in engine.fetch(_BUYERS).to_pylist():
        if row["account_id"] in contracts:
            buyer = merged.get(row["buyer_id"], row["buyer_id"])
            contracts[row["account_id"]].update(contracts.get(buyer, {}))
    for old, account in merged.items():
        # Two accounts that became one ended and began nothing: what becomes of the one became of both.
        if account in contracts:
            contracts[old].update(contracts[account])
    stretches = {name: stretches_of(each, events[name], grace) for name, each in terms.items()}
    return Coverage({account: tuple(names) for account, names in contracts.items()}, stretches, events)
