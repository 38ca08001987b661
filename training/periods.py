"""What does the model know about *when* a decision falls, in each interval ahead of a snapshot?

Input grain: one row per account and ``as_of`` with its timing. Output grain: one row per account, ``as_of`` and
interval. Training rows, scores and the decision-now row of the health score all get their timing here, so that it
cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.catalogue import MODEL_FEATURES, TIMING_FEATURES
from training.columns import Rows, doubles_in, or_nothing
from training.config import TrainingConfig

Floats = npt.NDArray[np.float64]

TIMING_INPUTS = (
    "interval_start_days",
    "interval_length_days",
    "days_to_decision_at_start",
    "decisions_in_interval",
    "is_evergreen",
)
"""Columns of the model that depend on the interval; all but the first two also on the contract."""

MODEL_INPUTS = (*MODEL_FEATURES, *TIMING_INPUTS)
"""The columns of the booster, in order."""

SNAPSHOT_FEATURES = (*MODEL_FEATURES, *TIMING_FEATURES)
"""The catalogue features from which the model's inputs are made, in order."""

FEATURE_OF_INPUT = {
    **{name: name for name in SNAPSHOT_FEATURES},
    **{name: "days_to_decision" for name in TIMING_INPUTS if name != "is_evergreen"},
}
"""The catalogue feature that a model input speaks for: contributions are reported under these names."""


def places_of(features: Sequence[str], inputs: Sequence[str]) -> list[list[int]]:
    """For each feature the places of the inputs that it is told for."""
    places: dict[str, list[int]] = {name: [] for name in features}
    for place, name in enumerate(inputs):
        places[FEATURE_OF_INPUT.get(name, name)].append(place)
    return list(places.values())


_DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Timing:
    """When the contracts of n rows can be left.

    ``days_to_decision`` is NaN for evergreen contracts; ``evergreen`` is 0 or 1; ``term_days`` is infinite when no
    further term is known.
    """

    days_to_decision: Floats
    evergreen: Floats
    term_days: Floats

    @classmethod
    def of(cls, snapshots: Rows) -> Timing:
        """Read the timing from the catalogue's columns ``days_to_decision``, ``is_evergreen`` and ``term_months``."""
        months = doubles_in(snapshots, "term_months")
        known = np.isfinite(months) & (months > 0)
        return cls(
            days_to_decision=doubles_in(snapshots, "days_to_decision"),
            evergreen=doubles_in(snapshots, "is_evergreen"),
            term_days=np.where(known, months * _DAYS_PER_MONTH, np.inf),
        )

    def take(self, positions: npt.NDArray[np.int64]) -> Timing:
        """The timing of some rows, in the order of their positions."""
        return Timing(self.days_to_decision[positions], self.evergreen[positions], self.term_days[positions])


def timing_inputs(timing: Timing, low: Floats, high: Floats) -> Floats:
    """The columns :data:`TIMING_INPUTS` for one interval ``(low, high]`` (days) per row: shape (n, 5)."""
    inputs = np.empty((len(low), len(TIMING_INPUTS)))
    told = (low, high - low, timing.days_to_decision - low, decisions_between(timing, low, high), timing.evergreen)
    for place, column in enumerate(told):
        inputs[:, place] = column
    return inputs


def decision_now(rows: int, config: TrainingConfig) -> Floats:
    """:data:`TIMING_INPUTS` as if each account's decision fell in the first interval: the timing of the health row."""
    low, high = config.intervals_days[0]
    timing = np.empty((rows, len(TIMING_INPUTS)))
    timing[:] = (low, high - low, config.decision_now_days, 1.0, 0.0)
    return timing


def decisions_between(timing: Timing, low: Floats, high: Floats) -> Floats:
    """How many dated decisions fall in ``(low, high]`` days, those of later terms included; 0 for evergreen contracts.

    A decision due today (0 days) counts for the first interval: its notice can still come today.
    """
    before = np.where(low > 0, _decisions_until(timing, low), 0.0)
    return np.maximum(_decisions_until(timing, high) - before, 0.0)


def _decisions_until(timing: Timing, day: Floats) -> Floats:
    # Decisions fall at days_to_decision + j * term_days for j = 0, 1, ...
    ahead = day - timing.days_to_decision
    return np.where(ahead >= 0, np.floor(or_nothing(ahead) / timing.term_days) + 1.0, 0.0)
