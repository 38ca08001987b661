"""A feature rule in one picture: small text tables in, values out.

A text table has a header and one row per line, columns parted by ``|``; ``-`` is null. Columns that are left out get a
harmless value: ``available_at`` and ``event_at`` follow from the table's own date, text columns are null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from features.events import ENVELOPE, TABLES, Column, Kind
from features.steps import STEPS, name_run, run_steps
from features.vocabulary import parse_moment
from features.warehouse import empty_table_query, open_engine

_ARROW = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.MOMENT: pa.timestamp("us", tz="UTC"),
    Kind.DAY: pa.date32(),
}


def rows_of(table: str, text: str) -> pa.Table:
    """A canonical table (envelope included) from a text table."""
    declared = {column.name: column for column in (*ENVELOPE, *TABLES[table].columns)}
    lines = [line for line in text.strip().splitlines() if line.strip()]
    header = [cell.strip() for cell in lines[0].split("|")]
    unknown = set(header) - set(declared)
    assert not unknown, f"{table} has no column {unknown}"
    records = [dict(zip(header, (cell.strip() for cell in line.split("|")), strict=True)) for line in lines[1:]]
    filled = [_filled(table, declared, record, index) for index, record in enumerate(records)]
    return pa.table(
        {name: pa.array([row[name] for row in filled], _ARROW[column.kind]) for name, column in declared.items()}
    )


def step_rows(
    tables: Mapping[str, str],
    step: str,
    *,
    as_of: str | Sequence[str],
    steps: Sequence[str] = STEPS,
) -> list[dict[str, Any]]:
    """Run the SQL steps up to ``step`` over text tables and return its rows, ordered by account and as_of."""
    as_ofs = [parse_moment(as_of)] if isinstance(as_of, str) else [parse_moment(text) for text in as_of]
    with TemporaryDirectory() as scratch, open_engine(threads=1) as engine:
        for name in TABLES:
            if name in tables:
                engine.name_rows(name, rows_of(name, tables[name]))
            else:
                engine.name_query(name, empty_table_query(name))
        name_run(engine, as_ofs)
        run_steps(engine, steps[: steps.index(step) + 1], Path(scratch))
        return engine.fetch(f'SELECT * FROM "{step}" ORDER BY account_id, as_of').to_pylist()


def _filled(table: str, declared: Mapping[str, Column], record: Mapping[str, str], index: int) -> dict[str, Any]:
    row = {name: _value(column, record.get(name)) for name, column in declared.items()}
    event_at = row["event_at"] or _moment(row[TABLES[table].event_at_from])
    defaults = {
        "source_system": "test",
        "event_at": event_at,
        "event_precision": TABLES[table].precision,
        "ingested_at": event_at,
        "available_at": event_at,
        "op": "upsert",
        "row_hash": index,
        "load_id": "test",
    }
    return {**row, **{name: row[name] if row[name] is not None else value for name, value in defaults.items()}}


def _value(column: Column, text: str | None) -> Any:
    if text in (None, "-", ""):
        return None
    match column.kind:
        case Kind.INTEGER:
            return int(text)
        case Kind.NUMBER:
            return float(text)
        case Kind.FLAG:
            return text == "true"
        case Kind.MOMENT:
            return parse_moment(text if "T" not in text or text.endswith("Z") else f"{text}Z")
        case Kind.DAY:
            return date.fromisoformat(text)
        case _:
            return text


def _moment(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.combine(value, time(), tzinfo=UTC)
