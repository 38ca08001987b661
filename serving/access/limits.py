"""May this caller ask once more?

Counted over a moving window, by all workers together: in Redis where ``PULSE_LIMITS`` names one, else in a store that
the workers of this installation share. Where that store does not answer, each worker counts by itself and says so in
the log: a limit that is too wide for a while is better than a service that answers nobody.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import sqlalchemy as sa
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from features.errors import ConfigError
from features.settings import Home
from serving.access.windows import SqlWindows
from serving.clock import Clock, real_clock
from serving.request_log import Tell

LIMITS_VARIABLE = "PULSE_LIMITS"
_SCHEMES = ("redis://", "rediss://")
_PATIENCE_SECONDS = 1.0
"""A Redis that answers later than that is no help to a request that is waiting."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a caller has left in a window of so many seconds; ``reset`` is seconds until a place in it is free again."""

    allowed: bool
    limit: int
    remaining: int
    window: int
    reset: int

    def headers(self) -> dict[str, str]:
        """The same for the caller, in the words of the IETF draft (draft-ietf-httpapi-ratelimit-headers-10)."""
        return {
            "ratelimit-policy": f'"default";q={self.limit};w={self.window}',
            "ratelimit": f'"default";r={self.remaining};t={max(1, self.reset)}',
        }


def a_minute(amount: int) -> RateLimitItem:
    """So many in any sixty seconds."""
    return RateLimitItemPerMinute(amount)


def an_hour(amount: int) -> RateLimitItem:
    """So many in any sixty minutes."""
    return RateLimitItemPerHour(amount)


class Limits:
    """The counts of one installation. Safe to use from several threads; opens its store when it is first asked."""

    def __init__(self, home: Home, *, clock: Clock, tell: Tell, environment: Mapping[str, str] | None = None) -> None:
        self._home = home
        self._clock = clock
        self._tell = tell
        self._address = (os.environ if environment is None else environment).get(LIMITS_VARIABLE)
        if self._address and not self._address.startswith(_SCHEMES):
            raise ConfigError(
                "limits cannot be counted there",
                expected=f"an address that begins with {' or '.join(_SCHEMES)} in {LIMITS_VARIABLE}",
                found="another text",
                todo=f"repair {LIMITS_VARIABLE}, or unset it: workers of one machine need none",
            )
        self._lock = Lock()
        self._shared: _Counter | None = None
        self._own: _Counter | None = None

    def take(self, limit: RateLimitItem, kind: str, name: str) -> Allowance:
        """Count one act of somebody, unless the limit is reached. Names are kept as hashes."""
        told = (kind, hashlib.sha256(name.encode()).hexdigest()[:32])
        try:
            allowance = self._counter().take(limit, told)
        except (StorageError, sa.exc.SQLAlchemyError, OSError) as trouble:
            with self._lock:
                if self._own is None:
                    self._own = _Counter(MovingWindowRateLimiter(MemoryStorage()), real_clock)
                    self._tell("limits not shared", {"found": type(trouble.__cause__ or trouble).__name__})
                own = self._own
            return own.take(limit, told)
        with self._lock:
            if self._own is not None:
                self._own = None
                self._tell("limits shared again", {})
        return allowance

    def close(self) -> None:
        """Give the store back."""
        with self._lock:
            store = self._shared.limiter.storage if self._shared else None
            self._shared = None
        if isinstance(store, SqlWindows):
            store.close()

    def _counter(self) -> _Counter:
        with self._lock:
            if self._shared is None:
                self._shared = self._opened()
            return self._shared

    def _opened(self) -> _Counter:
        if not self._address:
            windows = SqlWindows.of(self._home, lambda: self._clock().timestamp())
            return _Counter(MovingWindowRateLimiter(windows), self._clock)
        patience: dict[str, Any] = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), _PATIENCE_SECONDS)
        store = storage_from_string(self._address, wrap_exceptions=True, **patience)
        return _Counter(MovingWindowRateLimiter(store), real_clock)


@dataclass(frozen=True, slots=True)
class _Counter:
    """A limiter and the clock that its store counts by."""

    limiter: MovingWindowRateLimiter
    clock: Clock

    def take(self, limit: RateLimitItem, told: tuple[str, str]) -> Allowance:
        allowed = self.limiter.hit(limit, *told)
        reset, left = self.limiter.get_window_stats(limit, *told)
        # The place of the oldest is free again when it leaves the window.
        until = max(0, math.ceil(reset - self.clock().timestamp()))
        return Allowance(allowed, limit.amount, max(0, left), int(limit.get_expiry()), until)
