"""Which risks would the folds' models have stated for whole accounts, and what happened?

Input grain: feature rows of the snapshots, the models of the walk-forward folds, each of which knows only what was
final before its fold. Output: the reliability intervals of a model, made from the most recent year of snapshots whose
headline label is final. Risks are stated as the finished model states them: calibrated, thin accounts drawn to what was
usual in their fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from training.boosting import margins
from training.calibrate import Calibration
from training.config import TrainingConfig
from training.inputs import numbers_of
from training.labels import horizon_labels
from training.periods import TIMING_INPUTS, Floats, Timing, timing_inputs
from training.scorecard import risks
from training.search import SearchOutcome
from training.shrinkage import (
    Ahead,
    UsualLevels,
    choose_half_weight_weeks,
    full_data_weeks,
    own_weight,
    pull,
    timing_codes,
)
from training.splits import TimeSplit
from training.venn_abers import KINDS, NO_SPREAD, Past, RiskSpread, spread_table


@dataclass(frozen=True, slots=True)
class Caution:
    """How much may be read into a score: full data weeks of half the weight, and how sure stated risks are."""

    half_weight_weeks: float
    spread: RiskSpread = NO_SPREAD


@dataclass(frozen=True, slots=True)
class Stating:
    """How margins become stated risks."""

    calibration: Calibration
    half_weight_weeks: float
    config: TrainingConfig


def caution_of(
    found: SearchOutcome,
    blocks: TimeSplit,
    calibration: Calibration,
    *,
    snapshots: pd.DataFrame,
    decided: pd.DataFrame,
    config: TrainingConfig,
) -> Caution:
    """Choose how far thin accounts are drawn, and measure how sure risks stated so are.

    ``found`` was searched over the folds of ``blocks``; ``snapshots`` are at-risk rows with every feature, ``decided``
    comes from :func:`training.labels.outcomes`. Nothing is read that was not final before the final block.
    """
    stating = Stating(calibration, choose_half_weight_weeks(found.out_of_fold, calibration, config), config)
    labelled = recent_rows(snapshots, decided, before=blocks.final.test_first, config=config)
    parts = [
        labelled[inside].assign(risk=stated_risks(booster, labelled[inside], stating))
        for booster, fold in zip(found.boosters, blocks.walk_forward, strict=True)
        if (inside := fold.test(labelled)).any()
    ]
    held_out = pd.concat(parts, ignore_index=True) if parts else labelled.iloc[:0].assign(risk=0.0)
    return Caution(stating.half_weight_weeks, risk_spread(held_out, config))


def risk_spread(held_out: pd.DataFrame, config: TrainingConfig) -> RiskSpread:
    """The reliability intervals from held-out rows with ``risk``, ``y``, ``account_id`` and the amount of data.

    A kind of account without rows gets the interval 0 to 1.
    """
    thin = full_data_weeks(held_out) < config.thin_below_weeks
    kinds = {kind: held_out[thin if kind == "thin" else ~thin] for kind in KINDS}
    row_weight = min(1.0, config.snapshot_spacing / timedelta(days=config.headline_days))
    return RiskSpread(
        **{
            kind: spread_table(_past(rows), row_weight=row_weight, outside_share=config.interval_outside_share)
            for kind, rows in kinds.items()
        }
    )


def recent_rows(
    snapshots: pd.DataFrame, decided: pd.DataFrame, *, before: datetime, config: TrainingConfig
) -> pd.DataFrame:
    """The most recent labelled rows with their headline label ``y``; index 0..n-1."""
    label = horizon_labels(snapshots, decided, data_cut=before, config=config)[f"y_{config.headline_days}"]
    newest = snapshots.loc[label.notna(), "as_of"].max()
    recent = label.notna() & (snapshots["as_of"] > newest - config.interval_window)
    chosen: pd.DataFrame = snapshots[recent].assign(y=label[recent]).reset_index(drop=True)
    return chosen


def stated_risks(booster: Any, rows: pd.DataFrame, stating: Stating) -> Floats:
    """The headline risk of each row by one fold's model; what is usual is the mean over the rows themselves."""
    config, calibration = stating.config, stating.calibration
    ends = [high for _, high in config.intervals_days if high <= config.headline_days]
    names = [name for name in booster.feature_name() if name not in TIMING_INPUTS]
    numbers, timing, ones = numbers_of(rows, names), Timing.of(rows), np.ones(len(rows))
    offsets, weight = calibration.offsets(rows), own_weight(full_data_weeks(rows), stating.half_weight_weeks)
    logits = []
    for place, (low, high) in enumerate(config.intervals_days[: len(ends)]):
        inputs = timing_inputs(timing, low * ones, high * ones)
        own = calibration.logits(margins(booster, np.hstack([numbers, inputs])), place, offsets)
        ahead = Ahead(np.full(len(rows), place), timing_codes(inputs))
        usual = UsualLevels.of(rows["segment"].tolist(), ahead, own, weight=ones).at(rows["segment"].tolist(), ahead)
        logits.append(own + pull(own, usual, weight))
    return risks(np.column_stack(logits), ends, [config.headline_days])[config.headline_days]


def _past(rows: pd.DataFrame) -> Past:
    return Past(rows["risk"].to_numpy(np.float64), rows["y"].to_numpy(np.float64), rows["account_id"].to_numpy(object))
