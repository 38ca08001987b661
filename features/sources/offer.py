"""How do refused rows become files again that an ingest can read like those they came from?

Grain in: rows in quarantine. Grain out: one file per file and entry of the mapping, with the rows' cells as they stand
now, written in the format and under the name of the file they came from. A row of which no record can be made is told
apart with its reason.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from features.sources.cells import ALL_NULL, TEXT_CELLS
from features.sources.quarantine import MALFORMED
from features.sources.reader import Source, source_at
from features.sources.sql_text import identifier
from features.sources.waiting import WaitingRow
from features.warehouse import ROW, Engine

_LINE = "line"
_LOST = "invalid encoding"
"""The engine's word for a record that is not UTF-8: its line was kept with other characters, so it cannot be read."""
Cells = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Offer:
    """The rows of one file, in their order, as they go into the file that offers them; and those that cannot."""

    rows: tuple[WaitingRow, ...]
    cells: tuple[Cells, ...]
    stay: tuple[tuple[WaitingRow, WaitingRow], ...]


def offer_of(rows: Sequence[WaitingRow], columns: Mapping[str, str], delimiter: str) -> Offer:
    """The cells that the rows have now; a record that was none is read again from its line.

    The second of a pair in ``stay`` is the first with its new reason.
    """
    offered, cells, stay = [], [], []
    for row in rows:
        found = _record(row, tuple(columns), delimiter)
        if isinstance(found, str):
            stay.append((row, row.refused_again("", MALFORMED, found)))
        else:
            offered.append(row)
            cells.append(found)
    return Offer(tuple(offered), tuple(cells), tuple(stay))


def castable(engine: Engine, offer: Offer, columns: Mapping[str, str]) -> Offer:
    """The offer without the rows of which a cell cannot have the type that its column had in the file."""
    names, typed = _names(offer, columns), _typed(columns)
    if not typed or not offer.rows:
        return offer
    engine.name_rows("_pulse_offered", _text_rows(offer, names))
    faults = " ".join(
        f"WHEN {identifier(name)} IS NOT NULL AND TRY_CAST({identifier(name)} AS {kind}) IS NULL THEN {number}"
        for number, (name, kind) in enumerate(typed.items())
    )
    told = engine.fetch(f"SELECT CASE {faults} END AS fault FROM _pulse_offered ORDER BY {ROW}")
    kept, stay = [], list(offer.stay)
    for place, fault in enumerate(told.column("fault").to_pylist()):
        if fault is None:
            kept.append(place)
        else:
            name, row = list(typed)[fault], offer.rows[place]
            stay.append((row, row.refused_again(name, "type", f"not {typed[name]}, which the file had")))
    rows, cells = (tuple(part[place] for place in kept) for part in (offer.rows, offer.cells))
    return Offer(rows, cells, tuple(stay))  # type: ignore[arg-type] # each part keeps its own type


def write_offer(engine: Engine, offer: Offer, source: Source, columns: Mapping[str, str], delimiter: str) -> None:
    """Write the file that offers the rows."""
    names = _names(offer, columns)
    source.path.parent.mkdir(parents=True)
    match source.format:
        case "parquet":
            _write_parquet(engine, offer, source.path, columns)
        case "csv":
            text = io.StringIO()
            writer = csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
            writer.writerow(names)
            writer.writerows([cells.get(name) or "" for name in names] for cells in offer.cells)
            _write_text(source.path, text.getvalue())
        case _:
            _write_text(source.path, "".join(f"{json.dumps(cells, ensure_ascii=False)}\n" for cells in offer.cells))


def _record(row: WaitingRow, columns: tuple[str, ...], delimiter: str) -> Cells | str:
    """The cells of a row as text, or why it has none."""
    cells = row.cells
    if set(cells) == {_LINE} and _LINE not in columns:
        if row.reason == _LOST:
            return _LOST
        found = _read_again(str(cells[_LINE]), columns, source_at(Path(row.file)).format, delimiter)
        if isinstance(found, str):
            return found
        cells = found
    return {name: _text(value) for name, value in cells.items()}


def _read_again(line: str, columns: tuple[str, ...], source_format: str, delimiter: str) -> dict[str, JsonValue] | str:
    if source_format == "jsonl":
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else "no JSON object"
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return "no record of a CSV file"
    return dict(zip(columns, cells, strict=True)) if len(cells) == len(columns) else f"not {len(columns)} cells"


def _text(value: JsonValue) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _names(offer: Offer, columns: Mapping[str, str]) -> list[str]:
    # A person may have added a column that the file did not have.
    return list(dict.fromkeys([*columns, *(name for cells in offer.cells for name in cells)]))


def _typed(columns: Mapping[str, str]) -> dict[str, str]:
    return {name: kind for name, kind in columns.items() if kind not in {TEXT_CELLS, ALL_NULL}}


def _text_rows(offer: Offer, names: Sequence[str]) -> pa.Table:
    cells = {name: pa.array([each.get(name) for each in offer.cells], pa.string()) for name in names}
    return pa.table({ROW: pa.array(range(1, len(offer.cells) + 1), pa.int64()), **cells})


def _write_parquet(engine: Engine, offer: Offer, path: Path, columns: Mapping[str, str]) -> None:
    names, typed = _names(offer, columns), _typed(columns)
    rows = _text_rows(offer, names)
    if not typed:
        pq.write_table(rows.drop_columns([ROW]), path)
        return
    engine.name_rows("_pulse_offered", rows)
    cells = ", ".join(
        f"CAST({identifier(name)} AS {typed.get(name, TEXT_CELLS)}) AS {identifier(name)}" for name in names
    )
    engine.write(f"SELECT {cells} FROM _pulse_offered ORDER BY {ROW}", path)


def _write_text(path: Path, text: str) -> None:
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
