"""How does Redis keep the latest snapshot of each account?

One hash per account with a field per feature view, behind the laws of :mod:`features.latest_rows`. A field begins with
its two moments (16 bytes, big-endian), then the values. A writing session gathers its rows and hands them over at its
end, account by account: a script compares the moments and replaces all views of an account in one step, so a reader
sees an account's old row or its new one, never both. A run that breaks while it hands over leaves some accounts new and
the others as they were; each one's date says which, and the next run finishes.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Any, Literal

import redis
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.errors import IntegrityError, ServiceUnavailable
from features.feast_import import Entity, FeastConfigBaseModel, FeatureView, RepoConfig
from features.latest_rows import LatestRows, LatestRowsStore, PackedRow, damaged, does_not_answer
from features.online_place import shown_address

ANSWER_SECONDS = 2.0
"""A reader is told within this time that Redis does not answer."""

_PREFIX = b"campaign_pulse:online:"
_MARK = b"campaign_pulse:online"
"""Is there once any row was stored: a look for rows themselves would walk through the whole database."""

_ACCOUNTS_PER_TRIP = 500
_MOMENTS = struct.Struct(">qq")
# Numbers of a script are doubles: exact for microseconds up to the year 2255.
_REPLACE = """
    local taken = 0
    for place = 1, #ARGV, 2 do
        local stored = redis.call('HGET', KEYS[1], ARGV[place])
        local newer = true
        if stored then
            local event_us, created_us = struct.unpack('>i8i8', stored)
            local new_event_us, new_created_us = struct.unpack('>i8i8', ARGV[place + 1])
            newer = new_event_us > event_us or (new_event_us == event_us and new_created_us >= created_us)
        end
        if newer then
            redis.call('HSET', KEYS[1], ARGV[place], ARGV[place + 1])
            taken = taken + 1
        end
    end
    return taken"""
# ARGV: field, event moment, the latest moment that it may have been known at.
_WITHDRAW = """
    local stored = redis.call('HGET', KEYS[1], ARGV[1])
    if stored then
        local event_us, created_us = struct.unpack('>i8i8', stored)
        if event_us == tonumber(ARGV[2]) and created_us <= tonumber(ARGV[3]) then
            redis.call('HDEL', KEYS[1], ARGV[1])
        end
    end"""


class RedisOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc] # Feast has no types
    """The address of the Redis server, password and all; it is never shown."""

    type: Literal["features.online_redis.RedisOnlineStore"] = "features.online_redis.RedisOnlineStore"
    address: SecretStr


class RedisOnlineStore(LatestRowsStore):
    """The latest snapshot per account and feature view, in Redis."""

    def where(self, config: RepoConfig) -> str:
        """The address without user and password."""
        return shown_address(config.online_store.address)

    @contextmanager
    def connect(self, config: RepoConfig, *, writing: bool) -> Iterator[LatestRows]:
        """Rows are handed over when the session ends in peace; an error before that writes nothing."""
        where = self.where(config)
        try:
            rows = _Rows(_client(config.online_store.address.get_secret_value()))
            yield rows
            if writing:
                rows.hand_over()
        except redis.RedisError as cause:
            raise _failure(where, cause) from None
        except (DecodeError, struct.error):
            raise _damaged(where) from None

    def update(  # noqa: PLR0917 - Feast's interface
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],  # noqa: ARG002 - Redis needs nothing made
        entities_to_delete: Sequence[Entity],  # noqa: ARG002 - rows go with their views
        entities_to_keep: Sequence[Entity],  # noqa: ARG002 - rows go with their views
        partial: bool,  # noqa: ARG002 - Feast's interface
    ) -> None:
        """See that the server answers, and forget views that are gone."""
        try:
            client = _client(config.online_store.address.get_secret_value())
            client.ping()
            gone = [view.name for view in tables_to_delete]
            for key in client.scan_iter(match=_PREFIX + b"*", count=1000) if gone else ():
                client.hdel(key, *gone)
        except redis.RedisError as cause:
            raise _failure(self.where(config), cause) from None

    def teardown(
        self,
        config: RepoConfig,
        tables: Sequence[FeatureView],  # noqa: ARG002 - every row of ours goes
        entities: Sequence[Entity],  # noqa: ARG002 - every row of ours goes
    ) -> None:
        """Delete our rows; whatever else the server holds stays."""
        try:
            client = _client(config.online_store.address.get_secret_value())
            for key in client.scan_iter(match=_PREFIX + b"*", count=1000):
                client.delete(key)
            client.delete(_MARK)
        except redis.RedisError as cause:
            raise _failure(self.where(config), cause) from None


class _Rows(LatestRows):
    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._waiting: dict[bytes, list[bytes]] = defaultdict(list)
        self._seen: dict[bytes, dict[bytes, bytes]] = {}
        self._leaving: list[tuple[str, int, int, Set[bytes]]] = []

    def put(self, rows: Sequence[PackedRow]) -> None:
        for row in rows:
            moments = _MOMENTS.pack(row.event_us, row.created_us)
            self._waiting[row.key] += (row.view.encode(), moments + row.values)

    def withdraw(self, view: str, event_us: int, until_us: int, keep: Set[bytes]) -> None:
        self._leaving.append((view, event_us, until_us, keep))

    def hand_over(self) -> None:
        """Take away what was withdrawn, then write what was put, all views of an account in one step."""
        if self._leaving:
            self._take_away()
        replace = self._client.register_script(_REPLACE)
        keys = list(self._waiting)
        for start in range(0, len(keys), _ACCOUNTS_PER_TRIP):
            with self._client.pipeline(transaction=False) as trip:
                # Before the rows: a mark without a row is an unknown account, a row without a mark is no store.
                trip.set(_MARK, b"1")
                for key in keys[start : start + _ACCOUNTS_PER_TRIP]:
                    replace(keys=[_PREFIX + key], args=self._waiting[key], client=trip)
                self.written += sum(int(taken) for taken in trip.execute()[1:])

    def _take_away(self) -> None:
        forget = self._client.register_script(_WITHDRAW)
        stored = iter(self._client.scan_iter(match=_PREFIX + b"*", count=1000))
        while keys := list(islice(stored, _ACCOUNTS_PER_TRIP)):
            with self._client.pipeline(transaction=False) as trip:
                for key in keys:
                    for view, event_us, until_us, keep in self._leaving:
                        if key.removeprefix(_PREFIX) not in keep:
                            forget(keys=[key], args=[view, event_us, until_us], client=trip)
                trip.execute()

    def find(self, view: str, keys: Sequence[bytes]) -> Iterator[tuple[bytes, int, bytes]]:
        self._see([key for key in dict.fromkeys(keys) if key not in self._seen])
        for key in keys:
            field = self._seen[key].get(view.encode())
            if field is not None:
                yield key, _MOMENTS.unpack_from(field)[0], field[_MOMENTS.size :]

    def _see(self, keys: Sequence[bytes]) -> None:
        # All views of an account at once: read one by one, a writer could come in between.
        for start in range(0, len(keys), _ACCOUNTS_PER_TRIP):
            asked = keys[start : start + _ACCOUNTS_PER_TRIP]
            with self._client.pipeline(transaction=False) as trip:
                for key in asked:
                    trip.hgetall(_PREFIX + key)  # type: ignore[arg-type] # a key may be bytes
                self._seen.update(zip(asked, trip.execute(), strict=True))

    def is_empty(self) -> bool:
        return not self._client.exists(_MARK)


@cache
def _client(address: str) -> redis.Redis:
    # One per address: it holds the connections, and may be shared by threads and after a fork. The one retry is for a
    # kept connection that the server has closed meanwhile; a server that is silent is not asked twice.
    options: dict[str, Any] = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
    return redis.Redis.from_url(address, retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)), **options)


def _failure(where: str, cause: redis.RedisError) -> ServiceUnavailable | IntegrityError:
    # Only the kind of the failure goes out: the server's own words may repeat a command, and with it a row.
    if isinstance(cause, redis.ResponseError) and str(cause).startswith("WRONGTYPE"):
        return _damaged(where)
    if isinstance(cause, redis.AuthenticationError | redis.exceptions.NoPermissionError):
        return does_not_answer(where, "it refuses our user or password", "correct the password in the environment")
    return does_not_answer(
        where, type(cause).__name__, f"start Redis, or try again; it must answer within {ANSWER_SECONDS:.0f} s"
    )


def _damaged(where: str) -> IntegrityError:
    return damaged(
        f"rows of ours in {where}",
        "delete the keys under campaign_pulse:online and run `pulse build`: they are made again from the snapshots",
    )
