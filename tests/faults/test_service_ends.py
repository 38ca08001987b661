"""Rows 3, 4 and 5: does readiness tell the truth, and is anything lost when one of two services ends?

Two real processes over one home, as behind a proxy: a service runs as one process, and whoever runs it starts more. The
home goes from nothing to whole through everything that can be missing; then one process after the other is killed, and
the last one is told to stop while it works. What took how long is told and never asserted.
"""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.settings import Home
from tests.faults.load import Table, table_of
from tests.faults.reporter import report, tries
from tests.serving.service_case import PASSED, ids, now, stored_home
from tests.serving.test_service_process import PATIENCE, Process
from training.promotions import promote

KILLS, ASKED_BETWEEN = (1, 60), (40, 100)
"""After each kill but the last another process is started; a start takes ten seconds of the processor."""
STOPS, IN_FLIGHT, AT_ONCE = (1, 50), 20, 400
LOCK = ("PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE", "UPDATE online_rows SET event_us = event_us")


def await_ready(process: Process, status: int = 200) -> None:
    """Wait until a service says that it is ready, or that it is not any more."""
    until = time.monotonic() + PATIENCE
    while process.client.get("/readyz").status_code != status:
        assert time.monotonic() < until, f"readiness is never {status}"
        time.sleep(0.1)


class Services:
    """Processes over one home, each with a folder of its own to start in; all are ended at the end."""

    def __init__(self, home: Home, elsewhere: Path, stack: ExitStack) -> None:
        self.home = home
        self._elsewhere = elsewhere
        self._stack = stack
        self._started = 0

    def start(self) -> Process:
        """A process that may not be ready."""
        self._started += 1
        return self._stack.enter_context(Process(self.home, self._elsewhere / str(self._started)))

    def ready(self) -> Process:
        """A process that answers."""
        running = self.start()
        running.await_event("model live")
        await_ready(running)
        return running


@contextmanager
def services(root: Path) -> Iterator[Services]:
    """Processes over a small home in which no model is live."""
    (root / "elsewhere").mkdir()
    with ExitStack() as stack:
        yield Services(stored_home(root / "home", live=None), root / "elsewhere", stack)


@pytest.mark.timeout(7_200)
def test_rows_3_4_and_5_readiness_is_true_and_what_ends_loses_nothing(tmp_path: Path) -> None:
    with services(tmp_path) as house:
        first = house.start()
        row_4(first, house.home)
        table = table_of(house.home, ("1",))
        last = row_5(house, [first, house.ready()], table)
        row_3(house, last, table)


# Row 4


@dataclass
class Readiness:
    """Asks a service as whatever watches it does; what was told of each trouble, and the longest wait."""

    process: Process
    told: dict[str, bool]
    slowest: float = 0.0

    def see(self, name: str, trouble: str | None) -> None:
        """Once the service knows of the trouble, is it alive and says at once that it is not ready?"""
        while trouble is not None and trouble not in self.process.await_event("trouble")["found"]:
            pass
        await_ready(self.process, 503)
        began = time.monotonic()
        # An answer that hangs raises.
        statuses = [self.process.client.get(path).status_code for path in ("/readyz", "/livez")]
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.told[name] = statuses == [503, 200]


def row_4(process: Process, home: Home) -> None:
    """Readiness tells the truth and never hangs, whatever is wrong; the service ends whole, with a live model."""
    registry, online = home.feast / "registry.db", home.feast / "online.db"
    seen = Readiness(process, {})
    seen.see("no model", None)
    with put_aside(registry, lambda path, _: path.write_bytes(b"")):
        promote(home, "1", who="test", why="test", verdict=PASSED, at=now())
        seen.see("an empty registry", "registry is empty")
    with put_aside(registry, without_a_feature_view):
        seen.see("a registry with other features", "not those of the catalogue")
        # Locked before the registry is whole again: at no moment is everything there.
        holder = sqlite3.connect(online, isolation_level=None)
        for statement in LOCK:
            holder.execute(statement)
    with closing(holder):
        seen.see("a locked online store", "online store does not answer")
    process.await_event("model live")
    await_ready(process)
    with put_aside(online, lambda path, _: path.write_bytes(b"no database at all" * 1000)):
        seen.see("a damaged online store", "online store")
    await_ready(process)
    note = f"states that were not told: {', '.join(seen.told)}, slowest={1000 * seen.slowest:.0f}ms"
    report(4, sum(not fine for fine in seen.told.values()), len(seen.told), note)


@contextmanager
def put_aside(path: Path, make: Callable[[Path, Path], object]) -> Iterator[None]:
    """Another file in place of one for a while; ``make`` gets where to write it, and the whole one."""
    whole, other = path.with_suffix(".whole"), path.with_suffix(".other")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy2(path, whole)
    make(other, whole)
    _replace(path, other)
    yield
    _replace(path, whole)


def _replace(path: Path, other: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    other.rename(path)


def without_a_feature_view(path: Path, whole: Path) -> None:
    """A registry that knows one feature view less."""
    shutil.copy2(whole, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM feature_views WHERE feature_view_name = 'sentiment'")


# Row 5


class Client:
    """Asks two services in turn; what was not answered is asked once more, of the other."""

    def __init__(self, table: Table) -> None:
        self.asked = self.failed = self.retried = 0
        self._scores = table["1"]

    def ask(self, one: Process, other: Process) -> None:
        """Ask for one account."""
        self.asked += 1
        try:
            right = self._right(one)
        except httpx.TransportError:
            self.retried += 1
            right = self._right(other)
        self.failed += not right

    def _right(self, process: Process) -> bool:
        account = ids()[self.asked % len(ids())]
        answer = process.client.post("/v1/score", json={"account_ids": [account]})
        return answer.status_code == 200 and answer.json()["results"][0]["score"] == self._scores[account]


def row_5(house: Services, running: list[Process], table: Table) -> Process:
    """After a kill -9 of one of two services one retry is enough; told is the one that runs in the end."""
    kills, each, client, back = tries(*KILLS), tries(*ASKED_BETWEEN), Client(table), list[float]()
    for number in range(kills):
        for turn in range(each):
            client.ask(running[turn % 2], running[1 - turn % 2])
            if turn == each // 2:
                running[number % 2].child.kill()
        if number < kills - 1:
            began = time.monotonic()
            running[number % 2] = house.ready()
            back.append(time.monotonic() - began)
    assert client.retried >= kills
    note = f"requests failed after one retry through {kills} kills, {client.retried} retried"
    report(5, client.failed, client.asked, f"{note}, back={max(back):.0f}s" if back else note)
    return running[kills % 2]


# Row 3


def row_3(house: Services, process: Process, table: Table) -> None:
    """What is in flight at SIGTERM is answered, what is new is turned away, and the process ends by itself."""
    stops, lost, slowest = tries(*STOPS), 0, 0.0
    asked = (sorted(table["1"]) * AT_ONCE)[:AT_ONCE]
    expected = [(account, table["1"][account]) for account in asked]
    body = json.dumps({"account_ids": asked}).encode()
    for number in range(stops):
        stopped = process if number == 0 else house.ready()
        lines = in_flight(stopped, body)
        began = time.monotonic()
        stopped.child.send_signal(signal.SIGTERM)
        with ThreadPoolExecutor(1) as pool:
            turned_away = pool.submit(await_refusal, stopped)
            lost += sum(not answered(line, expected) for line in lines)
            turned_away.result()
        assert stopped.child.wait(PATIENCE) == 0
        slowest = max(slowest, time.monotonic() - began)
    note = f"requests in flight lost through {stops} stops, ended={slowest:.1f}s"
    report(3, lost, stops * IN_FLIGHT, note)


def in_flight(process: Process, body: bytes) -> list[http.client.HTTPConnection]:
    """Connections whose requests the service has taken and not answered."""
    place = process.client.base_url
    lines = [http.client.HTTPConnection(place.host, place.port, timeout=PATIENCE) for _ in range(IN_FLIGHT)]
    for line in lines:
        line.request("GET", "/livez")
        line.getresponse().read()
    for line in lines:
        line.request("POST", "/v1/score", body, {"content-type": "application/json"})
    # Asked after all of them on a loop that reads what has come: by its answer, the others have been taken.
    assert process.client.get("/livez").status_code == 200
    return lines


def await_refusal(process: Process) -> None:
    """Wait until new connections are refused."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            httpx.get(f"{process.client.base_url}/livez", timeout=PATIENCE)
        except httpx.ConnectError:
            return
        except httpx.TransportError:
            continue  # it came in just before the door was closed
        time.sleep(0.05)
    raise AssertionError("new connections are still taken")


def answered(line: http.client.HTTPConnection, expected: list[tuple[str, dict[str, Any]]]) -> bool:
    """Is the answer on a connection whole and right?"""
    try:
        answer = line.getresponse()
        told = json.loads(answer.read())
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()
    return answer.status == 200 and [(one["account_id"], one["score"]) for one in told["results"]] == expected
