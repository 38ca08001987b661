"""Where is our own small state (promotion log, score ledger), and how is it opened so that nothing is lost?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Engine, MetaData, NullPool, create_engine, event, inspect, text

from features.settings import Home

_FORBID = """
CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{what} is append-only'); END
"""


def open_state(home: Home) -> Engine:
    """The SQL engine of one home's state: SQLite in WAL mode, every commit synced to disk.

    Writers wait up to 5 s for each other instead of failing at once.
    """
    home.prepare()
    # No pool: a connection ends with its use, so nothing stays open across a fork or at exit.
    engine = create_engine(f"sqlite:///{home.state}", poolclass=NullPool)
    event.listen(engine, "connect", _make_durable)
    return engine


def make_append_only(engine: Engine, tables: MetaData, *, what: str) -> None:
    """Make what is missing of the tables, and the triggers that refuse every change of a row that was written.

    A column that came after a row was written is null in it, so only nullable ones may come later. ``what`` names the
    record in the refusal: "the promotion log".
    """
    tables.create_all(engine)
    _add_columns(engine, tables)
    with engine.begin() as connection:
        for table in tables.tables:
            for verb in ("UPDATE", "DELETE"):
                connection.execute(text(_FORBID.format(table=table, verb=verb, what=what)))


def _add_columns(engine: Engine, tables: MetaData) -> None:
    with engine.connect() as connection:
        if not _missing_columns(connection, tables):
            return
    with engine.begin() as connection:
        # Two processes may open an older home at once: the second waits here and then finds nothing missing.
        connection.execute(text("BEGIN IMMEDIATE"))
        for column in _missing_columns(connection, tables):
            kind = column.type.compile(connection.dialect)
            connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {column.name} {kind}"))


def _missing_columns(connection: Connection, tables: MetaData) -> list[Column[Any]]:
    found = inspect(connection)
    held = {table.name: {column["name"] for column in found.get_columns(table.name)} for table in tables.sorted_tables}
    return [column for table in tables.sorted_tables for column in table.columns if column.name not in held[table.name]]


def _make_durable(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
