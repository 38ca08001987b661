"""How does PostgreSQL keep the latest snapshot of each account?

One table with one row per feature view and account, behind the laws of :mod:`features.latest_rows`. A writing session
is one transaction, and one writer works at a time; a reading session is one snapshot of the database. A connection
lives as long as its session: a server that was restarted is found again by the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Any, Literal

import psycopg
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs
from pydantic import SecretStr
from sqlalchemy import make_url

from features.errors import IntegrityError, MissingStateError, ServiceUnavailable
from features.feast_import import Entity, FeastConfigBaseModel, FeatureView, RepoConfig
from features.latest_rows import LatestRows, LatestRowsStore, PackedRow, damaged, does_not_answer, nothing_there
from features.online_place import shown_address

ANSWER_SECONDS = 2
"""A reader is told within this time that PostgreSQL does not answer."""

BUSY_SECONDS = 5.0
"""A writer waits this long for another one; readers never wait."""

_WRITER = 7_095_427_316_285
"""The number of the lock that writers take: any, but the same for all."""

_TABLE = """
    CREATE TABLE IF NOT EXISTS pulse_online_rows (
        view text NOT NULL,
        entity_key bytea NOT NULL,
        event_us bigint NOT NULL,
        created_us bigint NOT NULL,
        feature_values bytea NOT NULL,
        PRIMARY KEY (view, entity_key)
    )"""
_UPSERT = """
    INSERT INTO pulse_online_rows AS stored (view, entity_key, event_us, created_us, feature_values)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (view, entity_key) DO UPDATE SET
        event_us = excluded.event_us, created_us = excluded.created_us, feature_values = excluded.feature_values
    WHERE (excluded.event_us, excluded.created_us) >= (stored.event_us, stored.created_us)"""
_OF_A_MOMENT = "SELECT entity_key FROM pulse_online_rows WHERE view = %s AND event_us = %s AND created_us <= %s"
_FORGET = "DELETE FROM pulse_online_rows WHERE view = %s AND entity_key = ANY(%s)"
_FIND = "SELECT entity_key, event_us, feature_values FROM pulse_online_rows WHERE view = %s AND entity_key = ANY(%s)"


class PostgresqlOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc] # Feast has no types
    """The address of the PostgreSQL database, password and all; it is never shown."""

    type: Literal["features.online_postgresql.PostgresqlOnlineStore"] = (
        "features.online_postgresql.PostgresqlOnlineStore"
    )
    address: SecretStr


class PostgresqlOnlineStore(LatestRowsStore):
    """The latest snapshot per account and feature view, in one table."""

    def where(self, config: RepoConfig) -> str:
        """The address without user and password."""
        return shown_address(config.online_store.address)

    @contextmanager
    def connect(self, config: RepoConfig, *, writing: bool) -> Iterator[LatestRows]:
        """One transaction. Left by an error, or by a crash at any point, it leaves nothing behind."""
        with _explained(self.where(config)), _connected(config) as connection:
            if writing:
                _take_turn(connection)
            else:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
            yield _Rows(connection)

    def update(  # noqa: PLR0917 - Feast's interface
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],  # noqa: ARG002 - one table holds every view
        entities_to_delete: Sequence[Entity],  # noqa: ARG002 - rows go with their views
        entities_to_keep: Sequence[Entity],  # noqa: ARG002 - rows go with their views
        partial: bool,  # noqa: ARG002 - Feast's interface
    ) -> None:
        """Make the table where it is missing, and forget views that are gone."""
        with _explained(self.where(config)), _connected(config) as connection:
            _take_turn(connection)
            connection.execute(_TABLE)
            gone = [view.name for view in tables_to_delete]
            connection.execute("DELETE FROM pulse_online_rows WHERE view = ANY(%s)", (gone,))

    def teardown(
        self,
        config: RepoConfig,
        tables: Sequence[FeatureView],  # noqa: ARG002 - one table holds every view
        entities: Sequence[Entity],  # noqa: ARG002 - one table holds every view
    ) -> None:
        """Drop our table; whatever else the database holds stays."""
        with _explained(self.where(config)), _connected(config) as connection:
            _take_turn(connection)
            connection.execute("DROP TABLE IF EXISTS pulse_online_rows")


class _Rows(LatestRows):
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def put(self, rows: Sequence[PackedRow]) -> None:
        cells = [(row.view, row.key, row.event_us, row.created_us, row.values) for row in rows]
        with self._connection.cursor() as cursor:
            cursor.executemany(_UPSERT, cells)
            self.written += cursor.rowcount if cells else 0

    def withdraw(self, view: str, event_us: int, until_us: int, keep: Set[bytes]) -> None:
        # Not "all but these" in SQL: a server may compare every row with every one of them.
        stored = self._connection.cursor(binary=True).execute(_OF_A_MOMENT, (view, event_us, until_us))
        self._connection.execute(_FORGET, (view, [key for (key,) in stored if key not in keep]))

    def find(self, view: str, keys: Sequence[bytes]) -> Iterator[tuple[bytes, int, bytes]]:
        yield from self._connection.cursor(binary=True).execute(_FIND, (view, list(keys)))

    def is_empty(self) -> bool:
        return self._connection.execute("SELECT 1 FROM pulse_online_rows LIMIT 1").fetchone() is None


@contextmanager
def _connected(config: RepoConfig) -> Iterator[psycopg.Connection[Any]]:
    # Given part by part: a driver that cannot read a whole address repeats it in its complaint.
    url = make_url(config.online_store.address.get_secret_value())
    parts: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    limits = {"connect_timeout": ANSWER_SECONDS, "tcp_user_timeout": ANSWER_SECONDS * 1000}
    given = {**url.query, **{name: value for name, value in parts.items() if value}}
    # It commits when left in peace, rolls back when left by an error, and is closed in both cases.
    with psycopg.connect(**{**limits, **given}, application_name="campaign-pulse") as connection:
        yield connection


def _take_turn(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{BUSY_SECONDS * 1000:.0f}ms",))
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITER,))


@contextmanager
def _explained(where: str) -> Iterator[None]:
    # Only the kind of a failure goes out: the server's own words may repeat a row, a user or a password.
    try:
        yield
    except psycopg.errors.LockNotAvailable:
        raise does_not_answer(
            where, f"another writer holds it for more than {BUSY_SECONDS:.0f} s", "see that only one `pulse build` runs"
        ) from None
    except psycopg.errors.UndefinedTable:
        raise _no_table(where) from None
    except psycopg.Error as cause:
        raise _does_not_answer(where, cause) from None
    except DecodeError:
        raise _damaged(where) from None


def _no_table(where: str) -> MissingStateError:
    return nothing_there(where, "no table")


def _does_not_answer(where: str, cause: psycopg.Error) -> ServiceUnavailable:
    return does_not_answer(
        where,
        type(cause).__name__,
        f"start PostgreSQL, or correct user and password in the environment; it must answer within {ANSWER_SECONDS} s",
    )


def _damaged(where: str) -> IntegrityError:
    return damaged(
        f"rows of ours in {where}",
        "drop the table pulse_online_rows and run `pulse build`: it is made again from the snapshots",
    )
