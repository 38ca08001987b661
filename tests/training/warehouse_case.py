"""Canonical tables written to a real warehouse from small text tables."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from features.manifest import stored_file
from features.settings import Home
from features.warehouse import Warehouse
from tests.features.sql_case import rows_of


def home_with(root: Path, **tables: str) -> Home:
    """A home whose warehouse holds the tables; the text is that of :func:`tests.features.sql_case.rows_of`."""
    home = Home(root=root).prepare()
    for name, text in tables.items():
        rows, dataset = rows_of(name, text), Warehouse(home).dataset(name)
        path = dataset.staging("load-1")
        pq.write_table(rows, path)
        dataset.commit([(path, stored_file(path, name="load-1", rows=rows.num_rows))])
    return home
