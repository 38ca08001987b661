"""Which snapshots may a model be fitted on, and which judge it?

Pure functions of dates. Grain: one :class:`Fold` per pair of past and future. Law: the last label of a fold's training
periods is final (interval end + grace + recording lag) no later than the fold's first test snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.errors import NoUsableSignal
from training.config import TrainingConfig

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fold:
    """A test block of snapshots, both ends included; what was final by its first snapshot may be trained on."""

    test_first: datetime
    test_last: datetime

    def train(self, rows: pd.DataFrame) -> Mask:
        """Person-periods whose label was final when the test block began."""
        return (rows["closes_at"] <= pd.Timestamp(self.test_first)).to_numpy()

    def test(self, rows: pd.DataFrame) -> Mask:
        """Rows (person-periods or snapshots) with ``as_of`` in the test block."""
        first, last = pd.Timestamp(self.test_first), pd.Timestamp(self.test_last)
        return rows["as_of"].between(first, last).to_numpy()


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """The final block, which no choice may look at, and the walk-forward folds before it, oldest first."""

    final: Fold
    walk_forward: tuple[Fold, ...]


def split(as_ofs: Sequence[datetime], data_cut: datetime, config: TrainingConfig) -> TimeSplit:
    """Split snapshots for tuning and for the last word.

    The final block is the last ``test_block`` of snapshots whose headline label is final at ``data_cut``. The folds
    cut what can be trained on before it: equal test blocks at its end, preceded by at least two such blocks of
    training.

    Raises:
        NoUsableSignal: the history is too short for a final block and every fold.
    """
    final = final_fold(as_ofs, data_cut, config)
    return TimeSplit(final, walk_forward(as_ofs, final.test_first, config))


def is_mature(as_of: datetime, data_cut: datetime, config: TrainingConfig) -> bool:
    """True when the headline label of a snapshot is final at ``data_cut``."""
    return as_of + timedelta(days=config.headline_days) + config.settling <= data_cut


def final_fold(as_ofs: Sequence[datetime], data_cut: datetime, config: TrainingConfig) -> Fold:
    """The last ``test_block`` of snapshots whose headline label is final.

    Raises:
        NoUsableSignal: no snapshot has a final label.
    """
    mature = [as_of for as_of in sorted(set(as_ofs)) if is_mature(as_of, data_cut, config)]
    if not mature:
        raise _too_short(
            as_ofs, data_cut, f"snapshots {config.headline_days + config.settling.days} days before the cut"
        )
    inside = [as_of for as_of in mature if as_of > mature[-1] - config.test_block]
    return Fold(inside[0], inside[-1])


def block_of(as_ofs: Sequence[datetime], facts: Mapping[str, Any], config: TrainingConfig) -> Fold:
    """The final block of a bundle, found again from its facts: what it learnt from was final when the block began."""
    data_cut = datetime.fromisoformat(facts["data_cut"])
    return final_fold([as_of for as_of in as_ofs if as_of <= data_cut], data_cut, config)


def walk_forward(as_ofs: Sequence[datetime], before: datetime, config: TrainingConfig) -> tuple[Fold, ...]:
    """Purged walk-forward folds in which nothing at all is known that was not final at ``before``.

    Raises:
        NoUsableSignal: a fold would have no test snapshot or nothing to train on.
    """
    shortest = timedelta(days=config.interval_bounds_days[1]) + config.settling
    usable = [as_of for as_of in sorted(set(as_ofs)) if as_of + shortest <= before]
    blocks = [list(block) for block in np.array_split(np.array(usable, dtype=object), config.folds + 2)]
    folds = tuple(Fold(block[0], block[-1]) for block in blocks[2:] if block)
    if len(folds) < config.folds or usable[0] + shortest > folds[0].test_first:
        raise _too_short(as_ofs, before, f"{config.folds} folds of later snapshots after a stretch to train on")
    return folds


def _too_short(as_ofs: Sequence[datetime], cut: datetime, expected: str) -> NoUsableSignal:
    return NoUsableSignal(
        "the history is too short to judge a model",
        expected=expected,
        found=f"{len(set(as_ofs))} snapshots before {cut.date()}",
        todo="build snapshots further back, or wait until more labels are final",
    )
