"""Which SQL steps are there, in which order do they run, and what do they know of the run?

Grain in: canonical tables that have their names in an engine. Grain out: each step's answer, under the step's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from pathlib import Path

import pyarrow as pa

from features.campaigns import campaign_windows
from features.company_levels import NORMS, ONLY_FOR_NORMS
from features.errors import MissingStateError
from features.kept import Kept
from features.progress import Progress, silent
from features.query_engine import QueryEngine
from features.settled import kept_rows
from features.settled_rows import NOTHING_SETTLED, SETTLED_ROWS
from features.vocabulary import WEEK, snapshot_at_or_before
from features.warehouse import Engine

STEPS = (
    "account_states",
    "contract_states",
    "live_contracts",
    "cohort",
    "usage_starts",
    "account_weeks",
    "phase_weeks",
    "usage_user_weeks",
    "usage_users",
    "usage_changes",
    "usage_reach",
    "usage_weeks",
    "usage_moves",
    "usage_windows",
    "segment_levels",
    "usage_baselines",
    "phase_sums",
    "phase_multipliers",
    "usage_expected",
    "seat_spans",
    "seat_counts",
    "seat_adoption",
    "champions",
    "usage_pars",
    "low_weeks",
    "deep_days",
    "deep_users",
    "seat_depth",
    "client_reviewers",
    "engagement",
    "survey_lives",
    "ticket_lives",
    "payment_lives",
    "source_starts",
    "campaign_spans",
    "campaign_standing",
    "campaign_gaps",
    "campaign_lapses",
    "campaign_sums",
    "wrap_scores",
    "wrap_thresholds",
    "mood_levels",
    "campaign_mood",
    "first_uses",
    "campaign_ramps",
    "campaign_seats",
    "campaign",
    "version_lives",
    "review_lives",
    "revision_cycles",
    "revision_levels",
    "revision_pars",
    "open_revisions",
    "approval_lives",
    "comment_settlements",
    "decision_waits",
    "project_lives",
    "milestone_lives",
    "task_lives",
    "project_weeks",
    "output_quality_spans",
    "output_quality_counts",
    "output_quality_rates",
    "active_revisions",
    "task_ages",
    "project_wraps",
    "usage_marks",
    "tool_reach",
    "output_quality",
    "invoice_lives",
    "credit_lives",
    "seat_peaks",
    "minor_units",
    "invoice_standing",
    "invoice_counts",
    "late_invoice_rates",
    "term_moves",
    "currency_moves",
    "financial",
    "invitation_lives",
    "ticket_rates",
    "ticket_pars",
    "sentiment_counts",
    "post_pulses",
    "sentiment_rates",
    "decision_makers",
    "text_lives",
    "text_counts",
    "sponsor_contacts",
    "sentiment",
    "market_lives",
    "family_windows",
    "segment_losses",
    "consumption_trends",
    "acquisitions",
    "market",
    "source_weeks",
    "live_campaigns",
    "project_tasks",
    "project_phases",
    "regions",
    "product_mix",
    "context",
)
"""SQL steps in the order they run; a step may read the canonical tables, the run's tables and every step before it."""

OWN_STEPS = tuple(step for step in STEPS if step not in NORMS and step not in ONLY_FOR_NORMS)
"""The steps that speak of one account, or of the world outside."""

ONBOARDING = timedelta(weeks=26)
"""An account younger than this is not scored: half of what the features look back on is not there yet."""


def name_run(
    engine: QueryEngine,
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
        "settled_at": pa.array([NOTHING_SETTLED], moments),
    }
    engine.name_rows("run", pa.table(run))
    for name, columns in SETTLED_ROWS.values():
        engine.name_rows(name, columns.empty_table())
    engine.name_rows("as_of_grid", pa.table({"as_of": pa.array(as_ofs, moments)}))
    begin = min(first_week or _first_week(engine), as_ofs[0])
    # Counted back from the last snapshot, which may be no Monday: then every week begins on its weekday.
    count = -(-(as_ofs[-1] - begin) // WEEK)
    weeks = [as_ofs[-1] - number * WEEK for number in range(count, -1, -1)]
    engine.name_rows("weeks", pa.table({"week_start": pa.array(weeks, moments)}))
    engine.name_rows("campaign_windows", campaign_windows(engine))


def run_steps(
    engine: QueryEngine, steps: Sequence[str], scratch: Path, *, kept: Kept | None = None, progress: Progress = silent
) -> None:
    """Run SQL steps in order; each answer gets the step's name, in memory or as a Parquet file in ``scratch``.

    Where an earlier build's answer, or a part of it, is ``kept``, that is taken.
    """
    for done, step in enumerate(steps, start=1):
        files = kept.answer(engine, step, scratch) if kept and isinstance(engine, Engine) else None
        if files is None:
            own = kept.own_name(step) if kept else step
            _answer(engine, own, step_sql(step), scratch)
            if own != step:
                engine.name_query(step, f'SELECT * FROM "{kept_rows(step)}" UNION ALL SELECT * FROM "{own}"')
        else:
            engine.name(step, files, same_columns=True)
        progress("build features", done, len(steps))


def _answer(engine: QueryEngine, name: str, sql: str, scratch: Path) -> None:
    if isinstance(engine, Engine) and engine.holds_answers:
        engine.keep(name, sql)
        return
    target = scratch / f"{name}.parquet"
    engine.write(sql, target)
    engine.name(name, [target], same_columns=True)


@cache
def step_sql(step: str) -> str:
    """The text of one SQL step."""
    return resources.files("features").joinpath("sql", f"{step}.sql").read_text().rstrip().rstrip(";")


def _first_week(engine: QueryEngine) -> datetime:
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
