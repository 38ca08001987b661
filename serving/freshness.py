"""How fresh is what we know: the features of an account, and the data behind them?

Features are as old as their snapshot. Behind a fresh snapshot the sources may have stopped long ago, so every answer
also carries the data watermark: the moment the newest row became known that the snapshot could use.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from features.settings import Home
from features.vocabulary import require_utc
from features.warehouse import Warehouse
from serving.settings import STALE_AFTER


@dataclass(frozen=True, slots=True)
class Freshness:
    """The age of a snapshot at the moment it is judged; ``stale`` means that no score may be told from it."""

    age: timedelta
    stale: bool

    @classmethod
    def of(cls, as_of: datetime, now: datetime) -> Freshness:
        """Judge a snapshot.

        One that lies after ``now`` is stale too: a service that stands on a past date must not tell what came later.
        """
        age = require_utc(now) - require_utc(as_of)
        return cls(age=age, stale=not timedelta(0) <= age <= STALE_AFTER)


class Watermarks:
    """Data watermarks of one home, each found once per ``as_of`` and state of the warehouse."""

    def __init__(self, home: Home) -> None:
        self._warehouse = Warehouse(home)
        self._lock = Lock()
        self._known: dict[tuple[datetime, int], datetime | None] = {}

    def at(self, as_of: datetime) -> datetime | None:
        """The newest ``available_at`` at or before ``as_of`` over all canonical tables (UTC); None without data.

        Raises:
            IntegrityError: a stored file is not the one that was written.
        """
        key = (as_of, self._last_change())
        with self._lock:
            if key not in self._known:
                self._known = {key: self._newest(as_of)} | {
                    old: mark for old, mark in self._known.items() if old[1] == key[1]
                }
            return self._known[key]

    def _last_change(self) -> int:
        # A manifest is replaced by a rename, which touches its folder; a look at the folders costs no reading.
        folder = self._warehouse.home.warehouse
        if not folder.exists():
            return 0
        with os.scandir(folder) as tables:
            return max((table.stat().st_mtime_ns for table in tables), default=0)

    def _newest(self, as_of: datetime) -> datetime | None:
        tables = tuple(self._warehouse.loaded_tables())
        if not tables:
            return None
        limit = as_of.astimezone(UTC).isoformat(sep=" ")
        parts = " UNION ALL ".join(
            f"SELECT MAX(available_at) AS known FROM \"{name}\" WHERE available_at <= TIMESTAMPTZ '{limit}'"
            for name in tables
        )
        with self._warehouse.engine(threads=1) as engine:
            newest = engine.fetch(f"SELECT MAX(known) AS known FROM ({parts})").column("known")[0].as_py()
        return None if newest is None else newest.astimezone(UTC)
