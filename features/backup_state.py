"""How does our state get into a backup, and out of one, whichever product holds it?

In a backup it is always one SQLite file, as of one moment. So a state can move: backed up from a file, restored into
PostgreSQL, or the other way.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, MetaData, NullPool

from features.backup_files import copy_database
from features.errors import UsageError
from features.migrations import bring_to_head, change, revision_of
from features.settings import Home
from features.state import engine_of, has_state, open_state
from features.state_place import StatePlace

_VERSION = "alembic_version"
_PIECE = 1_000
"""Rows that are in memory at once; those of the ledger's details are some kilobytes each."""


def state_into(home: Home, target: Path) -> str | None:
    """Write the state as one SQLite file, and return the version of its tables; None where there is no state yet."""
    if not has_state(home):
        return None
    open_state(home).connect().close()
    if StatePlace.from_environment().address is None:
        copy_database(home.state, target)
    else:
        copy = _file(target)
        bring_to_head(copy)
        with _of_one_moment(engine_of(home)) as reading:
            change(copy, lambda writing: _copy_rows(reading, writing))
        copy.dispose()
    with _file(target).connect() as connection:
        return revision_of(connection)


def require_no_state(home: Home) -> None:
    """Refuse to write over a state that somebody uses.

    Raises:
        UsageError: it has rows.
    """
    if StatePlace.from_environment().address is None:
        return
    held = {name: rows for name, rows in _counted(open_state(home)).items() if rows}
    beginning = _made_by_steps()
    if any(rows > beginning.get(name, 0) for name, rows in held.items()):
        raise UsageError(
            "the state is not empty",
            expected="a PostgreSQL database, or schema, without rows of ours",
            found=f"rows in {', '.join(sorted(held))}",
            todo="name a new database in PULSE_STATE",
        )


def state_from(home: Home, stored: Path) -> None:
    """Take a state out of a backup into an empty home, and bring it to this version."""
    if StatePlace.from_environment().address is None:
        stored.rename(home.state)
        open_state(home).connect().close()
        return
    bring_to_head(_file(stored))
    open_state(home).connect().close()
    with closing(_file(stored).connect()) as reading:
        change(engine_of(home), lambda writing: _copy_rows(reading, writing))


def rows_in(path: Path) -> dict[str, int]:
    """Rows of each table in a SQLite file of a state."""
    return _counted(_file(path))


def rows_of(home: Home) -> dict[str, int]:
    """Rows of each table of a home's state."""
    return _counted(open_state(home))


def _counted(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        tables = _tables(connection).sorted_tables
        return {table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tables}


def _made_by_steps() -> dict[str, int]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    bring_to_head(engine)
    return _counted(engine)


def _file(path: Path) -> Engine:
    return sa.create_engine(f"sqlite:///{path}", poolclass=NullPool, hide_parameters=True)


def _tables(connection: Connection) -> MetaData:
    found = MetaData()
    found.reflect(connection)
    if _VERSION in found.tables:
        found.remove(found.tables[_VERSION])
    return found


def _of_one_moment(engine: Engine) -> Connection:
    connection = engine.connect().execution_options(isolation_level="REPEATABLE READ")
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    return connection


def _copy_rows(reading: Connection, writing: Connection) -> None:
    there = _tables(writing).tables
    for table in _tables(reading).sorted_tables:
        into = there[table.name]
        _empty(writing, into)
        rows = reading.execute(sa.select(table).execution_options(yield_per=_PIECE)).mappings()
        for piece in rows.partitions():
            writing.execute(sa.insert(into), [dict(row) for row in piece])
        if writing.dialect.name == "postgresql":
            _go_on_counting(writing, into)


def _empty(connection: Connection, table: sa.Table) -> None:
    # A new table may hold what its step put in: that comes with the backup. The laws are there for everybody else.
    if connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0:
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
        connection.execute(sa.delete(table))
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
        return
    laws = sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table")
    kept = connection.execute(laws, {"table": table.name}).all()
    for name, _ in kept:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    connection.execute(sa.delete(table))
    for _, law in kept:
        connection.exec_driver_sql(law)


def _go_on_counting(connection: Connection, table: sa.Table) -> None:
    for column in table.primary_key:
        sequence = connection.scalar(
            sa.text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
        )
        newest = connection.scalar(sa.select(sa.func.max(column))) if sequence else None
        if newest is not None:
            connection.execute(sa.text("SELECT setval(:sequence, :newest)"), {"sequence": sequence, "newest": newest})
