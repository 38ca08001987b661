"""A file of features of the small home's newest snapshot, and what becomes of it when somebody spoils it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.settings import Home
from features.store import FeatureStore
from serving.batch.contract import FEATURE_SCHEMA, SCORE_SCHEMA
from serving.batch.export import export_features
from tests.serving.service_case import newest

GROUP = 40
"""Rows in a row group: three pieces of the small home."""


def features_of(home: Home, folder: Path) -> pa.Table:
    """The features of everybody who could leave, as `pulse features` writes them."""
    file = folder / "exported.parquet"
    export_features(home, FeatureStore(home), newest(), file)
    return pq.read_table(file)


def write(rows: pa.Table, file: Path, **options: Any) -> Path:
    """The rows as a file of several row groups."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, file, **{"row_group_size": GROUP, "write_page_checksum": True, **options})
    return file


def with_cell(rows: pa.Table, row: int, column: str, value: Any) -> pa.Table:
    """The rows with one cell changed."""
    cells = rows.column(column).to_pylist()
    cells[row] = value
    kind = FEATURE_SCHEMA.field(column)
    return rows.set_column(rows.column_names.index(column), kind, pa.array(cells, kind.type))


def scores_in(target: Path) -> pd.DataFrame:
    """What was written: one file, or the parts of a folder in their order."""
    parts = sorted(target.glob("part-*.parquet")) if target.is_dir() else [target]
    tables = [pq.ParquetFile(part).read() for part in parts]
    assert all(table.schema.equals(SCORE_SCHEMA) for table in tables)
    return pa.concat_tables(tables).to_pandas()


def lines_in(file: Path) -> list[dict[str, Any]]:
    """The rows of a quarantine file."""
    return [json.loads(line) for line in file.read_text().splitlines()]
