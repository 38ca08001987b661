"""Which snapshot of an account was the latest one known at each moment?

Grain in: rows of (keys, moment) and the snapshot files of one view. Grain out: one row per row in, in the same order.
A snapshot counts at moment ``t`` when ``as_of <= t``, ``known_at <= t`` and ``as_of > t - ttl``; the latest ``as_of``
wins, then the latest ``known_at``. Where none counts, every feature is null: an old value is no value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import IntegrityError, MissingStateError
from features.manifest import Dataset
from features.query_engine import QueryEngine
from features.vocabulary import require_utc

ROWS = "asked_rows"
ROW_ID = "row_id"
MOMENT = "moment"
_SNAPSHOTS = "snapshot_rows"
_ARROW_TYPES = {"DOUBLE": pa.float64(), "VARCHAR": pa.string()}


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """The snapshots of one view: where they lie, and what their columns are called.

    ``features`` gives each wanted column its SQL type, ``DOUBLE`` or ``VARCHAR``.
    """

    folder: Path
    keys: tuple[str, ...]
    as_of: str
    known_at: str
    features: Mapping[str, str]

    def files(self, first: datetime | None, last: datetime | None) -> tuple[Path, ...]:
        """The files the manifest names, without those whose one ``as_of`` lies outside ``[first, last]``.

        Raises:
            MissingStateError: nothing was ever built.
            IntegrityError: a file is not the one that was written.
        """
        dataset = Dataset(self.folder)
        entries = dataset.entries()
        if not entries:
            raise MissingStateError(
                f"no snapshot of {self.folder.name} is stored",
                expected="at least one built snapshot",
                found="none",
                todo="run `pulse build`",
            )
        kept = [entry.facts.get("as_of") for entry in entries]
        return tuple(path for path, said in zip(dataset.files(), kept, strict=True) if _within(said, first, last))


def name_rows(engine: QueryEngine, keys: Mapping[str, pa.Array], moments: pa.Array) -> None:
    """Give the rows that ask their name in an engine, each with its number in ``row_id``."""
    numbers = pa.array(np.arange(len(moments), dtype=np.int64))
    microseconds = pc.cast(moments, pa.timestamp("us", tz="UTC"), safe=False)
    engine.name_rows(ROWS, pa.table({ROW_ID: numbers, MOMENT: microseconds, **keys}))


def join_as_of(engine: QueryEngine, view: SnapshotView, *, ttl: timedelta | None) -> pa.Table:
    """The features of one view for the named rows: one column each, row for row.

    Raises:
        IntegrityError: the join lost or multiplied rows (two snapshots with the same keys, ``as_of`` and ``known_at``).
    """
    bounds = engine.fetch(
        f"SELECT MIN({MOMENT}) AS first, MAX({MOMENT}) AS last, COUNT(*) AS n FROM {ROWS}"
    ).to_pylist()
    first, last, count = bounds[0]["first"], bounds[0]["last"], bounds[0]["n"]
    files = view.files(first - ttl if first and ttl else None, last)
    if not files or not count:
        return pa.table({name: pa.nulls(count, _ARROW_TYPES[kind]) for name, kind in view.features.items()})
    _name_snapshots(engine, view, files)
    answer = engine.fetch(_join_query(view, ttl, known=_AS_OF_JOIN if engine.joins_as_of else _LAST_SEEN))
    if not np.array_equal(answer.column(ROW_ID).to_numpy(), np.arange(count)):
        raise IntegrityError(
            f"the point-in-time join with {view.folder.name} changed the number of rows",
            expected=f"{count} rows, each once",
            found=f"{answer.num_rows} rows",
            todo="run `pulse build` again: a snapshot holds an account twice",
        )
    return answer.drop_columns([ROW_ID])


def latest_known(engine: QueryEngine, view: SnapshotView, *, after: datetime, until: datetime) -> pa.Table:
    """The latest snapshot per key with ``as_of`` in ``(after, until]`` and ``known_at <= until``, sorted by key.

    Raises:
        IntegrityError: a snapshot holds a key twice.
    """
    files = view.files(after, until)
    if not files:
        return _no_rows(view)
    _name_snapshots(engine, view, files)
    rows = engine.fetch(_latest_query(view, after, until))
    keys = rows.select(view.keys).group_by(list(view.keys)).aggregate([])
    if keys.num_rows != rows.num_rows:
        raise IntegrityError(
            f"a snapshot of {view.folder.name} holds an account twice",
            expected=f"{keys.num_rows} rows, one per account",
            found=f"{rows.num_rows} rows",
            todo="run `pulse build` again",
        )
    return rows


def rows_between(engine: QueryEngine, view: SnapshotView, *, first: datetime | None, last: datetime | None) -> pa.Table:
    """Every snapshot row with ``as_of`` in ``[first, last]``, sorted by key and time."""
    files = view.files(first, last)
    if not files:
        return _no_rows(view)
    _name_snapshots(engine, view, files)
    bounds = [f"{_named(view.as_of)} {sign} {_literal(at)}" for sign, at in ((">=", first), ("<=", last)) if at]
    order = _each("", (*view.keys, view.as_of, view.known_at))
    return engine.fetch(f"SELECT {_columns(view)} FROM {_SNAPSHOTS} WHERE {_all(bounds)} ORDER BY {order}")


_AS_OF_JOIN = """
            SELECT r.{row_id}, r.{moment}, {newest_keys}, n.{as_of}, n.{known_at} FROM {rows} AS r
            ASOF JOIN newest AS n ON {same_keys} AND r.{moment} >= n.usable_at"""
_LAST_SEEN = """
            SELECT {row_id}, {keys}, {moment}, {as_of}, {known_at} FROM (
                SELECT {row_id}, {keys}, {moment}, is_asked,
                    LAST_VALUE({as_of} IGNORE NULLS) OVER so_far AS {as_of},
                    LAST_VALUE({known_at} IGNORE NULLS) OVER so_far AS {known_at}
                FROM (
                    SELECT {keys}, usable_at AS {moment}, 0 AS is_asked, CAST(NULL AS BIGINT) AS {row_id},
                        {as_of}, {known_at} FROM newest
                    UNION ALL
                    SELECT {keys}, {moment}, 1 AS is_asked, {row_id}, NULL AS {as_of}, NULL AS {known_at} FROM {rows}
                ) AS told
                WINDOW so_far AS (PARTITION BY {keys} ORDER BY {moment}, is_asked ROWS UNBOUNDED PRECEDING)
            ) AS seen WHERE is_asked = 1 AND {as_of} IS NOT NULL"""


def _join_query(view: SnapshotView, ttl: timedelta | None, *, known: str) -> str:
    as_of, known_at = _named(view.as_of), _named(view.known_at)
    keys = _each("", view.keys)
    fresh = f"WHERE r.{as_of} > r.{MOMENT} - {_interval(ttl)}" if ttl else ""
    found = known.format(
        row_id=ROW_ID,
        moment=MOMENT,
        rows=ROWS,
        keys=keys,
        newest_keys=_each("n.", view.keys),
        same_keys=_equal("n.", "r.", view.keys),
        as_of=as_of,
        known_at=known_at,
    )
    # A snapshot can be used from GREATEST(as_of, known_at) on. One that a later as_of overtook by then never is the
    # latest; without those, "the last one usable" and "the latest known" are the same row, which is one as-of join.
    return f"""
        WITH usable AS (
            SELECT {keys}, {as_of}, {known_at}, GREATEST({as_of}, {known_at}) AS usable_at FROM {_SNAPSHOTS}
        ),
        ranked AS (
            SELECT *,
                ROW_NUMBER() OVER (PARTITION BY {keys}, usable_at ORDER BY {as_of} DESC, {known_at} DESC) AS place,
                MAX({as_of}) OVER (
                    PARTITION BY {keys} ORDER BY usable_at, {as_of}, {known_at} ROWS UNBOUNDED PRECEDING
                ) AS latest
            FROM usable
        ),
        newest AS (SELECT * FROM ranked WHERE place = 1 AND {as_of} = latest),
        found AS ({found}
        ),
        known AS (SELECT r.* FROM found AS r {fresh})
        SELECT r.{ROW_ID}, {_typed(view, "s.")} FROM {ROWS} AS r
        LEFT JOIN known AS k ON k.{ROW_ID} = r.{ROW_ID}
        LEFT JOIN {_SNAPSHOTS} AS s
            ON {_equal("s.", "k.", view.keys)} AND s.{as_of} = k.{as_of} AND s.{known_at} = k.{known_at}
        ORDER BY r.{ROW_ID}"""


def _latest_query(view: SnapshotView, after: datetime, until: datetime) -> str:
    as_of, known_at = _named(view.as_of), _named(view.known_at)
    keys = _each("", view.keys)
    return f"""
        SELECT {_columns(view)} FROM (
            SELECT *, RANK() OVER (PARTITION BY {keys} ORDER BY {as_of} DESC, {known_at} DESC) AS recency
            FROM {_SNAPSHOTS}
            WHERE {as_of} > {_literal(after)} AND {as_of} <= {_literal(until)} AND {known_at} <= {_literal(until)}
        ) WHERE recency = 1 ORDER BY {keys}"""


def _name_snapshots(engine: QueryEngine, view: SnapshotView, files: tuple[Path, ...]) -> None:
    engine.name(_SNAPSHOTS, files, same_columns=True)
    found = engine.columns(f"SELECT * FROM {_SNAPSHOTS}")
    missing = [name for name in (*view.keys, view.as_of, view.known_at, *view.features) if name not in found]
    if missing:
        raise IntegrityError(
            f"the snapshots of {view.folder.name} lack columns of the catalogue",
            expected=", ".join(missing),
            found="snapshots built without them",
            todo="run `pulse build` over the whole history",
        )


def _no_rows(view: SnapshotView) -> pa.Table:
    moment = pa.timestamp("us", tz="UTC")
    types = {
        **dict.fromkeys(view.keys, pa.string()),
        **{name: _ARROW_TYPES[kind] for name, kind in view.features.items()},
        view.as_of: moment,
        view.known_at: moment,
    }
    return pa.schema(list(types.items())).empty_table()


def _columns(view: SnapshotView) -> str:
    keys = _each("", view.keys)
    return f"{keys}, {_typed(view)}, {_named(view.as_of)}, {_named(view.known_at)}"


def _typed(view: SnapshotView, prefix: str = "") -> str:
    return ", ".join(
        f"CAST({prefix}{_named(name)} AS {kind}) AS {_named(name)}" for name, kind in view.features.items()
    )


def _within(said: str | None, first: datetime | None, last: datetime | None) -> bool:
    # A file that does not say its as_of is always read.
    if said is None:
        return True
    as_of = datetime.fromisoformat(said)
    return (first is None or as_of >= first) and (last is None or as_of <= last)


def _each(prefix: str, columns: Sequence[str]) -> str:
    return ", ".join(prefix + _named(column) for column in columns)


def _equal(left: str, right: str, columns: Sequence[str]) -> str:
    return " AND ".join(f"{left}{_named(column)} = {right}{_named(column)}" for column in columns)


def _all(conditions: list[str]) -> str:
    return " AND ".join(conditions) or "true"


def _named(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _literal(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{require_utc(moment).isoformat()}'"


def _interval(length: timedelta) -> str:
    return f"INTERVAL '{length // timedelta(microseconds=1)}' MICROSECOND"
