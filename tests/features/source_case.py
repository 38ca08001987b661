"""Files from outside in a few words: write them, bring them in, read back what is stored and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.settings import Home
from features.sources import IngestReport, TableReport, ingest
from features.warehouse import Warehouse

NOW = datetime(2024, 6, 3, 12, tzinfo=UTC)

USAGE_HEADER = "account_id,user_key,product_sku,feature_code,usage_date,sessions,active_minutes"
USAGE_ROWS = (
    "a1,u1,studio,core,2024-01-01,3,12.5",
    "a1,u2,studio,review,2024-01-02,1,0.25",
    "a2,,studio,,2024-01-01,,",
)
ACCOUNTS_HEADER = "account_id,valid_from,name,segment,hq_tz"
ACCOUNTS_ROWS = (
    "a1,2023-01-01T00:00:00Z,Aurora,studio,Europe/Berlin",
    "a2,2023-02-01T08:30:00+02:00,Birch,agency,America/Los_Angeles",
)


def home_in(folder: Path) -> Home:
    """A home that lies in a test's folder."""
    return Home(root=folder / "home")


def write_text(folder: Path, name: str, *lines: str) -> Path:
    """A text file of these lines, in a folder that is made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def write_usage(folder: Path, *rows: str, header: str = USAGE_HEADER) -> Path:
    """usage_daily.csv."""
    return write_text(folder, "usage_daily.csv", header, *(rows or USAGE_ROWS))


def write_accounts(folder: Path, *rows: str, header: str = ACCOUNTS_HEADER) -> Path:
    """accounts_history.csv."""
    return write_text(folder, "accounts_history.csv", header, *(rows or ACCOUNTS_ROWS))


def write_parquet(folder: Path, table: str, columns: Mapping[str, pa.Array | Sequence[Any]]) -> Path:
    """<table>.parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), folder / f"{table}.parquet")
    return folder / f"{table}.parquet"


def take_in(home: Home, folder: Path, *, now: datetime = NOW, **options: Any) -> IngestReport:
    """Ingest with a fixed now and no mapping unless one is given."""
    return ingest(home, folder, **{"mapping": None, "now": now, **options})


def only(report: IngestReport) -> TableReport:
    """The report's single table."""
    (table,) = report.tables
    return table


def stored(home: Home, table: str, *columns: str) -> list[dict[str, Any]]:
    """The stored rows of a table, ordered by all the columns asked for."""
    chosen = ", ".join(f'"{name}"' for name in columns) or "*"
    with Warehouse(home).engine(threads=1) as engine:
        return engine.fetch(f"SELECT {chosen} FROM {table} ORDER BY {chosen if columns else 'ALL'}").to_pylist()


def quarantined(home: Home, table: str) -> list[dict[str, Any]]:
    """Every refused row of a table, over all loads."""
    files = sorted((home.quarantine / table).glob("*.jsonl"))
    # Only "\n" ends a line of JSONL; splitlines() would also break at characters that a cell may hold.
    return [json.loads(line) for path in files for line in path.read_text().rstrip("\n").split("\n")]


def refusals(home: Home, table: str) -> list[tuple[int, str, str]]:
    """Row, column and rule of every refused row."""
    return [(row["row"], row["column"], row["rule"]) for row in quarantined(home, table)]


def everything_in(home: Home) -> dict[str, bytes]:
    """Every file of a home but the lock, with its content: to see that nothing changed."""
    files = (path for path in home.root.rglob("*") if path.is_file() and path.name != "ingest.lock")
    return {path.relative_to(home.root).as_posix(): path.read_bytes() for path in files}
