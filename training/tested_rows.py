"""What became of the accounts that were scored, and which of them could still be predicted?

Grain in and out: one row per (account, as_of) of a :class:`Material`, in its order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.config import TrainingConfig
from training.labels import days_to_decision_taken, horizon_labels
from training.material import Material


def undecided(material: Material) -> npt.NDArray[np.bool_]:
    """Rows of accounts that had not decided by the snapshot, known then or not: only they can be predicted."""
    days, _ = days_to_decision_taken(material.cohort, material.decided)
    return (~days.le(0)).to_numpy()


def judged_rows(tested: Material, scores: pd.DataFrame, config: TrainingConfig) -> pd.DataFrame:
    """Scores (same rows, same order) beside what became of the accounts: the columns of :mod:`training.judged`."""
    cohort, snapshots = tested.cohort, tested.snapshots
    labels = horizon_labels(cohort, tested.decided, data_cut=tested.data_cut, config=config)
    timing = snapshots[["segment", "days_to_decision", "is_evergreen", "term_months", "annual_value"]]
    kept = scores.drop(columns=["account_id", "as_of", "model_version"])
    return pd.concat([cohort[["account_id", "as_of", "cluster_id"]], timing, labels, kept], axis=1)
