"""Where is our own small state (promotion log, score ledger), and how is it opened so that nothing is lost?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, MetaData, NullPool, create_engine, event, text

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
    """Make the tables that are missing, and the triggers that refuse every change of a row that was written.

    ``what`` names the record in the refusal: "the promotion log".
    """
    tables.create_all(engine)
    with engine.begin() as connection:
        for table in tables.tables:
            for verb in ("UPDATE", "DELETE"):
                connection.execute(text(_FORBID.format(table=table, verb=verb, what=what)))


def _make_durable(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
