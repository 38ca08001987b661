"""How do rows come under another account, or leave the table, from the moment at which that became known?

Grain in: a table, and for some of its ids the stretches of time in which their rows count to whom. Grain out: the table
in which each row stands once per stretch that began while it was known, known from then on. That an id stands for
another account is a correction of the rows that bear it, so every step that reads corrections reads aliases, too, and
nothing that is learnt later changes what was known before. Rows of ids that nobody speaks of are passed on untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from features.aliases import Belonging
from features.events import TABLES
from features.query_engine import QueryEngine

Belongings = Mapping[tuple[str, str], tuple[Belonging, ...]]
"""By the two cells that name a bearer."""

_EVER, _NEVER = datetime(1, 1, 1, tzinfo=UTC), datetime(2999, 12, 30, tzinfo=UTC)
_TOTALS = frozenset({"usage_daily", "usage_events"})
_ORDER = {
    "usage_daily": "r.available_at DESC, COALESCE(r.recorded_at, r.event_at) DESC, r.row_hash",
    "usage_events": "r.available_at DESC, COALESCE(r.recorded_at, r.event_at) DESC, r.row_hash",
}
_USUAL_ORDER = "r.available_at DESC, r.row_hash"
"""Which of two versions of a record is the later one; as the SQL steps have it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One rewriting of one table: the column that is rewritten, and the two by which a bearer is found.

    ``drops``: rows that change hands by a merge are nobody's (states of an account that is no more).
    """

    table: str
    column: str
    bearer: tuple[str, str]
    drops_merged: bool = False

    @property
    def in_key(self) -> bool:
        """Does the rewritten column tell records apart? Then the old record ends where the new one begins."""
        return self.column in TABLES[self.table].key


def lay(
    engine: QueryEngine, layer: Layer, source: str, target: str, belongings: Belongings
) -> set[tuple[str, datetime]]:
    """Name the rows of the relation ``source`` as ``target``, with the bearers' rows rewritten.

    Rows whose stretch began after they were known are few and kept in memory; others are rewritten as they are read.
    The answer is the bearers (their second cell) of such rows, and the beginnings of those stretches.
    """
    moves, late = f"{target}_moves", f"{target}_late"
    engine.name_rows(moves, _move_rows(layer, belongings))
    columns = list(engine.columns(f'SELECT * FROM "{source}"'))
    first, second = layer.bearer
    on = f'm.first = r."{first}" AND m.second = r."{second}"'
    engine.keep(f"{late}_found", _found_query(layer, source, moves, columns, on=on))
    engine.keep(late, _late_query(layer, source, f"{late}_found", columns))
    untouched = ", ".join(f'r."{name}"' for name in columns)
    moved = ", ".join(_cell(layer, name, "m") for name in columns)
    engine.name_query(
        target,
        f'SELECT {untouched} FROM "{source}" AS r WHERE NOT EXISTS (SELECT 1 FROM "{moves}" AS m WHERE {on}) '
        f'UNION ALL SELECT {moved} FROM "{source}" AS r INNER JOIN "{moves}" AS m ON {on} '
        f"AND r.available_at >= m.from_at AND r.available_at < m.until_at AND m.is_kept = 1 "
        f'UNION ALL SELECT * FROM "{late}"',
    )
    found = engine.fetch(f'SELECT DISTINCT "{second}" AS id, from_at FROM "{late}_found"').to_pylist()
    return {(row["id"], row["from_at"]) for row in found}


def _move_rows(layer: Layer, belongings: Belongings) -> pa.Table:
    rows = []
    for (first, second), stretches in belongings.items():
        bearer = first if layer.bearer[0] == layer.column else second
        for before, each in zip([None, *stretches], stretches, strict=False):
            kept = each.account_id is not None and not (layer.drops_merged and each.is_merge)
            suffix = f" of {bearer}"
            rows.append(
                {
                    "first": first,
                    "second": second,
                    "to_id": each.account_id,
                    "from_at": each.from_at or _EVER,
                    "until_at": each.until_at or _NEVER,
                    "is_kept": int(kept),
                    "ends_id": before.account_id if before else None,
                    "suffix": suffix if each.is_merge else "",
                    "ends_suffix": suffix if before and before.is_merge else "",
                }
            )
    moment, text = pa.timestamp("us", tz="UTC"), pa.string()
    types = {"first": text, "second": text, "to_id": text, "from_at": moment, "until_at": moment}
    types |= {"is_kept": pa.int64(), "ends_id": text, "suffix": text, "ends_suffix": text}
    return pa.Table.from_pylist(rows, pa.schema(list(types.items())))


def _cell(layer: Layer, name: str, move: str) -> str:
    if name == layer.column:
        return f'{move}.to_id AS "{name}"'
    if name == "product_sku":
        return f'{_product(layer, f"{move}.suffix")} AS "{name}"'
    return f'r."{name}"'


def _product(layer: Layer, suffix: str) -> str:
    if layer.table not in _TOTALS or layer.column != "account_id":
        return "r.product_sku"
    # Of one user both ids told one thing. Totals of two accounts that became one are two things, and add up.
    return f"CASE WHEN r.user_key IS NULL THEN r.product_sku || {suffix} ELSE r.product_sku END"


def _found_query(layer: Layer, source: str, moves: str, columns: list[str], *, on: str) -> str:
    # What each bearer last said of each record when its stretch began.
    key = ", ".join(f'r."{name}"' for name in dict.fromkeys((*layer.bearer, *TABLES[layer.table].key)))
    cells = ", ".join(f'r."{name}"' for name in columns)
    return (
        f"SELECT * FROM (SELECT {cells}, m.to_id, m.from_at, m.is_kept, m.ends_id, m.suffix, m.ends_suffix, "
        f"ROW_NUMBER() OVER (PARTITION BY {key}, m.from_at ORDER BY {_ORDER.get(layer.table, _USUAL_ORDER)}) AS turn "
        f'FROM "{source}" AS r INNER JOIN "{moves}" AS m ON {on} AND r.available_at < m.from_at) AS told WHERE turn = 1'
    )


def _late_query(layer: Layer, source: str, found: str, columns: list[str]) -> str:
    moved = ", ".join("r.from_at AS available_at" if c == "available_at" else _cell(layer, c, "r") for c in columns)
    ended = ", ".join(_ended_cell(layer, name) for name in columns)
    newer = f'EXISTS (SELECT 1 FROM "{source}" AS o WHERE {_same_record(layer)})'
    query = f'SELECT {moved} FROM "{found}" AS r WHERE r.is_kept = 1 AND NOT {newer}'
    gone = "r.is_kept = 0" if not layer.in_key else "r.ends_id IS NOT NULL"
    return f"{query} UNION ALL SELECT {ended} FROM \"{found}\" AS r WHERE {gone} AND r.op = 'upsert'"


def _ended_cell(layer: Layer, name: str) -> str:
    ended = {"available_at": "r.from_at", "op": "'delete'", "product_sku": _product(layer, "r.ends_suffix")}
    if layer.in_key:
        ended[layer.column] = "r.ends_id"
    return f'{ended.get(name) or f"r.{chr(34)}{name}{chr(34)}"} AS "{name}"'


def _same_record(layer: Layer) -> str:
    # Another bearer has told of the same record since; what it said stands.
    first, second = layer.bearer
    table = TABLES[layer.table]
    nullable = {column.name for column in table.columns if column.nullable}
    pairs = []
    for name in table.key:
        mine = {layer.column: "r.to_id", "product_sku": _product(layer, "r.suffix")}.get(name, f'r."{name}"')
        theirs = f'o."{name}"'
        pairs.append(f"COALESCE({theirs}, '') = COALESCE({mine}, '')" if name in nullable else f"{theirs} = {mine}")
    return (
        f"{' AND '.join(pairs)} AND o.available_at > r.available_at AND o.available_at <= r.from_at "
        f'AND NOT (o."{first}" = r."{first}" AND COALESCE(o."{second}", \'\') = r."{second}")'
    )
