"""Which tables does our state have at which version, and how does an older one become today's?

Each version is one file of ``versions/``, run by alembic, for SQLite and PostgreSQL alike. Opening a state brings it
to the newest version in one transaction behind the writer's turn: two processes that open at once run it once, and one
that fails leaves everything as it was.

A new table, or column, in three steps:

1. Declare it (``sa.Table``) in the room that uses it, and open it with ``features.state.open_state``.
2. ``pytest tests/features/test_migrations.py``: the failure shows the operations that are missing. Put them into a new
   file ``versions/mNNNN_what_it_is.py`` beside the last one, name it as :data:`HEAD`, and add its laws (every table is
   append-only, unless its ``info={"changes": "why"}`` says what may change).
3. What only adds (a table, a nullable column) leaves it in place when it is taken back: an older version of us does not
   see it, and no row is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from features.errors import IntegrityError, UsageError
from features.state_turn import take_turn

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0006"
"""The newest version of the tables: what this version of campaign-pulse reads and writes."""

BEFORE = "0000"
"""What a state from before there were steps is called."""

FOLDER = Path(__file__).parent
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))


def bring_to_head(engine: Engine, *, folder: Path = FOLDER, head: str = HEAD) -> None:
    """Run every step that is missing, all or none.

    Raises:
        IntegrityError: the state was changed by a newer version of us.
    """
    with engine.connect() as connection:
        found = revision_of(connection)
    if found != head:
        change(engine, lambda connection: _up(connection, folder))


def take_back(engine: Engine, revision: str, *, folder: Path = FOLDER) -> None:
    """Bring the tables back to an older version, so that an older campaign-pulse can use them; all or nothing.

    Raises:
        UsageError: there is no such version, or it is newer than the state.
    """
    known = [BEFORE, *(name for name, _ in steps(folder))]
    with engine.connect() as connection:
        found = revision_of(connection) or BEFORE
    if revision not in known or found not in known or revision > found:
        raise UsageError(
            "the state cannot be brought back to this version",
            expected=f"one of {', '.join(name for name in known if name <= found)}",
            found=revision,
            todo="run `pulse state status`",
        )

    def down(connection: Connection) -> None:
        from alembic import command  # noqa: PLC0415

        command.downgrade(_config(connection, folder), "base" if revision == BEFORE else revision)

    change(engine, down)


def revision_of(connection: Connection) -> str | None:
    """The version of the tables; None where no step has run yet (a new state, or one from before there were steps)."""
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    found = connection.scalar(sa.select(_VERSION.c.version_num))
    return str(found) if found else None


def steps(folder: Path = FOLDER) -> list[tuple[str, str]]:
    """Every step there is, oldest first: its version and what it does."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    found = ScriptDirectory(str(folder)).walk_revisions()
    return [(one.revision, (one.doc or "").strip()) for one in reversed(list(found))]


def change(engine: Engine, work: Callable[[Connection], None]) -> None:
    """Do something to the tables as the only writer, in one transaction that keeps every foreign key."""
    with engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        if on_sqlite:
            # A table that is rebuilt would take the rows that point to it along. Only outside of a transaction.
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        take_turn(connection)
        work(connection)
        if on_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise IntegrityError(
                "a change of the tables would break the state",
                expected="every row that points to another finds it",
                found="rows that point nowhere",
                todo="nothing was changed; please report this: it is a defect",
            )
        connection.commit()


def _up(connection: Connection, folder: Path) -> None:
    from alembic import command  # noqa: PLC0415

    found = revision_of(connection)
    known = [name for name, _ in steps(folder)] if found else []
    if found and found not in known:
        raise IntegrityError(
            "the state was changed by a newer version of campaign-pulse",
            expected=f"tables of version {known[-1]} or older",
            found=f"version {found}",
            todo=f"install that version again, or let it run `pulse state downgrade --to {known[-1]}` first",
        )
    # Again: another program may have been here while this one waited for its turn.
    if not found or found != known[-1]:
        command.upgrade(_config(connection, folder), "head")


def _config(connection: Connection, folder: Path) -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config
