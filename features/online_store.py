"""Where does Feast keep the latest snapshot of each account, for quick reads?

Feast's plug-in point for online stores: one SQLite file, one row per feature view and account. Feast's own SQLite store
lets an old snapshot overwrite a newer one, commits each view alone, keeps moments in the writer's local time and writes
one row per feature. Here a newer row stays, one transaction spans all views, and moments are microseconds UTC.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from feast import Entity, FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.online_store import OnlineStore
from feast.online_response import OnlineResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Map, Value
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs

from features.errors import IntegrityError, MissingStateError, ServiceUnavailable

BUSY_SECONDS = 5.0
"""A writer waits this long for another one; readers never wait."""

_KEYS_PER_READ = 500
"""SQLite takes at least 999 values in one statement, whatever it was built with."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TABLE = """
    CREATE TABLE IF NOT EXISTS online_rows (
        view TEXT NOT NULL,
        entity_key BLOB NOT NULL,
        event_us INTEGER NOT NULL,
        created_us INTEGER NOT NULL,
        feature_values BLOB NOT NULL,
        PRIMARY KEY (view, entity_key)
    )"""
_UPSERT = """
    INSERT INTO online_rows (view, entity_key, event_us, created_us, feature_values) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (view, entity_key) DO UPDATE SET
        event_us = excluded.event_us, created_us = excluded.created_us, feature_values = excluded.feature_values
    WHERE (excluded.event_us, excluded.created_us) >= (event_us, created_us)"""

StoredRow = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
"""Feast's shape of a row to write: key, values, event moment, created moment."""

FoundRow = tuple[datetime | None, dict[str, Value] | None]
"""Feast's shape of a row that was read: event moment and values, or twice ``None``."""


class SnapshotOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc] # Feast has no types
    """Where the SQLite file lies."""

    type: Literal["features.online_store.SnapshotOnlineStore"] = "features.online_store.SnapshotOnlineStore"
    path: Path


class SnapshotOnlineStore(OnlineStore):  # type: ignore[misc] # Feast has no types
    """The latest snapshot per account and feature view."""

    # Feast would import the stores of a dozen other products to find out.
    _versioned_read_supported = False

    def __init__(self) -> None:
        self._session = threading.local()

    @contextmanager
    def session(self, config: RepoConfig, *, writing: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction: everything this thread reads or writes inside it belongs together.

        Left by an error, or by a crash at any point, a writing session leaves nothing behind.

        Raises:
            MissingStateError: there is no store yet.
            IntegrityError: the file is no sound SQLite database.
            ServiceUnavailable: another writer holds the store for more than 5 s, or the disk does not answer.
        """
        inner = getattr(self._session, "connection", None)
        if inner is not None:
            yield inner
            return
        path = config.online_store.path
        try:
            with closing(_connect(path)) as connection:
                connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
                self._session.connection = connection
                yield connection
                connection.execute("COMMIT")
        except sqlite3.OperationalError as cause:
            raise _does_not_answer(path) from cause
        except (sqlite3.DatabaseError, DecodeError) as cause:
            raise _damaged(path) from cause
        finally:
            self._session.connection = None

    def require_rows(self, config: RepoConfig) -> None:
        """Refuse to go on while nothing at all is stored.

        Raises:
            MissingStateError: the store is empty.
        """
        with self.session(config) as connection:
            if connection.execute("SELECT 1 FROM online_rows LIMIT 1").fetchone() is None:
                raise _nothing_there(config.online_store.path, "an empty store")

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
            (
                table.name,
                serialize_entity_key(key, version),
                _microseconds(event_at),
                _microseconds(known_at),
                _packed(values),
            )
            for key, values, event_at, known_at in data
        ]
        with self.session(config, writing=True) as connection:
            connection.executemany(_UPSERT, rows)
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
        with self.session(config) as connection:
            for start in range(0, len(keys), _KEYS_PER_READ):
                asked = keys[start : start + _KEYS_PER_READ]
                marks = ", ".join("?" * len(asked))
                query = f"SELECT entity_key, event_us, feature_values FROM online_rows WHERE view = ? AND entity_key IN ({marks})"  # noqa: E501
                for key, event_us, packed in connection.execute(query, (table.name, *asked)):
                    found[key] = (_EPOCH + event_us * _MICROSECOND, _unpacked(packed, requested_features))
        return [found.get(key, (None, None)) for key in keys]

    def get_online_features(self, config: RepoConfig, *arguments: Any, **options: Any) -> OnlineResponse:
        """Feast's read over several views as one transaction: never half of one materialisation, half of another."""
        with self.session(config):
            return super().get_online_features(config, *arguments, **options)

    def update(  # noqa: PLR0917 - Feast's interface
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],  # noqa: ARG002 - one table holds every view
        entities_to_delete: Sequence[Entity],  # noqa: ARG002 - rows go with their views
        entities_to_keep: Sequence[Entity],  # noqa: ARG002 - rows go with their views
        partial: bool,  # noqa: ARG002 - Feast's interface
    ) -> None:
        """Make the file where it is missing, and forget views that are gone."""
        path = config.online_store.path
        try:
            with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection, connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(_TABLE)
                gone = [(view.name,) for view in tables_to_delete]
                connection.executemany("DELETE FROM online_rows WHERE view = ?", gone)
        except sqlite3.OperationalError as cause:
            raise _does_not_answer(path) from cause
        except sqlite3.DatabaseError as cause:
            raise _damaged(path) from cause

    def teardown(
        self,
        config: RepoConfig,
        tables: Sequence[FeatureView],  # noqa: ARG002 - one file holds every view
        entities: Sequence[Entity],  # noqa: ARG002 - one file holds every view
    ) -> None:
        """Delete the store."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{config.online_store.path}{suffix}").unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise _nothing_there(path, "no file")
    # A connection per session: a file that was restored from a backup meanwhile is seen, and threads share nothing.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _packed(values: dict[str, Value]) -> bytes:
    packed: bytes = Value(map_val=Map(val=values)).SerializeToString(deterministic=True)
    return packed


def _unpacked(packed: bytes, wanted: Sequence[str] | None) -> dict[str, Value]:
    values = Value.FromString(packed).map_val.val
    return {name: values[name] for name in (values if wanted is None else wanted) if name in values}


def _microseconds(moment: datetime | None) -> int:
    if moment is None:
        return 0
    # Feast means UTC when it says no zone.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def _nothing_there(path: Path, found: str) -> MissingStateError:
    return MissingStateError(
        "no features are online yet",
        expected=f"the latest snapshots in {path}",
        found=found,
        todo="run `pulse build`",
    )


def _does_not_answer(path: Path) -> ServiceUnavailable:
    return ServiceUnavailable(
        "the online store does not answer",
        expected=f"a SQLite file at {path} that can be read and written within {BUSY_SECONDS:.0f} s",
        found="it is locked by another process, or cannot be opened",
        todo="try again; see that only one `pulse build` runs and that the disk is writable",
    )


def _damaged(path: Path) -> IntegrityError:
    return IntegrityError(
        "the online store is damaged",
        expected=f"a sound SQLite file at {path}",
        found="another content",
        todo="delete the file and run `pulse build`: it is made again from the snapshots",
    )
