"""Are these the columns that a model reads, and are their values ones it may read?

Grain: one row per account and ``as_of``, in and out. A wrong column is refused by its name; LightGBM itself would score
columns in a wrong order without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from features.catalogue import TIMING_FEATURES
from features.errors import DataContractError, IntegrityError
from training.columns import Columns, Rows, missing_in, words_in
from training.periods import SNAPSHOT_FEATURES, Floats

KEYS = ("account_id", "as_of")
WORDS = (*KEYS, "cohort_status", "phase", "segment")
"""What a score needs beside numbers: who, when, under notice or not, and which peers."""

AMOUNT_OF_DATA = ("usable_weeks", "sources_present", "campaign_count_w104", "campaign_gap_cv_w156")
"""Display features that set grade and shrinkage, never inputs of the booster."""


_BESIDE = frozenset((*TIMING_FEATURES, *AMOUNT_OF_DATA, "term_months"))
"""Numbers that are read apart from the booster's inputs, which :func:`numbers_of` looks at."""

SCORED_COLUMNS = tuple(dict.fromkeys((*WORDS, *SNAPSHOT_FEATURES, *AMOUNT_OF_DATA, "term_months")))
"""Every column that training and scoring read of a snapshot, as the catalogue stands today."""


@lru_cache(maxsize=64)  # with every score the same is asked
def needed_for(features: tuple[str, ...]) -> tuple[str, ...]:
    """Every column that a score by these features reads."""
    return tuple(dict.fromkeys((*WORDS, *features, *AMOUNT_OF_DATA, "term_months")))


def require_columns(snapshots: Rows, names: Sequence[str]) -> None:
    """Refuse rows without, or with more than one, of the columns; refuse rows that no snapshot stands behind.

    Raises:
        IntegrityError: names the missing or repeated columns, or those beside the booster's that hold no numbers.
        DataContractError: rows without a cohort status, such as an account that the store does not know.
    """
    there = snapshots.there if isinstance(snapshots, Columns) else frozenset(snapshots)
    if missing := _missing(there, tuple(names)):
        raise _wrong_columns("are missing", missing)
    if isinstance(snapshots, pd.DataFrame):
        _require_once(snapshots, names)
    unknown = missing_in(words_in(snapshots, "cohort_status"))
    if unknown:
        raise DataContractError(
            "rows have no features behind them",
            expected="a cohort status in every row",
            found=f"{unknown} of {len(snapshots)} rows without one",
            todo="score only accounts that the feature store found",
        )


def numbers_of(snapshots: Rows, names: Sequence[str]) -> Floats:
    """The named columns as doubles, shape (n, names); null is NaN.

    Raises:
        IntegrityError: a column holds something else than numbers.
        DataContractError: a value is infinite; there is no reading of it that is not a guess.
    """
    numbers = snapshots.doubles(tuple(names)) if isinstance(snapshots, Columns) else _doubles(snapshots, names)
    if np.isinf(numbers).any():
        infinite = np.isinf(numbers).sum(axis=0)
        raise DataContractError(
            "features are infinite",
            expected="finite numbers, or null where there is no value",
            found=", ".join(f"{name} ({count} rows)" for name, count in zip(names, infinite, strict=True) if count),
            todo="mend the SQL step of these features: a denominator is not guarded",
        )
    return numbers


@lru_cache(maxsize=64)
def _missing(there: frozenset[str], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in there)


def _require_once(snapshots: pd.DataFrame, names: Sequence[str]) -> None:
    if len(set(snapshots.columns)) < snapshots.shape[1]:
        repeated = sorted(set(snapshots.columns[snapshots.columns.duplicated()]) & set(names))
        if repeated:
            raise _wrong_columns("stand there twice", repeated)
    beside = [name for name in names if name in _BESIDE and snapshots[name].dtype.kind not in "fiu"]
    if beside:
        _doubles(snapshots, beside)


def _doubles(snapshots: pd.DataFrame, names: Sequence[str]) -> Floats:
    try:
        return snapshots[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        if len(names) == 1:
            # The cause's own message would show the value.
            raise _wrong_columns("hold something else than numbers", names) from None
        return np.hstack([_doubles(snapshots, [name]) for name in names])


def _wrong_columns(what: str, names: Sequence[str]) -> IntegrityError:
    return IntegrityError(
        f"columns that the model reads {what}",
        expected="every feature of the model once, as numbers",
        found=", ".join(names),
        todo="build features with the catalogue that the model was trained with",
    )
