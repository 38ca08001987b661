"""A limit holds over any sixty seconds, for all workers together, and for nobody but its caller."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.errors import ConfigError
from features.settings import Home
from serving.access.limits import Allowance, Limits, a_minute, an_hour
from serving.access.rules import AccessScope
from serving.access.settings import AccessSettings, LimitSettings
from serving.access.store import KeyStore
from serving.access.windows import SqlWindows
from serving.clock import real_clock
from serving.request_log import silent_tell
from tests.features.online_servers import redis_server
from tests.serving.people_case import START, Place

ROOT = Path(__file__).parents[2]
LIMIT = a_minute(100)
_WORKER = """
import sys
from pathlib import Path
from features.settings import Home
from serving.access.limits import Limits, a_minute
from serving.clock import real_clock
from serving.request_log import silent_tell
limits = Limits(Home(root=Path(sys.argv[1])), clock=real_clock, tell=silent_tell, environment=eval(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
print(sum(limits.take(a_minute(100), "request", "bot").allowed for _ in range(300)))
"""


class Clock:
    """A clock in our hands."""

    def __init__(self) -> None:
        self.now = datetime(2024, 4, 15, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def worker(home: Home, clock: Any = real_clock, tell: Any = silent_tell, **environment: str) -> Limits:
    return Limits(home, clock=clock, tell=tell, environment=environment)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path)


def test_two_workers_take_100_of_600_requests_in_a_minute(home: Home) -> None:
    clock = Clock()
    workers = [worker(home, clock), worker(home, clock)]
    accepted = 0
    for number in range(600):
        accepted += workers[number % 2].take(LIMIT, "request", "bot").allowed
        clock.later(0.1)
    assert accepted == 100
    # The window moves: what was taken in its first second is free again after it.
    assert sum(workers[0].take(LIMIT, "request", "bot").allowed for _ in range(50)) == 1
    clock.later(1)
    assert sum(workers[1].take(LIMIT, "request", "bot").allowed for _ in range(50)) == 10
    for one in workers:
        one.close()


def raced(home: Home, environment: dict[str, str]) -> int:
    """How many of 600 requests two processes took that asked at the same time."""
    order = [sys.executable, "-c", _WORKER, str(home.root), repr(environment)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    running = [subprocess.Popen(order, **pipes) for _ in range(2)]
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    return sum(int(told) for told in ThreadPoolExecutor(2).map(lambda one: one.communicate("go\n")[0], running))


def test_two_processes_that_ask_at_the_same_moment_do_not_take_more_together(home: Home) -> None:
    # The bar of the product is 100 give or take 5: on a full machine one may wait for the file in vain and count alone.
    assert 100 <= raced(home, {}) <= 105


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with redis_server() as server:
        yield server.address


def test_with_redis_the_limit_holds_across_machines(home: Home, redis: str) -> None:
    assert raced(home, {"PULSE_LIMITS": redis}) == 100
    assert not (home.root / "limits.db").exists()


def test_callers_and_kinds_do_not_count_for_each_other(home: Home) -> None:
    limits = worker(home, Clock())
    assert limits.take(a_minute(1), "request", "a").allowed
    assert limits.take(a_minute(1), "request", "b").allowed
    assert limits.take(an_hour(1), "password", "a").allowed
    assert not limits.take(a_minute(1), "request", "a").allowed
    limits.close()


def test_a_caller_is_told_what_he_has_left_and_when_there_is_more(home: Home) -> None:
    clock = Clock()
    limits = worker(home, clock)
    assert limits.take(a_minute(2), "request", "a") == Allowance(True, 2, 1, 60, 60)
    clock.later(20)
    assert limits.take(a_minute(2), "request", "a") == Allowance(True, 2, 0, 60, 40)
    refused = limits.take(a_minute(2), "request", "a")
    assert refused == Allowance(False, 2, 0, 60, 40)
    assert refused.headers() == {"ratelimit-policy": '"default";q=2;w=60', "ratelimit": '"default";r=0;t=40'}
    clock.later(40)
    assert limits.take(a_minute(2), "request", "a").allowed
    limits.close()


def test_a_store_that_does_not_answer_leaves_each_worker_to_count_by_itself_and_say_so(home: Home) -> None:
    told: list[tuple[str, Any]] = []
    limits = worker(home, tell=lambda *event: told.append(event), PULSE_LIMITS="redis://127.0.0.1:1/0")
    assert [limits.take(a_minute(2), "request", "a").allowed for _ in range(3)] == [True, True, False]
    assert told == [("limits not shared", {"found": "ConnectionError"})]


@pytest.mark.parametrize("address", ["memcached://localhost", "localhost", "memory://"])
def test_a_place_that_cannot_be_shared_is_refused(home: Home, address: str) -> None:
    with pytest.raises(ConfigError, match="limits cannot be counted there"):
        worker(home, PULSE_LIMITS=address)


def test_rows_that_have_left_their_window_do_not_pile_up(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving.access import windows  # noqa: PLC0415

    monkeypatch.setattr(windows, "_SWEEP_EVERY", 10)
    moment = [0.0]
    store = SqlWindows.of(home.prepare(), lambda: moment[0])
    for number in range(60):
        moment[0] = number * 100.0
        assert store.acquire_entry(f"caller {number}", 5, 60)
    kept = sum(store.get(f"caller {number}") for number in range(60))
    assert kept <= 36 + 10  # an hour of them, and those since the last sweep
    assert store.check()
    assert store.reset() == kept
    store.close()


def test_names_are_not_kept_as_they_are(home: Home) -> None:
    limits = worker(home)
    limits.take(LIMIT, "password", "ada@vendor.example")
    limits.close()
    assert b"ada@vendor.example" not in b"".join(path.read_bytes() for path in home.root.iterdir())


def test_a_caller_over_the_limit_gets_429_with_when_to_come_back(home: Home) -> None:
    _, token = KeyStore(home).create("bot", [AccessScope.EXPLAIN_READ], who="user root", at=START)
    place = Place(home, access=AccessSettings(limits=LimitSettings(per_key=3)))
    headers = {"authorization": f"Bearer {token}", "x-request-id": "r-1"}
    answers = [place.browser().get("/v1/levers", headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit"] for answer in answers] == [f'"default";r={left};t=60' for left in (2, 1, 0, 0)]
    assert answers[-1].headers["retry-after"] == "60"
    assert answers[-1].json() == {
        "type": "urn:campaign-pulse:problem:too-many-requests",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "No more than 3 requests a minute are taken from one caller. Try again a little later.",
        "instance": "urn:campaign-pulse:request:r-1",
        "request_id": "r-1",
    }
    place.later(timedelta(seconds=61))
    assert place.browser().get("/v1/levers", headers=headers).status_code == 200
    place.context.close()
