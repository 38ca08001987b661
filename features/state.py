"""Where is our own small state (promotion log, score ledger), and how is it opened so that nothing is lost?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, event

from features.settings import Home


def open_state(home: Home) -> Engine:
    """The SQL engine of one home's state: SQLite in WAL mode, every commit synced to disk.

    Writers wait up to 5 s for each other instead of failing at once.
    """
    home.prepare()
    # No pool: a connection ends with its use, so nothing stays open across a fork or at exit.
    engine = create_engine(f"sqlite:///{home.state}", poolclass=NullPool)
    event.listen(engine, "connect", _make_durable)
    return engine


def _make_durable(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
