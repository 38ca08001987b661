"""Who changes band, how much revenue moves, and which model was right more often? Asked before a promotion.

Input: a registered version, the live one, the newest built snapshot at or before ``as_of``, and for the backtest the
snapshots that neither model learnt from. Output: a :class:`Preview` beside the reports of the version; an approval
rests on it.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from features.cohort import built_as_ofs, read_cohort
from features.errors import MissingStateError
from features.progress import Progress, silent
from features.settings import Home
from features.vocabulary import CohortStatus
from training.arms import compared_arms
from training.bundle import Bundle
from training.evaluation import EvaluationPlan
from training.evaluation_parts import DeltaEvaluation
from training.findings import with_interval
from training.judged import Judged
from training.material import gather
from training.preview import KEY, Preview, changes
from training.report import environment
from training.tested_rows import judged_rows
from training.untouched import untouched

LIVE = "live"
"""The arm of the backtest that the new model is compared with."""
_NEWEST = timedelta(days=8)
"""A snapshot older than this is no picture of today: snapshots are weekly."""
_PREVIEW = "preview.json"
_FACTS = ("account_id", "as_of", "annual_value", "currency")


def preview(
    home: Home, new: Bundle, live: Bundle | None, as_of: datetime, *, progress: Progress = silent
) -> tuple[Preview, Path]:
    """Compare the new model with the live one on the newest snapshot, and store the comparison; its page's path.

    Raises:
        MissingStateError: no snapshot of the 8 days before ``as_of`` is built.
    """
    rows = _snapshot(home, as_of)
    progress("preview", 1, 3)
    told = changes(
        rows[list(_FACTS)],
        new.score(rows),
        live.score(rows) if live else None,
        versions=(new.version, live.version if live else None),
        horizon_days=new.config.headline_days,
    )
    progress("preview", 2, 3)
    delta, note = _backtest(home, new, live, as_of)
    told = told.model_copy(update={"backtest": delta, "backtest_note": note})
    progress("preview", 3, 3)
    return told, _stored(home, told)


def stored_preview(home: Home, version: str) -> Preview | None:
    """The newest preview of a version; None when none was made."""
    path = home.reports / version / _PREVIEW
    return Preview.model_validate(json.loads(path.read_text())) if path.exists() else None


def _snapshot(home: Home, as_of: datetime) -> pd.DataFrame:
    from features.store import FeatureStore  # noqa: PLC0415  Feast takes seconds to import

    near = [built for built in built_as_ofs(home) if as_of - _NEWEST < built <= as_of]
    if not near:
        raise MissingStateError(
            f"no snapshot is built for {as_of.date()}",
            expected="a snapshot of that day or of the 8 days before",
            found="none",
            todo="run `pulse build --from DATE --to DATE` over that day",
        )
    cohort = read_cohort(home, [near[-1]])
    scored = cohort["cohort_status"].isin([CohortStatus.AT_RISK, CohortStatus.LOST_PENDING])
    features: pd.DataFrame = FeatureStore(home).historical(cohort.loc[scored, KEY].reset_index(drop=True))
    return features


def _backtest(home: Home, new: Bundle, live: Bundle | None, as_of: datetime) -> tuple[DeltaEvaluation | None, str]:
    if live is None:
        return None, "no model is live to compare with"
    cut = max(datetime.fromisoformat(bundle.facts["data_cut"]) for bundle in (new, live))
    if as_of < cut:
        return (
            None,
            f"at {as_of.date()} both models' untouched snapshots are not known yet: from {cut.date()} on they are",
        )
    kept = untouched(gather(home, as_of, new.config), [new, live])
    days = new.config.headline_days
    rows = judged_rows(kept, new.score(kept.snapshots), new.config)
    rows[f"risk_{days}_{LIVE}"] = live.score(kept.snapshots)[f"risk_{days}"].to_numpy()
    judged = Judged.of(rows, EvaluationPlan(headline_days=days))
    delta = compared_arms(judged).deltas[LIVE]
    lead = delta.auc_window
    told = f"AUC where a decision falls within {days} days, new minus live: {with_interval(lead)}"
    begin = rows["as_of"].min()
    return delta, f"{told}; {lead.outcomes} leavers in {len(rows)} rows from {begin:%Y-%m-%d} that neither learnt from"


def _stored(home: Home, told: Preview) -> Path:
    folder = home.reports / told.version
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "preview.html"
    page.write_text(environment().get_template("preview.html").render(preview=told))
    # Last: an approval rests on this file, and its page must be there by then.
    (folder / _PREVIEW).write_text(told.model_dump_json(indent=1))
    return page
