"""What is stored online of each account, and which features are that?

Grain in: per feature view an event moment and packed values, as :mod:`features.latest_rows` stores them. Grain out: one
row per account, in order: ``account_id``, ``found``, ``as_of`` (UTC, or no value), then every feature in catalogue
order. Feast's own answer is the same values, found by way of seven answers of its own, which cost more than a score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.catalogue import FEATURES, features_of
from features.definitions import JOIN_KEY
from features.errors import IntegrityError
from features.feast_import import EntityKey, Value, serialize_entity_key
from features.latest_rows import LatestRows
from features.vocabulary import Subcategory

_ORDER = [feature.name for feature in FEATURES]
_NUMBERS = [feature.name for feature in FEATURES if not feature.is_text]
_WORDS = [feature.name for feature in FEATURES if feature.is_text]
_VIEWS = tuple(str(part) for part in Subcategory)
_NAMES = [[(feature.name, feature.is_text) for feature in features_of(part)] for part in Subcategory]


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """One account as it is stored: event moments and values per view; of an unknown one, 0 and nothing in each."""

    account_id: str
    events_us: tuple[int, ...]
    packed: tuple[bytes, ...]

    def digest(self) -> bytes:
        """Two reads with the same digest are of the same account with the same features at the same moments."""
        told = hashlib.blake2b(digest_size=16)
        for part in (self.account_id.encode(), repr(self.events_us).encode(), *self.packed):
            told.update(len(part).to_bytes(8, "little"))
            told.update(part)
        return told.digest()


def stored_accounts(rows: LatestRows, ids: Sequence[str], *, key_version: int) -> list[StoredAccount]:
    """What a session of the store finds of these ids, in order."""
    keys = [_key(account_id, key_version) for account_id in ids]
    views = [{key: (event_us, packed) for key, event_us, packed in rows.find(view, keys)} for view in _VIEWS]
    found = ([view.get(key, (0, b"")) for view in views] for key in keys)
    return [
        StoredAccount(account_id, tuple(event_us for event_us, _ in parts), tuple(packed for _, packed in parts))
        for account_id, parts in zip(ids, found, strict=True)
    ]


def online_rows(accounts: Sequence[StoredAccount]) -> pd.DataFrame:
    """The rows of stored accounts, in order; a row is found when any value is there.

    ``DecodeError`` where packed values are not as they were written.

    Raises:
        IntegrityError: the views of an account are of different dates.
    """
    values: dict[str, list[Any]] = {name: [] for name in _ORDER}
    for account in accounts:
        for names, packed in zip(_NAMES, account.packed, strict=True):
            _unpack(packed, names, values)
    _require_one_date(accounts)
    # One block of numbers: a hundred columns one by one cost more than all the rest of reading one account.
    numbers = pd.DataFrame(np.array([values[name] for name in _NUMBERS], dtype=np.float64).T, columns=_NUMBERS)
    words = pd.DataFrame(np.array([values[name] for name in _WORDS], dtype=object).T, columns=_WORDS)
    stamps = np.array([account.events_us[0] for account in accounts], dtype=np.int64)
    # The epoch is the moment of what is not stored.
    as_of = pd.DatetimeIndex(np.where(stamps == 0, np.datetime64("NaT"), stamps.astype("datetime64[us]")), tz="UTC")
    found = numbers.notna().to_numpy().any(axis=1) | words.notna().to_numpy().any(axis=1)
    ids = pd.Series([account.account_id for account in accounts], dtype=object)
    head = pd.DataFrame({"account_id": ids, "found": found, "as_of": as_of})
    return pd.concat([head, pd.concat([numbers, words], axis=1)[_ORDER]], axis=1)


def _require_one_date(accounts: Sequence[StoredAccount]) -> None:
    mixed = sum(len(set(account.events_us)) > 1 for account in accounts)
    if mixed:
        raise IntegrityError(
            "the online features of an account are of different dates",
            expected="one date over all views",
            found=f"{mixed} accounts with several",
            todo="delete the online store and run `pulse build`",
        )


def _key(account_id: str, version: int) -> bytes:
    key: bytes = serialize_entity_key(
        EntityKey(join_keys=[JOIN_KEY], entity_values=[Value(string_val=account_id)]), version
    )
    return key


def _unpack(packed: bytes, names: Sequence[tuple[str, bool]], values: Mapping[str, list[Any]]) -> None:
    stored = Value.FromString(packed).map_val.val
    for name, is_text in names:
        value = stored.get(name, _NOTHING)
        if is_text:
            values[name].append(value.string_val if value.HasField("string_val") else None)
        else:
            values[name].append(value.double_val if value.HasField("double_val") else np.nan)


_NOTHING = Value()
