"""A small home with one of everything that a backup has to deal with, made without the steps that take long."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.manifest import Dataset, stored_file
from features.settings import Home
from features.state import open_state
from tests.features.state_case import declared_tables, fill
from training.promotions import promote

TABLES = ("warehouse/numbers_daily", "warehouse/numbers_history", "snapshots/cohort")


def small_home(root: Path, *, rows: int = 5) -> Home:
    """The home; its state lies where the environment says."""
    home = Home(root=root).prepare()
    tables = declared_tables()
    for real in ("promotions", "audit_log", "audit_log_head", "api_keys", "access_log"):
        tables.remove(tables.tables[real])
    fill(open_state(home), tables, rows=rows)
    for number in range(rows):
        promote(home, str(number), who="ada", why="é", verdict={"passed": True}, at=datetime(2026, 1, 1, tzinfo=UTC))
    for name in TABLES:
        put_table(home, name, rows)
    home.feast.mkdir(mode=0o700)
    with closing(sqlite3.connect(home.feast / "online.db")) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE online_rows (number INTEGER)")
        connection.executemany("INSERT INTO online_rows VALUES (?)", [(number,) for number in range(rows)])
    with closing(sqlite3.connect(home.root / "mlflow.db")) as connection, connection:
        connection.execute("CREATE TABLE runs (artifact_uri VARCHAR(200), name VARCHAR(20), at BIGINT)")
        uri = home.mlflow_artifacts.as_uri()
        rows_of_runs = [
            (f"{uri}/1/artifacts", "one", 1),
            (f"{home.root.as_uri()}-other/2", "two", 2),
            (uri, "three", 3),
        ]
        connection.executemany("INSERT INTO runs VALUES (?, ?, ?)", rows_of_runs)
    for name in ("bundles/1/model.txt", "notes/of/a/person.jsonl", "mlartifacts/1/artifacts/verdict.json"):
        path = home.root / name
        path.parent.mkdir(parents=True)
        path.write_text(f"{name}\n" * rows)
    (home.root / "session-secret").touch(mode=0o600)
    (home.root / "session-secret").write_bytes(b"\x00secret")
    for name in ("kept/old.parquet", "tmp/x", "shelf.db", "ingest.lock", ".half.tmp", "build-7/step.parquet"):
        path = home.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("made again, or passing")
    return home


def put_table(home: Home, name: str, rows: int, *, first: int = 0) -> None:
    """Write a stored table of numbers, in place of what it held."""
    dataset = Dataset(home.root / name)
    staged = dataset.staging("part")
    pq.write_table(pa.table({"number": list(range(first, first + rows))}), staged)
    dataset.commit([(staged, stored_file(staged, name="part", rows=rows))])


def numbers_in(home: Home, name: str) -> list[int]:
    """What a stored table holds."""
    dataset = Dataset(home.root / name)
    dataset.verify()
    (path,) = dataset.files()
    return list(pq.read_table(path).column("number").to_pylist())
