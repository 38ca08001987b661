"""What does Feast's online answer say of each account?

Grain in: Feast's answer, one vector per feature with one value per account. Grain out: one row per account, in order:
``account_id``, ``found``, ``as_of`` (UTC, or no value), then every feature in catalogue order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from features.catalogue import FEATURES, features_of
from features.errors import IntegrityError
from features.vocabulary import Subcategory

_ORDER = [feature.name for feature in FEATURES]
_NUMBERS = [feature.name for feature in FEATURES if not feature.is_text]
_WORDS = [feature.name for feature in FEATURES if feature.is_text]
_MARKERS = [features_of(part)[0].name for part in Subcategory]
"""One feature per view: its event moments are those of the whole view."""


def online_rows(ids: Sequence[str], answer: Any) -> pd.DataFrame:
    """The rows of Feast's answer (a ``GetOnlineFeaturesResponse``) for these ids.

    Feast says "found" in another way in each store, so its status is not read: a row is found when any value is there.

    Raises:
        IntegrityError: the views of an account are of different dates.
    """
    vectors = dict(zip(answer.metadata.feature_names.val, answer.results, strict=True))
    stamps = np.array([_microseconds(vectors[name].event_timestamps) for name in _MARKERS], dtype=np.int64)
    mixed = (stamps != stamps[0]).any(axis=0)
    if mixed.any():
        raise IntegrityError(
            "the online features of an account are of different dates",
            expected="one date over all views",
            found=f"{int(mixed.sum())} accounts with several",
            todo="delete the online store and run `pulse build`",
        )
    return _frame(ids, stamps[0], {name: vector.values for name, vector in vectors.items()})


def no_rows() -> pd.DataFrame:
    """The answer for no account: no row, every column."""
    return _frame([], np.array([], dtype=np.int64), {feature.name: [] for feature in FEATURES})


def _frame(ids: Sequence[str], stamps: np.ndarray[Any, Any], values: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    # One block of numbers: a hundred columns one by one cost more than all the rest of reading one account.
    numbers = pd.DataFrame(np.array([_numbers(values[name]) for name in _NUMBERS]).T, columns=_NUMBERS)
    words = pd.DataFrame(np.array([_words(values[name]) for name in _WORDS], dtype=object).T, columns=_WORDS)
    features = pd.concat([numbers, words], axis=1)[_ORDER]
    # Feast writes the epoch where it has no row.
    as_of = pd.DatetimeIndex(np.where(stamps == 0, np.datetime64("NaT"), stamps.astype("datetime64[us]")), tz="UTC")
    found = features.notna().any(axis=1).to_numpy()
    head = pd.DataFrame({"account_id": pd.Series(ids, dtype=object), "found": found, "as_of": as_of})
    return pd.concat([head, features], axis=1)


def _microseconds(stamps: Sequence[Any]) -> list[int]:
    return [stamp.seconds * 1_000_000 + stamp.nanos // 1_000 for stamp in stamps]


def _words(values: Sequence[Any]) -> list[str | None]:
    return [value.string_val if value.HasField("string_val") else None for value in values]


def _numbers(values: Sequence[Any]) -> list[float]:
    return [value.double_val if value.HasField("double_val") else np.nan for value in values]
