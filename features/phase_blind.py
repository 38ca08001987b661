"""What would every feature be if nobody knew of any campaign?

Grain in: accounts and moments. Grain out: the same rows with every number of the catalogue, built by the same SQL from
the same sources, but with an empty campaign calendar and nobody taking part. So every week counts as quiet: baselines
are means over all weeks, multipliers of phases are near 1, levels of a segment are not told apart by phase, and
features of campaign windows are null. Nothing is stored: these values exist to ask what knowing phases is worth.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa

from features.build import compute_views
from features.catalogue import FEATURES
from features.errors import IntegrityError, UsageError
from features.identity import Resolved, resolve_stored
from features.progress import Progress, silent
from features.query_engine import QueryEngine
from features.settings import Home
from features.steps import run_steps
from features.vocabulary import Subcategory
from features.warehouse import Warehouse, empty_table_query

CALENDAR_TABLES = ("campaigns", "campaign_instances_history", "account_campaigns_history")
"""The tables that tell of campaigns, and of who takes part."""

_KEY = ("account_id", "as_of")


def phase_blind_features(home: Home, rows: pd.DataFrame, *, progress: Progress = silent) -> pd.DataFrame:
    """Every number of the catalogue for rows of (account_id, as_of), in their order; index 0..n-1, null is NaN.

    ``as_of`` are Mondays that were built. Only rows with ``available_at <= as_of`` are read, as in a build.

    Raises:
        UsageError: no rows, or a row stands there twice.
        IntegrityError: the build without a calendar does not know a row: the home was built from other tables.
    """
    asked = rows[list(_KEY)].reset_index(drop=True)
    repeated = int(asked.duplicated().sum())
    if asked.empty or repeated:
        raise UsageError(
            "these rows cannot be built without a calendar",
            expected="at least one row, each account and as_of once",
            found=f"{len(asked)} rows, {repeated} of them repeated",
            todo="build the rows from read_cohort",
        )
    moments: list[datetime] = [moment.to_pydatetime() for moment in sorted(asked["as_of"].unique())]
    warehouse, run = Warehouse(home), partial(run_steps, progress=progress)
    with TemporaryDirectory(dir=home.root, prefix="phase-blind-") as scratch, warehouse.engine() as engine:
        compute_views(engine, _without_calendar(engine, warehouse), moments, Path(scratch), run=run)
        return _read(engine, asked)


def _without_calendar(engine: QueryEngine, warehouse: Warehouse) -> Resolved:
    resolved = resolve_stored(engine, warehouse)

    def name_again(table: str, name: str) -> None:
        if table in CALENDAR_TABLES:
            engine.name_query(name, empty_table_query(table))
        else:
            resolved.name_again(table, name)

    for table in CALENDAR_TABLES:
        name_again(table, table)
    return replace(resolved, name_again=name_again)


def _read(engine: QueryEngine, asked: pd.DataFrame) -> pd.DataFrame:
    keys = {"account_id": pa.array(asked["account_id"], pa.string()), "as_of": _moments(asked["as_of"])}
    engine.name_rows("asked", pa.table({**keys, "place": pa.array(range(len(asked)), pa.int64())}))
    numbers = [f'{feature.subcategory}."{feature.name}"' for feature in FEATURES if not feature.is_text]
    joins = " ".join(
        f'LEFT JOIN "{part}" AS {part} ON a.account_id = {part}.account_id AND a.as_of = {part}.as_of'
        for part in Subcategory
    )
    found: pd.DataFrame = engine.fetch(
        f"SELECT {', '.join(numbers)}, CASE WHEN context.account_id IS NULL THEN 1 ELSE 0 END AS unknown "
        f"FROM asked AS a {joins} ORDER BY a.place"
    ).to_pandas()
    unknown = int(found.pop("unknown").sum())
    if unknown or len(found) != len(asked):
        raise IntegrityError(
            "rows cannot be built again without a calendar",
            expected=f"all {len(asked)} rows",
            found=f"{len(found)} rows, {unknown} of them unknown",
            todo="run `pulse build` over these dates, then try again",
        )
    return found.astype("float64")


def _moments(column: pd.Series[pd.Timestamp]) -> pa.Array:
    return pa.array(column, pa.timestamp("us", tz="UTC"))
