"""Does a SQLite file come to its write-ahead log, whoever else opens it, and is a file that is held told of?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest

from features.write_ahead import turn_to_write_ahead


def turned(path: Path) -> str:
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        turn_to_write_ahead(connection, within_seconds=5)
        connection.execute("CREATE TABLE IF NOT EXISTS kept (row)")
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Someone who is in the middle of a write of a file that keeps no write-ahead log."""
    with closing(sqlite3.connect(tmp_path / "file.db", isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("CREATE TABLE kept (row)")
        connection.execute("BEGIN EXCLUSIVE")
        yield connection


def test_many_turn_a_new_file_at_once(tmp_path: Path) -> None:
    # Without a second try about one in eighty was refused: six hundred leave no doubt.
    with ThreadPoolExecutor(6) as pool:
        for number in range(100):
            assert list(pool.map(turned, [tmp_path / f"{number}.db"] * 6)) == ["wal"] * 6


def test_a_writer_is_waited_for(tmp_path: Path, holder: sqlite3.Connection) -> None:
    release = Timer(0.2, holder.commit)
    release.start()
    with closing(sqlite3.connect(tmp_path / "file.db", timeout=0)) as connection:
        turn_to_write_ahead(connection, within_seconds=30)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    release.join()


@pytest.mark.usefixtures("holder")
def test_a_writer_who_stays_is_told_of(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "file.db", timeout=0)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="database is locked") as told:
            turn_to_write_ahead(connection, within_seconds=0.1)
        assert told.value.sqlite_errorname == "SQLITE_BUSY"


def test_what_no_wait_can_mend_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: pytest.fail("waited"))
    (tmp_path / "file.db").write_bytes(b"no database at all" * 100)
    held = closing(sqlite3.connect(tmp_path / "file.db"))
    with held as connection, pytest.raises(sqlite3.DatabaseError, match="not a database"):
        turn_to_write_ahead(connection, within_seconds=30)
