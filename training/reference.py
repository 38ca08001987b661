"""Against which frozen portfolio are points and expectations read?

Input grain: feature rows of the last year before training ended. Output: mean contributions, segment levels and
medians that never move while a model is live, so that an account's points change only when the account does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from training.columns import Rows, words_in
from training.config import TrainingConfig
from training.periods import SNAPSHOT_FEATURES, Floats
from training.shrinkage import Table, UsualLevels

Medians = dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class Reference:
    """The frozen portfolio.

    ``expectation``: the booster's expected margin. ``usual``: mean contribution per model input. ``segments``: mean
    calibrated log-odds of the decision-now row per segment, ``overall`` of all. ``medians``: per group
    (``phase|segment``, ``phase``, or empty for all) the median of each feature; null where the group has no value.
    ``levels``: tables of :class:`training.shrinkage.UsualLevels` in the intervals ahead. ``offsets``: mean offset of
    the calibration per grouping (segment, phase), in log-odds.
    """

    rows: int
    expectation: float
    usual: dict[str, float]
    segments: dict[str, float]
    overall: float
    medians: Medians
    levels: dict[str, Table]
    offsets: dict[str, float]
    # What was looked up: as many as there are groups with medians, however many segments are asked for.
    _found: dict[tuple[tuple[str, ...], tuple[str, ...]], Floats] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.init}

    @cached_property
    def usual_levels(self) -> UsualLevels:
        """What is usual in the intervals ahead, ready to be looked up."""
        return UsualLevels(self.levels)

    def expected(self, snapshots: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
        """Per row and feature the median of its phase and segment; of its phase, then of all, where that has none."""
        return pd.DataFrame(self.usual_of(snapshots, features), columns=list(features), index=snapshots.index)

    def usual_of(self, snapshots: Rows, features: Sequence[str]) -> Floats:
        """The same as an array (n, features)."""
        phases, segments = (map(str, words_in(snapshots, name)) for name in ("phase", "segment"))
        rows = list(zip(phases, segments, strict=True))
        # There are few phases and segments, whatever the number of rows; a single row must not cost a table.
        usual = {pair: self._medians_of(*pair, tuple(features)) for pair in set(rows)}
        return np.array([usual[pair] for pair in rows], dtype=np.float64).reshape(len(rows), len(features))

    def _medians_of(self, phase: str, segment: str, features: tuple[str, ...]) -> Floats:
        keys = tuple(key for key in (f"{phase}|{segment}", phase, "") if key in self.medians)
        if (keys, features) not in self._found:
            groups = [self.medians[key] for key in keys]
            told = [next((one for group in groups if (one := group.get(name)) is not None), None) for name in features]
            self._found[keys, features] = np.array(told, dtype=np.float64)
        return self._found[keys, features]


def reference_portfolio(snapshots: pd.DataFrame, before: datetime, config: TrainingConfig) -> pd.DataFrame:
    """The feature rows of the last ``reference_window`` before a moment, in order; index 0..n-1.

    ``before`` is the first snapshot of the final block while a model is judged.
    """
    moment = pd.Timestamp(before)
    inside = (snapshots["as_of"] < moment) & (snapshots["as_of"] >= moment - config.reference_window)
    return snapshots[inside].reset_index(drop=True)


def group_medians(portfolio: pd.DataFrame, least_rows: int) -> Medians:
    """Medians per phase and segment, per phase, and of all; groups of fewer than ``least_rows`` rows are left out."""
    phase, segment = portfolio["phase"].astype(str), portfolio["segment"].astype(str)
    medians: Medians = {"": _medians(portfolio)}
    for keys in (phase, phase + "|" + segment):
        for key, group in portfolio.groupby(keys.to_numpy(), sort=True):
            if len(group) >= least_rows:
                medians[str(key)] = _medians(group)
    return medians


def segment_means(now_logits: Floats, segments: Sequence[Any]) -> dict[str, float]:
    """Mean log-odds per segment; rows without a segment count for none."""
    means = pd.Series(now_logits).groupby(pd.Series(list(segments), dtype=object), sort=True).mean()
    return {str(segment): float(level) for segment, level in means.items()}


def _medians(group: pd.DataFrame) -> dict[str, float | None]:
    medians = group[list(SNAPSHOT_FEATURES)].astype(np.float64).median()
    return {str(name): None if np.isnan(value) else float(value) for name, value in medians.items()}
