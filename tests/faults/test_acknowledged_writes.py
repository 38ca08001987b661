"""Rows 30 and 42: is nothing lost that was acknowledged, and does a repeated call count once, through kill -9?

The service's own app on a real port in a process of its own, killed at random moments. Its client keeps a journal.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from features.journal import Journal
from features.journal_work import store_kept
from features.settings import Home
from serving.access.rules import AccessScope
from serving.access.store import KeyStore
from tests.faults import children
from tests.faults.journal import ClientJournal
from tests.faults.killer import Child, Nursery
from tests.faults.reporter import report, tries
from tests.serving.event_case import ARRIVAL, event_home, stored, ticket, waiting_rows

QUICK_KILLS, FULL_KILLS = 5, 200
TOGETHER = 50
PATIENCE = 60.0


@pytest.fixture(scope="module")
def nursery() -> Nursery:
    return Nursery(*children.SERVICE)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return event_home(tmp_path / "home")


@pytest.fixture
def token(home: Home) -> str:
    return KeyStore(home).create("sender", [AccessScope.EVENTS_WRITE], who="user ada", at=ARRIVAL)[1]


class Sender:
    """A client that sends tickets, each with a key of its own, and repeats what was not answered."""

    def __init__(self, token: str) -> None:
        self.journal = ClientJournal()
        self.answers: Counter[str] = Counter()
        self.answered = Event()
        self._token = token
        self._pending: str | None = None

    def send_until_it_breaks(self, port: int) -> None:
        """Send until the other side is gone."""
        address, headers = f"http://127.0.0.1:{port}", {"authorization": f"Bearer {self._token}"}
        with httpx.Client(base_url=address, headers=headers, timeout=PATIENCE) as client:
            while True:
                name = self._pending or f"sent-a1-{len(self.journal.sent)}"
                if self._pending is None:
                    self.journal.sent.append(name)
                self._pending = name
                # One row that is taken and one that is refused: both must be there once.
                body = [ticket("a1", int(name.rsplit("-", 1)[1])), ticket("nobody", tags=name)]
                try:
                    answer = client.post("/v1/events/tickets_history", json=body, headers={"idempotency-key": name})
                except httpx.TransportError:
                    return
                if answer.status_code == 409:
                    time.sleep(0.05)
                    continue
                assert answer.status_code == 200, answer.text
                self.answers[answer.json()["rows"][0]["status"]] += 1
                self.journal.acknowledged.add(name)
                self._pending = None
                self.answered.set()


def _kill(child: Child, after: Event | None, seconds: float) -> None:
    if after is not None:
        assert after.wait(PATIENCE)
    time.sleep(seconds)
    child.kill()


def damage(home: Home) -> int:
    """How many of the home's databases are not sound."""
    found = 0
    for path in (home.state, home.root / "shelf.db", home.feast / "online.db"):
        with closing(sqlite3.connect(path)) as connection:
            found += connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok"
    return found


@pytest.mark.timeout(1_800)
def test_row_30_no_acknowledged_write_is_lost_through_kill_9(nursery: Nursery, home: Home, token: str) -> None:
    draw, sender, kills = random.Random(30), Sender(token), tries(QUICK_KILLS, FULL_KILLS)  # noqa: S311
    broken = 0
    for number in range(kills):
        with nursery.child(children.serve, home.root, ARRIVAL, True) as child:
            port = child.hear()
            # Every third time on the way to the first answer, else some time after it.
            before = number % 3 == 2
            sender.answered.clear()
            killer = Thread(target=_kill, args=(child, None if before else sender.answered, draw.uniform(0.0, 1.5)))
            killer.start()
            sender.send_until_it_breaks(port)
            killer.join()
        broken += damage(home)
    store_kept(Journal(home), now=ARRIVAL)
    found = [row["ticket_id"] for row in stored(home)]
    refused = [line for path in waiting_rows(home) for line in path.read_text().splitlines()]
    journal = sender.journal
    lost, doubled = journal.lost(found), journal.doubled(found)
    not_refused = {name for name in journal.acknowledged if sum(f'"{name}"' in line for line in refused) != 1}
    assert journal.invented(found) == set()
    # Under its key a call counts once: what was repeated was never answered with "known".
    assert set(sender.answers) == {"accepted"}
    assert sorted(Journal(home).waiting()) == ["a1"]
    failed = len(lost) + len(doubled) + len(not_refused) + broken
    report(30, failed, len(journal.acknowledged), f"acknowledged writes lost or doubled through {kills} kills")


async def _together(port: int, token: str) -> list[httpx.Response]:
    headers = {"authorization": f"Bearer {token}", "idempotency-key": "k-50"}
    limits = httpx.Limits(max_connections=TOGETHER)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, limits=limits) as client:

        async def once() -> httpx.Response:
            return await client.post("/v1/events/tickets_history", json=[ticket("a1")], headers=headers)

        return list(await asyncio.gather(*(once() for _ in range(TOGETHER))))


def test_row_42_fifty_at_once_are_one_effect_and_every_replay_is_the_same_bytes(
    nursery: Nursery, home: Home, token: str
) -> None:
    # Two processes, as two workers are: what one claims the other must see.
    each = [(home.root, ARRIVAL, False)] * 2
    with nursery.together(children.serve, each) as (first, second):
        ports = first.hear(), second.hear()

        async def both() -> list[list[httpx.Response]]:
            return list(await asyncio.gather(*(_together(port, token) for port in ports)))

        answers = [answer for answers in asyncio.run(both()) for answer in answers]
        statuses = Counter(answer.status_code for answer in answers)
        again = [
            answer for port in ports for answer in asyncio.run(_together(port, token)) if answer.status_code == 200
        ]
    bodies = {answer.content for answer in [*answers, *again] if answer.status_code == 200}
    store_kept(Journal(home), now=ARRIVAL)
    effects = len(stored(home))
    # 409: it is being worked on; 429: the service's limit of calls at once.
    others = set(statuses) - {200, 409, 429}
    assert again
    failed = abs(effects - 1) + abs(len(bodies) - 1) + len(others)
    report(42, failed, len(answers), f"{effects} effect, {len(bodies)} body, {dict(sorted(statuses.items()))}")


def test_two_processes_work_one_journal_and_the_second_takes_over_when_the_first_is_killed(
    nursery: Nursery, home: Home, token: str
) -> None:
    each = [(home.root, ARRIVAL, True)] * 2
    with nursery.together(children.serve, each) as workers:
        ports = [worker.hear() for worker in workers]
        headers = {"authorization": f"Bearer {token}"}

        def send(number: int, port: int) -> None:
            rows = [ticket("a1", number)]
            answer = httpx.post(
                f"http://127.0.0.1:{port}/v1/events/tickets_history", json=rows, headers=headers, timeout=PATIENCE
            )
            assert answer.status_code == 200

        send(1, ports[1])
        _await(lambda: len(stored(home)) == 1)
        leads = [worker for worker in workers if _holds(worker.number, home.root / "journal.lock")]
        assert len(leads) == 1
        leads[0].kill()
        (left,) = (port for worker, port in zip(workers, ports, strict=True) if worker is not leads[0])
        send(2, left)
        _await(lambda: len(stored(home)) == 2)


def _holds(process: int, path: Path) -> bool:
    """Has a process of ours this file open under a lock?"""
    locked = any(str(path.stat().st_ino) in line.split()[5] for line in Path("/proc/locks").read_text().splitlines())
    opened = [str(one.readlink()) for one in Path(f"/proc/{process}/fd").iterdir() if one.exists()]
    return locked and str(path) in opened


def _await(done: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _no_child_is_left() -> Iterator[None]:
    import multiprocessing  # noqa: PLC0415

    yield
    assert multiprocessing.active_children() == []
