"""What does a model say about an account, and why?

Input grain: one row of catalogue features per account and ``as_of``. Output grain: the same rows, in order. How a
bundle is stored and loaded stands in ``training/model.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.catalogue import TIMING_FEATURES
from features.vocabulary import HORIZONS_DAYS, Subcategory
from training.calibrate import Calibration
from training.config import TrainingConfig
from training.explainer import Explainer
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
    ``facts`` say what it was made from. ``explainer`` holds the booster. Predictions use at most ``threads`` threads
    and never depend on their number.
    """

    version: str
    features: tuple[str, ...]
    subcategories: tuple[str, ...]
    calibration: Calibration
    half_weight_weeks: float
    reference: Reference
    config: TrainingConfig
    facts: dict[str, Any]
    explainer: Explainer
    threads: int = 1

    @property
    def booster(self) -> Any:
        """The LightGBM booster."""
        return self.explainer.booster

    @property
    def group_values(self) -> str:
        """How points per subcategory are found, in words: by lookup tables, or by ``pred_contrib`` and why."""
        return self.explainer.method

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
        numbers = numbers_of(features, self.model_features)
        return self.explainer.contributions(now_inputs(numbers, self.config), threads=self.threads)

    def warm(self) -> None:
        """Do now what would make the first score slow: seconds, once per process. Scores are the same without it."""
        self.explainer.warm()

    def _score_part(self, rows: pd.DataFrame) -> pd.DataFrame:
        numbers = numbers_of(rows, self.model_features)
        told = self.explainer.told(now_inputs(numbers, self.config), threads=self.threads)
        now = self.calibration.logits(told.margins, 0)
        usual = segment_level(self.reference.segments, self.reference.overall, rows["segment"])
        shift = shrinkage(rows, now, usual, self.half_weight_weeks)
        chances = risks(
            self._interval_logits(numbers, Timing.of(rows), shift), self.config.interval_bounds_days[1:], HORIZONS_DAYS
        )
        points = self._group_points(told.groups)
        level = health(self._base, points, shift, self.config.scale)
        grade = grades(rows, self.config.grades)
        scored = {
            "account_id": rows["account_id"].to_numpy(),
            "as_of": rows["as_of"].array,
            **{f"risk_{days}": chance for days, chance in chances.items()},
            "health": level.score,
            "band": bands(level.score, grade, rows["cohort_status"], self.config.scale),
            "grade": grade,
            "phase": rows["phase"].to_numpy(),
            "base_points": level.base,
            **{name: points[:, position] for position, name in enumerate(_POINTS)},
            "clip_adjust": level.clip,
            "shrink_adjust": level.shrink,
            "model_version": self.version,
        }
        return pd.DataFrame(scored, columns=list(SCORE_COLUMNS))

    def _interval_logits(self, numbers: Floats, timing: Timing, shift: Floats) -> Floats:
        # One call for all intervals; the shift is the same in each, so horizons cannot cross.
        count, ones = len(numbers), np.ones(len(numbers))
        stacked = [
            np.hstack([numbers, timing_inputs(timing, low * ones, high * ones)])
            for low, high in self.config.intervals_days
        ]
        raw = self.explainer.margins(np.vstack(stacked), threads=self.threads)
        logits = [
            self.calibration.logits(raw[position * count : (position + 1) * count], position) + shift
            for position in range(len(stacked))
        ]
        return np.column_stack(logits)

    def _group_points(self, groups: Floats) -> Floats:
        usual = self.explainer.grouped(self._usual[np.newaxis, :])
        return points_of(groups, usual, self.calibration.slope, self.config.scale)

    def _feature_points(self, rows: pd.DataFrame) -> pd.DataFrame:
        points = self._input_points(self.contributions(rows))
        spoken_for = [FEATURE_OF_INPUT.get(name, name) for name in self.inputs]
        columns = {
            name: summed(points, [place for place, told in enumerate(spoken_for) if told == name])
            for name in self.features
        }
        return pd.DataFrame(columns, columns=list(self.features))

    def _input_points(self, contributions: Floats) -> Floats:
        return points_of(contributions[:, :-1], self._usual, self.calibration.slope, self.config.scale)

    @property
    def _usual(self) -> Floats:
        return np.array([self.reference.usual[name] for name in self.inputs])

    @property
    def _base(self) -> float:
        usual = self.reference.expectation + sum(self.reference.usual[name] for name in self.inputs)
        return base_points(self.calibration.slope, self.calibration.intercepts[0], usual, self.config.scale)


def now_inputs(numbers: Floats, config: TrainingConfig) -> Floats:
    """The booster's inputs of the health score: the model features of n rows, timed as if the decision fell now."""
    return np.hstack([numbers, decision_now(len(numbers), config)])


def owners_of(features: Sequence[str], subcategories: Sequence[str]) -> tuple[int, ...]:
    """The subcategory of each input of the booster, as its place among all; features as in :class:`Bundle`."""
    place = {str(part): number for number, part in enumerate(Subcategory)}
    owner = {name: place[part] for name, part in zip(features, subcategories, strict=True)}
    inputs = (*features[: -len(TIMING_FEATURES)], *TIMING_INPUTS)
    return tuple(owner[FEATURE_OF_INPUT.get(name, name)] for name in inputs)


def _parts(rows: pd.DataFrame) -> list[pd.DataFrame]:
    # At least one part, so that no rows give an empty answer with all its columns.
    starts = range(0, max(len(rows), 1), _ROWS_AT_ONCE)
    return [rows.iloc[start : start + _ROWS_AT_ONCE] for start in starts]
