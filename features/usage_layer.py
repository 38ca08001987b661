"""Which weeks of use are worked up already, and which has a later load touched?

Usage is most of a company's rows, and hardly any of it changes. So the answers of the steps that read it row by row are
kept: by week of use, and over all of them. A week is worked up again when a load brought a row of it, out of all its
rows. What is kept is derived and may be deleted at any time; with other SQL, with another notion of who is who, or when
a stored file was replaced, all is made again. One manifest names all files, so that a crash leaves the last state.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import rmtree

import pyarrow as pa
import pyarrow.parquet as pq

from features.manifest import Dataset, StoredFile, stored_file
from features.settings import Home
from features.warehouse import Engine, Warehouse

BY_WEEK = ("usage_user_weeks", "usage_changes", "deep_days")
"""Steps whose rows of a week of use rest on the usage of that week alone."""

OVER_ALL = ("usage_starts", "usage_users")
"""Steps with one file: the first use of an account, and the numbers of users, which they keep for ever."""

_USAGE = ("usage_daily", "usage_events")
_STATE = "usage_users"
"""The file whose facts tell what all of them rest on."""

Staged = list[tuple[Path, StoredFile]]


def basis_of(texts: Mapping[str, str], identity: str) -> str:
    """A digest of the SQL, and of how accounts and people are told apart; with another one nothing kept counts."""
    read = [texts[step] for step in (*BY_WEEK, *OVER_ALL)]
    return hashlib.sha256("\n".join([*read, identity]).encode()).hexdigest()


class UsageLayer:
    """The kept answers of one home."""

    def __init__(self, home: Home) -> None:
        self._warehouse = Warehouse(home)
        self._dataset = Dataset(home.root / "kept" / "usage")

    def files(self, step: str, first: datetime, last: datetime) -> tuple[Path, ...]:
        """The files of a step; of one that is kept by week, those of weeks that begin in ``[first, last]``.

        Raises:
            IntegrityError: a file is not the one that was written.
        """
        told = zip(self._dataset.entries(), self._dataset.files(), strict=True)
        of_step = [(entry.facts.get("week"), path) for entry, path in told if entry.facts["step"] == step]
        begin, end = first.date().isoformat(), last.date().isoformat()
        return tuple(path for week, path in of_step if week is None or begin <= week <= end)

    def catch_up(self, engine: Engine, texts: Mapping[str, str], basis: str, scratch: Path) -> None:
        """Work up what was loaded since, from the usage that has its names in this engine.

        Raises:
            IntegrityError: a stored file is not the one that was written.
        """
        there = self._stored_usage()
        state = next((entry.facts for entry in self._dataset.entries() if entry.name == _STATE), {})
        taken = set(state.get("taken", "").split())
        goes_on = state.get("basis") == basis and taken <= set(there)
        new = {name: path for name, path in there.items() if name not in taken}
        if goes_on and not new:
            return
        folder = scratch / "usage_layer"
        folder.mkdir()
        weeks = _touched(engine, new) if goes_on and taken else None
        _work_up(engine, texts, folder, weeks, self._kept_users(engine) if weeks is not None else None)
        self._store(engine, folder, weeks, {"basis": basis, "taken": " ".join(sorted(there))})
        rmtree(folder)

    def _stored_usage(self) -> dict[str, Path]:
        datasets = {table: self._warehouse.dataset(table) for table in _USAGE}
        return {
            f"{table}/{entry.name}/{entry.sha256[:16]}": path
            for table, dataset in datasets.items()
            for entry, path in zip(dataset.entries(), dataset.files(), strict=True)
            if entry.rows
        }

    def _kept_users(self, engine: Engine) -> str:
        for step in OVER_ALL:
            engine.name(f"_kept_{step}", self.files(step, _EVER, _EVER))
        return "_kept_usage_users"

    def _store(self, engine: Engine, folder: Path, weeks: Sequence[date] | None, facts: Mapping[str, str]) -> None:
        touched = None if weeks is None else {week.isoformat() for week in weeks}
        gone = [
            entry.name for entry in self._dataset.entries() if touched is None or entry.facts.get("week") in touched
        ]
        staged: Staged = []
        for step in BY_WEEK:
            rows = f"SELECT *, CAST(CAST(week_start AS DATE) AS VARCHAR) AS part FROM _layer_{step}"
            # Without any use there still are columns to read.
            engine.write(f"SELECT * FROM _layer_{step} LIMIT 0", folder / "none.parquet")
            staged.append(self._staged(folder / "none.parquet", f"{step}.none", {"step": step}))
            for week, paths in engine.write_parts(rows, folder / f"{step}_by_week", "part").items():
                for number, path in enumerate(paths):
                    staged.append(self._staged(path, f"{step}.{week}.{number}", {"step": step, "week": week}))
        for step in OVER_ALL:
            said = {"step": step, **(facts if step == _STATE else {})}
            staged.append(self._staged(folder / f"{step}.parquet", step, said))
        self._dataset.commit(staged, replacing=gone)

    def _staged(self, path: Path, name: str, facts: dict[str, str]) -> tuple[Path, StoredFile]:
        staging = self._dataset.staging(name)
        path.rename(staging)
        return staging, stored_file(staging, name=name, rows=pq.read_metadata(staging).num_rows, facts=facts)


_EVER = datetime.min.replace(tzinfo=UTC)


def _touched(engine: Engine, new: Mapping[str, Path]) -> list[date]:
    # Versions of an event may lie in several weeks: all of these are touched.
    queries = []
    for table, query in _WEEKS.items():
        files = [path for name, path in new.items() if name.startswith(f"{table}/")]
        if files:
            engine.name(f"_new_{table}", files)
            queries.append(query.format(new=f"_new_{table}"))
    found = engine.fetch(f"SELECT DISTINCT CAST(week AS DATE) AS week FROM ({' UNION ALL '.join(queries)}) AS told")
    return sorted(found.column("week").to_pylist())


_WEEKS = {
    "usage_daily": "SELECT DISTINCT DATE_TRUNC('week', usage_date) AS week FROM {new}",
    "usage_events": "SELECT DISTINCT DATE_TRUNC('week', CAST(event_at AS DATE)) AS week FROM usage_events "
    "WHERE event_id IN (SELECT event_id FROM {new})",
}


def _work_up(
    engine: Engine, texts: Mapping[str, str], folder: Path, weeks: Sequence[date] | None, users: str | None
) -> None:
    # Every name begins with _layer_, so that the run's own tables keep theirs.
    names = {"weeks": "_layer_weeks"}
    if weeks is None:
        each = " UNION ALL ".join(query.format(new=table) for table, query in _WEEKS.items())
        found = engine.fetch(f"SELECT DISTINCT CAST(week AS DATE) AS week FROM ({each}) AS told")
        weeks = found.column("week").to_pylist()
    else:
        within = _within(weeks)
        engine.name_query("_layer_usage_daily", f"SELECT * FROM usage_daily WHERE {within.format(day='usage_date')}")
        engine.name_query(
            "_layer_usage_events",
            "SELECT * FROM usage_events WHERE event_id IN ("
            f"SELECT event_id FROM usage_events WHERE {within.format(day='CAST(event_at AS DATE)')})",
        )
        names |= {table: f"_layer_{table}" for table in _USAGE}
    moments = [datetime(week.year, week.month, week.day, tzinfo=UTC) for week in weeks]
    engine.name_rows("_layer_weeks", pa.table({"week_start": pa.array(moments, pa.timestamp("us", tz="UTC"))}))
    _answer(engine, reading(texts["usage_user_weeks"], names), folder, "usage_user_weeks")
    _number(engine, folder, users)
    names |= {step: f"_layer_{step}" for step in ("usage_user_weeks", "usage_users")}
    for step in BY_WEEK[1:]:
        _answer(engine, reading(texts[step], names), folder, step)
    starts = reading(texts["usage_starts"], names)
    if users is not None:
        both = f"SELECT * FROM ({starts}) AS fresh UNION ALL SELECT * FROM _kept_usage_starts"
        starts = f"SELECT account_id, MIN(first_at) AS first_at FROM ({both}) AS told GROUP BY account_id"
    _answer(engine, starts, folder, "usage_starts")


def _number(engine: Engine, folder: Path, users: str | None) -> None:
    # A user keeps the number it was once given: it stands in weeks that are not worked up again.
    if users is None:
        _answer(engine, reading(_USERS, {"usage_user_weeks": "_layer_usage_user_weeks"}), folder, "usage_users")
        return
    fresh = (
        "SELECT DISTINCT w.account_id, w.user_key FROM _layer_usage_user_weeks AS w "
        f"LEFT JOIN {users} AS k ON w.account_id = k.account_id AND w.user_key = k.user_key "
        "WHERE w.user_key IS NOT NULL AND k.user_no IS NULL"
    )
    numbered = (
        f"SELECT (SELECT COALESCE(MAX(user_no), 0) FROM {users}) + ROW_NUMBER() OVER (ORDER BY account_id, user_key) "
        f"AS user_no, account_id, user_key FROM ({fresh}) AS fresh"
    )
    _answer(engine, f"SELECT user_no, account_id, user_key FROM {users} UNION ALL {numbered}", folder, "usage_users")
    rows = folder / "numbered.parquet"
    engine.write(
        "SELECT w.* EXCLUDE (user_no), u.user_no FROM _layer_usage_user_weeks AS w LEFT JOIN _layer_usage_users AS u "
        "ON w.account_id = u.account_id AND w.user_key = u.user_key",
        rows,
    )
    engine.name("_layer_usage_user_weeks", [rows])


_USERS = "SELECT DISTINCT user_no, account_id, user_key FROM usage_user_weeks WHERE user_no IS NOT NULL"


def _answer(engine: Engine, sql: str, folder: Path, step: str) -> None:
    target = folder / f"{step}.parquet"
    engine.write(sql, target)
    engine.name(f"_layer_{step}", [target])


def _within(weeks: Sequence[date]) -> str:
    # Ranges, so that files and parts of files that hold none of these days are not read.
    spans: list[list[date]] = []
    for week in weeks:
        if spans and spans[-1][1] == week:
            spans[-1][1] = week + timedelta(days=7)
        else:
            spans.append([week, week + timedelta(days=7)])
    return " OR ".join(f"({{day}} >= DATE '{first}' AND {{day}} < DATE '{end}')" for first, end in spans) or "false"


def reading(sql: str, names: Mapping[str, str]) -> str:
    """The text of a step that reads other relations in place of some."""
    for name, other in names.items():
        sql = re.sub(rf"\b(FROM|JOIN)(\s+){name}\b", rf"\1\2{other}", sql)
    return sql
