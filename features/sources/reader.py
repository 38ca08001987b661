"""Which files lie in a folder, and how does each become numbered rows that SQL can read?

In: a folder from outside. Out: one named relation per file, its rows numbered in ``_pulse_row``, each cell text (CSV,
JSONL) or typed (Parquet). A record that is not even a record (too many cells, broken JSON, not UTF-8) is set aside with
its number; a file that cannot be read at all is refused whole.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import DataContractError, IntegrityError, UsageError
from features.sources.cells import ALL_NULL, TEXT_CELLS
from features.sources.sql_text import identifier, literal
from features.warehouse import ROW, Engine

FORMATS = {".parquet": "parquet", ".csv": "csv", ".csv.gz": "csv", ".jsonl": "jsonl", ".jsonl.gz": "jsonl"}
"""Endings that are read, and how."""

_HEADER_BYTES = 1 << 20
_NO_DELIMITER = "\x01"  # cannot stand in a line of JSON, so every line is one cell
_RESERVED = ("_pulse_", "_raw_", "file_row_number")  # names that our SQL or the engine gives to columns of its own
_PER_MICROSECOND = 1000
_LONGEST_NAME = 200
_MOST_COLUMNS = 1000  # keys of JSON objects become columns; more than this is data in the place of names
_UNFIT_IN_NAMES = re.compile(r'["\\\x00-\x1f\ufffd]')
_MALFORMED = pa.schema([("row", pa.int64()), ("fault", pa.string()), ("text", pa.string())])
_SHIFTS = pa.schema([("place", pa.int64()), ("shift", pa.int64())])


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the folder: its place, its stem (``usage_daily`` of ``usage_daily.csv.gz``) and how to read it."""

    path: Path
    stem: str
    format: str

    @property
    def name(self) -> str:
        """The file's name, as reports say it."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class Rows:
    """A file that SQL can read: the relation's name, its columns with the engine's types, and the broken records.

    ``malformed`` has ``row`` (from 1, the header does not count), ``fault`` and ``text``. Broken records are not in the
    relation: from the ``place`` on, ``_pulse_row`` is ``shift`` less than the row's number in the file.
    """

    relation: str
    columns: dict[str, str]
    malformed: pa.Table = field(default_factory=_MALFORMED.empty_table)
    shifts: pa.Table = field(default_factory=_SHIFTS.empty_table)


def sources_in(folder: Path) -> tuple[Source, ...]:
    """The readable files directly in a folder, by name; sub-folders and hidden files are not looked at.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(
            "there is no such folder", expected="a folder with data files", found=str(folder), todo="check the path"
        )
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return tuple(source_at(path) for path in files)


def read(engine: Engine, source: Source, relation: str, scratch: Path, *, delimiter: str = ",") -> Rows:
    """Name the rows of a file.

    Raises:
        DataContractError: the file is empty, cut, damaged or has no usable header.
        IntegrityError: the engine gave up on it (the caller knows whose file it is).
    """
    _refuse_empty(source)
    match source.format:
        case "parquet":
            return _read_parquet(engine, source, relation)
        case "csv":
            return _read_csv(engine, source, relation, scratch, delimiter)
        case _:
            return _read_jsonl(engine, source, relation, scratch)


@contextmanager
def blaming(table: str, file: str) -> Iterator[None]:
    """Say whose file it was when the engine gives up on it."""
    try:
        yield
    except IntegrityError as cause:
        raise DataContractError(
            f"{file} cannot be read into {table}",
            expected="a whole file of its format, with values that can be computed",
            found=f"a failure in the middle ({cause.found})",
            todo="export the file again; nothing was taken from this folder",
        ) from None


def physical_types(source: Source) -> dict[str, pa.DataType]:
    """Column types as the Parquet file itself declares them; ``{}`` for text formats.

    Raises:
        DataContractError: the file is no readable Parquet.
    """
    if source.format != "parquet":
        return {}
    _refuse_empty(source)
    try:
        schema = pq.read_schema(source.path)
    except (pa.ArrowException, OSError) as cause:
        raise _unreadable(source, f"no readable Parquet ({type(cause).__name__})") from None
    return dict(zip(schema.names, schema.types, strict=True))


def source_at(path: Path) -> Source:
    """A file and, by its name, how to read it."""
    ending = next((ending for ending in sorted(FORMATS, key=len, reverse=True) if path.name.endswith(ending)), "")
    return Source(path=path, stem=path.name.removesuffix(ending), format=FORMATS.get(ending, ""))


def _read_parquet(engine: Engine, source: Source, relation: str) -> Rows:
    physical = physical_types(source)
    _refuse_bad_names(source, list(pq.read_schema(source.path).names))
    _refuse_lost_nanoseconds(source, [name for name, kind in physical.items() if _in_nanoseconds(kind)])
    engine.name_numbered(relation, source.path)
    found = engine.columns(f"SELECT * FROM {identifier(relation)}")
    types = {name: ALL_NULL if pa.types.is_null(kind) else found[name] for name, kind in physical.items()}
    return Rows(relation, types)


def _read_csv(engine: Engine, source: Source, relation: str, scratch: Path, delimiter: str) -> Rows:
    names = _header(source, delimiter)
    _refuse_bad_names(source, names)
    unpacked = scratch / f"{relation}.parquet"
    broken = engine.unpack_text(source.path, names, unpacked, delimiter=delimiter)
    engine.name_numbered(relation, unpacked)
    malformed = _malformed(broken, header=1)
    return Rows(relation, dict.fromkeys(names, TEXT_CELLS), malformed, _shifts(malformed))


def _read_jsonl(engine: Engine, source: Source, relation: str, scratch: Path) -> Rows:
    lines, unpacked = f"{relation}_lines", scratch / f"{relation}.parquet"
    broken = engine.unpack_text(source.path, ["line"], unpacked, delimiter=_NO_DELIMITER, lines=True)
    engine.name_numbered(f"{lines}_all", unpacked)
    # JSON_TYPE must not see what is no JSON.
    is_object = "CASE WHEN JSON_VALID(line) THEN JSON_TYPE(line) = 'OBJECT' ELSE FALSE END"
    # Written aside: the engine puts a later condition on a cell before this one, and gives up on a line that is cut.
    objects = scratch / f"{lines}.parquet"
    engine.write(f'SELECT * FROM "{lines}_all" WHERE {is_object}', objects, codec="lz4")
    engine.name(lines, [objects])
    keys = engine.fetch(f'SELECT DISTINCT UNNEST(JSON_KEYS(line)) AS key FROM "{lines}" ORDER BY key')
    names = [str(key) for key in keys.column("key").to_pylist()]
    _refuse_bad_names(source, names)
    cells = "".join(f", JSON_EXTRACT_STRING(line, {literal(_path(name))}) AS {identifier(name)}" for name in names)
    engine.name_query(relation, f'SELECT {ROW}{cells} FROM "{lines}"')
    malformed = _malformed(broken, header=0)
    shifts = _shifts(malformed)
    no_object = engine.fetch(
        f"SELECT {ROW} AS line, 'no JSON object' AS fault, line AS text FROM \"{lines}_all\" "
        f"WHERE line IS NOT NULL AND NOT {is_object} ORDER BY {ROW}"
    )
    lines_of = [_row_in_file(row, shifts) for row in no_object.column("line").to_pylist()]
    others = no_object.set_column(0, "row", pa.array(lines_of, pa.int64()))
    malformed = pa.concat_tables([malformed, others]).sort_by("row")
    return Rows(relation, dict.fromkeys(names, TEXT_CELLS), malformed, shifts)


def _header(source: Source, delimiter: str) -> list[str]:
    opened = gzip.open if source.path.suffix == ".gz" else open
    try:
        with opened(source.path, "rb") as stream:
            first = stream.read(_HEADER_BYTES).decode("utf-8-sig", errors="replace")
        return next(csv.reader(io.StringIO(first), delimiter=delimiter, strict=True))
    except (OSError, EOFError, csv.Error, StopIteration) as cause:
        raise _unreadable(source, f"no readable header ({type(cause).__name__})") from None


def _refuse_empty(source: Source) -> None:
    if source.path.stat().st_size == 0:
        raise _unreadable(source, "an empty file")


def _refuse_bad_names(source: Source, names: Sequence[str]) -> None:
    lowered = [name.lower() for name in names]
    for place, name in enumerate(names):
        if not name or len(name) > _LONGEST_NAME or name.startswith(_RESERVED) or _UNFIT_IN_NAMES.search(name):
            raise _unreadable(source, f"a name of column {place + 1} that cannot be used")
        if lowered.index(name.lower()) != place:
            raise _unreadable(
                source, f"the name of column {lowered.index(name.lower()) + 1} again on column {place + 1}"
            )
    if len(names) > _MOST_COLUMNS:
        raise _unreadable(source, f"{len(names)} columns")


def _refuse_lost_nanoseconds(source: Source, names: Sequence[str]) -> None:
    # The engine cuts to microseconds without a word, so a moment that would change is looked for here.
    if not names:
        return
    first = 1
    for batch in pq.ParquetFile(source.path).iter_batches(columns=list(names)):
        for name in names:
            ticks = batch.column(name).cast(pa.int64())
            lost = pc.not_equal(pc.multiply(pc.divide(ticks, _PER_MICROSECOND), _PER_MICROSECOND), ticks)
            if (place := pc.index(lost, value=True).as_py()) >= 0:
                raise DataContractError(
                    f"{source.name}: the column {name} is finer than a microsecond",
                    expected="moments in whole microseconds",
                    found=f"nanoseconds in row {first + place}",
                    todo="write the column in microseconds",
                )
        first += batch.num_rows


def _malformed(broken: pa.Table, *, header: int) -> pa.Table:
    rows = pc.subtract(broken.column("line").cast(pa.int64()), header)
    return pa.table({"row": rows, "fault": broken.column("fault"), "text": broken.column("text")}).cast(_MALFORMED)


def _shifts(malformed: pa.Table) -> pa.Table:
    # The j-th broken record (from 0) in row r hides behind the j before it: place r - j is the first one after it.
    rows = malformed.column("row").to_pylist()
    shifts = {row - before: before + 1 for before, row in enumerate(rows)}
    return pa.table([pa.array(shifts, pa.int64()), pa.array(shifts.values(), pa.int64())], schema=_SHIFTS)


def _row_in_file(place: int, shifts: pa.Table) -> int:
    before = bisect_right(shifts.column("place").to_pylist(), place)
    return place + (shifts.column("shift")[before - 1].as_py() if before else 0)


def _path(name: str) -> str:
    return f'$."{name}"'


def _in_nanoseconds(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.unit == "ns")


def _unreadable(source: Source, found: str) -> DataContractError:
    return DataContractError(
        f"{source.name} cannot be read",
        expected=f"a whole {source.format} file with named columns, UTF-8",
        found=found,
        todo="export the file again; nothing was taken from this folder",
    )
