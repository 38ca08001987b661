"""What do the features of an account say once rows of another id turn out to be its own?

Grain in and out: the views of a build. A row that comes under another account counts there from when that was known,
so the weeks before it, as they were seen then, lack it: usage would seem to have jumped with the merger. From that
moment on the account is computed anew over one history, as if it had gone by one id ever since, with the norms of the
build: few accounts, by the same SQL. Snapshots of before stay as they were.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from features.company_levels import NORMS, OTHER_ACCOUNTS
from features.events import TABLES
from features.identity import AS_CAME, NameAgain, Resolved, resolve
from features.query_engine import QueryEngine
from features.shelf import OWNERS, shelf_key
from features.warehouse import Engine, open_engine

Compute = Callable[[Engine, datetime], None]
"""Run every step that speaks of one account in an engine, over weeks from a first one on."""
_CHANGED = "_pulse_changed"
_IS_CHANGED = (
    f"SELECT 1 FROM {_CHANGED} AS c WHERE c.id = v.account_id AND v.as_of >= c.first_as_of AND v.as_of <= c.last_as_of"
)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Ids that are tied together, and the snapshots from ``first`` to ``last`` that know one and the same of them."""

    ids: frozenset[str]
    first: datetime
    last: datetime


def give_one_history(
    engine: QueryEngine,
    resolved: Resolved,
    as_ofs: Sequence[datetime],
    scratch: Path,
    *,
    views: Sequence[str],
    compute: Compute,
) -> int:
    """Replace the rows of such accounts in the views that have their names in the engine; the answer is how many ids.

    The engine has run every step for ``as_ofs``. Where every alias was known before the rows it speaks of, nothing is
    done.
    """
    stretches = _stretches(resolved, as_ofs)
    if not stretches:
        return 0
    for table in TABLES:
        resolved.name_again(table, f"{AS_CAME}{table}")
    found: dict[str, list[pa.Table]] = defaultdict(list)
    first_week = engine.fetch("SELECT MIN(week_start) AS first FROM weeks").column("first")[0].as_py()
    for chosen in _rounds(stretches):
        with open_engine(scratch=scratch / "spill") as own:
            _name_rows(engine, own, {one for stretch in chosen for one in stretch.ids})
            resolve(own, _again(own), settled={one: stretch.last for stretch in chosen for one in stretch.ids})
            compute(own, first_week)
            own.name_rows(_CHANGED, _changed(chosen))
            for view in views:
                found[view].append(own.fetch(f'SELECT v.* FROM "{view}" AS v WHERE EXISTS ({_IS_CHANGED})'))
    engine.name_rows(_CHANGED, _changed(stretches))
    for view, tables in found.items():
        _replace(engine, view, pa.concat_tables(tables), scratch)
    return len({one for stretch in stretches for one in stretch.ids})


def _stretches(resolved: Resolved, as_ofs: Sequence[datetime]) -> list[_Stretch]:
    moments: dict[frozenset[str], set[datetime]] = defaultdict(set)
    for one, moment in resolved.late:
        moments[resolved.aliases.circle_of(one)].add(moment)
    found = []
    for ids, changes in moments.items():
        ordered = sorted(changes)
        for begin, end in zip(ordered, [*ordered[1:], None], strict=True):
            inside = [as_of for as_of in as_ofs if as_of >= begin and (end is None or as_of < end)]
            if inside:
                found.append(_Stretch(ids, inside[0], inside[-1]))
    return sorted(found, key=lambda stretch: (sorted(stretch.ids), stretch.first))


def _rounds(stretches: Sequence[_Stretch]) -> list[list[_Stretch]]:
    # One id means one account at a time, so the second stretch of an account is computed in the second round.
    rounds: list[list[_Stretch]] = []
    seen: Counter[frozenset[str]] = Counter()
    for stretch in stretches:
        if len(rounds) == seen[stretch.ids]:
            rounds.append([])
        rounds[seen[stretch.ids]].append(stretch)
        seen[stretch.ids] += 1
    return rounds


def _name_rows(engine: QueryEngine, own: QueryEngine, ids: set[str]) -> None:
    """Give an engine the rows of these ids as they came, and what the whole company tells."""
    keys: dict[str, list[str]] = {"account_id": sorted(ids)}
    # Owners come first in the declared order of tables, so that what they own can be asked for.
    for name, table in TABLES.items():
        key = shelf_key(table)
        rows = _rows_of(engine, name, key, keys[key] if key else [])
        own.name_rows(f"{AS_CAME}{name}", rows)
        own.name_query(name, f'SELECT * FROM "{AS_CAME}{name}"')
        for owned, owner in OWNERS.items():
            if owner == name:
                keys[owned] = rows.column(owned).unique().to_pylist()
    for norm in NORMS:
        own.name_rows(norm, engine.fetch(f'SELECT * FROM "{norm}"'))
    others = "SELECT * FROM account_states WHERE account_id IN (SELECT account_id FROM market_events)"
    own.name_rows(OTHER_ACCOUNTS, engine.fetch(others))


def _rows_of(engine: QueryEngine, table: str, key: str | None, wanted: Sequence[str]) -> pa.Table:
    query = f'SELECT * FROM "{AS_CAME}{table}"'
    if key is None:
        return engine.fetch(query)
    engine.name_rows("_pulse_wanted", pa.table({"id": pa.array(wanted, pa.string())}))
    return engine.fetch(f'{query} WHERE "{key}" IN (SELECT id FROM _pulse_wanted)')


def _again(own: QueryEngine) -> NameAgain:
    def name_again(table: str, name: str) -> None:
        if name != f"{AS_CAME}{table}":
            own.name_query(name, f'SELECT * FROM "{AS_CAME}{table}"')

    return name_again


def _changed(stretches: Sequence[_Stretch]) -> pa.Table:
    rows = [(one, stretch.first, stretch.last) for stretch in stretches for one in sorted(stretch.ids)]
    moment = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "id": pa.array([one for one, _, _ in rows], pa.string()),
            "first_as_of": pa.array([first for _, first, _ in rows], moment),
            "last_as_of": pa.array([last for _, _, last in rows], moment),
        }
    )


def _replace(engine: QueryEngine, view: str, rows: pa.Table, scratch: Path) -> None:
    own, target = f"_own_{view}", scratch / f"one_history_{view}.parquet"
    engine.name_rows(own, rows)
    kept = f'SELECT v.* FROM "{view}" AS v WHERE NOT EXISTS ({_IS_CHANGED})'
    engine.write(f'{kept} UNION ALL SELECT * FROM "{own}"', target)
    engine.name(view, [target])
