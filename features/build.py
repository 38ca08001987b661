"""How do the SQL steps become feature snapshots?

Grain in: canonical tables. Grain out: one row per live account and ``as_of`` (Monday 00:00 UTC) in the dataset
``cohort`` and in one dataset per subcategory. A step reads only rows with ``available_at <= as_of``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.company_levels import store_norms, with_others
from features.engine_place import DUCKDB, EnginePlace, open_at
from features.errors import MissingStateError, UsageError
from features.identity import Resolved, resolve_stored
from features.inputs import INPUTS, inputs_of
from features.kept import Kept, is_worth_keeping
from features.manifest import Dataset, StoredFile, stored_file
from features.one_history import give_one_history
from features.progress import Progress, silent
from features.query_engine import QueryEngine
from features.settings import Home
from features.steps import ONBOARDING, OWN_STEPS, STEPS, name_run, run_steps, step_sql
from features.vocabulary import Subcategory, is_snapshot, snapshots_between
from features.warehouse import Engine, Warehouse

COHORT = "cohort"
VIEWS = (COHORT, *(str(part) for part in Subcategory))
"""The datasets that a build writes; each is the answer of the SQL step of the same name."""
_NAMED = 5
"""Moments that a refusal names."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build wrote: its first and last snapshot, and rows per dataset."""

    first: datetime
    last: datetime
    snapshots: int
    rows: dict[str, int]


def build_snapshots(
    home: Home,
    first: datetime,
    last: datetime,
    *,
    onboarding: timedelta = ONBOARDING,
    place: EnginePlace = DUCKDB,
    progress: Progress = silent,
) -> BuildReport:
    """Build every weekly snapshot in ``[first, last]`` anew and store it; other snapshots stay as they are.

    Raises:
        MissingStateError: the warehouse has no accounts or contracts, or no Monday lies in the range.
    """
    as_ofs = tuple(snapshots_between(first, last))
    if not as_ofs:
        raise MissingStateError(
            "no snapshot lies in this range",
            expected="a range that holds a Monday",
            found=f"{first.date()} to {last.date()}",
            todo="widen the range to a week or more",
        )
    return build_at(home, as_ofs, onboarding=onboarding, place=place, progress=progress)


def build_at(
    home: Home,
    as_ofs: Sequence[datetime],
    *,
    onboarding: timedelta = ONBOARDING,
    place: EnginePlace = DUCKDB,
    progress: Progress = silent,
) -> BuildReport:
    """Build these snapshots (Mondays in order, at least one) anew and store them; others stay as they are.

    On another engine than the default one, nothing is kept from build to build.

    Raises:
        UsageError: a moment that is no Monday 00:00 UTC, or they are not in order.
        MissingStateError: the warehouse has no accounts or contracts.
        ConfigError, ServiceUnavailable: the engine cannot be started.
    """
    _require_mondays(as_ofs)
    warehouse = Warehouse(home)
    warehouse.require_rows("accounts_history", "contracts_history")
    home.prepare()
    # Before the files are opened: rows that arrive in between make the snapshot late, never wrongly up to date.
    inputs = inputs_of(home, as_ofs)
    keeps = place == DUCKDB and is_worth_keeping(home)
    kept = Kept(home, as_ofs, {step: step_sql(step) for step in STEPS}) if keeps else None
    with TemporaryDirectory(dir=home.root, prefix="build-") as scratch, open_at(place, Path(scratch)) as engine:
        warehouse.name_tables(engine)
        resolved = resolve_stored(engine, warehouse)
        run = partial(run_steps, kept=kept.under(resolved) if kept else None, progress=progress)
        compute_views(engine, resolved, as_ofs, Path(scratch), onboarding=onboarding, run=run)
        rows = {view: _store(engine, home, view, inputs) for view in VIEWS}
        store_norms(engine, home, as_ofs[-1])
        # Last, as it takes away files that answers of this build are read from.
        if kept and isinstance(engine, Engine):
            kept.keep(engine)
    return BuildReport(first=as_ofs[0], last=as_ofs[-1], snapshots=len(as_ofs), rows=rows)


def _require_mondays(as_ofs: Sequence[datetime]) -> None:
    strays = [as_of for as_of in as_ofs if not is_snapshot(as_of)]
    if strays or not as_ofs or any(later <= earlier for earlier, later in pairwise(as_ofs)):
        told = ", ".join(f"{as_of:%a %Y-%m-%d %H:%M %Z}" for as_of in (strays or as_ofs)[:_NAMED])
        raise UsageError(
            "snapshots cannot be built at these moments",
            expected="at least one Monday 00:00 UTC, each once and the oldest first",
            found=told or "none",
            todo="give the Mondays of a range, as `snapshots_between` does",
        )


def compute_views(
    engine: QueryEngine,
    resolved: Resolved,
    as_ofs: Sequence[datetime],
    scratch: Path,
    *,
    onboarding: timedelta = ONBOARDING,
    run: Callable[[QueryEngine, Sequence[str], Path], None] | None = None,
) -> None:
    """Run every step for these snapshots over an engine's resolved tables; the views then have their names in it."""

    def compute(own: QueryEngine, first_week: datetime) -> None:
        name_run(own, as_ofs, onboarding=onboarding, first_week=first_week)
        for step in OWN_STEPS:
            own.keep(step, with_others(step_sql(step)) if step == "account_states" else step_sql(step))

    name_run(engine, as_ofs, onboarding=onboarding)
    (run or run_steps)(engine, STEPS, scratch)
    give_one_history(engine, resolved, as_ofs, scratch, views=VIEWS, compute=compute)


def snapshot_dataset(home: Home, view: str) -> Dataset:
    """The stored snapshots of one view; a file holds one ``as_of`` and says so in its facts."""
    return Dataset(home.snapshots / view)


def built_as_ofs(home: Home) -> tuple[datetime, ...]:
    """Every ``as_of`` that has been built, oldest first."""
    entries = snapshot_dataset(home, COHORT).entries()
    return tuple(sorted(datetime.fromisoformat(entry.facts["as_of"]) for entry in entries))


def late_as_ofs(home: Home) -> tuple[datetime, ...]:
    """Every stored ``as_of`` that rows which arrived since its build change, or whose build stopped half-way."""
    today = inputs_of(home, built_as_ofs(home))
    fresh = set(today)
    for view in VIEWS:
        entries = snapshot_dataset(home, view).entries()
        stored = {datetime.fromisoformat(entry.facts["as_of"]): entry.facts.get(INPUTS) for entry in entries}
        fresh = {as_of for as_of in fresh if stored.get(as_of) == today[as_of]}
    return tuple(sorted(set(today) - fresh))


def _store(engine: QueryEngine, home: Home, view: str, inputs: Mapping[datetime, str]) -> int:
    dataset = snapshot_dataset(home, view)
    rows = engine.fetch(f'SELECT * FROM "{view}" ORDER BY as_of, account_id')
    staged = [_stage(dataset, rows, as_of, digest) for as_of, digest in inputs.items()]
    dataset.commit(staged)
    return int(rows.num_rows)


def _stage(dataset: Dataset, rows: pa.Table, as_of: datetime, digest: str) -> tuple[Path, StoredFile]:
    # Rows are sorted by as_of, so one snapshot is one slice.
    column = rows.column("as_of")
    first = pc.sum(pc.less(column, pa.scalar(as_of, column.type))).as_py() or 0
    count = pc.sum(pc.equal(column, pa.scalar(as_of, column.type))).as_py() or 0
    name = as_of.date().isoformat()
    path = dataset.staging(name)
    pq.write_table(rows.slice(first, count), path, compression="zstd", coerce_timestamps="us")
    facts = {"as_of": as_of.isoformat(), INPUTS: digest}
    return path, stored_file(path, name=name, rows=count, facts=facts)
