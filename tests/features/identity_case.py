"""Accounts under two ids: made-up rows torn apart, the aliases that say so, and the views of the tables that result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from features.build import VIEWS, compute_views
from features.events import TABLES
from features.identity import Resolved, resolve
from features.warehouse import Engine, empty_table_query, open_engine
from tests.features.made_up_rows import FIRST, Row, text_table
from tests.features.sql_case import rows_of
from tests.features.test_point_in_time import Tables

LONG_AGO = FIRST - timedelta(weeks=300)
MERGED_AT = FIRST + timedelta(weeks=40, days=2)


def alias(key: str, account: str, at: datetime, rule: str = "manual", **cells: Any) -> Row:
    """One row of ``account_aliases``, said and known at a moment."""
    said = {"source_account_key": key, "account_id": account, "match_rule": rule, "confidence": 1.0}
    return {**said, "valid_from": at, "event_at": at, "available_at": at, "op": "upsert", **cells}


def torn_apart(
    tables: Tables,
    account: str,
    key: str,
    *,
    until: datetime | None = None,
    spared: Sequence[str] = ("accounts_history",),
) -> Tables:
    """Half of an account's rows (of those known before ``until``) under another id."""
    random = Random(1)  # noqa: S311 - made-up rows are no secret
    return {
        name: [
            {**row, "account_id": key}
            if row.get("account_id") == account
            and name not in spared
            and (until is None or row["available_at"] < until)
            and random.random() < 0.5
            else row
            for row in rows
        ]
        for name, rows in tables.items()
    }


def named(engine: Engine, tables: Mapping[str, Sequence[Row]]) -> Resolved:
    """The tables of an engine, each row under the account that it counts to."""

    def name_again(table: str, name: str) -> None:
        engine.name_query(name, f'SELECT * FROM "_told_{table}"')

    for name in TABLES:
        if tables.get(name):
            engine.name_rows(f"_told_{name}", rows_of(name, text_table(tables[name])))
        else:
            engine.name_query(f"_told_{name}", empty_table_query(name))
        name_again(name, name)
    return resolve(engine, name_again)


def views_of(tables: Mapping[str, Sequence[Row]], as_ofs: Sequence[datetime]) -> dict[str, list[dict[str, Any]]]:
    """Every view's rows, sorted."""
    with TemporaryDirectory() as scratch, open_engine(threads=1) as engine:
        compute_views(engine, named(engine, tables), as_ofs, Path(scratch))
        return {view: engine.fetch(f'SELECT * FROM "{view}" ORDER BY account_id, as_of').to_pylist() for view in VIEWS}


def resolved_rows(tables: Mapping[str, Sequence[Row]], table: str, columns: str) -> list[tuple[Any, ...]]:
    """Cells of one resolved table, in order."""
    with open_engine(threads=1) as engine:
        named(engine, tables)
        rows = engine.fetch(f'SELECT {columns} FROM "{table}" ORDER BY ALL').to_pylist()
        return [tuple(row.values()) for row in rows]
