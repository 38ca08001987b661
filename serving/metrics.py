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

from features.errors import PulseError
from features.journal import Backlog

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
        self._shadow: Counter[str] = Counter()
        self._canary: Counter[str] = Counter()
        self._sign_ins: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()
        self._backlog: Callable[[], Backlog] = Backlog
        self._failures: Callable[[], int] = int
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

    def rows(self, outcome: str, count: int) -> None:
        """Count rows that an application sent."""
        with self._lock:
            self._rows[outcome] += count

    def watch_backlog(self, backlog: Callable[[], Backlog], failures: Callable[[], int]) -> None:
        """Read what waits in the journal, and how often working it off failed, each time the metrics are asked for."""
        self._backlog, self._failures = backlog, failures

    def signed_in(self, outcome: str) -> None:
        """Count one try to sign in."""
        with self._lock:
            self._sign_ins[str(outcome)] += 1

    def shadowed(self, fate: str, count: int) -> None:
        """Count accounts that a shadow should score, by what became of them."""
        with self._lock:
            self._shadow[str(fate)] += count

    def canary(self, outcome: str, count: int) -> None:
        """Count accounts that a canary answered for, or failed to."""
        with self._lock:
            self._canary[outcome] += count

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
        sign_ins = CounterMetricFamily("campaign_pulse_sign_ins", "tries to sign in, by outcome", labels=("outcome",))
        with self._lock:
            for outcome, count in self._sign_ins.items():
                sign_ins.add_metric((outcome,), count)
            for labels, count in self._requests.items():
                requests.add_metric(labels, count)
            for status, count in self._accounts.items():
                accounts.add_metric((status,), count)
            for route, counts in self._seconds.items():
                bounds = (*(str(bound) for bound in _BOUNDS), "+Inf")
                seconds.add_metric((route,), list(zip(bounds, accumulate(counts), strict=True)), self._spent[route])
        yield from (requests, seconds, accounts, sign_ins)
        yield from self._beside()
        yield from self._journal()
        yield GaugeMetricFamily("campaign_pulse_ready", "1 when a model can answer", value=float(self._ready()))

    def _beside(self) -> Iterator[Metric]:
        told = {"shadow": "accounts that a shadow should score", "canary": "accounts that fell to a canary"}
        for name, counts in (("shadow", self._shadow), ("canary", self._canary)):
            family = CounterMetricFamily(f"campaign_pulse_{name}_accounts", told[name], labels=("outcome",))
            with self._lock:
                for outcome, count in counts.items():
                    family.add_metric((outcome,), count)
            yield family

    def _journal(self) -> Iterator[Metric]:
        rows = CounterMetricFamily("campaign_pulse_event_rows", "rows that applications sent", labels=("outcome",))
        with self._lock:
            for outcome, count in self._rows.items():
                rows.add_metric((outcome,), count)
        yield rows
        failures = CounterMetricFamily(
            "campaign_pulse_journal_failures", "attempts of this process to work the journal off that failed"
        )
        failures.add_metric((), self._failures())
        yield failures
        try:
            backlog = self._backlog()
        except PulseError:
            return  # a gauge that is not there says that it is not known; everything else is told
        yield GaugeMetricFamily(
            "campaign_pulse_journal_sendings", "acknowledged calls not in the warehouse yet", value=backlog.sendings
        )
        yield GaugeMetricFamily(
            "campaign_pulse_journal_accounts", "accounts whose news are not online yet", value=backlog.accounts
        )
        oldest = backlog.oldest.timestamp() if backlog.oldest else 0.0
        yield GaugeMetricFamily(
            "campaign_pulse_journal_oldest_timestamp_seconds",
            "when the oldest of these arrived; 0 = none",
            value=oldest,
        )
