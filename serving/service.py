"""How does the app run? BentoML gives it a process: start and stop, liveness, readiness, documents of the service.

The only module that speaks BentoML. Its request metrics and access log show raw paths, which name accounts; they are
off, and ours stand in their place. Its supervisor (circus) opens a control port without a password on loopback, through
which any user of the machine could start programs; so :func:`run` serves BentoML's own ASGI app in this process, and
whoever runs the service restarts it. `bentoml serve serving.service:PulseService` works too.
"""

from __future__ import annotations

import signal
import socket
import warnings
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

with warnings.catch_warnings():
    # BentoML uses names of pathspec and pydantic that these deprecate; nobody here can do anything about it.
    warnings.simplefilter("ignore", DeprecationWarning)
    from bentoml import on_shutdown
    from bentoml import service as bento_service

from features.errors import ServiceUnavailable
from serving.api.app import create_app
from serving.connection import careful
from serving.context import ServiceContext
from serving.foreign_logs import taken_over
from serving.guard import Guard
from serving.live import scorer_of
from serving.pages.routes import page_routes
from serving.request_log import json_lines
from serving.settings import ServiceSettings
from serving.tracing import Tracing
from serving.turns import settled

_NEVER = timedelta(hours=1)
"""BentoML's own time limit, out of the way: the guard's is shorter and answers in our format."""

_GRACE = timedelta(seconds=2)
"""After a signal a request in flight may take as long as ever: the guard answers in time, the server cuts nothing."""

_KEEP_ALIVE_SECONDS = 5
_WAITING = 128
"""Connections that may wait to be taken; the guard refuses beyond its limit, with an answer."""

_SETTINGS = ServiceSettings.from_environment()
_CONTEXT = ServiceContext.of(_SETTINGS, tell=json_lines(), opener=settled(scorer_of(_SETTINGS.home)))
_TRACING = Tracing.from_environment()


class Pulse:
    """Customer health and churn risk by campaign phase. Routes under /v1, pages under /."""

    def __init__(self) -> None:
        # Only starts threads: whatever is wrong with model or stores cannot end the start.
        _CONTEXT.live.start(_CONTEXT.settings.poll_interval)
        _CONTEXT.challenge.start(_CONTEXT.settings.poll_interval)
        _CONTEXT.events.worker.start()

    def __is_ready__(self) -> bool:
        return _CONTEXT.live.ready

    @on_shutdown  # type: ignore[untyped-decorator]  # BentoML is not typed
    def close(self) -> None:
        """Give everything back."""
        _CONTEXT.close()
        _TRACING.close()


PulseService: Any = bento_service(
    name="campaign-pulse",
    workers=1,
    threads=_CONTEXT.settings.concurrency,
    traffic={"timeout": _NEVER.total_seconds()},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)(Pulse)
_PAGES = page_routes(_CONTEXT.ledger, partial(_CONTEXT.change_between, patient=False), _CONTEXT.leads)
PulseService.mount_asgi_app(create_app(_CONTEXT, pages=_PAGES), path="/")
PulseService.add_asgi_middleware(
    Guard,
    settings=_CONTEXT.settings,
    metrics=_CONTEXT.metrics,
    tell=_CONTEXT.tell,
    door=_CONTEXT.door,
    tracing=_TRACING,
)


def run(address: str, port: int, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are answered first, new ones are turned away.

    Raises:
        ServiceUnavailable: the port is taken.
    """
    with _bound(address, port) as listener:
        config = uvicorn.Config(
            PulseService.to_asgi(),
            http=careful(_CONTEXT.settings.body_timeout),  # on h11: limits the size of headers; httptools does not
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=int((_CONTEXT.settings.answer_timeout + _GRACE).total_seconds()),
        )
        host, taken = listener.getsockname()[:2]
        announce(f"http://[{host}]:{taken}" if ":" in host else f"http://{host}:{taken}")
        # uvicorn raises the signal again when it is done; by then it has been obeyed.
        before = {one: signal.signal(one, _obeyed) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            with taken_over(_CONTEXT.tell):
                uvicorn.Server(config).run(sockets=[listener])
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def _obeyed(number: int, frame: FrameType | None) -> None:
    """Do nothing: the server has stopped."""


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(_WAITING)  # from here on nobody who knows the address is turned away
    except OSError as cause:
        listener.close()
        raise ServiceUnavailable(
            "the service cannot be reached under this port",
            expected=f"port {port} of {address} to be free",
            found=cause.strerror or type(cause).__name__,
            todo="choose another with --port, or stop the program that has it",
        ) from cause
    return listener
