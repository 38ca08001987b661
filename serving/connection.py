"""What may a caller do on the line before and after a request is whole?

Below the guard, which sees whole heads only: a head that trickles in, a line on which nothing is said, a head that is
no HTTP or too long, and a body that goes on after its answer. Each ends within a time or a number of bytes, with the
one format of refusals wherever an answer can still be read.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar, cast
from uuid import uuid4

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from serving.exchange import headers_of_all
from serving.problems import Problem

MOST_UNREAD = 5 << 19
"""Bytes read and thrown away after an answer: a line closed at once would lose it to the caller, and one closed within
a body that is nearly there would fail the caller's next request on it. With what the guard reads, below 4 MB."""

_LAST_SECONDS = 2.0


def careful(head_timeout: timedelta) -> type[Connection]:
    """The protocol for :class:`uvicorn.Config`: a head is whole within ``head_timeout``."""
    return type("CarefulConnection", (Connection,), {"head_seconds": head_timeout.total_seconds()})


class Connection(H11Protocol):
    """One line to a caller. Belongs to the event loop's thread."""

    head_seconds: ClassVar[float] = 10.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A caller is there; the head is awaited from now."""
        super().connection_made(transport)
        self._thrown_away, self._said, self._refused = 0, False, False
        self._head: asyncio.TimerHandle | None = None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        self._forget_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came: of a head, of a body, or of what nobody wants any more."""
        self._said = True
        answered = self.conn.our_state in {h11.DONE, h11.MUST_CLOSE} and self.conn.their_state is h11.SEND_BODY
        if self._refused or answered:
            self._thrown_away += len(data)
            if self._thrown_away > MOST_UNREAD:
                self.transport.close()
                return
        if self._refused:
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._forget_head()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words, which are not ours to say
        """Refuse what is no HTTP, in our format."""
        self._refuse(Problem.of(HTTPStatus.BAD_REQUEST))

    def _await_head(self) -> None:
        # Not begun anew by each byte: that is what a caller who sends one a second waits for.
        if self._head is None:
            self._head = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _head_is_late(self) -> None:
        self._head = None
        if self._said and self.conn.their_state is h11.IDLE:
            self._refuse(Problem.of(HTTPStatus.REQUEST_TIMEOUT, "The head of the request did not arrive in time."))
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        self._forget_head()
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            # Who works at an answer is told that nobody waits for it.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            # An answer was given, or half of one: there is no taking back.
            self.transport.close()
            return
        request_id = uuid4().hex
        body = problem.body(request_id)
        last = {"content-length": str(len(body)), "connection": "close", "cache-control": "no-store"}
        headers = problem.headers() | headers_of_all(request_id) | last
        response = h11.Response(
            status_code=problem.status,
            reason=HTTPStatus(problem.status).phrase.encode(),
            headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        )
        events: list[Any] = [response, h11.Data(data=body), h11.EndOfMessage()]
        self.transport.write(b"".join(cast("bytes", self.conn.send(event) or b"") for event in events))
        self.transport.write_eof()
        self.loop.call_later(_LAST_SECONDS, self.transport.close)
