"""How fresh is what we know: the features of an account, and the data behind them?

Features are as old as their snapshot. Behind a fresh snapshot the sources may have stopped long ago, so every answer
also carries the data watermark: the moment the newest row became known that the snapshot could use.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import IntegrityError
from features.settings import Home
from features.vocabulary import require_utc
from features.warehouse import Warehouse, open_engine
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
    """Data watermarks of one home.

    A stored file tells the earliest and the latest moment of its rows in its footer; only a file on both sides of an
    ``as_of`` has to be looked into. So news of an account, which makes a new ``as_of``, cost next to nothing. Each
    answer is found once per ``as_of`` and state of the warehouse.
    """

    def __init__(self, home: Home) -> None:
        self._warehouse = Warehouse(home)
        self._lock = Lock()
        self._state = -1
        self._known: dict[datetime, datetime | None] = {}
        self._files: dict[Path, _Span] = {}

    def at(self, as_of: datetime) -> datetime | None:
        """The newest ``available_at`` at or before ``as_of`` over all canonical tables (UTC); None without data.

        Raises:
            IntegrityError: a stored file is not the one that was written.
        """
        state = self._last_change()
        with self._lock:
            if state != self._state:
                # Files are never written into: what is known of one that is still there stays true.
                tables = self._warehouse.loaded_tables()
                paths = [path for name in tables for path in self._warehouse.dataset(name).files()]
                self._files = {path: self._files.get(path) or _span_of(path) for path in paths}
                self._known, self._state = {}, state
            if as_of not in self._known:
                self._known[as_of] = self._newest(as_of)
            return self._known[as_of]

    def _last_change(self) -> int:
        # A manifest is replaced by a rename, which touches its folder; a look at the folders costs no reading.
        folder = self._warehouse.home.warehouse
        if not folder.exists():
            return 0
        with os.scandir(folder) as tables:
            return max((table.stat().st_mtime_ns for table in tables), default=0)

    def _newest(self, as_of: datetime) -> datetime | None:
        whole = [span.last for span in self._files.values() if span.rows and span.last <= as_of]
        newest = max(whole, default=None)
        cut = [path for path, span in self._files.items() if span.rows and span.first <= as_of < span.last]
        if cut:
            inside = self._newest_inside(cut, as_of)
            newest = max((each for each in (newest, inside) if each is not None), default=None)
        return None if newest is None else newest.astimezone(UTC)

    @staticmethod
    def _newest_inside(files: Sequence[Path], as_of: datetime) -> datetime | None:
        limit = as_of.astimezone(UTC).isoformat(sep=" ")
        with open_engine(threads=1) as engine:
            engine.name("cut", files)
            query = f"SELECT MAX(available_at) AS known FROM cut WHERE available_at <= TIMESTAMPTZ '{limit}'"
            newest: datetime | None = engine.fetch(query).column("known")[0].as_py()
        return newest


@dataclass(frozen=True, slots=True)
class _Span:
    """From when to when the rows of a file became known."""

    rows: int
    first: datetime
    last: datetime


def _span_of(path: Path) -> _Span:
    try:
        return _read_span(path)
    except (pa.ArrowException, OSError, ValueError) as cause:
        raise IntegrityError(
            "a stored file cannot be read",
            expected=f"{path.parent.name}/{path.name} as its manifest says",
            found=type(cause).__name__,
            todo="restore it from a backup, or load and build again",
        ) from cause


def _read_span(path: Path) -> _Span:
    footer = pq.read_metadata(path)
    column = footer.schema.names.index("available_at")
    groups = [footer.row_group(number).column(column) for number in range(footer.num_row_groups)]
    kept = [group.statistics for group in groups if group.num_values]
    if all(one is not None and one.has_min_max for one in kept):
        ends = [(one.min, one.max) for one in kept]
    else:
        span = pc.min_max(pq.read_table(path, columns=["available_at"]).column(0)).as_py()
        ends = [(span["min"], span["max"])]
    if not ends or not footer.num_rows:
        return _Span(0, _NEVER, _NEVER)
    return _Span(footer.num_rows, min(first for first, _ in ends), max(last for _, last in ends))


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
