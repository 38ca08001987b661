"""What is stored online of each account, and which features are that?

Grain in: per feature view an event moment and packed values, as :mod:`features.latest_rows` stores them. Grain out: one
row per account, in order: ``account_id``, ``found``, ``as_of`` (UTC, or no value), then every feature in catalogue
order. Feast's own answer is the same values, found by way of seven answers of its own, which cost more than a score.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalogue import FEATURES, features_of
from features.definitions import AS_OF, JOIN_KEY, TTL
from features.errors import IntegrityError, MissingStateError
from features.feast_import import EntityKey, Value, serialize_entity_key
from features.latest_rows import LatestRows, microseconds
from features.vocabulary import Subcategory

_ORDER = [feature.name for feature in FEATURES]
_NUMBERS = tuple(feature.name for feature in FEATURES if not feature.is_text)
_WORDS = [feature.name for feature in FEATURES if feature.is_text]
_VIEWS = tuple(str(part) for part in Subcategory)
_PLACES = {name: place for place, name in enumerate(_NUMBERS)}
# Of each feature of a view its name and its place among the numbers; None: it is a word.
_NAMES = [[(feature.name, _PLACES.get(feature.name)) for feature in features_of(part)] for part in Subcategory]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


@dataclass(frozen=True, slots=True)
class OnlineRows:
    """The rows of stored accounts as arrays, in order: what :func:`online_rows` tells, without a table around it.

    ``numbers`` (n, names) with NaN for null, ``words`` by name with None for null; a row is ``found`` when any value is
    there. ``as_ofs`` (UTC) are None where nothing is stored.
    """

    account_ids: tuple[str, ...]
    found: tuple[bool, ...]
    as_ofs: tuple[datetime | None, ...]
    names: tuple[str, ...]
    numbers: npt.NDArray[np.float64]
    words: Mapping[str, npt.NDArray[np.object_]]


def holders_of(latest: pd.DataFrame, as_ofs: Sequence[datetime], *, key_version: int) -> dict[int, set[bytes]]:
    """Per snapshot (its moment as it is stored) the keys of the accounts that it or a later one holds.

    ``latest`` has one row per account: ``account_id``, and ``as_of`` of the last snapshot that holds it.
    """
    keys = [_key(account_id, key_version) for account_id in latest[JOIN_KEY]]
    moments = [microseconds(moment.to_pydatetime()) for moment in latest[AS_OF]]
    return {
        event_us: {key for key, moment in zip(keys, moments, strict=True) if moment >= event_us}
        for event_us in map(microseconds, as_ofs)
    }


def require_same_rows(latest: dict[str, pd.DataFrame], until: datetime) -> None:
    """Refuse views to bring online that are all empty, or do not hold the same accounts and dates."""
    if all(rows.empty for rows in latest.values()):
        raise MissingStateError(
            "no snapshot lies in the window to bring online",
            expected=f"a snapshot in the {TTL.days} days up to {until.isoformat()}",
            found="none",
            todo="run `pulse build` up to this date",
        )
    require_same_keys(latest)


def require_same_keys(views: Mapping[str, pd.DataFrame]) -> None:
    """Refuse views that do not hold the same accounts and dates."""
    keys = {name: rows[[JOIN_KEY, AS_OF]] for name, rows in views.items()}
    first = next(iter(keys.values()))
    different = [name for name, rows in keys.items() if not rows.equals(first)]
    if different:
        raise IntegrityError(
            "the snapshots of the views do not belong together",
            expected="the same accounts and dates in every view",
            found=f"others in {', '.join(different)}",
            todo="run `pulse build` again: one stopped half-way",
        )


def online_arrays(accounts: Sequence[StoredAccount]) -> OnlineRows:
    """The rows of stored accounts, in order; raises as :func:`online_rows`."""
    # Lists first: to put a number into an array, one by one, costs as much as to read it.
    numbers = [[math.nan] * len(_NUMBERS) for _ in accounts]
    words: dict[str, list[str | None]] = {name: [None] * len(accounts) for name in _WORDS}
    found = [False] * len(accounts)
    for row, account in enumerate(accounts):
        for names, packed in zip(_NAMES, account.packed, strict=True):
            found[row] |= _unpack(packed, names, numbers[row], words, row)
    _require_one_date(accounts)
    return OnlineRows(
        account_ids=tuple(account.account_id for account in accounts),
        found=tuple(found),
        as_ofs=tuple(_moment(account.events_us[0]) for account in accounts),
        names=_NUMBERS,
        numbers=np.array(numbers, dtype=np.float64).reshape(len(accounts), len(_NUMBERS)),
        words={name: np.array(told, dtype=object) for name, told in words.items()},
    )


def online_rows(accounts: Sequence[StoredAccount]) -> pd.DataFrame:
    """The rows of stored accounts, in order; a row is found when any value is there.

    ``DecodeError`` where packed values are not as they were written.

    Raises:
        IntegrityError: the views of an account are of different dates.
    """
    rows = online_arrays(accounts)
    # One block of numbers: a hundred columns one by one cost more than all the rest of reading one account.
    numbers = pd.DataFrame(rows.numbers, columns=list(rows.names))
    words = pd.DataFrame(dict(rows.words), columns=_WORDS)
    stamps = np.array([account.events_us[0] for account in accounts], dtype=np.int64)
    as_of = pd.DatetimeIndex(np.where(stamps == 0, np.datetime64("NaT"), stamps.astype("datetime64[us]")), tz="UTC")
    ids = pd.Series(rows.account_ids, dtype=object)
    head = pd.DataFrame({"account_id": ids, "found": np.array(rows.found, dtype=bool), "as_of": as_of})
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


def _unpack(
    packed: bytes,
    names: Sequence[tuple[str, int | None]],
    numbers: list[float],
    words: Mapping[str, list[str | None]],
    row: int,
) -> bool:
    # Is any value there? One that is not set reads as 0.0 or as an empty word; only then it has to be asked.
    stored, found = Value.FromString(packed).map_val.val, False
    for name, place in names:
        value = stored.get(name)
        if value is None:
            continue
        if place is None:
            if (word := value.string_val) or value.HasField("string_val"):
                words[name][row], found = word, True
        elif (number := value.double_val) or value.HasField("double_val"):
            numbers[place] = number
            found = found or not math.isnan(number)
    return found


def _moment(event_us: int) -> datetime | None:
    # The epoch is the moment of what is not stored.
    return _EPOCH + timedelta(microseconds=event_us) if event_us else None
