"""How does every home of a test run get MLflow's empty database, when MLflow works a second and a half on each?

MLflow makes it by its whole history of migrations. The first one of a process is made so; what stands then, page by page,
is what every other one begins with. Only SQLite, and only MLflow's own first step: all that follows is MLflow's.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from threading import Lock

import sqlalchemy as sa

Make = Callable[[sa.Engine], None]


def made_once(make: Make) -> Make:
    """The same step, which copies what it made the first time. Databases that are not empty are left to ``make``."""
    kept, alone = sqlite3.connect(":memory:", check_same_thread=False), Lock()

    def copied(engine: sa.Engine) -> None:
        with alone:
            is_empty = not sa.inspect(engine).get_table_names()
            if engine.dialect.name != "sqlite" or not is_empty:
                make(engine)
                return
            if not kept.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                make(engine)
                _copy(engine, lambda database: database.backup(kept))
                return
            _copy(engine, kept.backup)

    return copied


def _copy(engine: sa.Engine, by: Callable[[sqlite3.Connection], None]) -> None:
    with engine.connect() as connection:
        database = connection.connection.driver_connection
        assert isinstance(database, sqlite3.Connection)
        by(database)


def keep_it() -> None:
    """Let MLflow do so in this process, where a collected test has loaded it already."""
    if "mlflow" not in sys.modules:
        return
    from mlflow.store.db import utils  # noqa: PLC0415  seconds, for tests that need no MLflow
    from mlflow.store.model_registry import sqlalchemy_store  # noqa: PLC0415

    utils._initialize_tables = sqlalchemy_store._initialize_tables = made_once(utils._initialize_tables)
