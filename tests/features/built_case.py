"""A made-up company in a home: its rows written as an export, brought in, and built for a few weeks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq

from features.build import VIEWS, built_as_ofs, snapshot_dataset
from features.events import TABLES, Kind
from features.settings import Home
from features.sources import IngestReport, ingest
from tests.features.made_up_rows import FIRST, Row, text_table
from tests.features.sql_case import rows_of
from tests.features.test_point_in_time import Tables, everything

NOW = datetime(2026, 6, 1, tzinfo=UTC)
AS_OFS = tuple(FIRST + timedelta(weeks=week) for week in (40, 41, 44, 52))
"""Weeks with a gap, as no build needs its neighbours."""
_PLAIN: dict[Kind, Any] = {
    Kind.TEXT: "x",
    Kind.INTEGER: 1,
    Kind.NUMBER: 1.0,
    Kind.FLAG: False,
    Kind.MOMENT: FIRST,
    Kind.DAY: FIRST.date(),
}


def export(folder: Path, tables: Mapping[str, Sequence[Row]]) -> Path:
    """A folder with a Parquet file per table that has rows."""
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        if rows:
            pq.write_table(rows_of(name, text_table(rows)), folder / f"{name}.parquet")
    return folder


def _filled(table: str, rows: Sequence[Row]) -> list[Row]:
    """Rows with a value where the contract wants one; what features read is there already."""
    required = {column.name: _PLAIN[column.kind] for column in TABLES[table].columns if not column.nullable}
    required |= {column.name: column.choices[0] for column in TABLES[table].columns if column.choices}
    filled = []
    for row in rows:
        begun = row.get("event_at") or row.get(TABLES[table].event_at_from) or FIRST
        is_day = TABLES[table].column(TABLES[table].event_at_from).kind is Kind.DAY
        own = {TABLES[table].event_at_from: begun.date() if is_day and isinstance(begun, datetime) else begun}
        lacking = {name: value for name, value in (required | own).items() if row.get(name) is None}
        filled.append({**row, **lacking})
    return filled


def take_in(home: Home, folder: Path, *, days: int = 0) -> IngestReport:
    """Bring an export in, so many days after the first."""
    return ingest(home, folder, mapping=None, now=NOW + timedelta(days=days))


def company(seed: int) -> Tables:
    """The made-up rows of one seed, each content once: ingest takes a repetition only when it comes first."""
    return {name: list(_contents(name, rows).values()) for name, rows in everything(seed).items()}


def _contents(name: str, rows: Sequence[Row]) -> dict[str, Row]:
    by_time = sorted(_filled(name, rows), key=lambda row: row["available_at"], reverse=True)
    return {repr(sorted((k, repr(v)) for k, v in row.items() if k != "available_at")): row for row in by_time}


def torn(tables: Tables, random: Random, share: float, *, since: datetime = FIRST) -> tuple[Tables, Tables]:
    """Rows that come at once, and those known since a moment of which this share comes later."""
    late = {
        name: [row for row in rows if row["available_at"] >= since and random.random() < share]
        for name, rows in tables.items()
        if name not in {"accounts_history", "contracts_history"}
    }
    taken = {name: {id(row) for row in rows} for name, rows in late.items()}
    early = {name: [row for row in rows if id(row) not in taken.get(name, ())] for name, rows in tables.items()}
    return early, late


def snapshots(home: Home, as_ofs: Iterable[datetime] | None = None) -> dict[str, list[dict[str, Any]]]:
    """Every stored cell of these snapshots (all, unless told otherwise), by view, account and date."""
    wanted = set(built_as_ofs(home) if as_ofs is None else as_ofs)
    found: dict[str, list[dict[str, Any]]] = {}
    for view in VIEWS:
        rows = [row for file in snapshot_dataset(home, view).files() for row in pq.read_table(file).to_pylist()]
        kept = [row for row in rows if row["as_of"] in wanted]
        found[view] = sorted(kept, key=lambda row: (row["account_id"], row["as_of"]))
    return found
