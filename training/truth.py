"""What were the true chances? Known only where a simulator made the company, and read only to grade.

Grain out: one row per account and ``as_of`` with the state oracle's probabilities.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from features.errors import MissingStateError, UsageError
from features.vocabulary import HORIZONS_DAYS
from training.target import Target

ORACLE = "oracle.parquet"


def read_truth(folder: Path) -> pd.DataFrame:
    """The oracle of a simulated company: account_id, as_of, p_30, p_60, p_90, p_180.

    Raises:
        MissingStateError: the folder holds no truth.
    """
    path = folder / ORACLE
    if not path.exists():
        raise MissingStateError(
            "there is no truth to grade by",
            expected=f"{ORACLE} in the folder given",
            found="no such file",
            todo="give the truth/ folder that `pulse simulate` wrote, or leave --truth out",
        )
    columns = ["account_id", "as_of", *(f"p_{days}" for days in HORIZONS_DAYS)]
    truth: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas()
    return truth


def truth_for(folder: Path | None, target: Target) -> pd.DataFrame | None:
    """The truth by which models of a target may be graded; None where no folder is given.

    Raises:
        UsageError: a folder for another target than churn: a simulator writes down the chances to leave only.
        MissingStateError: the folder holds no truth.
    """
    if folder is not None and target.recurs:
        raise UsageError(
            f"the truth does not tell of {target}",
            expected="no --truth, or target churn",
            found=f"target {target}",
            todo="leave --truth out: a simulator writes down the true chances to leave only",
        )
    return read_truth(folder) if folder else None
