"""What does the line itself refuse, before the guard sees a request and after it has answered?"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from queue import Queue
from typing import Any

import pytest
import uvicorn

from serving.connection import MOST_UNREAD, careful

PATIENCE = 20.0
"""Seconds after which a line counts as never closed."""
HEAD = timedelta(seconds=0.5)
WHOLE = b"GET / HTTP/1.1\r\nhost: pulse\r\n\r\n"


READ: Queue[str] = Queue()
"""What the application was told while it read a body."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers without reading a body: 413 to a POST, as the guard does once it has read enough. Reads that of a PUT."""
    while scope["method"] == "PUT":
        message = await receive()
        READ.put(message["type"])
        if not message.get("more_body"):
            break
    status = 413 if scope["method"] == "POST" else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def serving(head_timeout: timedelta) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(app, http=careful(head_timeout), lifespan="off", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(HEAD) as number:
        yield number


@contextmanager
def line_to(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
        yield line


def said(line: socket.socket) -> bytes:
    """Everything until the other side ends the line."""
    return b"".join(iter(lambda: line.recv(65536), b""))


def taken(line: socket.socket, piece: bytes, *, most: int, pause: float = 0.0) -> int:
    """How many pieces can be sent until the other side has closed the line."""
    for number in range(most):
        try:
            line.sendall(piece)
        except (ConnectionResetError, BrokenPipeError):
            return number
        time.sleep(pause)
    return most


def problem_of(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    told: dict[str, Any] = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {told['status']} ".encode())
    assert told["instance"].endswith(told["request_id"])
    assert f"x-request-id: {told['request_id']}".encode() in head.lower()
    assert b"x-content-type-options: nosniff" in head.lower()
    return told


def trickled(line: socket.socket, text: bytes) -> bytes:
    """What is said to somebody who sends a byte now and then, and always has another."""
    line.settimeout(0.05)
    for place in range(len(text)):
        line.sendall(text[place : place + 1])
        try:
            return line.recv(65536)
        except TimeoutError:
            continue
    raise AssertionError("every byte was waited for")


def test_a_head_that_trickles_in_is_not_waited_for(port: int) -> None:
    with line_to(port) as line:
        assert problem_of(trickled(line, WHOLE * 10))["status"] == 408


def test_a_second_head_on_a_kept_line_may_not_trickle_either(port: int) -> None:
    with line_to(port) as line:
        line.sendall(WHOLE)
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        assert problem_of(trickled(line, b"GET / HTTP/1.1\r\nx: " + b"y" * 300))["status"] == 408


def test_a_line_on_which_nothing_is_said_is_closed_without_a_word(port: int) -> None:
    with line_to(port) as line:
        assert said(line) == b""


def test_whoever_sends_whole_heads_is_answered_for_as_long_as_they_come(port: int) -> None:
    # Longer in all than a head may take: the time is each head's own.
    with line_to(port) as line:
        for _ in range(4):
            line.sendall(WHOLE)
            assert line.recv(65536).startswith(b"HTTP/1.1 200")
            time.sleep(HEAD.total_seconds() / 2)


@pytest.mark.parametrize("length", [128 << 10, 1 << 20])
def test_a_head_too_long_is_refused_in_our_format_and_the_refusal_arrives(port: int, length: int) -> None:
    with line_to(port) as line:
        line.sendall(b"GET / HTTP/1.1\r\nhost: pulse\r\nx-long: " + b"a" * (length - 100))
        assert problem_of(said(line))["status"] == 400


def test_what_is_no_http_is_refused_in_our_format_and_not_echoed(port: int) -> None:
    with line_to(port) as line:
        line.sendall(b"SSH-2.0-secret-client\r\n\r\n")
        answer = said(line)
    assert problem_of(answer)["status"] == 400
    assert b"secret" not in answer


def test_a_body_in_broken_chunks_is_refused_and_who_reads_it_is_told(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with line_to(port) as line:
        line.sendall(b"PUT / HTTP/1.1\r\nhost: pulse\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
        line.sendall(b"no length\r\n")
        assert problem_of(said(line))["status"] == 400
    while READ.get(timeout=PATIENCE) != "http.disconnect":
        pass
    assert [record.name for record in caplog.records if record.name == "asyncio"] == []


def test_broken_chunks_after_the_answer_only_end_the_line(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with line_to(port) as line:
        line.sendall(b"POST / HTTP/1.1\r\nhost: pulse\r\ntransfer-encoding: chunked\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 413")
        line.sendall(b"no length\r\n")
        assert said(line) == b""
    assert [record.name for record in caplog.records if record.name == "asyncio"] == []


def test_a_body_that_never_ends_is_answered_and_then_cut_off(port: int) -> None:
    piece = b"%x\r\n" % 65536 + b"a" * 65536 + b"\r\n"
    with line_to(port) as line:
        line.sendall(b"POST / HTTP/1.1\r\nhost: pulse\r\ntransfer-encoding: chunked\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 413")
        sent = taken(line, piece, most=512 * MOST_UNREAD // len(piece)) * len(piece)
    # What the buffers of both sides hold comes on top of what was read.
    assert sent < 32 * MOST_UNREAD


def test_a_body_that_ends_soon_after_its_answer_leaves_the_line_in_use(port: int) -> None:
    with line_to(port) as line:
        line.sendall(b"POST / HTTP/1.1\r\nhost: pulse\r\ncontent-length: 5\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 413")
        line.sendall(b"abcde" + WHOLE)
        assert line.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_caller_who_reads_nothing_of_a_refusal_is_not_kept() -> None:
    with serving(timedelta(seconds=30)) as port, line_to(port) as line:
        line.sendall(b"no http\r\n\r\n")
        problem_of(said(line))
        assert taken(line, b"more", most=200, pause=0.05) < 200
