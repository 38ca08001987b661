"""How much is asked, how fast is it answered, and is the service ready? In the Prometheus text format.

Labels are a method, a route's pattern and a status: never an account, never a path that a client made up. (BentoML's
own request metrics label by raw path; they are switched off.) The counts are plain numbers of this process: the client
library's own counters turn into files in a shared folder as soon as any other library asks for that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate
from threading import Lock

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that are named in logs and labels; a client may make up any other word."""

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: from a page out of the ledger to the answer limit."""


class ServiceMetrics:
    """The counters of one service process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._seconds: dict[str, list[int]] = {}
        self._spent: dict[str, float] = defaultdict(float)
        self._accounts: Counter[str] = Counter()
        self._ready: Callable[[], bool] = bool
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        with self._lock:
            self._requests[method, route, str(status)] += 1
            self._seconds.setdefault(route, [0] * (len(_BOUNDS) + 1))[bisect_left(_BOUNDS, seconds)] += 1
            self._spent[route] += seconds

    def account(self, status: str) -> None:
        """Count one account that was answered for."""
        with self._lock:
            self._accounts[status] += 1

    def watch_readiness(self, ready: Callable[[], bool]) -> None:
        """Read readiness from a function each time the metrics are asked for."""
        self._ready = ready

    def text(self) -> bytes:
        """All metrics as text."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What the Prometheus client library asks for."""
        requests = CounterMetricFamily(
            "campaign_pulse_requests", "requests answered", labels=("method", "route", "status")
        )
        seconds = HistogramMetricFamily(
            "campaign_pulse_request_seconds",
            "time from the first byte asked to the last byte answered",
            labels=("route",),
        )
        accounts = CounterMetricFamily(
            "campaign_pulse_accounts", "accounts answered for, by outcome", labels=("status",)
        )
        with self._lock:
            for labels, count in self._requests.items():
                requests.add_metric(labels, count)
            for status, count in self._accounts.items():
                accounts.add_metric((status,), count)
            for route, counts in self._seconds.items():
                bounds = (*(str(bound) for bound in _BOUNDS), "+Inf")
                seconds.add_metric((route,), list(zip(bounds, accumulate(counts), strict=True)), self._spent[route])
        yield from (requests, seconds, accounts)
        yield GaugeMetricFamily("campaign_pulse_ready", "1 when a model can answer", value=float(self._ready()))
