"""What did a model say about every account in every week, and what became of it?

Input: a home, a bundle and a stretch of built snapshots. Output grain: one row per account at risk and snapshot, in the
shape of :mod:`training.judged`, with ``days_to_leaving``, ``days_to_last_day``, the band, points, and for a sample how
many of its strongest reasons stood there at the snapshot before. Training rows are four weeks apart; alerts, bands and
reasons are lived week by week.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.cohort import built_as_ofs, read_cohort
from features.settings import Home
from features.vocabulary import CohortStatus
from training.baselines import fit_timing_only
from training.bundle import Bundle
from training.config import TrainingConfig
from training.dataset import KEY
from training.detection import RIGHT_WITHIN_DAYS
from training.labels import horizon_labels
from training.material import Material
from training.periods import Floats
from training.tested_rows import judged_rows, undecided

Integers = npt.NDArray[np.int64]

TIMING_ARM = f"risk_{RIGHT_WITHIN_DAYS}_timing_only"
_SECONDS_PER_DAY = 86_400.0
STRONGEST = 3
"""Reasons a person is shown."""
CALM_POINTS = 3.0
"""Health points; where health moves by less, other reasons would tell another story of the same account."""
_EXPLAINED_PAIRS = 400
"""Pairs of snapshots behind the steadiness of reasons; half a width of the interval is then about 0.02."""


def gather_weeks(home: Home, material: Material, first: datetime, last: datetime) -> Material:
    """Every built snapshot from ``first`` to ``last``, accounts at risk only, with the outcomes of ``material``."""
    from features.store import FeatureStore  # noqa: PLC0415  Feast takes seconds to import

    cohort = read_cohort(home, [as_of for as_of in built_as_ofs(home) if first <= as_of <= last])
    cohort = cohort[cohort["cohort_status"] == CohortStatus.AT_RISK].reset_index(drop=True)
    snapshots = FeatureStore(home).historical(cohort[KEY])
    return Material(cohort, snapshots, material.decided, material.census, material.data_cut)


def scored_weeks(bundle: Bundle, weeks: Material, timing: Floats) -> pd.DataFrame:
    """The judged rows of ``weeks`` (already without accounts that had decided) with the timing-only model's risk."""
    rows = judged_rows(weeks, bundle.score(weeks.snapshots), bundle.config)
    return pd.concat([rows, leaving_days(weeks, bundle.config)], axis=1).assign(**{TIMING_ARM: timing})


def watched(bundle: Bundle, weeks: Material, timing: Floats) -> pd.DataFrame:
    """The same with ``reasons_kept`` (:func:`reasons_kept`)."""
    rows = scored_weeks(bundle, weeks, timing)
    kept = reasons_kept(bundle, weeks.snapshots, rows["health"].to_numpy(np.float64))
    return rows.assign(reasons_kept=kept)


def still_open(weeks: Material) -> Material:
    """The rows of accounts that had not decided yet, known then or not."""
    return weeks.at(pd.Series(undecided(weeks)))


def timing_risk(material: Material, rows: pd.DataFrame, before: datetime, config: TrainingConfig) -> Floats:
    """The risk of 26 weeks that the calendar alone states for ``rows``, learnt from what was final at ``before``.

    Raises:
        NoUsableSignal: only leavers or only stayers were final by then.
    """
    labels = horizon_labels(material.cohort, material.decided, data_cut=material.data_cut, config=config)
    label = labels[f"y_{RIGHT_WITHIN_DAYS}"]
    closed = material.cohort["as_of"] + timedelta(days=RIGHT_WITHIN_DAYS) + config.settling
    past = (label.notna() & (closed <= pd.Timestamp(before))).to_numpy()
    return fit_timing_only(material.snapshots[past], label[past].to_numpy(np.float64), seed=config.seed).predict(rows)


def leaving_days(rows: Material, config: TrainingConfig) -> pd.DataFrame:
    """Days from each row to the voluntary decision and to the last day; null where none was final at the cut."""
    final = rows.decided["decided_at"] + config.settling <= pd.Timestamp(rows.data_cut)
    known = rows.decided[final & rows.decided["voluntary"].astype(bool)].set_index("account_id")
    days = {}
    for name, moment in (("days_to_leaving", "decided_at"), ("days_to_last_day", "effective_at")):
        when = pd.to_datetime(rows.cohort["account_id"].map(known[moment]), utc=True)
        days[name] = (when - rows.cohort["as_of"]).dt.total_seconds() / _SECONDS_PER_DAY
    return pd.DataFrame(days, index=rows.cohort.index).astype(np.float64)


def reasons_kept(bundle: Bundle, snapshots: pd.DataFrame, health: Floats) -> Floats:
    """Per row the share of its strongest reasons that were among the strongest at the account's snapshot before.

    A reason is a feature, its strength the size of its points. Asked of a sample of the rows whose health moved by less
    than :data:`CALM_POINTS`; NaN elsewhere.
    """
    before = previous_rows(snapshots)
    calm = np.flatnonzero((before >= 0) & (np.abs(health - health[before]) < CALM_POINTS))
    kept = np.full(len(snapshots), np.nan)
    if not len(calm):
        return kept
    asked = np.unique(calm[np.linspace(0, len(calm) - 1, _EXPLAINED_PAIRS).astype(np.int64)])
    pairs = snapshots.iloc[np.concatenate([before[asked], asked])].reset_index(drop=True)
    names = list(bundle.model_features)
    strongest = _strongest(bundle.feature_points(pairs)[names].to_numpy(np.float64))
    kept[asked] = overlap(strongest[: len(asked)], strongest[len(asked) :])
    return kept


def previous_rows(rows: pd.DataFrame) -> Integers:
    """For each row the place of the same account's row at the snapshot just before it; -1 where it has none."""
    moment = pd.factorize(rows["as_of"], sort=True)[0].astype(np.int64)
    account = pd.factorize(rows["account_id"])[0].astype(np.int64)
    width = int(moment.max(initial=0)) + 1
    place = np.full((int(account.max(initial=0)) + 1) * width, -1, dtype=np.int64)
    place[account * width + moment] = np.arange(len(rows))
    earlier: Integers = np.where(moment > 0, place[account * width + np.maximum(moment - 1, 0)], -1)
    return earlier


def overlap(one: Integers, other: Integers) -> Floats:
    """Per row the share of the places in ``one`` that stand in ``other``; both are (rows, places)."""
    shared: Floats = (one[:, :, np.newaxis] == other[:, np.newaxis, :]).any(axis=2).mean(axis=1)
    return shared


def _strongest(points: Floats) -> Integers:
    order: Integers = np.argsort(-np.abs(points), axis=1, kind="stable")[:, :STRONGEST]
    return order
