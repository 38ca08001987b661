"""How often was something done in the last minute or hour, by all workers together?

A store for the moving windows of ``limits``, in SQL: one row per thing done, deleted when it has left the window. Where
the state is a file, it is a file of its own beside it (a count must not wait for a long write of the ledger, and need
not survive a power cut); where the state is a server, several machines share it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import sqlalchemy as sa
from limits.storage import MovingWindowSupport, Storage

from features.errors import ServiceUnavailable
from features.settings import Home
from features.state import open_state
from features.write_ahead import turn_to_write_ahead

TABLES = sa.MetaData()
_TAKEN = sa.Table(
    "taken",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Index("taken_by_name", "name", "at"),
    info={"changes": "what has left its window counts no more"},
)
# Written as text, these do not queue up for the one writer of a state on a server, as what is declared does: counts
# have locks of their own.
_LEFT = sa.text("DELETE FROM taken WHERE name = :name AND (at <= :since OR at > :until)")
_DONE = sa.text("INSERT INTO taken (name, at) VALUES (:name, :at)")
_OLD = sa.text("DELETE FROM taken WHERE at <= :since OR at > :until")
_SWEEP_EVERY = 500
_BUSY_SECONDS = 5.0
_LONGEST_SECONDS = 3600
"""No window of ours is longer."""


class SqlWindows(Storage, MovingWindowSupport):
    """Moving windows in a table. ``seconds`` tells the time as seconds since 1970.

    What lies more than a window ahead was done while the clock was ahead: it counts no more, or whoever had no more
    left would have to wait until the time that the clock told then.
    """

    STORAGE_SCHEME = None

    def __init__(self, engine: sa.Engine, seconds: Callable[[], float]) -> None:
        super().__init__(wrap_exceptions=True)
        self._engine = engine
        self._seconds = seconds
        self._acts = count(1)

    @classmethod
    def of(cls, home: Home, seconds: Callable[[], float]) -> SqlWindows:
        """The windows of one home."""
        state = open_state(home)
        if state.dialect.name != "sqlite":
            return cls(state, seconds)
        engine = sa.create_engine(f"sqlite:///{home.root / 'limits.db'}", hide_parameters=True)
        sa.event.listen(engine, "connect", _make_quick)
        TABLES.create_all(engine)
        return cls(engine, seconds)

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """What the database raises; a state on a server says it in our words."""
        return sa.exc.DBAPIError, ServiceUnavailable

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count something done, unless the window is full."""
        now = self._seconds()
        if amount > limit or self._within(key, now, expiry)[1] + amount > limit:
            return False  # a flood costs a read each, never a write
        with self._engine.begin() as connection:
            self._lock(connection, key)
            connection.execute(_LEFT, {"name": key, "since": now - expiry, "until": now + expiry})
            if (connection.scalar(_count(key)) or 0) + amount > limit:
                return False
            connection.execute(_DONE, [{"name": key, "at": now}] * amount)
            if next(self._acts) % _SWEEP_EVERY == 0:
                connection.execute(_OLD, {"since": now - _LONGEST_SECONDS, "until": now + _LONGEST_SECONDS})
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002  theirs
        """When the oldest thing in the window was done, and how many are in it."""
        now = self._seconds()
        oldest, found = self._within(key, now, expiry)
        return (now if oldest is None else oldest), found

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Not for moving windows."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """How many rows are there of a name, old ones included."""
        with self._engine.connect() as connection:
            return connection.scalar(_count(key)) or 0

    def get_expiry(self, key: str) -> float:
        """Not for moving windows."""
        raise NotImplementedError

    def check(self) -> bool:
        """Does the store answer?"""
        return self.get("") >= 0

    def reset(self) -> int:
        """Forget everything."""
        with self._engine.begin() as connection:
            return connection.execute(sa.text("DELETE FROM taken")).rowcount

    def clear(self, key: str) -> None:
        """Forget what was done under a name."""
        with self._engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM taken WHERE name = :name"), {"name": key})

    def close(self) -> None:
        """Give the database back."""
        self._engine.dispose()

    def _within(self, key: str, now: float, expiry: int) -> tuple[float | None, int]:
        inside = (_TAKEN.c.at > now - expiry) & (_TAKEN.c.at <= now + expiry)
        wanted = sa.select(sa.func.min(_TAKEN.c.at), sa.func.count()).where(_TAKEN.c.name == key, inside)
        with self._engine.connect() as connection:
            oldest, found = connection.execute(wanted).one()
            return oldest, found

    def _lock(self, connection: sa.Connection, key: str) -> None:
        # SQLite takes its one lock with the delete that follows; a server is asked for a lock of this name.
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET LOCAL synchronous_commit = off"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": key})


def _count(key: str) -> sa.Select[Any]:
    return sa.select(sa.func.count()).where(_TAKEN.c.name == key)


def _make_quick(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000:.0f}")
    turn_to_write_ahead(connection, within_seconds=_BUSY_SECONDS)
    connection.execute("PRAGMA synchronous=OFF")
