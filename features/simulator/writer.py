"""How do columns of the made-up company become files of canonical tables?

One Parquet file per table with the declared columns and the envelope as a source would deliver it. The export is made
at one moment: rows that could not be known by then are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.events import Column, Kind, table_named
from features.simulator.timeline import Floats, Ints, moments

SOURCES = {
    "accounts_history": "crm",
    "contracts_history": "crm",
    "contract_events": "crm",
    "subscription_lines_history": "billing",
    "seat_assignments_history": "licensing",
    "usage_daily": "telemetry",
    "projects_history": "production_tracker",
    "milestones_history": "production_tracker",
    "assets": "review_tool",
    "asset_versions": "review_tool",
    "review_events": "review_tool",
    "campaigns": "campaign_desk",
    "campaign_instances_history": "campaign_desk",
    "account_campaigns_history": "campaign_desk",
    "invoices_history": "billing",
    "payments": "billing",
    "credit_notes": "billing",
    "tickets_history": "support_desk",
    "survey_invitations": "survey_tool",
    "survey_responses": "survey_tool",
    "market_events": "market_watch",
    "market_indices": "market_watch",
}
"""Tables that are written, each with the system it seems to come from."""

SPECIAL_SOURCES = {
    "account_aliases": "crm",
    "fx_rates": "treasury",
    "alerts": "success_desk",
    "interventions": "success_desk",
}
"""Tables that only some regimes write."""

ARROW_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.MOMENT: pa.timestamp("us", tz="UTC"),
    Kind.DAY: pa.date32(),
}
_ENVELOPE_MOMENTS = ("event_at", "recorded_at", "available_at")
_MICROS_PER_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Coded:
    """Text as positions in a list of labels; -1 is null.

    Labels must be unique: with a repeated one pyarrow writes bytes that differ from run to run.
    """

    codes: npt.NDArray[Any]
    labels: Any

    def arrow(self) -> pa.DictionaryArray:
        """The same as an Arrow dictionary array."""
        codes = self.codes if self.codes.dtype == np.int32 else self.codes.astype(np.int32)
        missing = codes < 0
        indices = pa.array(codes, mask=missing) if missing.any() else pa.array(codes)
        labels = self.labels if isinstance(self.labels, pa.Array) else pa.array(self.labels, pa.string())
        return pa.DictionaryArray.from_arrays(indices, labels)


Cell = Any
"""A numpy array (masked = null), a :class:`Coded`, an Arrow array, a list, or one value for all rows."""


class CanonicalWriter:
    """Appends rows to the canonical tables of one folder. Close it to get the rows per table."""

    def __init__(self, folder: Path, *, export_day: int) -> None:
        self._folder = folder
        self._export_at = export_day * _MICROS_PER_DAY
        self._files: dict[str, pq.ParquetWriter] = {}
        self._rows = dict.fromkeys(SOURCES, 0)

    def append(self, table: str, rows: int, columns: Mapping[str, Cell]) -> None:
        """Append ``rows`` rows. Moments are microseconds, days are day numbers; a missing nullable column is null.

        ``event_at`` follows from the table's own column, ``recorded_at`` is the event's moment and ``available_at`` the
        table's usual lag after it, where they are not given.
        """
        cells = dict(columns)
        cells.setdefault("event_at", _event_micros(table, cells))
        cells.setdefault("recorded_at", cells["event_at"])
        lag = int(table_named(table).lag.total_seconds()) * 1_000_000
        cells.setdefault("available_at", np.asarray(cells["event_at"]) + lag)
        ready = _arrow_table(table, rows, cells)
        known = np.asarray(cells["available_at"]) <= self._export_at
        if not known.all():
            ready = ready.filter(pa.array(known))
        self._file(table, ready.schema).write_table(ready)
        self._rows[table] = self._rows.get(table, 0) + ready.num_rows

    def close(self) -> dict[str, int]:
        """Finish every file; rows per table."""
        for file in self._files.values():
            file.close()
        return dict(self._rows)

    def _file(self, table: str, schema: pa.Schema) -> pq.ParquetWriter:
        if table not in self._files:
            path = self._folder / f"{table}.parquet"
            self._files[table] = pq.ParquetWriter(
                path, schema, compression="zstd", compression_level=1, store_schema=False
            )
        return self._files[table]


def ids(prefix: str, numbers: Ints) -> pa.Array:
    """Ids such as ``tk-1042`` for an array of numbers."""
    text = pc.cast(pa.array(np.asarray(numbers, dtype=np.int64)), pa.string())
    return pc.binary_join_element_wise(pa.scalar(prefix), text, "-")


def micros(day: Floats | Ints) -> Ints:
    """Day numbers (with time of day) as moments for :meth:`CanonicalWriter.append`."""
    return moments(day)


def _event_micros(table: str, cells: Mapping[str, Cell]) -> Ints:
    declared = table_named(table)
    column = declared.column(declared.event_at_from)
    values = np.asarray(cells[column.name], dtype=np.int64)
    return values * _MICROS_PER_DAY if column.kind is Kind.DAY else values


def _arrow_table(table: str, rows: int, cells: Mapping[str, Cell]) -> pa.Table:
    declared = table_named(table)
    unknown = set(cells) - {column.name for column in declared.columns} - set(_ENVELOPE_MOMENTS)
    if unknown:
        raise KeyError(f"{table} has no column {sorted(unknown)}")
    arrays: dict[str, Any] = {"source_system": _repeated(_source(table), Kind.TEXT, rows)}
    arrays["event_at"] = _array(cells["event_at"], Kind.MOMENT, rows)
    arrays["event_precision"] = _repeated(declared.precision, Kind.TEXT, rows)
    arrays["recorded_at"] = _array(cells["recorded_at"], Kind.MOMENT, rows)
    arrays["available_at"] = _array(cells["available_at"], Kind.MOMENT, rows)
    arrays["op"] = _repeated("upsert", Kind.TEXT, rows)
    for column in declared.columns:
        arrays[column.name] = _array(_cell(column, cells), column.kind, rows)
    return pa.table(arrays)


def _source(table: str) -> str:
    return SOURCES.get(table) or SPECIAL_SOURCES[table]


def _cell(column: Column, cells: Mapping[str, Cell]) -> Cell:
    if column.name in cells:
        return cells[column.name]
    if not column.nullable:
        raise KeyError(f"column {column.name} may not be left out")
    return None


def _array(cell: Cell, kind: Kind, rows: int) -> Any:
    arrow = ARROW_TYPES[kind]
    if isinstance(cell, Coded):
        return cell.arrow()
    if isinstance(cell, (pa.Array, pa.ChunkedArray)):
        return cell
    if isinstance(cell, list):
        listed = pa.array(cell, arrow)
        return listed.dictionary_encode() if kind is Kind.TEXT else listed
    if isinstance(cell, np.ndarray):
        values = np.ma.getdata(cell)
        if kind is Kind.DAY:
            values = values.astype(np.int32)
        mask = np.ma.getmaskarray(cell) if isinstance(cell, np.ma.MaskedArray) else None
        return pa.array(values, mask=mask).cast(arrow)
    return _repeated(cell, kind, rows)


def _repeated(value: Any, kind: Kind, rows: int) -> Any:
    # A text column is dictionary-encoded in every batch, also where it is null: a file has one schema.
    if kind is Kind.TEXT:
        codes = np.full(rows, -1 if value is None else 0, dtype=np.int32)
        return Coded(codes, [""] if value is None else [value]).arrow()
    return pa.nulls(rows, ARROW_TYPES[kind]) if value is None else pa.repeat(pa.scalar(value, ARROW_TYPES[kind]), rows)
