"""Who is who: which rows speak of one account, and which of nobody?

Gives the canonical tables of an engine the accounts that their rows count to, as known at each moment; the stored rows
stay as they came. A build, a push, an audit and the labels all read tables through this one door. Where no alias and no
machine is known, the tables are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from features.aliases import MERGE, Alias, Aliases
from features.events import TABLES
from features.layers import Belongings, Layer, lay
from features.machines import MACHINES_ACT_IN, User, UserKind, belongings_of, machines
from features.query_engine import QueryEngine
from features.settings import Home
from features.warehouse import Engine, Warehouse, empty_table_query

ALIASES = "account_aliases"
ACCOUNTS = "accounts_history"
AS_CAME = "_came_"
"""What the relation of a table's rows as they came is called, before the table's name."""
NameAgain = Callable[[str, str], None]
"""Give the rows of a table, as they came, a second name in the engine."""

_ALIAS_COLUMNS = (
    *("source_system", "source_account_key", "account_id", "match_rule", "valid_from", "available_at", "op"),
    "row_hash",
)
_LAYERS = (
    *(
        Layer(name, "account_id", ("source_system", "account_id"), drops_merged=name == ACCOUNTS)
        for name, table in TABLES.items()
        if name != ALIASES and any(column.name == "account_id" for column in table.columns)
    ),
    # Who owns an account may be named by an old id, too.
    Layer(ACCOUNTS, "parent_account_id", ("source_system", "parent_account_id")),
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was rewritten.

    ``late``: ids of which rows were known before it was known to whom they count, and when that was. ``strangers``:
    users who are no people, with the moments from which they were left out, and why (None: they count again).
    """

    aliases: Aliases
    late: frozenset[tuple[str, datetime]]
    strangers: Mapping[User, Mapping[datetime, UserKind | None]]
    name_again: NameAgain


@contextmanager
def open_resolved(warehouse: Warehouse) -> Iterator[Engine]:
    """An engine in which every canonical table has its name, each row under the account that it counts to."""
    with warehouse.engine() as engine:
        resolve_stored(engine, warehouse)
        yield engine


def resolve_stored(engine: QueryEngine, warehouse: Warehouse) -> Resolved:
    """:func:`resolve` for the stored tables of a home, which have their names in the engine."""

    def name_again(table: str, name: str) -> None:
        files = warehouse.dataset(table).files()
        if files:
            engine.name(name, files)
        else:
            engine.name_query(name, empty_table_query(table))

    return resolve(engine, name_again)


def resolve(engine: QueryEngine, name_again: NameAgain, *, settled: Mapping[str, datetime] | None = None) -> Resolved:
    """Rewrite the named tables of an engine: aliases first, then users who are no people.

    ``settled`` gives ids a moment: what was known of them then counts as if it had been known ever since. Doing it
    again changes nothing more, as long as ``name_again`` gives the rows as they came.
    """
    current = {name: name for name in TABLES}
    aliases, late = read_aliases(engine), set[tuple[str, datetime]]()
    if aliases.ids():
        engine.name_rows("_alias_ids", pa.table({"id": pa.array(sorted(aliases.ids()), pa.string())}))
        for layer in _LAYERS:
            found = _of_aliases(engine, layer, current[layer.table], aliases, settled or {})
            late |= _lay(engine, layer, current, found, name_again)
    strangers = machines(engine, seats=current["seat_assignments_history"], usage=current["usage_daily"])
    if strangers:
        nobody = {user: belongings_of(user, changes) for user, changes in strangers.items()}
        for table, column in MACHINES_ACT_IN.items():
            _lay(engine, Layer(table, column, ("account_id", column)), current, nobody, name_again)
    for table, relation in current.items():
        if relation != table:
            engine.name_query(table, f'SELECT * FROM "{relation}"')
    return Resolved(aliases, frozenset(late), strangers, name_again)


def read_aliases(engine: QueryEngine, table: str = ALIASES, accounts: str = ACCOUNTS) -> Aliases:
    """The aliases that an engine knows.

    A merger counts from when its survivor is known: rows are not moved to an account that nobody told of.
    """
    columns = ", ".join(_ALIAS_COLUMNS)
    told = engine.fetch(f'SELECT {columns} FROM "{table}" ORDER BY {columns}').to_pylist()
    if not told:
        return Aliases()
    states = f"SELECT account_id, MIN(available_at) AS at FROM \"{accounts}\" WHERE op = 'upsert' GROUP BY account_id"
    heard = {row["account_id"]: row["at"] for row in engine.fetch(states).to_pylist()}
    return Aliases(_counting([alias_of(row) for row in told], heard))


def _counting(rows: Sequence[Alias], heard: Mapping[str, datetime]) -> Iterator[Alias]:
    known = dict(heard)
    for row in rows:
        # An account may be told of under the key of a source alone.
        if row.match_rule != MERGE and row.source_account_key in heard:
            at = heard[row.source_account_key]
            known[row.account_id] = min(known.get(row.account_id, at), at)
    links = {row.source_account_key for row in rows}
    for row in rows:
        if row.match_rule != MERGE or row.op != "upsert" or (row.account_id in links and row.account_id not in known):
            yield row
        elif row.account_id in known:
            yield replace(row, available_at=max(row.available_at, known[row.account_id]))


def aliases_in(rows: pa.Table) -> Aliases:
    """Every alias of rows in memory, whoever is known."""
    return Aliases(alias_of(row) for row in rows.select(_ALIAS_COLUMNS).to_pylist())


def alias_of(row: Mapping[str, Any]) -> Alias:
    """One row of the table, whatever other cells it has."""
    cells = {name: row[name] for name in _ALIAS_COLUMNS}
    # A tombstone need not repeat what stood in the row that it takes back.
    told = {"account_id": row["account_id"] or row["source_account_key"], "match_rule": row["match_rule"] or MERGE}
    return Alias(**{**cells, **told})


def families(engine: QueryEngine, at: datetime) -> Mapping[str, str]:
    """The head of the family of every account and alias, as known at a moment: its parent's parent, and so on.

    An account whose owners lead back to it belongs to the first of that circle in alphabetical order.
    """
    aliases, parents = read_aliases(engine), _parents(engine, at)
    known = {*parents, *aliases.ids()}
    return {account: _head(aliases.survivor(None, account, at), parents) for account in sorted(known)}


def families_of(home: Home, at: datetime) -> Mapping[str, str]:
    """:func:`families` of a home."""
    with open_resolved(Warehouse(home)) as engine:
        return families(engine, at)


def _lay(
    engine: QueryEngine, layer: Layer, current: dict[str, str], belongings: Belongings, name_again: NameAgain
) -> set[tuple[str, datetime]]:
    if not belongings:
        return set()
    source = current[layer.table]
    if source == layer.table:
        source = f"{AS_CAME}{layer.table}"
        name_again(layer.table, source)
    current[layer.table] = f"_{layer.column}_{layer.table}"
    return lay(engine, layer, source, current[layer.table], belongings)


def _of_aliases(
    engine: QueryEngine, layer: Layer, relation: str, aliases: Aliases, settled: Mapping[str, datetime]
) -> Belongings:
    first, second = layer.bearer
    bearers = engine.fetch(
        f'SELECT DISTINCT "{first}" AS source, "{second}" AS id FROM "{relation}" '
        f'WHERE "{second}" IN (SELECT id FROM _alias_ids) ORDER BY source, id'
    ).to_pylist()
    found = {}
    for source, key in ((row["source"], row["id"]) for row in bearers):
        if key in settled:
            stretches = aliases.settled(source, key, settled[key])
        else:
            known = aliases.belongings(source, key)
            stretches = known if len(known) > 1 else ()
        if stretches:
            found[source, key] = stretches
    return found


def _parents(engine: QueryEngine, at: datetime) -> dict[str, str | None]:
    query = (
        "SELECT account_id, parent_account_id FROM (SELECT account_id, parent_account_id, op, ROW_NUMBER() OVER ("
        f"PARTITION BY account_id ORDER BY valid_from DESC, available_at DESC, row_hash) AS recency FROM {ACCOUNTS} "
        f"WHERE available_at <= TIMESTAMPTZ '{at.isoformat()}' AND valid_from <= TIMESTAMPTZ '{at.isoformat()}'"
        ") AS known WHERE recency = 1 AND op = 'upsert'"
    )
    return {row["account_id"]: row["parent_account_id"] for row in engine.fetch(query).to_pylist()}


def _head(account: str, parents: Mapping[str, str | None]) -> str:
    passed = [account]
    while (parent := parents.get(passed[-1])) and parent not in passed:
        passed.append(parent)
    return min(passed[passed.index(parent) :]) if parent else passed[-1]
