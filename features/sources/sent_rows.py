"""Which of the rows that an application sent keep the contract of their table, and what is new among them?

In: rows of one canonical table, as JSON gave them. Out: one outcome per row in their order, and everything that has to
be kept so that the good ones reach the warehouse and the refused ones quarantine. They are judged by the very stage of
an ingest, as a live load of one file; nothing outside a scratch folder is written, so whatever goes wrong leaves
nothing behind. A good row counts as known from the moment at which it arrived.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from features.events import TABLES, Role, Table
from features.settings import Home
from features.shelf import OWNERS, shelf_key
from features.sources.intake import Load, declared
from features.sources.load_record import LoadRecord
from features.sources.plan import Part, TableWork
from features.sources.reader import source_at
from features.sources.stage import Staged, stage
from features.sources.waiting import read_waiting
from features.vocabulary import require_utc
from features.warehouse import Engine, Warehouse, open_engine

SENT_BY = "api"
"""The source system of rows that name none."""

SCRATCH = "sent-"
"""How the scratch folders of rows that are being judged begin; an ingest leaves them alone."""

_MEMORY = "1GB"
_ARRIVAL = "available_at"

Cell = str | int | float | bool | None
RowKey = tuple[int, int | None]
"""What makes two rows the same row: its hash, and when its source recorded it (microseconds since 1970)."""


class Became(StrEnum):
    """What became of one row."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row: what became of it, and where it is refused by which rule of which column (empty = the whole row).

    ``key`` is there for good rows.
    """

    became: Became
    column: str = ""
    rule: str = ""
    reason: str = ""
    key: RowKey | None = None


@dataclass(frozen=True, slots=True)
class SentRows:
    """The rows of one sending after they were judged.

    ``good`` are the new rows (a Parquet file), ``refused`` the others with their cells (JSONL), ``record`` is what a
    replay of those needs to know; each None where there is none. ``known`` names the stored files that were there.
    ``accounts`` are the ids that the new rows name, or whose things they name.
    """

    load_id: str
    table: str
    arrived_at: datetime
    outcomes: tuple[Outcome, ...]
    good: bytes | None
    refused: bytes | None
    record: str | None
    known: frozenset[str]
    accounts: tuple[str, ...]


def open_tables() -> tuple[str, ...]:
    """The tables that take rows from applications: those whose rows concern one account, and are no list or alias."""
    return tuple(
        name for name, table in TABLES.items() if shelf_key(table) is not None and table.role is not Role.REFERENCE
    )


def columns_to_send(table: str) -> frozenset[str]:
    """The columns that a row may give. From when a row is known is nobody's to say: it is when it arrived."""
    return frozenset(declared(TABLES[table])) - {_ARRIVAL}


def judge_rows(home: Home, table: str, rows: Sequence[Mapping[str, Cell]], *, load_id: str, now: datetime) -> SentRows:
    """Judge rows of an open table with columns that may be sent; ``now`` is the moment at which they arrived.

    Raises:
        IntegrityError: a stored file is not the one that was written.
    """
    load = Load(load_id, require_utc(now), live=True)
    known = frozenset(entry.sha256 for entry in Warehouse(home).dataset(table).entries())
    with TemporaryDirectory(dir=home.prepare().root, prefix=SCRATCH) as folder:
        scratch = Path(folder)
        file = scratch / "sent" / f"{table}.jsonl"
        _write(file, TABLES[table], rows)
        work = TableWork(table, (Part(source_at(file)),), SENT_BY, f"sent {load_id}")
        with open_engine(memory=_MEMORY, scratch=scratch / "spill", ordered=True) as engine:
            staged = stage(engine, home, work, load, scratch, by_row=True)
            accounts = accounts_of(engine, home, table, staged.rows) if staged.report.new else ()
        record = LoadRecord.of(load, home.quarantine, None, {table: staged.columns})
        return SentRows(
            load_id=load_id,
            table=table,
            arrived_at=load.now,
            outcomes=_outcomes(staged, len(rows)),
            good=staged.rows.read_bytes() if staged.report.new else None,
            refused=staged.refused.written.read_bytes() if staged.refused.written else None,
            record=record.model_dump_json() if staged.refused.written else None,
            known=known,
            accounts=accounts,
        )


def accounts_of(engine: Engine, home: Home, table: str, file: Path) -> tuple[str, ...]:
    """The accounts of the rows in a file: those they name, or those that own the contract or project they name."""
    key = shelf_key(TABLES[table])
    engine.name("_pulse_sent", [file])
    query = f'SELECT DISTINCT "{key}" AS id FROM _pulse_sent WHERE "{key}" IS NOT NULL'
    if key in OWNERS:
        stored = Warehouse(home).dataset(OWNERS[key]).files()
        if not stored:
            return ()
        engine.name("_pulse_owners", stored)
        query = f'SELECT DISTINCT account_id AS id FROM _pulse_owners WHERE "{key}" IN ({query})'
    found: list[str] = engine.fetch(f"{query} ORDER BY id").column("id").to_pylist()
    return tuple(found)


def row_keys(rows: pa.Table) -> list[RowKey]:
    """What makes each of these rows the same as another."""
    recorded = rows.column("recorded_at").cast(pa.int64()).to_pylist()
    return list(zip(rows.column("row_hash").to_pylist(), recorded, strict=True))


def _write(file: Path, table: Table, rows: Sequence[Mapping[str, Cell]]) -> None:
    # Every column that a row must have is named in every row: one that lacks it is refused alone, not with all others.
    required = [column.name for column in table.columns if not column.nullable]
    whole = dict.fromkeys([*required, table.event_at_from])
    file.parent.mkdir()
    lines = (json.dumps({**whole, **row, "source_system": row.get("source_system") or SENT_BY}) for row in rows)
    file.write_text("".join(f"{line}\n" for line in lines))


def _outcomes(staged: Staged, count: int) -> tuple[Outcome, ...]:
    found: dict[int, Outcome] = {}
    for row in read_waiting(staged.refused.written).rows if staged.refused.written else ():
        found[row.row] = Outcome(Became.QUARANTINED, row.column, row.rule, row.reason)
    assert staged.good is not None, "asked for by row"  # noqa: S101
    fresh = set(row_keys(pq.read_table(staged.rows, columns=["row_hash", "recorded_at"])))
    for place, key in zip(staged.good.column("row").to_pylist(), row_keys(staged.good), strict=True):
        if place not in found:
            found[place] = Outcome(Became.ACCEPTED if key in fresh else Became.KNOWN, key=key)
            # The same row twice in one sending is taken once.
            fresh.discard(key)
    return tuple(found[place] for place in range(1, count + 1))
