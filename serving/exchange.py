"""In which shape does an answer leave the service?

Stands between an application and the server: puts the request id and the security headers on every answer, replaces the
body of every error that is not in our format, and counts what was sent. Whatever an application says after the answer
was given up (too slow) is dropped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers

from serving.access.rules import at_desk
from serving.problems import MEDIA_TYPE, Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST_ID = "x-request-id"
FIXED_PATHS = frozenset({"/livez", "/readyz", "/healthz", "/metrics", "/docs.json", "/schema.json"})
"""What watches the service: never made to wait for those who use it."""

_PATTERNS = (("/accounts/", "/accounts/{account_id}"), ("/static/", "/static/{file}"))
"""Pages do not leave their pattern behind as API routes do."""

_FIRST_ERROR = 400
_OWN_FORMATS = (MEDIA_TYPE, "text/html")
_KEPT_OF_AN_ERROR = ("allow", "retry-after")

_SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_ENCRYPTED = {"strict-transport-security": "max-age=31536000"}
"""Where other machines reach the service: a browser that saw it once by TLS never asks without."""

_PAGE_ONLY = {
    # Without a referrer browsers would not say by which page a form is sent, either.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def headers_of_all(request_id: str, *, page: bool = False, secure: bool = False) -> dict[str, str]:
    """What every answer bears, whoever gives it. ``secure``: other machines can reach the service."""
    policy = {"content-security-policy": _PAGE_POLICY if page else _DATA_POLICY}
    return _SECURITY | (_PAGE_ONLY if page else {}) | (_ENCRYPTED if secure else {}) | policy | {REQUEST_ID: request_id}


class Exchange:
    """One request and its one answer."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self.scope = scope
        self.request_id = request_id
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.more: dict[str, str] = {}
        """Headers to add to the answer, whatever it is."""

        self.secure = False
        """Can other machines reach the service? Then browsers are told to encrypt."""

        self._send = send
        self._closed = False

    @property
    def begun(self) -> bool:
        """True when a status has been sent: nothing else can be answered any more."""
        return self.status != 0

    @property
    def route(self) -> str:
        """The pattern of the route that answered; never the path itself, which may name an account."""
        route, path = self.scope.get("route"), self.scope["path"]
        pattern = getattr(route, "path_format", None) or getattr(route, "path", None)
        if pattern:
            return str(pattern)
        if path == "/" or path in FIXED_PATHS or at_desk(path):
            return str(path)
        return next((pattern for prefix, pattern in _PATTERNS if path.startswith(prefix)), "unmatched")

    async def forward(self, message: Message) -> None:
        """Send what the application says, in our shape."""
        if self._closed:
            return
        if message["type"] == "http.response.start":
            await self._start(message)
        elif message["type"] == "http.response.body":
            self.bytes_out += len(message.get("body", b""))
            await self._send(message)

    async def refuse(
        self, problem: Problem, *, keeping: dict[str, str] | None = None, page: bytes | None = None
    ) -> None:
        """Answer with a problem and nothing else; too late when an answer has begun.

        ``page`` is HTML that says it to a person instead.
        """
        if self.begun:
            self._closed = True
            return
        body = problem.body(self.request_id) if page is None else page
        headers = {"content-length": str(len(body)), **problem.headers(), **(keeping or {})}
        if page is not None:
            headers["content-type"] = "text/html; charset=utf-8"
        await self._begin({"type": "http.response.start", "status": problem.status, "headers": []}, headers)
        self.bytes_out = len(body)
        await self._send({"type": "http.response.body", "body": body})
        self._closed = True

    async def send_on(self, address: str) -> None:
        """Send a browser to another page of ours."""
        headers = {"location": address, "content-length": "0", "content-type": "text/html; charset=utf-8"}
        await self._begin({"type": "http.response.start", "status": 303, "headers": []}, headers)
        await self._send({"type": "http.response.body", "body": b""})
        self._closed = True

    async def _start(self, message: Message) -> None:
        if message["status"] >= _FIRST_ERROR:
            headers = Headers(raw=list(message.get("headers", [])))
            if headers.get("content-type", "").split(";")[0].strip() not in _OWN_FORMATS:
                kept = {name: headers[name] for name in _KEPT_OF_AN_ERROR if name in headers}
                await self.refuse(Problem.of(message["status"]), keeping=kept)
                return
        await self._begin(message, {})

    async def _begin(self, message: Message, more: dict[str, str]) -> None:
        given: list[tuple[bytes, bytes]] = list(message.get("headers", []))
        kind = next((value.decode("latin-1") for name, value in given if name == b"content-type"), "")
        page = (more.get("content-type") or kind).startswith("text/html")
        ours = {**more, **self.more, **headers_of_all(self.request_id, page=page, secure=self.secure)}
        # Put together once: each change of Starlette's headers looks through all of them.
        told = {name.encode("latin-1"): value.encode("latin-1") for name, value in ours.items()}
        headers = [*(one for one in given if one[0] not in told), *told.items()]
        if all(name != b"cache-control" for name, _ in headers):
            headers.append((b"cache-control", b"no-store"))
        self.status = message["status"]
        await self._send({**message, "headers": headers})
