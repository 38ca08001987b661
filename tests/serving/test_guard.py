from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from features.settings import Home
from serving.access.door import Door
from serving.clock import real_clock
from serving.exchange import App
from serving.guard import CLIENT_GONE, Guard
from serving.metrics import ServiceMetrics
from serving.request_log import json_lines
from serving.settings import ServiceSettings

JSON = (b"content-type", b"application/json")
HOST = (b"host", b"127.0.0.1:3000")
Parts = Iterable[dict[str, Any]]


class Wire:
    """What a server would see of one request: what it hands in, and every message that comes back."""

    def __init__(self, app: App, *, home: Home | None = None, **settings: Any) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[dict[str, Any]] = []
        self.read = 0
        self.metrics = ServiceMetrics()
        chosen = ServiceSettings(home=home or Home(root=Path("unused")), **settings)

        def tell(event: str, facts: Any) -> None:
            self.events.append((event, dict(facts)))

        door = Door(chosen.home, exposed=chosen.exposed, clock=real_clock, tell=tell)
        self.guard = Guard(app, settings=chosen, metrics=self.metrics, tell=tell, door=door)

    async def request(
        self,
        *,
        method: str = "POST",
        path: str = "/x",
        headers: Iterable[tuple[bytes, bytes]] = (HOST, JSON),
        body: Parts,
    ) -> None:
        parts = iter(body)

        async def receive() -> dict[str, Any]:
            part = next(parts, None)
            if part is None:
                await asyncio.Event().wait()  # a server is silent until the client leaves
            self.read += len((part or {}).get("body", b""))
            return {"type": "http.request", **(part or {})}

        async def send(message: Any) -> None:
            self.sent.append(dict(message))

        scope = {"type": "http", "method": method, "path": path, "headers": list(headers), "query_string": b""}
        await self.guard(scope, receive, send)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        assert int(self.headers["content-length"]) == len(self.body)
        document: dict[str, Any] = json.loads(self.body)
        return document


def run(work: Awaitable[None]) -> None:
    async def within() -> None:
        await work

    asyncio.run(within())


def answering(
    status: int = 200,
    headers: Iterable[tuple[bytes, bytes]] = ((b"content-type", b"application/json"),),
    body: bytes = b"{}",
) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        scope["seen"] = message["body"]
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body or message["body"], "more_body": False})

    return app


def asked(wire: Wire, **options: Any) -> Wire:
    run(wire.request(**{"body": [{"body": b"{}"}], **options}))
    return wire


def test_a_good_request_passes_unchanged() -> None:
    wire = asked(Wire(answering(body=b"")), body=[{"body": b'{"a"', "more_body": True}, {"body": b": 1}"}])
    assert (wire.status, wire.body) == (200, b'{"a": 1}')


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"127.0.0.1.evil.example",
        b"localhost.",
        b"",
        b"127.0.0.1:port",
        b"127.0.0.1:3000@evil.example",
        b"[::1",
        b"LOCALHOST\t",
        b"127.0.0.2",
    ],
)
def test_a_name_that_is_not_ours_is_refused(host: bytes) -> None:
    wire = asked(Wire(answering()), headers=[(b"host", host), JSON])
    assert wire.problem == {
        "type": "urn:campaign-pulse:problem:bad-request",
        "title": "Bad Request",
        "status": 400,
        "detail": "The Host header does not name this service.",
        "instance": f"urn:campaign-pulse:request:{wire.headers['x-request-id']}",
        "request_id": wire.headers["x-request-id"],
    }


@pytest.mark.parametrize("headers", [[JSON], [HOST, HOST, JSON]])
def test_no_host_or_two_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    assert asked(Wire(answering()), headers=headers).problem["status"] == 400


@pytest.mark.parametrize("host", [b"127.0.0.1", b"localhost:3000", b"LocalHost", b"[::1]:3000", b"[::1]"])
def test_every_name_of_this_machine_is_ours(host: bytes) -> None:
    assert asked(Wire(answering()), headers=[(b"host", host), JSON]).status == 200


def test_a_body_is_counted_as_it_arrives_whatever_its_header_says() -> None:
    lie = (b"content-length", b"10")
    endless = ({"body": b"x" * 65_536, "more_body": True} for _ in range(1024))
    wire = asked(Wire(answering()), headers=[HOST, JSON, lie], body=endless)
    assert wire.problem["status"] == 413
    assert wire.read <= (1 << 20) + 65_536


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    size = (b"content-length", str((1 << 20) + 1).encode())
    wire = asked(Wire(answering()), headers=[HOST, JSON, size])
    assert (wire.problem["status"], wire.read) == (413, 0)


def test_a_body_of_exactly_the_limit_passes() -> None:
    wire = asked(Wire(answering(body=b"ok")), body=[{"body": b"x" * (1 << 20)}])
    assert (wire.status, wire.read) == (200, 1 << 20)


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"ten", b"9" * 40, b"1, 1"])
def test_a_length_that_is_no_number_is_refused(length: bytes) -> None:
    assert asked(Wire(answering()), headers=[HOST, JSON, (b"content-length", length)]).problem["status"] == 400


@pytest.mark.parametrize(
    "kind", [b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data", b"", b"json"]
)
@pytest.mark.parametrize("sized", [(b"content-length", b"2"), (b"transfer-encoding", b"chunked")])
def test_only_json_is_taken_as_a_body(kind: bytes, sized: tuple[bytes, bytes]) -> None:
    wire = asked(Wire(answering()), headers=[HOST, (b"content-type", kind), sized])
    assert (wire.problem["status"], wire.read) == (415, 0)


def test_json_may_name_its_charset_and_no_body_needs_no_type() -> None:
    named = (b"content-type", b"Application/JSON; charset=utf-8")
    assert asked(Wire(answering()), headers=[HOST, named, (b"content-length", b"2")]).status == 200
    assert asked(Wire(answering()), method="GET", headers=[HOST], body=[{"body": b""}]).status == 200


def test_a_body_that_trickles_in_is_given_up() -> None:
    wire = asked(Wire(answering(), body_timeout=timedelta(0)), body=[{"body": b"x", "more_body": True}])
    assert wire.problem["status"] == 408


def test_a_client_that_leaves_is_not_answered() -> None:
    wire = asked(Wire(answering()), body=[{"body": b"x", "more_body": True}, {"type": "http.disconnect"}])
    assert wire.sent == []
    assert wire.events[0][1]["status"] == CLIENT_GONE


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (404, b"text/plain", b"no such thing"),
        (503, b"application/json", b'{"error": "secret"}'),
        (500, b"", b"Traceback ..."),
    ],
)
def test_an_error_in_another_format_leaves_in_ours(status: int, kind: bytes, body: bytes) -> None:
    wire = asked(
        Wire(answering(status, [(b"content-type", kind), (b"content-length", b"9"), (b"x-inner", b"1")], body))
    )
    assert wire.problem["status"] == status
    assert body not in wire.body
    assert "x-inner" not in wire.headers


def test_an_error_keeps_what_a_client_needs_to_go_on() -> None:
    wire = asked(Wire(answering(405, [(b"content-type", b"text/plain"), (b"allow", b"GET")])))
    assert (wire.problem["status"], wire.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("kind", [b"application/problem+json", b"text/html; charset=utf-8"])
def test_an_error_in_our_format_or_for_people_stays_as_it_is(kind: bytes) -> None:
    wire = asked(Wire(answering(404, [(b"content-type", kind)], b"as it is")))
    assert wire.body == b"as it is"


async def failing(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("acc-0001 owes 5")


async def failing_late(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("acc-0001 owes 5")


def test_a_defect_is_answered_without_its_words_and_told_by_kind_and_place() -> None:
    wire = asked(Wire(failing))
    assert wire.problem["status"] == 500
    event, facts = wire.events[0]
    assert (event, facts["kind"]) == ("defect", "RuntimeError")
    assert facts["where"].startswith("test_guard.py:")
    assert "acc-0001" not in json.dumps([wire.problem, wire.events])


def test_a_defect_after_the_answer_began_cannot_be_answered_again() -> None:
    wire = asked(Wire(failing_late))
    assert [message["type"] for message in wire.sent] == ["http.response.start"]
    assert wire.events[0][0] == "defect"


def test_work_that_takes_too_long_is_answered_and_what_it_says_later_is_dropped() -> None:
    late = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await late.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"late"})

    wire = Wire(slow, answer_timeout=timedelta(0))

    async def story() -> None:
        await wire.request(body=[{"body": b"{}"}])
        late.set()
        while wire.guard.working:
            await asyncio.sleep(0)

    run(story())
    assert wire.problem["status"] == 504
    assert len(wire.sent) == 2


def test_more_work_than_can_be_done_is_refused_at_once_and_taken_again_afterwards() -> None:
    hold = asyncio.Event()

    async def held(scope: Any, receive: Any, send: Any) -> None:
        await hold.wait()
        await answering()(scope, receive, send)

    wire = Wire(held, concurrency=2)

    async def story() -> None:
        def ask(path: str = "/x") -> Any:
            return asyncio.create_task(wire.request(path=path, body=[{"body": b"{}"}]))

        working = [ask(), ask()]
        await _until(lambda: wire.guard.working == 2)
        await ask()
        assert wire.problem["status"] == 429
        assert wire.headers["retry-after"] == "1"
        probe = ask("/readyz")
        await _until(lambda: wire.guard.working == 3)
        hold.set()
        await asyncio.gather(*working, probe)
        wire.sent.clear()
        await ask()
        assert wire.status == 200

    run(story())


async def _until(true: Callable[[], bool]) -> None:
    # In real time: who a request is from is looked up in a thread, which a busy machine may let wait.
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to that")


def test_every_answer_carries_an_id_and_the_headers_of_safety() -> None:
    wire = asked(Wire(answering()), headers=[HOST, JSON, (b"x-request-id", b"abc-1.2_3")])
    assert wire.headers == {
        "content-type": "application/json",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "x-request-id": "abc-1.2_3",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "cache-control": "no-store",
    }


@pytest.mark.parametrize("given", [b"", b"a b", b"a\r\nset-cookie: x", b"x" * 65, "é".encode(), b"{}"])
def test_an_id_of_another_form_is_replaced(given: bytes) -> None:
    wire = asked(Wire(answering()), headers=[HOST, JSON, (b"x-request-id", given)])
    assert len(wire.headers["x-request-id"]) == 32
    assert wire.events[-1][1]["request_id"] == wire.headers["x-request-id"]


def test_a_page_may_load_its_own_style_and_nothing_else() -> None:
    policy = asked(Wire(answering(headers=[(b"content-type", b"text/html")]))).headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "default-src 'none'" in policy
    assert "style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


def test_a_style_sheet_may_be_kept() -> None:
    kept = [(b"content-type", b"text/css"), (b"cache-control", b"max-age=60")]
    assert asked(Wire(answering(headers=kept))).headers["cache-control"] == "max-age=60"


def test_a_line_of_log_names_the_route_and_no_account() -> None:
    wire = asked(Wire(answering(body=b"12345")), path="/accounts/acc-0001\r\nforged", method="BREW\n")
    ((event, facts),) = wire.events
    assert event == "request"
    assert facts.pop("ms") >= 0
    assert facts == {
        "request_id": wire.headers["x-request-id"],
        "method": "other",
        "route": "/accounts/{account_id}",
        "status": 200,
        "bytes_in": 2,
        "bytes_out": 5,
    }


def test_the_log_is_one_json_object_per_line_whatever_a_client_sends() -> None:
    lines: list[str] = []
    json_lines(lines.append, real_clock)("request", {"path": "a\r\nb\x00\x1b[31m\u2028", "status": 200})
    (line,) = lines
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    assert json.loads(line)["path"] == "a\r\nb\x00\x1b[31m\u2028"


def test_metrics_count_by_route_and_never_by_path() -> None:
    wire = Wire(answering(404))
    for number in range(50):
        asked(wire, path=f"/made/up/{number}")
        asked(wire, path=f"/accounts/acc-{number}")
    text = wire.metrics.text().decode()
    assert 'campaign_pulse_requests_total{method="POST",route="unmatched",status="404"} 50.0' in text
    assert 'campaign_pulse_requests_total{method="POST",route="/accounts/{account_id}",status="404"} 50.0' in text
    assert "acc-1" not in text


def test_a_web_socket_is_closed_and_start_and_stop_are_passed_on() -> None:
    sent: list[Any] = []
    passed: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    guard = Wire(app).guard
    run(guard({"type": "websocket"}, receive, send))
    run(guard({"type": "lifespan"}, receive, send))
    assert (sent, passed) == ([{"type": "websocket.close", "code": 1008}], ["lifespan"])
