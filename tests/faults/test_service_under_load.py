"""Rows 1, 2, 6, 7 and 8: is a running service right, quick, bounded and fair to small requests under load?

One real process on loopback for all of them. What took how long is told and never asserted; what was answered is.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults import children
from tests.faults.killer import Nursery
from tests.faults.load import Answers, Load, Table, table_of
from tests.faults.reporter import report, tries
from tests.serving.service_case import ids, many_online, stored_home
from tests.serving.test_service_process import PATIENCE, Process

PAUSE = 0.05
"""Seconds between two requests of one asker."""

CONCURRENCY = 32
"""Requests that the service works on at once, as documented in ``docs/operating.md``."""

MANY = 10_000
LIMIT = 1 << 20
GROWTH_LIMIT_KB = 100 << 10


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    root = tmp_path_factory.mktemp("load")
    with Process(stored_home(root / "home"), root / "elsewhere") as running:
        running.await_event("model live")
        until = time.monotonic() + PATIENCE
        while running.client.get("/readyz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        yield running
        assert running.child.poll() is None, "the service ended"


@pytest.fixture(scope="module")
def table(process: Process) -> Table:
    return table_of(process.home, ("1",))


class Singles:
    """One account per request, and was each answer the one of the table?"""

    def __init__(self, process: Process, table: Table) -> None:
        self._client, self._scores = process.client, table["1"]
        self._accounts = sorted(self._scores)

    def ask(self, wanted: int) -> Answers:
        """Ask so many times, one after the other."""
        return self.until(lambda asked: asked >= wanted)

    def until(self, done: Callable[[int], bool]) -> Answers:
        """Ask until it is done; ``done`` gets how many were asked."""
        told = Answers()
        while not done(told.asked):
            account = self._accounts[told.asked % len(self._accounts)]
            began = time.monotonic()
            answer = self._client.post("/v1/score", json={"account_ids": [account]})
            told.seconds.append(time.monotonic() - began)
            told.asked += 1
            told.failed += answer.status_code != 200
            results = answer.json().get("results", [])
            told.wrong += [(one["account_id"], one["score"]) for one in results] != [(account, self._scores[account])]
            time.sleep(PAUSE)
        return told


def times(told: Answers) -> str:
    """How long the answers took."""
    return f"p50={told.percentile(0.5):.0f}ms p99={told.percentile(0.99):.0f}ms max={told.percentile(1):.0f}ms"


@pytest.mark.timeout(1_800)
def test_row_1_every_score_under_load_is_that_of_the_offline_table(process: Process, table: Table) -> None:
    with Load(str(process.client.base_url), table, askers=4, pause=PAUSE) as load:
        load.until("1", more=tries(120, 10_000), limit=1_500)
    told = load.answers
    assert set(told.versions) == {"1"}
    report(1, told.failed + told.wrong, told.asked, f"answers failed or not those of the offline table, {times(told)}")


@pytest.mark.timeout(1_800)
def test_row_2_what_a_single_score_takes_is_told(process: Process, table: Table) -> None:
    told = Singles(process, table).ask(tries(40, 2_000))
    report(2, told.failed + told.wrong, told.asked, f"single scores failed or wrong, {times(told)}")


@pytest.mark.timeout(3_600)
def test_row_8_single_scores_are_answered_beside_large_batches(process: Process, table: Table) -> None:
    singles, batches = Singles(process, table), tries(1, 30)
    whose = many_online(process.home, tries(1_000, MANY), prefix="beside")
    scores = {name: table["1"][account] for name, account in whose.items()}
    asked = (sorted(scores) * MANY)[:MANY]
    idle = singles.ask(40)
    asking = (str(process.client.base_url), asked, scores, batches)
    with Nursery("httpx").child(children.ask_batches, *asking) as child, ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: [child.hear() for _ in range(batches)])
        beside = singles.until(lambda _: running.done())
        wrong = sum(not right for right in running.result())
    ratios = [beside.percentile(share) / idle.percentile(share) for share in (0.5, 0.99)]
    note = f"p50-to-idle={ratios[0]:.1f} p99-to-idle={ratios[1]:.1f}"
    note = f"single scores or batches failed or wrong beside each other, {times(beside)} {note}"
    report(8, beside.failed + beside.wrong + wrong, beside.asked + batches, note)


async def _storm(address: str, body: dict[str, Any], at_once: int) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=at_once)
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE, limits=limits) as client:
        return list(await asyncio.gather(*(client.post("/v1/score", json=body) for _ in range(at_once))))


def resident_kb(process: Process) -> int:
    """Memory of the service that is in use."""
    status = Path(f"/proc/{process.child.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.timeout(1_800)
def test_row_6_overload_is_turned_away_with_when_to_come_back(process: Process, table: Table) -> None:
    address, body = str(process.client.base_url), {"account_ids": (ids() * MANY)[:500]}
    normal = process.client.post("/v1/score", json=body)
    expected = [(name, table["1"][name]) for name in body["account_ids"]]
    asyncio.run(_storm(address, body, CONCURRENCY // 2))  # what threads take when they first work is no growth
    before, answers = resident_kb(process), []
    for _ in range(tries(1, 60)):
        answers += asyncio.run(_storm(address, body, 5 * CONCURRENCY))
    grown = resident_kb(process) - before
    statuses = Counter(answer.status_code for answer in answers)
    wrong = sum(number for status, number in statuses.items() if status not in {200, 429, 503})
    wrong += sum(answer.status_code == 429 and not answer.headers["retry-after"].isdigit() for answer in answers)
    good = [answer for answer in [normal, *answers] if answer.status_code == 200]
    wrong += sum([(one["account_id"], one["score"]) for one in answer.json()["results"]] != expected for answer in good)
    after = process.client.post("/v1/score", json=body)
    assert (after.status_code, after.json()["results"]) == (200, normal.json()["results"])
    assert statuses[200]
    assert statuses[429]
    assert grown <= GROWTH_LIMIT_KB
    kinds = " ".join(f"{status}:{number}" for status, number in sorted(statuses.items()))
    report(6, wrong, len(answers), f"answers in an overload not as they should be, {kinds} grown={grown >> 10}MB")


def test_row_7_what_is_too_large_too_deep_or_too_many_is_refused(process: Process) -> None:
    # Endless bodies: test_service_process.py; bodies that trickle in and work that takes too long: test_guard.py.
    kind = {"content-type": "application/json"}
    padded = b'{"account_ids": ["a"]}'.ljust(LIMIT)
    deep = b'{"account_ids": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    cases: dict[str, tuple[bytes, set[int]]] = {
        "a body of the limit": (padded, {200}),
        "a byte more": (padded + b" ", {413}),
        "deep lists": (deep, {400, 422}),
        "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, {400, 422}),
        "an id too many": (b'{"account_ids": [' + b",".join([b'"a"'] * (MANY + 1)) + b"]}", {422}),
        "half a document": (b'{"account_ids": ["a"', {400, 422}),
    }
    found = {name: process.client.post("/v1/score", content=body, headers=kind) for name, (body, _) in cases.items()}
    wrong = [name for name, answer in found.items() if answer.status_code not in cases[name][1]]
    wrong += [name for name, answer in found.items() if answer.status_code != 200 and not answer.json()["request_id"]]
    assert process.client.get("/livez").status_code == 200
    assert wrong == []
    report(7, len(wrong), len(cases), "sizes and depths beyond the limits not refused as they should be")
