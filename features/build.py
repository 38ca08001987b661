"""How do the SQL steps become feature snapshots?

Grain in: canonical tables. Grain out: one row per live account and ``as_of`` (Monday 00:00 UTC) in the dataset
``cohort`` and in one dataset per subcategory. A step reads only rows with ``available_at <= as_of``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.campaigns import campaign_windows
from features.company_levels import store_norms
from features.errors import MissingStateError
from features.inputs import INPUTS, inputs_of
from features.manifest import Dataset, StoredFile, stored_file
from features.progress import Progress, silent
from features.settings import Home
from features.vocabulary import WEEK, Subcategory, snapshot_at_or_before, snapshots_between
from features.warehouse import Engine, Warehouse

COHORT = "cohort"
VIEWS = (COHORT, *(str(part) for part in Subcategory))
"""The datasets that a build writes; each is the answer of the SQL step of the same name."""

STEPS = (
    "account_states",
    "contract_states",
    "live_contracts",
    "cohort",
    "account_weeks",
    "phase_weeks",
    "usage_user_weeks",
    "usage_users",
    "usage_changes",
    "usage_reach",
    "usage_weeks",
    "usage_windows",
    "segment_levels",
    "usage_baselines",
    "phase_multipliers",
    "usage_expected",
    "seat_spans",
    "seat_counts",
    "seat_adoption",
    "champions",
    "engagement",
    "survey_lives",
    "ticket_lives",
    "payment_lives",
    "source_starts",
    "campaign_spans",
    "campaign_standing",
    "campaign_lapses",
    "campaign_sums",
    "wrap_scores",
    "wrap_thresholds",
    "mood_levels",
    "campaign_mood",
    "campaign",
    "version_lives",
    "review_lives",
    "revision_cycles",
    "revision_levels",
    "revision_pars",
    "open_revisions",
    "approval_lives",
    "decision_waits",
    "project_lives",
    "milestone_lives",
    "project_weeks",
    "output_quality_spans",
    "output_quality_counts",
    "output_quality_rates",
    "output_quality",
    "invoice_lives",
    "credit_lives",
    "seat_peaks",
    "minor_units",
    "invoice_standing",
    "invoice_counts",
    "late_invoice_rates",
    "financial",
    "invitation_lives",
    "ticket_rates",
    "ticket_pars",
    "sentiment_counts",
    "sentiment_rates",
    "sentiment",
    "market_lives",
    "family_windows",
    "segment_losses",
    "consumption_trends",
    "market",
    "source_weeks",
    "live_campaigns",
    "task_lives",
    "project_tasks",
    "project_phases",
    "context",
)
"""SQL steps in the order they run; a step may read the canonical tables, the run's tables and every step before it."""

ONBOARDING = timedelta(weeks=26)
"""An account younger than this is not scored: half of what the features look back on is not there yet."""


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
    return build_at(home, as_ofs, onboarding=onboarding, progress=progress)


def build_at(
    home: Home, as_ofs: Sequence[datetime], *, onboarding: timedelta = ONBOARDING, progress: Progress = silent
) -> BuildReport:
    """Build these snapshots (in order, at least one) anew and store them; others stay as they are.

    Raises:
        MissingStateError: the warehouse has no accounts or contracts.
    """
    warehouse = Warehouse(home)
    warehouse.require_rows("accounts_history", "contracts_history")
    home.prepare()
    # Before the files are opened: rows that arrive in between make the snapshot late, never wrongly up to date.
    inputs = inputs_of(home, as_ofs)
    with TemporaryDirectory(dir=home.root, prefix="build-") as scratch, warehouse.engine() as engine:
        name_run(engine, as_ofs, onboarding=onboarding)
        run_steps(engine, STEPS, Path(scratch), progress=progress)
        rows = {view: _store(engine, home, view, inputs) for view in VIEWS}
        store_norms(engine, home, as_ofs[-1])
    return BuildReport(first=as_ofs[0], last=as_ofs[-1], snapshots=len(as_ofs), rows=rows)


def name_run(
    engine: Engine,
    as_ofs: Sequence[datetime],
    *,
    onboarding: timedelta = ONBOARDING,
    first_week: datetime | None = None,
) -> None:
    """Name the tables that tell the SQL what to build: ``run``, ``as_of_grid``, ``weeks``, ``campaign_windows``.

    ``weeks`` has the start of every week from the first usage, or the first contract, to the last snapshot;
    ``first_week`` overrules that for rows that are only a part of the company's.
    """
    moments = pa.timestamp("us", tz="UTC")
    run = {
        "first_as_of": pa.array([as_ofs[0]], moments),
        "last_as_of": pa.array([as_ofs[-1]], moments),
        "onboarding_days": pa.array([onboarding.days], pa.int64()),
    }
    engine.name_rows("run", pa.table(run))
    engine.name_rows("as_of_grid", pa.table({"as_of": pa.array(as_ofs, moments)}))
    begin = min(first_week or _first_week(engine), as_ofs[0])
    # Counted back from the last snapshot, which may be no Monday: then every week begins on its weekday.
    count = -(-(as_ofs[-1] - begin) // WEEK)
    weeks = [as_ofs[-1] - number * WEEK for number in range(count, -1, -1)]
    engine.name_rows("weeks", pa.table({"week_start": pa.array(weeks, moments)}))
    engine.name_rows("campaign_windows", campaign_windows(engine))


def run_steps(engine: Engine, steps: Sequence[str], scratch: Path, *, progress: Progress = silent) -> None:
    """Run SQL steps in order; each answer is written to a Parquet file in ``scratch`` and gets the step's name."""
    for done, step in enumerate(steps, start=1):
        target = scratch / f"{step}.parquet"
        engine.write(step_sql(step), target)
        engine.name(step, [target])
        progress("build features", done, len(steps))


@cache
def step_sql(step: str) -> str:
    """The text of one SQL step."""
    return resources.files("features").joinpath("sql", f"{step}.sql").read_text().rstrip().rstrip(";")


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


def _first_week(engine: Engine) -> datetime:
    query = "SELECT MIN(event_at) AS first FROM (SELECT MIN(event_at) AS event_at FROM usage_daily UNION ALL SELECT MIN(event_at) FROM usage_events UNION ALL SELECT MIN(event_at) FROM contracts_history)"  # noqa: E501
    moment = engine.fetch(query).column("first")[0].as_py()
    if moment is None:
        raise MissingStateError(
            "no usage and no contract is loaded",
            expected="rows in usage_daily or contracts_history",
            found="none",
            todo="run `pulse ingest DIR`",
        )
    return snapshot_at_or_before(moment)


def _store(engine: Engine, home: Home, view: str, inputs: Mapping[datetime, str]) -> int:
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
