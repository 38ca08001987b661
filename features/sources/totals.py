"""How do several source rows of one record become one row?

For sources that are finer than a canonical table, such as one row per attempt where the table holds days. Each row is
judged on its own first, so that a bad cell refuses its row instead of vanishing in a sum.
"""

from __future__ import annotations

from features.events import ENVELOPE, Column, Kind, Table
from features.sources.contract import BLOCK, RULE
from features.sources.sql_text import identifier
from features.warehouse import ROW

_KNOWN_LAST = {"recorded_at", "available_at"}
"""A total is known when its last part is."""


def totals_query(table: Table, judged: str) -> str:
    """Over judged rows: the good ones of one key added up (in the place of their first row), the others as they are."""
    cells = {column.name: _folded(column, table) for column in (*ENVELOPE, *table.columns) if column.name != "row_hash"}
    names = ", ".join(identifier(name) for name in cells)
    sums = ", ".join(f"{cell} AS {identifier(name)}" for name, cell in cells.items())
    key = ", ".join(identifier(name) for name in table.key)
    return (
        f"WITH rows_judged AS ({judged}) "
        f"SELECT {sums}, MIN({ROW}) AS {ROW}, MIN({BLOCK}) AS {BLOCK}, MIN({RULE}) AS {RULE} "
        f"FROM rows_judged WHERE {RULE} IS NULL GROUP BY {key} "
        f"UNION ALL SELECT {names}, {ROW}, {BLOCK}, {RULE} FROM rows_judged WHERE {RULE} IS NOT NULL"
    )


def can_be_added(table: Table, column: Column) -> bool:
    """May the column stand in a total? Keys and numbers may; a text would have to be chosen among several."""
    return column.name in table.key or column.kind in {Kind.INTEGER, Kind.NUMBER}


def _folded(column: Column, table: Table) -> str:
    name = identifier(column.name)
    own = column in table.columns
    if column.name in table.key:
        return name
    if own and column.kind is Kind.INTEGER:
        return f"CAST(SUM({name}) AS BIGINT)"
    if own and column.kind is Kind.NUMBER:
        # In the order of the file: a sum of doubles depends on it, and the row's hash on the sum.
        return f"SUM({name} ORDER BY {ROW})"
    return f"MAX({name})" if column.name in _KNOWN_LAST else f"MIN({name})"
