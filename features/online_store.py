"""Where does Feast keep the latest snapshot of each account, where nothing else is set up?

One SQLite file, one row per feature view and account, behind the laws of :mod:`features.latest_rows`. Feast's own
SQLite store lets an old snapshot overwrite a newer one, commits each view alone, keeps moments in the writer's local
time and writes one row per feature. Here one transaction spans all views.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence, Set
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Literal

from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs

from features.errors import IntegrityError, ServiceUnavailable
from features.feast_import import Entity, FeastConfigBaseModel, FeatureView, RepoConfig
from features.latest_rows import LatestRows, LatestRowsStore, PackedRow, damaged, does_not_answer, nothing_there
from features.storage_failure import is_full, storage_full
from features.write_ahead import turn_to_write_ahead

BUSY_SECONDS = 5.0
"""A writer waits this long for another one; readers never wait."""

_KEYS_PER_READ = 500
"""SQLite takes at least 999 values in one statement, whatever it was built with."""

_MOST_IDLE = 8
_File = tuple[int, ...]
"""What tells a file from another one at the same place, and from itself before somebody wrote over it."""

_TABLE = """
    CREATE TABLE IF NOT EXISTS online_rows (
        view TEXT NOT NULL,
        entity_key BLOB NOT NULL,
        event_us INTEGER NOT NULL,
        created_us INTEGER NOT NULL,
        feature_values BLOB NOT NULL,
        PRIMARY KEY (view, entity_key)
    )"""
_UPSERT = """
    INSERT INTO online_rows (view, entity_key, event_us, created_us, feature_values) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (view, entity_key) DO UPDATE SET
        event_us = excluded.event_us, created_us = excluded.created_us, feature_values = excluded.feature_values
    WHERE (excluded.event_us, excluded.created_us) >= (event_us, created_us)"""


class SnapshotOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc] # Feast has no types
    """Where the SQLite file lies."""

    type: Literal["features.online_store.SnapshotOnlineStore"] = "features.online_store.SnapshotOnlineStore"
    path: Path


class SnapshotOnlineStore(LatestRowsStore):
    """The latest snapshot per account and feature view, in one file."""

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[tuple[_File, sqlite3.Connection]] = []
        self._idle_lock = Lock()

    def where(self, config: RepoConfig) -> str:
        """The file."""
        return str(config.online_store.path)

    @contextmanager
    def connect(self, config: RepoConfig, *, writing: bool) -> Iterator[LatestRows]:
        """One transaction. Left by an error, or by a crash at any point, it leaves nothing behind."""
        path = config.online_store.path
        try:
            with closing(_connect(path)) if writing else self._lent(path) as connection:
                connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
                yield _Rows(connection)
                connection.execute("COMMIT")
        except sqlite3.OperationalError as cause:
            raise storage_full() if is_full(cause) else _does_not_answer(path) from cause
        except (sqlite3.DatabaseError, DecodeError) as cause:
            raise _damaged(path) from cause

    @contextmanager
    def _lent(self, path: Path) -> Iterator[sqlite3.Connection]:
        """A connection to read with: one that was left by a reading before, where the file is still as it was then."""
        file = _file_now(path)
        connection = self._left_idle(file) or _connect(path)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._idle_lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append((file, connection))
                return
        connection.close()

    def _left_idle(self, file: _File) -> sqlite3.Connection | None:
        # Looked for and taken in one turn: of two threads that see the last one, the second would find it gone.
        with self._idle_lock:
            while self._idle:
                kept, connection = self._idle.pop()
                if kept == file:
                    return connection
                connection.close()
        return None

    def update(  # noqa: PLR0917 - Feast's interface
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],  # noqa: ARG002 - one table holds every view
        entities_to_delete: Sequence[Entity],  # noqa: ARG002 - rows go with their views
        entities_to_keep: Sequence[Entity],  # noqa: ARG002 - rows go with their views
        partial: bool,  # noqa: ARG002 - Feast's interface
    ) -> None:
        """Make the file where it is missing, and forget views that are gone."""
        path = config.online_store.path
        try:
            with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection, connection:
                turn_to_write_ahead(connection, within_seconds=BUSY_SECONDS)
                connection.execute(_TABLE)
                gone = [(view.name,) for view in tables_to_delete]
                connection.executemany("DELETE FROM online_rows WHERE view = ?", gone)
        except sqlite3.OperationalError as cause:
            raise _does_not_answer(path) from cause
        except sqlite3.DatabaseError as cause:
            raise _damaged(path) from cause

    def teardown(
        self,
        config: RepoConfig,
        tables: Sequence[FeatureView],  # noqa: ARG002 - one file holds every view
        entities: Sequence[Entity],  # noqa: ARG002 - one file holds every view
    ) -> None:
        """Delete the store."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{config.online_store.path}{suffix}").unlink(missing_ok=True)


class _Rows(LatestRows):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, rows: Sequence[PackedRow]) -> None:
        before = self._connection.total_changes
        cells = [(row.view, row.key, row.event_us, row.created_us, row.values) for row in rows]
        self._connection.executemany(_UPSERT, cells)
        self.written += self._connection.total_changes - before

    def withdraw(self, view: str, event_us: int, until_us: int, keep: Set[bytes]) -> None:
        query = "SELECT entity_key FROM online_rows WHERE view = ? AND event_us = ? AND created_us <= ?"
        stored = self._connection.execute(query, (view, event_us, until_us)).fetchall()
        gone = [(view, key) for (key,) in stored if key not in keep]
        self._connection.executemany("DELETE FROM online_rows WHERE view = ? AND entity_key = ?", gone)

    def find(self, view: str, keys: Sequence[bytes]) -> Iterator[tuple[bytes, int, bytes]]:
        for start in range(0, len(keys), _KEYS_PER_READ):
            asked = keys[start : start + _KEYS_PER_READ]
            marks = ", ".join("?" * len(asked))
            query = f"SELECT entity_key, event_us, feature_values FROM online_rows WHERE view = ? AND entity_key IN ({marks})"  # noqa: E501
            yield from self._connection.execute(query, (view, *asked))

    def is_empty(self) -> bool:
        return self._connection.execute("SELECT 1 FROM online_rows LIMIT 1").fetchone() is None


def _connect(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise nothing_there(str(path), "no file")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # lent to one thread after the other
    )
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _file_now(path: Path) -> _File:
    # A file that was restored from a backup, or damaged, must not be read on from memory.
    try:
        told = path.stat()
    except OSError:
        return ()  # what is wrong with it is told by opening it
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns


def _does_not_answer(path: Path) -> ServiceUnavailable:
    return does_not_answer(
        f"a SQLite file at {path}",
        f"it is locked by another process for more than {BUSY_SECONDS:.0f} s, or cannot be opened",
        "try again; see that only one `pulse build` runs and that the disk is writable",
    )


def _damaged(path: Path) -> IntegrityError:
    return damaged(
        f"rows in a SQLite file at {path}",
        "delete the file and run `pulse build`: it is made again from the snapshots",
    )
