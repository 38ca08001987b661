"""What does a model say about an account, and why?

Input grain: one row of catalogue features per account and ``as_of``. Output grain: the same rows, in order. How a
bundle is stored and loaded stands in ``training/model.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.catalogue import TIMING_FEATURES
from features.vocabulary import HORIZONS_DAYS, Subcategory
from training.calibrate import Calibration
from training.config import TrainingConfig
from training.inputs import AMOUNT_OF_DATA, WORDS, numbers_of, require_columns
from training.periods import FEATURE_OF_INPUT, TIMING_INPUTS, Floats, Timing, decision_now, timing_inputs
from training.reference import Reference
from training.reliability import grades, segment_level, shrinkage
from training.scorecard import bands, base_points, health, points_of, risks, summed

_POINTS = tuple(f"points_{part}" for part in Subcategory)
SCORE_COLUMNS = (
    *("account_id", "as_of", *(f"risk_{days}" for days in HORIZONS_DAYS)),
    *("health", "band", "grade", "phase", "base_points", *_POINTS, "clip_adjust", "shrink_adjust", "model_version"),
)

_ROWS_AT_ONCE = 16_384
"""Seven rows of inputs per account: 90 MB at a time, whatever the number of accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A model with all that it needs to speak: calibration, reference portfolio, scale. Immutable.

    ``features`` are the catalogue features it reads (model, then timing), ``subcategories`` the part each belongs to.
    ``facts`` say what it was made from. Predictions use exactly ``threads`` threads and never depend on their number.
    """

    version: str
    features: tuple[str, ...]
    subcategories: tuple[str, ...]
    calibration: Calibration
    half_weight_weeks: float
    reference: Reference
    config: TrainingConfig
    facts: dict[str, Any]
    booster: Any
    threads: int = 1

    @property
    def model_features(self) -> tuple[str, ...]:
        """The features that enter the booster as they are."""
        return self.features[: -len(TIMING_FEATURES)]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The booster's columns, in order."""
        return (*self.model_features, *TIMING_INPUTS)

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """Every column that :meth:`score` reads."""
        return tuple(dict.fromkeys((*WORDS, *self.features, *AMOUNT_OF_DATA, "term_months")))

    def score(self, features: pd.DataFrame) -> pd.DataFrame:
        """Score rows: :data:`SCORE_COLUMNS`, one row per input row in its order, index 0..n-1.

        Risks are chances 0-1 that the account decides of its own will to leave within 30, 60, 90, 180 days; health is
        on 0-100 as if the decision fell now. ``health = base_points + sum of points + clip_adjust + shrink_adjust``.

        Raises:
            IntegrityError: a column is missing, repeated or holds no numbers; it is named.
            DataContractError: a value is infinite, or rows have no snapshot behind them.
        """
        require_columns(features, self.needed_columns)
        parts = [self._score_part(part) for part in _parts(features)]
        return pd.concat(parts, ignore_index=True)

    def feature_points(self, features: pd.DataFrame) -> pd.DataFrame:
        """Points per feature on the health scale; columns are :attr:`features`, rows as given, index 0..n-1.

        The features of a subcategory add up to its points in :meth:`score`; timing is told under the catalogue's
        ``days_to_decision`` and ``is_evergreen``, in context. Raises as :meth:`score`.
        """
        require_columns(features, self.needed_columns)
        return pd.concat([self._feature_points(part) for part in _parts(features)], ignore_index=True)

    def expected(self, features: pd.DataFrame) -> pd.DataFrame:
        """What is usual for each row: medians of the reference portfolio in its phase and segment, index 0..n-1.

        Columns are :attr:`features`; null where no account of the portfolio had a value. Raises as :meth:`score`.
        """
        require_columns(features, self.needed_columns)
        return self.reference.expected(features.reset_index(drop=True), self.features)

    def contributions(self, features: pd.DataFrame) -> Floats:
        """Path-dependent TreeSHAP of the decision-now rows in raw log-odds: one column per input, then the base."""
        return self._contributions(numbers_of(features, self.model_features))

    def _contributions(self, numbers: Floats) -> Floats:
        now = np.hstack([numbers, decision_now(len(numbers), self.config)])
        if not len(now):
            return np.empty((0, len(self.inputs) + 1))  # LightGBM fails on no rows
        return np.asarray(self.booster.predict(now, pred_contrib=True, num_threads=self.threads), dtype=np.float64)

    def now_logits(self, contributions: Floats) -> Floats:
        """Calibrated log-odds of leaving if the decision fell now, before shrinkage."""
        return self.calibration.logits(summed(contributions, range(contributions.shape[1])), 0)

    def _score_part(self, rows: pd.DataFrame) -> pd.DataFrame:
        numbers = numbers_of(rows, self.model_features)
        contributions = self._contributions(numbers)
        now = self.now_logits(contributions)
        level = segment_level(self.reference.segments, self.reference.overall, rows["segment"])
        shift = shrinkage(rows, now, level, self.half_weight_weeks)
        chances = risks(
            self._interval_logits(numbers, Timing.of(rows), shift), self.config.interval_bounds_days[1:], HORIZONS_DAYS
        )
        points = self._group_points(contributions)
        told = health(self._base, points, shift, self.config.scale)
        grade = grades(rows, self.config.grades)
        scored = {
            "account_id": rows["account_id"].to_numpy(),
            "as_of": rows["as_of"].array,
            **{f"risk_{days}": chance for days, chance in chances.items()},
            "health": told.score,
            "band": bands(told.score, grade, rows["cohort_status"], self.config.scale),
            "grade": grade,
            "phase": rows["phase"].to_numpy(),
            "base_points": told.base,
            **{name: points[:, position] for position, name in enumerate(_POINTS)},
            "clip_adjust": told.clip,
            "shrink_adjust": told.shrink,
            "model_version": self.version,
        }
        return pd.DataFrame(scored, columns=list(SCORE_COLUMNS))

    def _interval_logits(self, numbers: Floats, timing: Timing, shift: Floats) -> Floats:
        # One call of the booster for all intervals; the shift is the same in each, so horizons cannot cross.
        if not len(numbers):
            return np.empty((0, len(self.config.intervals_days)))
        count, ones = len(numbers), np.ones(len(numbers))
        stacked = [
            np.hstack([numbers, timing_inputs(timing, low * ones, high * ones)])
            for low, high in self.config.intervals_days
        ]
        raw = self.booster.predict(np.vstack(stacked), raw_score=True, num_threads=self.threads)
        logits = [
            self.calibration.logits(np.asarray(raw)[position * count : (position + 1) * count], position) + shift
            for position in range(len(stacked))
        ]
        return np.column_stack(logits)

    def _group_points(self, contributions: Floats) -> Floats:
        points = self._input_points(contributions)
        return np.column_stack([summed(points, self._positions_of(part)) for part in Subcategory])

    def _feature_points(self, rows: pd.DataFrame) -> pd.DataFrame:
        points = self._input_points(self.contributions(rows))
        spoken_for = [FEATURE_OF_INPUT.get(name, name) for name in self.inputs]
        columns = {
            name: summed(points, [place for place, told in enumerate(spoken_for) if told == name])
            for name in self.features
        }
        return pd.DataFrame(columns, columns=list(self.features))

    def _input_points(self, contributions: Floats) -> Floats:
        usual = np.array([self.reference.usual[name] for name in self.inputs])
        return points_of(contributions[:, :-1], usual, self.calibration.slope, self.config.scale)

    def _positions_of(self, part: Subcategory) -> list[int]:
        owner = dict(zip(self.features, self.subcategories, strict=True))
        return [i for i, name in enumerate(self.inputs) if owner[FEATURE_OF_INPUT.get(name, name)] == part]

    @property
    def _base(self) -> float:
        usual = self.reference.expectation + sum(self.reference.usual[name] for name in self.inputs)
        return base_points(self.calibration.slope, self.calibration.intercepts[0], usual, self.config.scale)


def _parts(rows: pd.DataFrame) -> list[pd.DataFrame]:
    # At least one part, so that no rows give an empty answer with all its columns.
    starts = range(0, max(len(rows), 1), _ROWS_AT_ONCE)
    return [rows.iloc[start : start + _ROWS_AT_ONCE] for start in starts]
