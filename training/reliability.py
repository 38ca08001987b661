"""How much does an account's own data weigh, and which grade does it earn?

Input grain: one row per account and ``as_of`` with the display features on amount of data. Output grain: the same
rows. A grade looks at the data only, never at the score. Shrinkage pulls a thin account's estimate to its segment's
and is shown as a component of its own (domain 4.7.3-4).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from features.vocabulary import CohortStatus
from training.calibrate import Calibration
from training.config import GradeRule, GradeRules, TrainingConfig
from training.periods import Floats

SOURCES = 6
"""Kinds of source that can be present; the catalogue's ``sources_present`` counts them."""

_LEAST_CHANCE = 1e-12


def full_data_weeks(rows: pd.DataFrame) -> Floats:
    """Usable weeks, times the share of sources that are present: 52 weeks from 3 of 6 sources count as 26.

    A missing number is no data, hence 0.
    """
    present = rows["sources_present"].to_numpy(np.float64) / SOURCES
    weeks: Floats = np.maximum(np.nan_to_num(rows["usable_weeks"].to_numpy(np.float64) * present), 0.0)
    return weeks


def own_weight(weeks: Floats, half_weight_weeks: float) -> Floats:
    """Weight 0-1 of the account's own estimate: ``n / (n + n0)``; 1 for everyone when n0 is 0."""
    if half_weight_weeks == 0:
        return np.ones_like(weeks)
    return weeks / (weeks + half_weight_weeks)


def shrinkage(rows: pd.DataFrame, now_logits: Floats, segment_logits: Floats, half_weight_weeks: float) -> Floats:
    """What is added to an account's log-odds in every interval alike: ``(1 - weight) * (segment's - own)``."""
    return (1.0 - own_weight(full_data_weeks(rows), half_weight_weeks)) * (segment_logits - now_logits)


def choose_half_weight_weeks(out_of_fold: pd.DataFrame, calibration: Calibration, config: TrainingConfig) -> float:
    """The candidate n0 with the least weighted log-loss on out-of-fold periods; the smallest of equals.

    Segment levels are means over each fold's own held-out accounts: features, no labels.
    """
    interval = out_of_fold["interval"].to_numpy(np.int64)
    logits = calibration.logits(out_of_fold["margin"].to_numpy(np.float64), interval)
    now = calibration.logits(out_of_fold["margin_now"].to_numpy(np.float64), 0)
    segment = pd.Series(now).groupby([out_of_fold["fold"], out_of_fold["segment"].fillna("")]).transform("mean")
    y, weight = out_of_fold["y"].to_numpy(np.float64), out_of_fold["weight"].to_numpy(np.float64)

    def loss(weeks: float) -> float:
        moved = logits + shrinkage(out_of_fold, now, segment.to_numpy(np.float64), weeks)
        chance = np.clip(expit(moved), _LEAST_CHANCE, 1 - _LEAST_CHANCE)
        return float(-(weight * (y * np.log(chance) + (1 - y) * np.log1p(-chance))).sum())

    return min(sorted(config.shrinkage_candidates_weeks), key=loss)


def grades(rows: pd.DataFrame, rules: GradeRules) -> npt.NDArray[np.object_]:
    """Grade A, B, C or D per row, from weeks of data, sources present and campaigns seen; missing numbers earn D.

    An account in onboarding is D whatever it has: half of what the features look back on is not there yet.
    """
    weeks = np.nan_to_num(rows["usable_weeks"].to_numpy(np.float64))
    sources = np.nan_to_num(rows["sources_present"].to_numpy(np.float64))
    campaigns = np.nan_to_num(rows["campaign_count_w104"].to_numpy(np.float64))
    seasons = (campaigns >= rules.campaigns_for_a) | ((campaigns == 0) & (weeks >= rules.quiet_weeks_for_a))

    def meets(rule: GradeRule) -> npt.NDArray[np.bool_]:
        enough: npt.NDArray[np.bool_] = (weeks >= rule.usable_weeks) & (sources >= rule.sources)
        return enough

    earned = np.select([meets(rules.a) & seasons, meets(rules.b), meets(rules.c)], ["A", "B", "C"], default="D")
    onboarding = (rows["cohort_status"] == CohortStatus.ONBOARDING).to_numpy()
    return np.where(onboarding, "D", earned).astype(object)


def segment_level(levels: Mapping[str, float], overall: float, segments: pd.Series[str]) -> Floats:
    """The reference log-odds of each row's segment; the portfolio's for a segment that it did not hold."""
    found = segments.map(dict(levels)).astype(np.float64).fillna(overall)
    return np.asarray(found, dtype=np.float64)
