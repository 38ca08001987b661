"""Where do all the rows of one account lie side by side?

The warehouse keeps rows by load. The shelf is a second copy of them by account: one SQLite file of the home
(``shelf.db``) that holds every table in sorted pieces of a few thousand rows, each with its first and last key. It is
derived: it takes in what the manifests name and it lacks, when it is next opened, and may be deleted at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.aliases import Aliases
from features.errors import IntegrityError, ServiceUnavailable
from features.events import TABLES, Table
from features.identity import ALIASES, aliases_in
from features.manifest import Dataset
from features.progress import Progress, silent
from features.settings import Home
from features.storage_failure import is_full, storage_full
from features.warehouse import Warehouse, open_engine
from features.write_ahead import turn_to_write_ahead

BUSY_SECONDS = 60.0
"""The first taking in of a large warehouse takes a minute; a second reader waits for it."""

PIECE = 4_096
"""Rows of a piece: an account's own pieces are few, and a piece is read in about a millisecond."""

_FEW = 50_000
"""So many new rows are sorted in memory; starting a query engine would take longer."""

_LOOSE = 64
"""So many small pieces of later loads may lie beside the sorted ones before they are sorted together."""

OWNERS = {"contract_id": "contracts_history", "project_id": "projects_history"}
"""A row that names no account names one of these things, and they name the account."""

_WHOLE = frozenset({"market_events", ALIASES})
"""Tables that are read whole: what happens in the market concerns others than the account it names, and so do aliases:
one says whose rows the rows of another id are."""

_TABLES = """
    CREATE TABLE IF NOT EXISTS files (
        relation TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (relation, name)
    );
    CREATE TABLE IF NOT EXISTS pieces (
        piece_no INTEGER PRIMARY KEY, relation TEXT NOT NULL, first TEXT, last TEXT, rows INTEGER NOT NULL,
        content BLOB NOT NULL
    );
    CREATE INDEX IF NOT EXISTS pieces_by_key ON pieces (relation, first, last);"""
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


def shelf_key(table: Table) -> str | None:
    """The column by which a table is sorted on the shelf; none for a table that is read whole."""
    names = {column.name for column in table.columns}
    if table.name in _WHOLE:
        return None
    return next((name for name in ("account_id", *OWNERS) if name in names), None)


class Shelf:
    """The shelf of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path = home.root / "shelf.db"

    def catch_up(self, *, progress: Progress = silent) -> None:
        """Take in every stored row that is not there yet: all of them at first, then those of later loads.

        Raises:
            IntegrityError: the shelf is no sound SQLite file, or a stored file is not the one that was written.
            ServiceUnavailable: another process takes rows in for longer than a minute.
        """
        with self._opened() as connection:
            missing = [table for table in TABLES.values() if self._lacks(connection, table)]
            for done, table in enumerate(missing, start=1):
                # Looked at again inside the transaction: another process may have been quicker.
                connection.execute("BEGIN IMMEDIATE")
                self._take_in(connection, table)
                connection.execute("COMMIT")
                progress("sort rows by account", done, len(missing))

    def rows_of(self, account_id: str, until: datetime) -> dict[str, pa.Table]:
        """:meth:`rows_of_each` for one account."""
        return self.rows_of_each((account_id,), until)

    def rows_of_each(self, account_ids: Collection[str], until: datetime) -> dict[str, pa.Table]:
        """Every row that concerns one of these accounts and was available at ``until``, each once, by table.

        Tables without any are left out. Rows under an id that was ever tied to such an account are among them, as they
        came. Tables that concern no account in particular (the calendar, the market, rates) are there whole.
        """
        with self._opened() as connection:
            connection.execute("BEGIN")
            found: dict[str, pa.Table] = {}
            keys: dict[str, Sequence[str]] = {"account_id": sorted(_circles(connection, account_ids, until))}
            # Owners come first in the declared order of tables, so that what they own can be asked for.
            for name, table in TABLES.items():
                key = shelf_key(table)
                rows = _known(_read(connection, name, key, keys[key] if key else ()), until)
                if rows is not None:
                    found[name] = rows
                for owned, owner in OWNERS.items():
                    if owner == name:
                        keys[owned] = rows.column(owned).unique().to_pylist() if rows is not None else []
            return found

    def tied_to(self, account_ids: Collection[str], until: datetime) -> frozenset[str]:
        """The accounts, and every id that some alias known at ``until`` ever tied to one of them."""
        with self._opened() as connection:
            return _circles(connection, account_ids, until)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self._home.prepare()
        try:
            with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                turn_to_write_ahead(connection, within_seconds=BUSY_SECONDS)
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.executescript(_TABLES)
                yield connection
        except sqlite3.OperationalError as cause:
            if is_full(cause):
                raise storage_full() from cause
            raise ServiceUnavailable(
                "the rows by account cannot be read",
                expected=f"a SQLite file at {self._path} that can be written within {BUSY_SECONDS:.0f} s",
                found="it is locked by another process, or cannot be opened",
                todo="try again; see that the disk is writable",
            ) from cause
        except sqlite3.DatabaseError as cause:
            raise IntegrityError(
                "the rows by account are damaged",
                expected=f"a sound SQLite file at {self._path}",
                found="another content",
                todo="delete the file: it is made again from the stored tables",
            ) from cause

    def _dataset(self, table: Table) -> Dataset:
        return Warehouse(self._home).dataset(table.name)

    def _lacks(self, connection: sqlite3.Connection, table: Table) -> bool:
        there = {(entry.name, entry.sha256) for entry in self._dataset(table).entries()}
        return there != _taken_in(connection, table.name)

    def _take_in(self, connection: sqlite3.Connection, table: Table) -> None:
        dataset, taken = self._dataset(table), _taken_in(connection, table.name)
        files = {
            (entry.name, entry.sha256): path for entry, path in zip(dataset.entries(), dataset.files(), strict=True)
        }
        if not taken <= set(files):
            # A file was replaced: what it gave cannot be told from the rest.
            connection.execute("DELETE FROM pieces WHERE relation = ?", (table.name,))
            connection.execute("DELETE FROM files WHERE relation = ?", (table.name,))
            taken = set()
        new = {named: path for named, path in files.items() if named not in taken}
        if not new:
            return
        self._add(connection, table, list(new.values()))
        connection.executemany("INSERT INTO files VALUES (?, ?, ?)", [(table.name, *named) for named in new])
        _tidy(connection, table)

    def _add(self, connection: sqlite3.Connection, table: Table, files: Sequence[Path]) -> None:
        key = shelf_key(table)
        if sum(pq.read_metadata(path).num_rows for path in files) <= _FEW:
            rows = pa.concat_tables([pq.read_table(path) for path in files])
            _put(connection, table, _pieces(rows.sort_by(key) if key else rows))
            return
        order = f' ORDER BY "{key}"' if key else ""
        with TemporaryDirectory(dir=self._home.root, prefix="shelf-") as scratch:
            target = Path(scratch) / "sorted.parquet"
            with open_engine(scratch=Path(scratch) / "spill", ordered=True) as engine:
                engine.name("stored", files)
                engine.write(f"SELECT * FROM stored{order}", target, codec="lz4")
            batches = pq.ParquetFile(target).iter_batches(batch_size=PIECE)
            _put(connection, table, (pa.Table.from_batches([batch]) for batch in batches))


def _taken_in(connection: sqlite3.Connection, relation: str) -> set[tuple[str, str]]:
    return set(connection.execute("SELECT name, sha256 FROM files WHERE relation = ?", (relation,)))


def _put(connection: sqlite3.Connection, table: Table, pieces: Iterable[pa.Table]) -> None:
    key = shelf_key(table)
    for piece in pieces:
        first = last = None
        if key:
            bounds = pc.min_max(piece.column(key)).as_py()
            first, last = bounds["min"], bounds["max"]
        if piece.num_rows:
            connection.execute(
                "INSERT INTO pieces (relation, first, last, rows, content) VALUES (?, ?, ?, ?, ?)",
                (table.name, first, last, piece.num_rows, _packed(piece)),
            )


def _tidy(connection: sqlite3.Connection, table: Table) -> None:
    small = f"relation = '{table.name}' AND rows < {PIECE // 2}"
    loose = connection.execute(f"SELECT piece_no, content FROM pieces WHERE {small}").fetchall()
    if len(loose) < _LOOSE:
        return
    rows = pa.concat_tables([_unpacked(content) for _, content in loose])
    key = shelf_key(table)
    connection.executemany("DELETE FROM pieces WHERE piece_no = ?", [(number,) for number, _ in loose])
    _put(connection, table, _pieces(rows.sort_by(key) if key else rows))


def _pieces(rows: pa.Table) -> Iterator[pa.Table]:
    return (rows.slice(start, PIECE) for start in range(0, rows.num_rows, PIECE))


def _read(connection: sqlite3.Connection, relation: str, key: str | None, wanted: Sequence[str]) -> pa.Table | None:
    if key is None:
        contents = connection.execute("SELECT content FROM pieces WHERE relation = ?", (relation,))
        pieces = [_unpacked(content) for (content,) in contents]
        return pa.concat_tables(pieces) if pieces else None
    query = "SELECT piece_no, content FROM pieces WHERE relation = ? AND first <= ? AND last >= ?"
    found = {number: content for one in wanted for number, content in connection.execute(query, (relation, one, one))}
    asked = pa.array(wanted, pa.string())
    pieces = [_unpacked(content) for content in found.values()]
    kept = [piece.filter(pc.is_in(piece.column(key), value_set=asked)) for piece in pieces]
    return pa.concat_tables(kept) if kept else None


def _aliases(connection: sqlite3.Connection, until: datetime) -> Aliases:
    rows = _known(_read(connection, ALIASES, None, ()), until)
    return aliases_in(rows) if rows is not None else Aliases()


def _circles(connection: sqlite3.Connection, account_ids: Collection[str], until: datetime) -> frozenset[str]:
    aliases = _aliases(connection, until)
    return frozenset(one for account in account_ids for one in aliases.circle_of(account))


def _known(rows: pa.Table | None, until: datetime) -> pa.Table | None:
    if rows is None:
        return None
    moment = pa.scalar(until, pa.timestamp("us", tz="UTC"))
    known = rows.filter(pc.less_equal(rows.column("available_at"), moment))
    return known if known.num_rows else None


def _packed(piece: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, piece.schema, options=_OPTIONS) as stream:
        stream.write_table(piece)
    return bytes(sink.getvalue())


def _unpacked(content: bytes) -> pa.Table:
    try:
        return pa.ipc.open_stream(content).read_all()
    except (pa.ArrowException, OSError) as cause:
        raise sqlite3.DatabaseError("a piece that cannot be read") from cause
