"""Where is our own small state (promotion log, score ledger, keys, ...), and how is it opened so that nothing is lost?

One SQLite file of the home, or one PostgreSQL database (:mod:`features.state_place`), with the same laws: commits are
on disk when they return, one writer works at a time and readers never wait, append-only is kept by triggers. The tables
are made by :mod:`features.migrations`, which opening runs where it has to.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, NullPool, QueuePool, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from features.errors import ServiceUnavailable
from features.migrations import bring_to_head
from features.settings import Home
from features.state_lines import StateLines
from features.state_place import BUSY_SECONDS, StatePlace
from features.state_turn import take_turn
from features.storage_failure import storage_full
from features.write_ahead import turn_to_write_ahead

_SQLITE_FULL, _SQLITE_NO_ROOM_BESIDE = 13, 4874
_FULL, _LOCKED = ("53100", "53400"), ("55P03",)
"""PostgreSQL's codes for a full disk and for a lock that was not given in time."""


def has_state(home: Home) -> bool:
    """Was anything ever written? Asking makes no file; a PostgreSQL that is named counts as there."""
    return StatePlace.from_environment().address is not None or home.state.exists()


def open_state(home: Home, *, what: str = "our state", lasting: bool = False) -> Engine:
    """The SQL engine of one home's state; its first use makes every table of this version. Failures name ``what``.

    ``lasting``: for whoever reads with every request, in one process until it disposes of the engine. Connections to a
    SQLite file are then kept for the next use, and opened anew when the file is another one.

    Raises (in every use of the engine):
        ServiceUnavailable: it cannot be opened, or another writer holds it for more than 5 s.
        StorageFull: its disk is full; nothing of the transaction counts.
        IntegrityError: a newer version of campaign-pulse has changed its tables.
    """
    engine = engine_of(home, what=what, lasting=lasting)
    at_head: list[bool] = []

    def open_first(_connection: Connection) -> None:
        # At the first use, not before: who only makes an engine makes no file.
        if not at_head:
            bring_to_head(engine_of(home, what=what))
            at_head.append(True)

    event.listen(engine, "engine_connect", open_first)
    return engine


def engine_of(home: Home, *, what: str = "our state", lasting: bool = False) -> Engine:
    """The engine without a look at the tables; for those who change them."""
    place = StatePlace.from_environment()
    # No pool: a connection ends with its use, so nothing stays open across a fork or at exit, and a server that was
    # started again is found by the next one. No parameters: an error must not tell what a row holds.
    if place.address is None:
        home.prepare()
        # Nobody may have to wait for a connection: there are as many as threads that ask.
        kept: dict[str, Any] = {"poolclass": QueuePool, "max_overflow": -1} if lasting else {"poolclass": NullPool}
        engine = create_engine(f"sqlite:///{home.state}", hide_parameters=True, **kept)
        event.listen(engine, "connect", _make_durable)
        if lasting:
            event.listen(engine, "connect", _note_file(home.state))
            event.listen(engine, "checkout", _require_same_file(home.state))
    else:
        parts = place.connection_parts()
        engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(**parts),
            poolclass=NullPool,
            hide_parameters=True,
        )
        event.listen(engine, "before_execute", _queue_up)
    where = place.shown() if place.address else f"the file {home.state}"
    event.listen(engine, "handle_error", _explains(what, where))
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is the only writer from its first statement on, so that what it reads holds when it writes.

    It commits when left in peace and leaves nothing when left by an error. A transaction that only writes
    (``engine.begin()``) takes the same turn at its first change.
    """
    with engine.connect() as connection:
        take_turn(connection)
        yield connection
        connection.commit()


def held_open(engine: Engine) -> sqlite3.Connection | None:
    """A connection that does nothing but stay, for whoever reads for long; None where a server holds the state.

    The last connection that goes takes the files beside a SQLite file with it. A full disk could not make them anew,
    and reading would stop.
    """
    if engine.dialect.name != "sqlite":
        return None
    held = sqlite3.connect(str(engine.url.database), check_same_thread=False)
    held.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    return held


def lines_of(engine: Engine, *, what: str = "our state") -> StateLines | None:
    """Lines to the file behind an engine whose tables are made; None where a server holds the state."""
    if engine.dialect.name != "sqlite":
        return None
    path = Path(str(engine.url.database))
    return StateLines(
        path,
        ready=lambda line: _make_durable(line, None),
        explained=lambda failure: _sqlite_failure(failure, what, f"the file {path}"),
    )


def insert_new(connection: Connection | Engine, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that leaves out rows whose key is taken, in the words of the product behind a connection."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def _make_durable(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
    turn_to_write_ahead(connection, within_seconds=BUSY_SECONDS)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _note_file(path: Path) -> Any:
    def note(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["file"] = _file_now(path)

    return note


def _require_same_file(path: Path) -> Any:
    # A file that is gone, restored or replaced must not be read on from the one before.
    def require(_connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if record.info["file"] != _file_now(path):
            raise DisconnectionError

    return require


def _file_now(path: Path) -> tuple[int, int] | None:
    try:
        told = path.stat()
    except FileNotFoundError:
        return None
    return told.st_dev, told.st_ino


def _queue_up(connection: Connection, statement: Any, _many: Any, _params: Any, _options: Mapping[str, Any]) -> None:
    # As SQLite does by itself: one writer from its first change to its commit. So numbers rise in the order of commits.
    if getattr(statement, "is_dml", False):
        take_turn(connection)


def _explains(what: str, where: str) -> Any:
    def explain(context: ExceptionContext) -> ServiceUnavailable | None:
        failure = context.original_exception
        if isinstance(failure, psycopg.Error):
            return _postgresql_failure(failure, what, where)
        return _sqlite_failure(failure, what, where)

    return explain


def _sqlite_failure(failure: BaseException, what: str, where: str) -> ServiceUnavailable | None:
    code = getattr(failure, "sqlite_errorcode", None)
    if code is None or isinstance(failure, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return None
    if code & 0xFF == _SQLITE_FULL or code == _SQLITE_NO_ROOM_BESIDE:
        return storage_full()
    name = str(getattr(failure, "sqlite_errorname", "SQLITE_ERROR"))
    if name == "SQLITE_ERROR":
        return None  # a statement that is wrong: our defect, not the file's
    return _does_not_answer(what, where, name)


def _postgresql_failure(failure: psycopg.Error, what: str, where: str) -> ServiceUnavailable | None:
    if failure.sqlstate in _FULL:
        return storage_full()
    if failure.sqlstate in _LOCKED:
        return _does_not_answer(what, where, f"another writer holds it for more than {BUSY_SECONDS:.0f} s")
    if isinstance(failure, psycopg.OperationalError | psycopg.InterfaceError):
        # Its words may repeat a user or a row.
        return _does_not_answer(what, where, type(failure).__name__)
    return None


def _does_not_answer(what: str, where: str, found: str) -> ServiceUnavailable:
    return ServiceUnavailable(
        f"{what} does not answer",
        expected=f"{where}, ready to be read and written",
        found=found,
        todo="check the free space and the owner of the home directory, that no other program holds it, or that the "
        "server of PULSE_STATE runs; a damaged file comes back with `pulse restore`",
    )
