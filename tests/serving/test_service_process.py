"""The service as it really runs: a process of its own, BentoML around the app, a real port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import httpx
import pytest

from features.settings import Home
from features.store import FeatureStore
from serving.access.rules import AccessScope
from serving.access.store import KeyStore
from serving.api.answers import score_out
from serving.scorer import Scorer
from tests.serving.service_case import PASSED, ids, newest, now, stored_home
from training.model import load_bundle
from training.promotions import promote

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
LISTENING = """
import json, sys

def heard(event, facts):
    if event == "socket.bind" or event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        told = {"event": event, "address": str(facts[0 if event == "socket.getaddrinfo" else 1])}
        print(json.dumps(told), file=sys.stderr, flush=True)

sys.addaudithook(heard)
"""
"""Has a process tell to whom it speaks, and where it can be spoken to, before it does."""

_PROGRAM = f"""{LISTENING}
from pathlib import Path
from features.settings import Home
from features.vocabulary import parse_moment
from serving.launch import serve
tell = lambda text: print(text, flush=True)
serve(Home(root=Path(sys.argv[1])), port=0, as_of=parse_moment(sys.argv[2]), announce=tell)
tell("ended")
"""


class Process:
    """One running service; everything it logs is read as it comes."""

    def __init__(self, home: Home, elsewhere: Path) -> None:
        self.home = home
        self.elsewhere = elsewhere
        elsewhere.mkdir()
        places = {"HOME": str(elsewhere), "TMPDIR": str(elsewhere), "PYTHONPATH": str(ROOT)}
        self.child = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(home.root), now().isoformat()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=elsewhere,
            env={**os.environ, **places, "PULSE_THREADS": "1"},
        )
        assert self.child.stdout is not None
        self.lines: list[str] = []
        self._events: Queue[dict[str, Any]] = Queue()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.client = httpx.Client(base_url=self.child.stdout.readline().strip(), timeout=PATIENCE)

    def _listen(self) -> None:
        assert self.child.stderr is not None
        for line in self.child.stderr:
            self.lines.append(line)
            self._events.put(json.loads(line) if line.startswith("{") else {"event": "not json"})

    def await_event(self, name: str) -> dict[str, Any]:
        while True:
            event = self._events.get(timeout=PATIENCE)
            if event["event"] == name:
                return event

    def stop(self, number: signal.Signals) -> tuple[str, int]:
        self.child.send_signal(number)
        assert self.child.stdout is not None
        said = self.child.stdout.read()
        return said, self.child.wait(PATIENCE)

    def addresses(self, *events: str) -> list[str]:
        """Which it bound (socket.bind), or spoke to (socket.connect, socket.sendto, socket.getaddrinfo), in order."""
        told = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [one["address"] for one in told if one["event"] in events]

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *failure: object) -> None:
        self.client.close()
        self.child.kill()
        self.child.wait()
        self._listener.join()
        assert self.child.stdout is not None
        assert self.child.stderr is not None
        self.child.stdout.close()
        self.child.stderr.close()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    root = tmp_path_factory.mktemp("process")
    with Process(stored_home(root / "home"), root / "elsewhere") as running:
        running.await_event("model live")
        yield running


@pytest.fixture(scope="module")
def expected(process: Process) -> dict[str, dict[str, Any]]:
    """The score of the first accounts by each version, as the batch of another process tells it."""
    told = {}
    for version in ("1", "2"):
        scorer = Scorer(load_bundle(process.home.bundles / version), FeatureStore(process.home), process.home)
        scores = {one.account_id: score_out(one.score) for one in scorer.assess_cohort(newest())}
        told[version] = {account: json.loads(score.model_dump_json()) for account, score in scores.items()}
    return told


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/livez", "text/plain"),
        ("/readyz", "text/plain"),
        ("/healthz", "text/plain"),
        ("/metrics", "text/plain"),
        ("/docs.json", "application/json"),
        ("/schema.json", "application/json"),
        ("/v1/openapi.json", "application/json"),
        ("/v1/models", "application/json"),
        ("/v1/accounts", "application/json"),
        ("/", "text/html"),
    ],
)
def test_routes_of_bentoml_and_ours_live_side_by_side(process: Process, path: str, kind: str) -> None:
    answer = process.client.get(path)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, kind)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/v1/nothing", {}, 404),
        ("POST", "/readyz", {}, 405),
        ("DELETE", "/v1/score", {}, 405),
        ("GET", "/livez", {"headers": {"host": "evil.example"}}, 400),
        ("POST", "/v1/score", {"json": {}}, 422),
        ("POST", "/v1/score", {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415),
        ("POST", "/v1/score", {"content": b"x" * (2 << 20), "headers": {"content-type": "application/json"}}, 413),
        ("POST", "/nothing", {"json": {}}, 404),
    ],
)
def test_every_refusal_has_one_format_whoever_refuses(
    process: Process, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    answer = process.client.request(method, path, **options)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_an_endless_body_is_cut_off(process: Process) -> None:
    endless = (b"x" * 65_536 for _ in range(10_000))
    try:
        status = process.client.post(
            "/v1/score", content=endless, headers={"content-type": "application/json"}
        ).status_code
    except httpx.TransportError:
        status = 413  # the connection was closed before the client had read the answer
    assert status == 413
    assert process.client.get("/livez").status_code == 200


def test_a_promotion_under_load_loses_no_request_and_mixes_no_version(
    process: Process, expected: dict[str, dict[str, Any]]
) -> None:
    accounts = ids()[:5]
    seen: list[str] = []

    def ask() -> None:
        answer = process.client.post("/v1/score", json={"account_ids": accounts})
        assert answer.status_code == 200
        body = answer.json()
        seen.append(body["model_version"])
        assert [result["score"] for result in body["results"]] == [expected[seen[-1]][account] for account in accounts]

    ask()
    promote(process.home, "2", who="test", why="test", verdict=PASSED, at=now())
    while seen[-1] != "2" and len(seen) < 5000:
        ask()
    assert (seen[0], seen[-1]) == ("1", "2")
    assert seen == sorted(seen)


def test_the_log_is_json_and_names_no_account(process: Process) -> None:
    process.client.get(f"/v1/accounts/{ids()[0]}/explanation")
    process.client.get(f"/accounts/{ids()[0]}")
    process.client.get("/%0d%0aforged")
    assert process.lines
    for line in list(process.lines):
        assert "acc-" not in line
        assert "event" in json.loads(line)
    assert "acc-" not in process.client.get("/metrics").text


def test_the_service_speaks_to_nobody_and_is_reached_on_loopback_alone(process: Process) -> None:
    # With a model, its features and all their libraries; without anything: tests/faults/test_safe_by_default.py.
    process.client.post("/v1/score", json={"account_ids": ids()[:1]})
    assert process.addresses("socket.connect", "socket.sendto", "socket.getaddrinfo") == []
    # Some library looks whether there is IPv6, on loopback, too.
    assert {"('127.0.0.1', 0)"} <= set(process.addresses("socket.bind")) <= {"('127.0.0.1', 0)", "('::1', 0)"}


def test_nothing_is_written_outside_the_home(process: Process) -> None:
    process.client.post("/v1/score", json={"account_ids": ids()[:1]})
    assert [path.name for path in process.elsewhere.rglob("*")] == []
    assert {path.name for path in process.home.root.iterdir()} <= {
        "bentoml",
        "bundles",
        "feast",
        "scratch",
        "snapshots",
        "state.db",
        "state.db-shm",
        "state.db-wal",
        "tmp",
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_service_and_the_caller_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    # No home at all: the service starts, says that it is not ready, and can be stopped.
    with Process(Home(root=tmp_path / "home"), tmp_path / "elsewhere") as running:
        assert running.client.get("/livez").status_code == 200
        assert running.client.get("/readyz").status_code == 503
        assert running.client.get("/v1/models").json()["detail"] == "No model can answer now."
        _a_key_closes_the_door(running)
        assert running.stop(number) == ("ended\n", 0)


def _a_key_closes_the_door(running: Process) -> None:
    """A key that is made beside a running service counts within seconds, and its use outlives the service."""
    key, token = KeyStore(running.home).create("bot", [AccessScope.SCORE_READ], who="user ada", at=now())
    for _ in range(100):
        if running.client.get("/v1/accounts").status_code == 401:
            break
        time.sleep(0.1)
    assert running.client.get("/v1/accounts").headers["www-authenticate"] == 'Bearer realm="campaign-pulse"'
    opened = running.client.get("/v1/accounts", headers={"authorization": f"Bearer {token}"})
    assert (opened.status_code, opened.json()["accounts"]) == (200, [])
    assert running.client.get("/").status_code == 200  # pages stay open to their own machine
    assert token not in "".join(running.lines)
    assert key.prefix in "".join(running.lines)
