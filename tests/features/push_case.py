"""A made-up company in a real warehouse, built up to a Monday, for tests that compute one of its accounts anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.build import VIEWS, build_at
from features.catalogue import FEATURES
from features.events import TABLES
from features.manifest import stored_file
from features.push import run_accounts
from features.settings import Home
from features.shelf import shelf_key
from features.warehouse import Warehouse, empty_table_query, open_engine
from tests.features.made_up_rows import Row, text_table
from tests.features.sql_case import rows_of
from tests.features.test_point_in_time import everything

NAMES = frozenset(feature.name for feature in FEATURES)
Views = dict[str, dict[str, dict[str, Any]]]
"""View to account to its row."""


def built_home(root: Path, seed: int, as_of: datetime) -> Home:
    """Everything that the made-up company ever tells is loaded; built is this Monday alone."""
    home = Home(root=root).prepare()
    for name, rows in everything(seed).items():
        load(home, name, rows, "first")
    build_at(home, [as_of])
    return home


def load(home: Home, name: str, rows: Sequence[Row], load_id: str) -> None:
    """Take rows into a table as a load of their own."""
    if not rows:
        return
    told, dataset = rows_of(name, text_table(rows)), Warehouse(home).dataset(name)
    path = dataset.staging(load_id)
    pq.write_table(told, path)
    dataset.commit([(path, stored_file(path, name=load_id, rows=told.num_rows))])


def stored_tables(home: Home) -> dict[str, pa.Table]:
    """Every stored row, by table."""
    warehouse = Warehouse(home)
    files = {name: warehouse.dataset(name).files() for name in TABLES}
    return {name: pa.concat_tables([pq.read_table(path) for path in paths]) for name, paths in files.items() if paths}


def company_at(home: Home, as_of: datetime, tables: Mapping[str, pa.Table] | None = None) -> Views:
    """Every account at any moment: all steps over all rows known then, none left out, the norms of the newest build."""
    moment = pa.scalar(as_of, pa.timestamp("us", tz="UTC"))
    with open_engine(threads=1) as engine:
        for name in TABLES:
            rows = (tables if tables is not None else stored_tables(home)).get(name)
            if rows is None:
                engine.name_query(name, empty_table_query(name))
            else:
                engine.name_rows(name, rows.filter(pc.less_equal(rows.column("available_at"), moment)))
        return by_account(run_accounts(engine, home, as_of))


def snapshot_of(home: Home, as_of: datetime) -> Views:
    """What the build stored for that Monday."""
    folders = {view: home.snapshots / view for view in VIEWS}
    files = {view: next(iter(folder.glob(f"{as_of.date()}.*.parquet"))) for view, folder in folders.items()}
    return by_account({view: pq.read_table(path) for view, path in files.items()})


def by_account(views: Mapping[str, pa.Table]) -> Views:
    """Rows by view and account."""
    return {view: {row["account_id"]: row for row in rows.to_pylist()} for view, rows in views.items()}


def features_only(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its keys and dates; numbers as their exact text, so that equal means equal in every bit."""
    values = {name: value for name, value in row.items() if name in NAMES}
    return {name: float(value).hex() if isinstance(value, int | float) else value for name, value in values.items()}


def keys_of(table: str, rows: pa.Table) -> set[str]:
    """By what the shelf finds these rows."""
    key = shelf_key(TABLES[table])
    return set(rows.column(key).to_pylist()) if key else set()
