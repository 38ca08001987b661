"""Who is who in a home, in numbers: aliases, families, rows that wait for an account, and whoever is left out?

Grain in: canonical tables and the quarantine. Grain out: counts as known at a moment; no id of anybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from features.events import TABLES
from features.identity import ACCOUNTS, AS_CAME, Resolved, families, resolve_stored
from features.machines import MACHINES_ACT_IN, UserKind
from features.query_engine import QueryEngine
from features.settings import Home
from features.sources.intake import UNMATCHED
from features.sources.owners import IS_UNMATCHED, OWNING, name_owners, owners_of
from features.sources.waiting import count_waiting
from features.vocabulary import require_utc
from features.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Accounts of the vendor itself or for tests, users of each kind, and the rows of these users by table."""

    internal_accounts: int
    test_accounts: int
    users: dict[str, int]
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class IdentityReport:
    """What is known at ``as_of``.

    ``aliases``: ids that stand for another, by rule. ``merged``: accounts that became another one. ``circular``: ids
    whose aliases lead back to them, so that they stand for nobody. ``unknown_targets``: ids that stand for an account
    nobody told of. ``families`` have two accounts or more. ``unmatched``: stored rows, by table, that count to no
    account; ``waiting``: rows in quarantine for the same reason.
    """

    as_of: datetime
    accounts: int
    aliases: dict[str, int]
    merged: int
    circular: int
    unknown_targets: int
    families: int
    accounts_in_families: int
    unmatched: dict[str, int]
    waiting: dict[str, int]
    left_out: LeftOut

    def lines(self) -> list[str]:
        """The report for people; the first line is the summary."""
        if not self.accounts:
            return [f"on {self.as_of.date()} no account was known: run `pulse ingest DIR`"]
        told = [f"{self.accounts:,} accounts as known on {self.as_of.date()}"]
        total = sum(self.aliases.values())
        told.append(f"  other ids     {_parts(self.aliases) or 'none: every row bears the id of its account'}")
        if total:
            told.append(
                f"                {self.merged:,} accounts were merged into another one; their rows count there"
            )
        if self.circular:
            told.append(f"                {self.circular:,} stand for each other in a circle, and so for nobody")
        if self.unknown_targets:
            told.append(f"                {self.unknown_targets:,} stand for an account that nobody told of")
        apart = "none: no account names another as its owner"
        together = f"{self.families:,} of {self.accounts_in_families:,} accounts"
        told.append(f"  families      {together if self.families else apart}")
        told.append(f"  unmatched     {_parts(self.unmatched) or 'no stored row is without its account'}")
        told.append(f"  waiting       {_parts(self.waiting) or 'no row waits in quarantine for its account'}")
        accounts = {"internal": self.left_out.internal_accounts, "test": self.left_out.test_accounts}
        told.append(f"  left out      accounts: {_parts(_some(accounts)) or 'none'}")
        told.append(f"                users: {_parts(self.left_out.users) or 'none'}")
        return [*told, *([f"                their rows: {_parts(self.left_out.rows)}"] if self.left_out.rows else [])]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {**asdict(self), "as_of": self.as_of.isoformat()}


def identity_report(home: Home, as_of: datetime) -> IdentityReport:
    """Count who is who, as known at a moment; a home without accounts has nobody.

    Raises:
        IntegrityError: a stored file is not the one that was written.
        DataContractError: a line in quarantine is no refused row.
    """
    moment, warehouse = require_utc(as_of), Warehouse(home)
    waiting: Counter[str] = Counter()
    for each in count_waiting(home):
        if each.rule == UNMATCHED:
            waiting[each.table] += each.rows
    with warehouse.engine() as engine:
        resolved = resolve_stored(engine, warehouse)
        for table in TABLES:
            resolved.name_again(table, f"{AS_CAME}{table}")
        aliases, heads, states = resolved.aliases, families(engine, moment), _states(engine, moment)
        merged, standing = aliases.merged(moment), aliases.standing(moment)
        known = {*states} - {*merged}
        sizes = Counter(heads[account] for account in known)
        together = [count for count in sizes.values() if count > 1]
        return IdentityReport(
            as_of=moment,
            accounts=len(known),
            aliases=dict(sorted(Counter(rule for _, rule, _ in standing).items())),
            merged=sum(key in states for key in merged),
            circular=sum(aliases.is_circular(key, moment) for key in aliases.ids()),
            unknown_targets=sum(account not in states for _, _, account in standing),
            families=len(together),
            accounts_in_families=sum(together),
            unmatched=_unmatched(engine, home, moment),
            waiting=dict(sorted(waiting.items())),
            left_out=_left_out(engine, resolved, [states[account] for account in sorted(known)], moment),
        )


def _states(engine: QueryEngine, at: datetime) -> dict[str, dict[str, Any]]:
    moment = f"TIMESTAMPTZ '{at.isoformat()}'"
    query = (
        "SELECT account_id, is_internal, is_test FROM (SELECT account_id, is_internal, is_test, op, ROW_NUMBER() OVER ("
        "PARTITION BY account_id ORDER BY valid_from DESC, available_at DESC, row_hash) AS recency "
        f'FROM "{AS_CAME}{ACCOUNTS}" WHERE available_at <= {moment} AND valid_from <= {moment}) AS known '
        "WHERE recency = 1 AND op = 'upsert'"
    )
    return {row["account_id"]: row for row in engine.fetch(query).to_pylist()}


def _unmatched(engine: QueryEngine, home: Home, at: datetime) -> dict[str, int]:
    name_owners(engine, owners_of(engine, home))
    found = {}
    for table, declared in TABLES.items():
        if table not in OWNING and any(column.name == "account_id" for column in declared.columns):
            query = (
                f'SELECT COUNT(*) AS n FROM "{AS_CAME}{table}" AS j '
                f"WHERE available_at <= TIMESTAMPTZ '{at.isoformat()}' AND {IS_UNMATCHED}"
            )
            found[table] = int(engine.fetch(query).column("n")[0].as_py())
    return _some(found)


def _left_out(engine: QueryEngine, resolved: Resolved, states: list[dict[str, Any]], at: datetime) -> LeftOut:
    kinds = {user: _kind_at(changes, at) for user, changes in resolved.strangers.items()}
    users = {user: kind for user, kind in kinds.items() if kind is not None}
    pairs = sorted({(one, name) for account, name in users for one in resolved.aliases.circle_of(account)})
    names = {"id": [one for one, _ in pairs], "user_key": [name for _, name in pairs]}
    engine.name_rows("_left_out", pa.table({name: pa.array(cells, pa.string()) for name, cells in names.items()}))
    rows = {}
    for table, column in MACHINES_ACT_IN.items():
        query = (
            f'SELECT COUNT(*) AS n FROM "{AS_CAME}{table}" AS r INNER JOIN _left_out AS o '
            f'ON o.id = r.account_id AND o.user_key = r."{column}" '
            f"WHERE r.available_at <= TIMESTAMPTZ '{at.isoformat()}'"
        )
        rows[table] = int(engine.fetch(query).column("n")[0].as_py())
    return LeftOut(
        internal_accounts=sum(bool(state["is_internal"]) for state in states),
        test_accounts=sum(bool(state["is_test"]) for state in states),
        users=dict(sorted(Counter(str(kind) for kind in users.values()).items())),
        rows=_some(rows),
    )


def _kind_at(changes: Mapping[datetime, UserKind | None], at: datetime) -> UserKind | None:
    return next((changes[moment] for moment in sorted(changes, reverse=True) if moment <= at), None)


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _parts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
