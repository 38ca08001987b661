"""Which laws does every online store of ours keep, whatever product holds the rows?

Feast's plug-in point for online stores, answered once. A row is one account's snapshot of one feature view. A stored
row gives way only to one with a later event moment, or the same one and a later created moment. What a thread reads or
writes inside a :meth:`LatestRowsStore.session` belongs together. Moments are microseconds UTC. A product behind it
(SQLite, Redis, PostgreSQL) only says how rows are put and found, and what its failures mean.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from features.errors import IntegrityError, MissingStateError, ServiceUnavailable
from features.feast_import import (
    EntityKey,
    FeatureView,
    Map,
    OnlineResponse,
    OnlineStore,
    RepoConfig,
    Value,
    serialize_entity_key,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

StoredRow = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
"""Feast's shape of a row to write: key, values, event moment, created moment."""

FoundRow = tuple[datetime | None, dict[str, Value] | None]
"""Feast's shape of a row that was read: event moment and values, or twice ``None``."""


@dataclass(frozen=True, slots=True)
class PackedRow:
    """One account's snapshot of one view, ready to be stored; ``created_us`` is 0 where nobody said it."""

    view: str
    key: bytes
    event_us: int
    created_us: int
    values: bytes


class LatestRows(ABC):
    """The rows of one store inside one session. ``written`` counts those that were taken, not those that were older."""

    written: int = 0

    @abstractmethod
    def put(self, rows: Sequence[PackedRow]) -> None:
        """Store rows where they are not older than what is stored."""

    @abstractmethod
    def withdraw(self, view: str, event_us: int, until_us: int, keep: Set[bytes]) -> None:
        """Forget the rows of one event moment, known at ``until_us``, of accounts that are not among ``keep``."""

    @abstractmethod
    def find(self, view: str, keys: Sequence[bytes]) -> Iterable[tuple[bytes, int, bytes]]:
        """Key, event moment and values of those accounts that are stored, in any order."""

    @abstractmethod
    def is_empty(self) -> bool:
        """True while nothing at all was ever stored."""


class LatestRowsStore(OnlineStore):  # type: ignore[misc] # Feast has no types
    """The latest snapshot per account and feature view."""

    # Feast would import the stores of a dozen other products to find out.
    _versioned_read_supported = False

    def __init__(self) -> None:
        self._session = threading.local()

    @abstractmethod
    def connect(self, config: RepoConfig, *, writing: bool) -> AbstractContextManager[LatestRows]:
        """Open the product for one session; left in peace the session counts, left by an error it does not."""

    @abstractmethod
    def where(self, config: RepoConfig) -> str:
        """Where the rows lie, in words for people, without a secret."""

    @contextmanager
    def session(self, config: RepoConfig, *, writing: bool = False) -> Iterator[LatestRows]:
        """Everything that this thread reads or writes inside it belongs together; a session inside a session is it.

        Raises:
            MissingStateError: there is no store yet.
            IntegrityError: what is stored is not what was written.
            ServiceUnavailable: the store does not answer in time, or another writer holds it.
        """
        inner = getattr(self._session, "rows", None)
        if inner is not None:
            yield inner
            return
        with self.connect(config, writing=writing) as rows:
            self._session.rows = rows
            try:
                yield rows
            finally:
                self._session.rows = None

    def require_rows(self, config: RepoConfig) -> None:
        """Refuse to go on while nothing at all is stored.

        Raises:
            MissingStateError: the store is empty.
        """
        with self.session(config) as rows:
            if rows.is_empty():
                raise nothing_there(self.where(config), "an empty store")

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[StoredRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Store rows; a stored row with a later event moment, or the same and a later created one, stays."""
        version = config.entity_key_serialization_version
        rows = [
            PackedRow(
                table.name,
                serialize_entity_key(key, version),
                microseconds(event_at),
                microseconds(known_at),
                _packed(values),
            )
            for key, values, event_at, known_at in data
        ]
        with self.session(config, writing=True) as stored:
            stored.put(rows)
        if progress:
            progress(len(rows))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[FoundRow]:
        """The stored rows of these accounts, in order; twice ``None`` for an account that is not stored."""
        keys = [serialize_entity_key(key, config.entity_key_serialization_version) for key in entity_keys]
        found: dict[bytes, FoundRow] = {}
        with self.session(config) as stored:
            for key, event_us, packed in stored.find(table.name, keys):
                found[key] = (_EPOCH + event_us * _MICROSECOND, _unpacked(packed, requested_features))
        return [found.get(key, (None, None)) for key in keys]

    def get_online_features(self, config: RepoConfig, *arguments: Any, **options: Any) -> OnlineResponse:
        """Feast's read over several views as one session: never half of one materialisation, half of another."""
        with self.session(config):
            return super().get_online_features(config, *arguments, **options)


def nothing_there(where: str, found: str) -> MissingStateError:
    """The refusal of a store with nothing in it."""
    return MissingStateError(
        "no features are online yet",
        expected=f"the latest snapshots in {where}",
        found=found,
        todo="run `pulse build`",
    )


def does_not_answer(where: str, found: str, todo: str) -> ServiceUnavailable:
    """The failure of a store that is locked, away or refuses us."""
    return ServiceUnavailable(
        "the online store does not answer", expected=f"{where}, ready to be read and written", found=found, todo=todo
    )


def damaged(where: str, todo: str) -> IntegrityError:
    """The refusal of a store that is not as it was written."""
    return IntegrityError("the online store is damaged", expected=f"sound {where}", found="another content", todo=todo)


def _packed(values: dict[str, Value]) -> bytes:
    packed: bytes = Value(map_val=Map(val=values)).SerializeToString(deterministic=True)
    return packed


def _unpacked(packed: bytes, wanted: Sequence[str] | None) -> dict[str, Value]:
    values = Value.FromString(packed).map_val.val
    return {name: values[name] for name in (values if wanted is None else wanted) if name in values}


def microseconds(moment: datetime | None) -> int:
    """A moment as it is stored; 0 where there is none."""
    if moment is None:
        return 0
    # Feast means UTC when it says no zone.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND
