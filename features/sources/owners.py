"""Which good rows name an account that nobody knows, and which alias leads in a circle?

In: the judged rows of one load of a table, the stored accounts and aliases, and those of the same load. Out: the same
rows, with the rule that these break. A row whose account nobody has told of waits in quarantine until somebody does;
while no account at all is known, nothing can be said and every row is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from features.aliases import Alias, Aliases
from features.events import Table
from features.identity import ACCOUNTS, ALIASES, alias_of, aliases_in, read_aliases
from features.query_engine import QueryEngine
from features.settings import Home
from features.sources.contract import BLOCK, RULE
from features.sources.intake import UNMATCHED, Intake, Rule
from features.sources.plan import TableWork
from features.sources.versions import CHECKED
from features.warehouse import ROW, Engine, Warehouse, empty_table_query

CIRCLE = "circle"
JUDGED = "_pulse_judged"
IS_UNMATCHED = (
    "j.account_id IS NOT NULL AND EXISTS (SELECT 1 FROM _pulse_ids) "
    "AND j.account_id NOT IN (SELECT id FROM _pulse_ids) "
    "AND NOT EXISTS (SELECT 1 FROM _pulse_keys AS k WHERE k.id = j.account_id AND k.source = j.source_system)"
)
"""Over rows ``j``: an account is named, some account is known, and this one is not."""
UNMATCHED_NUMBER, CIRCLE_NUMBER = -2, -3
OWNING = (ACCOUNTS, ALIASES)
"""The tables that say who is there; any other row only names somebody."""
_RULES = {
    UNMATCHED_NUMBER: Rule("account_id", UNMATCHED, "no account and no alias has this id", ""),
    CIRCLE_NUMBER: Rule("account_id", CIRCLE, "the aliases lead back to the id itself", ""),
}


@dataclass(frozen=True, slots=True)
class Owners:
    """Account ids that are known in every source, and (source, id) pairs that are known in one."""

    ids: frozenset[str]
    keys: frozenset[tuple[str, str]]


def in_order_of_need(works: Sequence[TableWork]) -> list[TableWork]:
    """The tables of a load in the order in which they must be read: whoever may be named comes first."""
    return sorted(works, key=lambda work: [work.table != name for name in OWNING])


def mark_strays(
    engine: Engine, table: Table, intakes: Sequence[Intake], home: Home, scratch: Path
) -> dict[tuple[int, int], Rule]:
    """Refuse such rows in the relation ``checked``, made of :data:`JUDGED`; the answer is the rules that were broken.

    ``scratch`` has the accounts and aliases that the same load brings.
    """
    if table.name == ALIASES:
        number, rows = CIRCLE_NUMBER, _circles(engine, home)
    elif table.name != ACCOUNTS and any(column.name == "account_id" for column in table.columns):
        number, rows = UNMATCHED_NUMBER, _unmatched(engine, owners_of(engine, home, scratch))
    else:
        return {}
    if not rows.num_rows:
        return {}
    engine.name_rows("_pulse_strays", rows)
    engine.name_query(
        CHECKED,
        f"SELECT j.* REPLACE (CASE WHEN s.{ROW} IS NULL THEN j.{RULE} ELSE {number} END AS {RULE}) FROM {JUDGED} AS j "
        f"LEFT JOIN _pulse_strays AS s ON s.{BLOCK} = j.{BLOCK} AND s.{ROW} = j.{ROW}",
    )
    return {(intake.number, number): _RULES[number] for intake in intakes}


def owners_of(engine: QueryEngine, home: Home, scratch: Path | None = None) -> Owners:
    """Everybody that a row may name, of what is stored and of what this load brings."""
    for name in OWNING:
        files = [*Warehouse(home).dataset(name).files()]
        files += [path for path in [scratch / f"{name}.parquet"] if path.exists()] if scratch else []
        if files:
            engine.name(f"_pulse_{name}", files)
        else:
            engine.name_query(f"_pulse_{name}", empty_table_query(name))
    told = engine.fetch(f"SELECT DISTINCT account_id FROM _pulse_{ACCOUNTS}").column("account_id").to_pylist()
    accounts, aliases = frozenset(told), read_aliases(engine, f"_pulse_{ALIASES}", f"_pulse_{ACCOUNTS}")
    known = {
        (scope, key)
        for scope, key in aliases.bearing()
        if any(each.account_id in accounts for each in aliases.belongings(scope, key))
    }
    everywhere = {key for scope, key in known if scope is None}
    return Owners(accounts | everywhere, frozenset((scope, key) for scope, key in known if scope is not None))


def name_owners(engine: QueryEngine, owners: Owners) -> None:
    """Give the owners the names that :data:`IS_UNMATCHED` reads."""
    ids, keys = sorted(owners.ids), sorted(owners.keys)
    engine.name_rows("_pulse_ids", pa.table({"id": pa.array(ids, pa.string())}))
    pairs = {"source": pa.array([pair[0] for pair in keys], pa.string())}
    engine.name_rows("_pulse_keys", pa.table({**pairs, "id": pa.array([pair[1] for pair in keys], pa.string())}))


def _unmatched(engine: Engine, owners: Owners) -> pa.Table:
    name_owners(engine, owners)
    return engine.fetch(f"SELECT {BLOCK}, {ROW} FROM {JUDGED} AS j WHERE {RULE} IS NULL AND {IS_UNMATCHED}")


def _circles(engine: Engine, home: Home) -> pa.Table:
    files = Warehouse(home).dataset(ALIASES).files()
    aliases = Aliases()
    if files:
        engine.name(f"_pulse_{ALIASES}", files)
        aliases = aliases_in(engine.fetch(f"SELECT * FROM _pulse_{ALIASES}"))
    offered = engine.fetch(f"SELECT * FROM {JUDGED} WHERE {RULE} IS NULL ORDER BY available_at, {BLOCK}, {ROW}")
    refused = [row for row in offered.to_pylist() if not _taken(aliases, alias_of(row))]
    places = {name: pa.array([row[name] for row in refused], pa.int64()) for name in (BLOCK, ROW)}
    return pa.table(places)


def _taken(aliases: Aliases, row: Alias) -> bool:
    aliases.add(row)
    # Only an alias of an account can lead back: the key of a source is nobody's account.
    if row.scope is None and aliases.ever_circular(row.source_account_key, row.seen_at):
        aliases.remove(row)
        return False
    return True
