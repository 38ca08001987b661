"""What does a model say about an account, and why?

Input grain: one row of catalogue features per account and ``as_of``. Output grain: the same rows, in order. How a
bundle is stored and loaded stands in ``training/model.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from features.catalogue import TIMING_FEATURES
from features.vocabulary import HORIZONS_DAYS, Subcategory
from training.calibrate import Calibration
from training.columns import Columns, Rows, joined, parts_of, words_in
from training.config import TrainingConfig
from training.explainer import Explainer
from training.inputs import KEYS, needed_for, numbers_of, require_columns
from training.periods import FEATURE_OF_INPUT, TIMING_INPUTS, Floats, Timing, decision_now, places_of, timing_inputs
from training.reference import Reference
from training.reliability import Bools, abstains, grade_reasons, grades
from training.scorecard import bands, base_points, health, points_of, points_per_log_odd, risks, summed, unsigned_zeros
from training.shrinkage import Ahead, full_data_weeks, own_weight, pull, segment_level, timing_codes
from training.venn_abers import NO_SPREAD, RiskSpread, Spread
from training.why import Why

_POINTS = tuple(f"points_{part}" for part in Subcategory)
_SPREAD = ("interval_p0", "interval_p1", "interval_low", "interval_high")
SCORE_COLUMNS = (
    *("account_id", "as_of", *(f"risk_{days}" for days in HORIZONS_DAYS), "interval_days", *_SPREAD),
    *("health", "band", "grade", "phase", "base_points", *_POINTS, "clip_adjust", "shrink_adjust", "model_version"),
)
OFFSET_OWNERS = {"segment": Subcategory.CONTEXT, "phase": Subcategory.CAMPAIGN}
"""The subcategory that the offsets of the calibration count in, by the feature that chooses the offset."""

_Found = TypeVar("_Found")
_ROWS_AT_ONCE = 16_384
"""Some 20 MB of inputs at a time, whatever the number of accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A model with all that it needs to speak: calibration, reference portfolio, scale. Immutable.

    ``features`` are the catalogue features it reads (model, then timing), ``subcategories`` the part each belongs to.
    ``facts`` say what it was made from, ``content_hash`` which files it was loaded from (empty: from none).
    ``explainer`` holds the booster. Predictions use at most ``threads`` threads and never depend on their number.
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
    spread: RiskSpread = NO_SPREAD
    threads: int = 1
    content_hash: str = ""
    _standing: dict[str, Any] = field(init=False, default_factory=dict, repr=False, compare=False)

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
        return needed_for(self.features)

    def score(self, features: pd.DataFrame) -> pd.DataFrame:
        """Score rows: :data:`SCORE_COLUMNS`, one row per input row in its order, index 0..n-1.

        Risks are chances 0-1 that the account decides of its own will to leave within 30, 60, 90, 180 days;
        ``interval_*`` say how sure the risk within ``interval_days`` is (:class:`training.venn_abers.Spread`). Health
        is on 0-100 as if the decision fell now. ``health = base_points + sum of points + clip_adjust + shrink_adjust``.

        Raises:
            IntegrityError: a column is missing, repeated or holds no numbers; it is named.
            DataContractError: a value is infinite, or rows have no snapshot behind them.
        """
        require_columns(features, self.needed_columns)
        parts = [self._scores(part) for part in parts_of(features, _ROWS_AT_ONCE)]
        keys = {"account_id": features["account_id"].to_numpy(), "as_of": features["as_of"].array}
        return pd.DataFrame({**keys, **joined(parts)}, columns=list(SCORE_COLUMNS))

    def scores(self, rows: Columns) -> dict[str, Any]:
        """:meth:`score` without account and as_of, as arrays (one value where all rows have the same); raises so."""
        require_columns(rows, self.needed_columns[len(KEYS) :])
        return joined([self._scores(part) for part in parts_of(rows, _ROWS_AT_ONCE)])

    def why(self, rows: Rows, scores: Mapping[str, Any]) -> Why:
        """What explains the scores of rows, as they come from :meth:`scores`; raises as :meth:`score`."""
        require_columns(rows, self.needed_columns[len(KEYS) :])
        spread = Spread(*(scores[name] for name in _SPREAD))
        return Why(
            feature_points=np.vstack([self._points_by_feature(part) for part in parts_of(rows, _ROWS_AT_ONCE)]),
            expected=self.reference.usual_of(rows, self.features),
            offset_points=dict(zip(OFFSET_OWNERS, self._offset_points(self.calibration.offsets(rows)).T, strict=True)),
            grade_reasons=grade_reasons(rows, scores["grade"], spread, self.config.grades),
            own_weights=self.own_weights(rows),
        )

    def feature_points(self, features: pd.DataFrame) -> pd.DataFrame:
        """Points per feature on the health scale; columns are :attr:`features`, rows as given, index 0..n-1.

        The features of a subcategory and its offset (:meth:`offset_points`) add up to its points in :meth:`score`;
        timing is told under the catalogue's ``days_to_decision`` and ``is_evergreen``, in context. Raises as
        :meth:`score`.
        """
        require_columns(features, self.needed_columns)
        points = np.vstack([self._points_by_feature(part) for part in parts_of(features, _ROWS_AT_ONCE)])
        return pd.DataFrame(points, columns=list(self.features))

    def offset_points(self, features: pd.DataFrame) -> pd.DataFrame:
        """Points of the calibration's offsets against the reference portfolio; columns are :data:`OFFSET_OWNERS`.

        Accounts of a segment, or in a phase, leave more or less often than their features alone say; that difference
        counts in the subcategory of the owner. Rows as given, index 0..n-1. Raises as :meth:`score`.
        """
        require_columns(features, self.needed_columns)
        points = self._offset_points(self.calibration.offsets(features))
        return pd.DataFrame(points, columns=list(OFFSET_OWNERS))

    def interval_logits(self, features: pd.DataFrame) -> Floats:
        """Stated log-odds of leaving within each interval ahead (n, intervals), the pull of thin accounts included.

        The risks of :meth:`score` are made of these. Raises as :meth:`score`.
        """
        require_columns(features, self.needed_columns)
        return np.vstack(
            [
                self._interval_logits(numbers_of(part, self.model_features), part, self.calibration.offsets(part))
                for part in parts_of(features, _ROWS_AT_ONCE)
            ]
        )

    def own_weights(self, features: Rows) -> Floats:
        """How much of each estimate rests on the account itself, 0-1; the rest on what is usual in its segment."""
        return own_weight(full_data_weeks(features), self.half_weight_weeks)

    def grade_reasons(self, features: pd.DataFrame, scored: pd.DataFrame) -> list[tuple[str, ...]]:
        """In words: what the grades of scored rows rest on, and what keeps them from better ones."""
        spread = Spread(*(scored[name].to_numpy(np.float64) for name in _SPREAD))
        return grade_reasons(features, scored["grade"].to_numpy(), spread, self.config.grades)

    def abstains(self, features: Rows) -> Bools:
        """True for rows of which nothing may be said: no source told anything lately."""
        return abstains(features)

    def expected(self, features: pd.DataFrame) -> pd.DataFrame:
        """What is usual for each row: medians of the reference portfolio in its phase and segment, index 0..n-1.

        Columns are :attr:`features`; null where no account of the portfolio had a value. Raises as :meth:`score`.
        """
        require_columns(features, self.needed_columns)
        return self.reference.expected(features.reset_index(drop=True), self.features)

    def contributions(self, features: Rows) -> Floats:
        """Path-dependent TreeSHAP of the decision-now rows in raw log-odds: one column per input, then the base."""
        numbers = numbers_of(features, self.model_features)
        return self.explainer.contributions(now_inputs(numbers, self.config), threads=self.threads)

    def warm(self) -> None:
        """Do now what would make the first score slow: seconds, once per process. Scores are the same without it."""
        self.explainer.warm()

    def expect(self, rows: int) -> None:
        """Told that so many rows will be scored, do now what would make them slow, if it pays; scores are the same."""
        self.explainer.expect(rows * (1 + len(self.config.intervals_days)))

    def _scores(self, rows: Rows) -> dict[str, Any]:
        numbers = numbers_of(rows, self.model_features)
        told = self.explainer.told(now_inputs(numbers, self.config), threads=self.threads)
        offsets = self.calibration.offsets(rows)
        now = self.calibration.logits(told.margins, 0, offsets)
        usual = segment_level(self.reference.segments, self.reference.overall, words_in(rows, "segment"))
        chances = risks(
            self._interval_logits(numbers, rows, offsets), self.config.interval_bounds_days[1:], HORIZONS_DAYS
        )
        spread = self.spread.of(
            chances[self.config.headline_days], full_data_weeks(rows) < self.config.thin_below_weeks
        )
        points = self._group_points(told.groups, offsets)
        level = health(self._base, points, pull(now, usual, self.own_weights(rows)), self.config.scale)
        grade = grades(rows, spread, self.config.grades)
        return {
            **{f"risk_{days}": chance for days, chance in chances.items()},
            "interval_days": self.config.headline_days,
            **dict(zip(_SPREAD, (spread.p0, spread.p1, spread.low, spread.high), strict=True)),
            "health": level.score,
            "band": bands(level.score, grade, words_in(rows, "cohort_status"), self.config.scale),
            "grade": grade,
            "phase": words_in(rows, "phase"),
            "base_points": level.base,
            **{name: points[:, position] for position, name in enumerate(_POINTS)},
            "clip_adjust": level.clip,
            "shrink_adjust": level.shrink,
            "model_version": self.version,
        }

    def _interval_logits(self, numbers: Floats, rows: Rows, offsets: Floats) -> Floats:
        own, ahead = self.own_interval_logits(numbers, Timing.of(rows), offsets)
        segments = words_in(rows, "segment").tolist() * own.shape[1]
        usual = self.reference.usual_levels.at(segments, ahead).reshape(own.T.shape).T
        return own + pull(own, usual, self.own_weights(rows))

    def own_interval_logits(self, numbers: Floats, timing: Timing, offsets: Floats) -> tuple[Floats, Ahead]:
        """Calibrated log-odds (n, intervals) of each row by its own features alone, and where each stands.

        ``numbers`` are the model features of the rows, ``offsets`` those of the calibration. Where they stand is told
        interval by interval: all rows in the first, then all in the second.
        """
        count, bounds = len(numbers), np.array(self.config.intervals_days, dtype=np.float64)
        interval = np.repeat(np.arange(len(bounds)), count)
        row = np.tile(np.arange(count), len(bounds))
        inputs = timing_inputs(timing.take(row), *bounds[interval].T)
        ways = inputs.reshape(len(bounds), count, inputs.shape[1])
        raw = self.explainer.continued(numbers, ways, threads=self.threads)
        logits = self.calibration.logits(raw.ravel(), interval, offsets[row])
        return logits.reshape(raw.shape).T, Ahead(interval, timing_codes(inputs))

    def _group_points(self, groups: Floats, offsets: Floats) -> Floats:
        usual = self._once("usual groups", lambda: self.explainer.grouped(self._usual[np.newaxis, :]))
        points = points_of(groups, usual, self.calibration.slope, self.config.scale)
        parts, of_offsets = list(Subcategory), self._offset_points(offsets)
        for place, owner in enumerate(OFFSET_OWNERS.values()):
            points[:, parts.index(owner)] += of_offsets[:, place]
        return points

    def _offset_points(self, offsets: Floats) -> Floats:
        usual = np.array([self.reference.offsets[name] for name in OFFSET_OWNERS])
        return unsigned_zeros(-points_per_log_odd(self.config.scale) * (offsets - usual))

    def _points_by_feature(self, rows: Rows) -> Floats:
        points = self._input_points(self.contributions(rows))
        places = self._once("places", lambda: places_of(self.features, self.inputs))
        told = points[:, [spoken_for[0] for spoken_for in places]]
        for number, spoken_for in enumerate(places):
            if len(spoken_for) > 1:
                told[:, number] = summed(points, spoken_for)
        return told

    def _input_points(self, contributions: Floats) -> Floats:
        return points_of(contributions[:, :-1], self._usual, self.calibration.slope, self.config.scale)

    def _once(self, name: str, find: Callable[[], _Found]) -> _Found:
        # Nothing of a bundle ever changes; what two threads find at the same time is the same.
        if name not in self._standing:
            self._standing[name] = find()
        found: _Found = self._standing[name]
        return found

    @property
    def _usual(self) -> Floats:
        return self._once("usual", lambda: np.array([self.reference.usual[name] for name in self.inputs]))

    @property
    def _base(self) -> float:
        return self._once("base", self._find_base)

    def _find_base(self) -> float:
        usual = self.reference.expectation + sum(self.reference.usual[name] for name in self.inputs)
        level = self.calibration.intercepts[0] + sum(self.reference.offsets[name] for name in OFFSET_OWNERS)
        return base_points(self.calibration.slope, level, usual, self.config.scale)


def now_inputs(numbers: Floats, config: TrainingConfig) -> Floats:
    """The booster's inputs of the health score: the model features of n rows, timed as if the decision fell now."""
    return np.concatenate([numbers, decision_now(len(numbers), config)], axis=1)


def owners_of(features: Sequence[str], subcategories: Sequence[str]) -> tuple[int, ...]:
    """The subcategory of each input of the booster, as its place among all; features as in :class:`Bundle`."""
    place = {str(part): number for number, part in enumerate(Subcategory)}
    owner = {name: place[part] for name, part in zip(features, subcategories, strict=True)}
    inputs = (*features[: -len(TIMING_FEATURES)], *TIMING_INPUTS)
    return tuple(owner[FEATURE_OF_INPUT.get(name, name)] for name in inputs)
