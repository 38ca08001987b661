"""What does an answer over HTTP cost beside a bare app that echoes the same bytes, and beside the scoring in it?

Processor time of the server process (what the system says of it), per request, for one account by its id with score,
points and top reasons: asked for the first time, when it is computed, and again, when its stored features are read and
found to be the same. Latencies are of the same requests, one after the other. And, in one process, how much of a batch
of 1,000 ids is scoring and the ledger, and how much JSON and transport.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI

from features.settings import Home
from serving.request_log import silent_tell
from tests.benchmarks.measured import best_of, rows_wanted
from tests.serving.http_case import Client, service_of
from tests.serving.service_case import ids, many_online, now, stored_home

REQUESTS, ROUNDS = rows_wanted("PULSE_BENCH_REQUESTS", 150), 3
BATCH = 1000

pytestmark = [
    pytest.mark.bench,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells what another process cost"),
]


def _address(account_id: str) -> str:
    return f"/v1/accounts/{account_id}/explanation"


def _serve(app: Any, ready: Any) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        ready.put(listener.getsockname()[1])
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, http="h11", ws="none")
        uvicorn.Server(config).run(sockets=[listener])


def _service(root: str, ready: Any) -> None:
    moment = now()
    app, context = service_of(Home(root=Path(root)), clock=lambda: moment, tell=silent_tell)
    context.live.refresh()
    scorer = context.live.require()
    scorer.bundle.warm()
    scorer.score_accounts(ids()[-1:], moment)
    gc.collect()
    gc.freeze()  # as the service does when its first model is live (`serving.turns.settled`)
    _serve(app, ready)


def _echo(body: bytes, ready: Any) -> None:
    app, told = FastAPI(), json.loads(body)

    @app.get(_address("{account_id}"))
    def explanation(account_id: str) -> dict[str, Any]:
        return told if account_id else {}

    _serve(app, ready)


@contextmanager
def _running(work: Callable[..., None], given: object) -> Iterator[tuple[int, str]]:
    # The number of the process, and where it answers.
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    process = context.Process(target=work, args=(given, ready), daemon=True)
    process.start()
    try:
        yield process.pid or 0, f"http://127.0.0.1:{ready.get(timeout=300)}"
    finally:
        process.terminate()
        process.join()


def _spent(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _asked(server: tuple[int, str], accounts: Sequence[str]) -> tuple[float, list[float]]:
    # Processor milliseconds a request, and the latency of each in milliseconds.
    pid, address = server
    waits = []
    with httpx.Client(base_url=address) as client:
        client.get(_address(ids()[-1])).raise_for_status()
        began = _spent(pid)
        for account_id in accounts:
            start = perf_counter()
            client.get(_address(account_id)).raise_for_status()
            waits.append((perf_counter() - start) * 1e3)
        return (_spent(pid) - began) / len(accounts) * 1e3, waits


def _told(home: Home) -> bytes:
    moment = now()
    app, context = service_of(home, clock=lambda: moment, tell=silent_tell)
    context.live.refresh()
    answer = Client(app).get(_address(ids()[0]))
    context.close()
    assert answer.json()["explanation"]["subcategories"]
    return answer.content


def test_one_account_beside_an_echo() -> None:
    accounts = ids()[:-1]
    again = [accounts[number % len(accounts)] for number in range(REQUESTS)]
    with TemporaryDirectory() as folder:
        home = stored_home(Path(folder) / "home")
        body = _told(home)
        with _running(_service, str(home.root)) as service, _running(_echo, body) as echo:
            first, first_waits = _asked(service, accounts)
            assert httpx.get(f"{service[1]}{_address(accounts[0])}").json() == json.loads(body)
            costs: list[list[float]] = [[], []]
            waits: list[list[float]] = [[], []]
            for _ in range(ROUNDS):
                for place, server in enumerate((service, echo)):
                    cost, found = _asked(server, again)
                    costs[place].append(cost)
                    waits[place] += found
    ours, bare = (min(each) for each in costs)
    slow, slow_bare = (float(np.percentile(each, 99)) for each in waits)
    print(
        f"\none account over HTTP: {ours:.2f} ms of processor time, an echo of the same {len(body)} bytes {bare:.2f} = "
        f"{ours / bare:.1f} times (target 3); p99 {slow:.1f} ms, of the echo {slow_bare:.1f} = {slow / slow_bare:.1f} "
        f"times (target 4); asked for the first time {first:.1f} ms = {first / bare:.1f} times, "
        f"p99 {np.percentile(first_waits, 99):.1f} ms"
    )


def test_a_batch_of_a_thousand() -> None:
    with TemporaryDirectory() as folder:
        home = stored_home(Path(folder) / "home")
        asked, moment = list(many_online(home, BATCH, prefix="acc")), now()
        app, context = service_of(home, clock=lambda: moment, tell=silent_tell)
        context.live.refresh()
        context.live.require().bundle.warm()
        client = Client(app)
        answer = client.post("/v1/score", json={"account_ids": asked}).json()
        assert answer["recorded"]
        assert {one["status"] for one in answer["results"]} == {"ok"}
        assert [one["account_id"] for one in answer["results"]] == asked

        def score() -> None:
            answering = context.challenge.answering()
            context.record(answering, answering.score_accounts(asked, moment, reasons=False))

        arrow = {"accept": "application/vnd.apache.arrow.stream"}
        scoring, whole, streamed = best_of(
            score,
            lambda: client.post("/v1/score", json={"account_ids": asked}),
            lambda: client.post("/v1/score", json={"account_ids": asked}, headers=arrow),
            rounds=3,
        )
        context.close()
    print(
        f"\n{BATCH} ids over HTTP: {whole * 1e3:.0f} ms, {scoring * 1e3:.0f} of them scoring and the ledger; JSON and "
        f"transport {1 - scoring / whole:.0%} (target 50 %); as Arrow {streamed * 1e3:.0f} ms"
    )
