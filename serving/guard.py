"""Which requests reach the service?

One pure ASGI middleware over every route, ours and BentoML's: known host names, no orders from pages of other sites,
keys or sessions and their scopes where they are needed, a cap on bodies counted as they arrive, JSON only (forms at
the sign-in pages), a limit of requests a minute, at once, and of time. What it refuses, and what goes wrong behind it,
is answered as a problem; each request leaves one line of log, one count and, where somebody listens, one trace. It
believes ``scope["path"]``, and a forwarded header only of a proxy that the settings name.
"""

from __future__ import annotations

import asyncio
import re
import time
import traceback
from dataclasses import replace
from uuid import uuid4

from starlette.datastructures import Headers

from features.audit_log import within_request
from features.storage_failure import storage_failure
from serving.access.door import CALLER, Caller, Door, Passage
from serving.access.origin import ADDRESS, SECURE, address_of, foreign
from serving.access.rules import FORMS
from serving.exchange import FIXED_PATHS, REQUEST_ID, App, Exchange, Message, Receive, Scope, Send
from serving.metrics import METHODS, ServiceMetrics
from serving.problems import Problem
from serving.request_log import Tell
from serving.settings import ServiceSettings
from serving.tracing import Tracing, finish

OK = 200
CLIENT_GONE = 499
"""What is logged when a client leaves before its body is here; nobody is there to be answered."""

_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_ARROW = {"/v1/score": "application/vnd.apache.arrow.stream"}
"""Addresses that take something else as well."""

_REQUEST_ID_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LENGTH_FORM = re.compile(r"[0-9]{1,18}")
_HOST_FORM = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::[0-9]{1,5})?")


class Guard:
    """The middleware. ``tell`` receives one event per request."""

    def __init__(
        self,
        app: App,
        *,
        settings: ServiceSettings,
        metrics: ServiceMetrics,
        tell: Tell,
        door: Door,
        tracing: Tracing | None = None,
    ) -> None:
        self._app = app
        self._tracing = tracing or Tracing()
        self._door = door
        self._settings = settings
        self._metrics = metrics
        self._tell = tell
        self._hosts = frozenset(name.lower() for name in settings.hosts)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def working(self) -> int:
        """Requests that are being worked on, those included whose answer was given up."""
        return len(self._tasks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other kinds of connection are passed on (start and stop) or closed (web sockets)."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        exchange = Exchange(scope, send, _request_id(headers))
        scope[REQUEST_ID] = exchange.request_id
        with within_request(exchange.request_id), self._tracing.request(_method(scope), headers) as span:
            await self._pass(exchange, headers, receive)
            finish(span, _method(scope), exchange.route, exchange.status, request_id=exchange.request_id)

    async def _pass(self, exchange: Exchange, headers: Headers, receive: Receive) -> None:
        began, scope = time.perf_counter(), exchange.scope
        passage: Passage | None = None
        try:
            problem = self._objection(scope, headers)
            if problem is None:
                with self._tracing.step("who is it"):
                    passage = await self._admitted(scope, headers, exchange)
                problem = passage.problem
            body = problem or await self._body(headers, receive, exchange)
            if passage is not None and passage.onward is not None:
                await exchange.send_on(passage.onward)
            elif isinstance(body, Problem):
                await exchange.refuse(body, page=passage.page if passage else None)
            elif body is not None:
                with self._tracing.step("answer"):
                    await self._work(exchange, _replayed(body, receive))
        finally:
            self._note(exchange, time.perf_counter() - began)
            if passage is not None:
                self._door.note(passage, status=exchange.status, request_id=exchange.request_id)

    async def _admitted(self, scope: Scope, headers: Headers, exchange: Exchange) -> Passage:
        scope[ADDRESS] = address_of(scope, headers, self._door.settings)
        passage = await self._door.passage(scope, headers)
        scope[CALLER], exchange.secure = passage.caller, scope[SECURE]
        if passage.allowance is not None:
            exchange.more = passage.allowance.headers()
        if passage.problem is None and (problem := foreign(scope, headers, secure=scope[SECURE])):
            return replace(passage, problem=problem)
        return passage

    def _objection(self, scope: Scope, headers: Headers) -> Problem | None:
        names = headers.getlist("host")
        form = _HOST_FORM.fullmatch(names[0]) if len(names) == 1 else None
        if form is None or (form["v6"] or form["name"]).lower() not in self._hosts:
            return Problem.of(400, "The Host header does not name this service.")
        if not _LENGTH_FORM.fullmatch(headers.get("content-length", "0")):
            return Problem.of(400)
        wanted = (_FORM,) if scope["path"] in FORMS else (_JSON, _ARROW.get(scope["path"]))
        if _has_body(headers) and headers.get("content-type", "").split(";")[0].strip().lower() not in wanted:
            return Problem.of(415)
        return None

    async def _body(self, headers: Headers, receive: Receive, exchange: Exchange) -> bytes | Problem | None:
        """The whole body; a problem when it is too large or too slow; None when the client left."""
        limit = self._settings.body_limit_bytes
        if int(headers.get("content-length", "0")) > limit:
            return Problem.of(413)
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.body_timeout.total_seconds()):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        exchange.status = CLIENT_GONE
                        return None
                    body += message.get("body", b"")
                    exchange.bytes_in = len(body)
                    # The header may be missing or lie: what arrives is what counts.
                    if len(body) > limit:
                        return Problem.of(413)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            return Problem.of(408)

    async def _work(self, exchange: Exchange, receive: Receive) -> None:
        if exchange.scope["path"] not in FIXED_PATHS and self.working >= self._settings.concurrency:
            await exchange.refuse(Problem.of(429))
            return
        # A task of its own: work in a thread cannot be cancelled, so an answer that is too slow is left to end unheard.
        task = asyncio.create_task(self._run(exchange, receive))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait({task}, timeout=self._settings.answer_timeout.total_seconds())
        if not done:
            await exchange.refuse(Problem.of(504))

    async def _run(self, exchange: Exchange, receive: Receive) -> None:
        try:
            await self._app(exchange.scope, receive, exchange.forward)
        except Exception as defect:  # noqa: BLE001  the last line of defence: told by kind and place, never by its words
            where = traceback.extract_tb(defect.__traceback__)[-1]
            place = f"{where.filename.rsplit('/', 1)[-1]}:{where.lineno}"
            self._tell("defect", {"request_id": exchange.request_id, "kind": type(defect).__name__, "where": place})
            stored = storage_failure(defect)
            await exchange.refuse(Problem.of_error(stored) if stored else Problem.of(500))

    def _note(self, exchange: Exchange, seconds: float) -> None:
        method = _method(exchange.scope)
        self._metrics.answered(method, exchange.route, exchange.status, seconds)
        if exchange.scope["path"] in FIXED_PATHS and exchange.status == OK:
            return  # asked every second by whatever watches the service; a good answer is no news
        self._tell(
            "request",
            {
                "request_id": exchange.request_id,
                "method": method,
                "route": exchange.route,
                "status": exchange.status,
                "bytes_in": exchange.bytes_in,
                "bytes_out": exchange.bytes_out,
                "ms": round(seconds * 1000, 1),
                **_named(exchange.scope.get(CALLER)),
            },
        )


def _method(scope: Scope) -> str:
    return str(scope["method"]) if scope["method"] in METHODS else "other"


def _request_id(headers: Headers) -> str:
    given = headers.get(REQUEST_ID, "")
    return given if _REQUEST_ID_FORM.fullmatch(given) else uuid4().hex


def _named(caller: Caller | None) -> dict[str, str]:
    return {("person" if caller.person else "key"): caller.prefix} if caller else {}


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
