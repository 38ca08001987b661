"""What do the processes do that are killed? Light to import: each names what it needs where it begins."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

SERVICE = ("serving.api.app", "serving.context", "serving.guard", "uvicorn", "features.journal_work")
"""What a child that serves needs; imported once, before it is forked."""

PATIENCE = 120.0
"""Seconds that a client waits for one answer."""


def claim(says: Connection, root: Path, now: datetime) -> None:
    """Claim the idempotency key ``k`` for a call with the body ``b``, say so, and work on it for ever."""
    from features.settings import Home  # noqa: PLC0415
    from serving.idempotency import IdempotencyKeys  # noqa: PLC0415

    says.send(type(IdempotencyKeys(Home(root=root)).claim("k", "b", now=now)).__name__)
    time.sleep(3600)


def work_off(says: Connection, root: Path, began: datetime) -> None:
    """Work the journal off in a thread, as a service does that is asked nothing; say the process's number."""
    import os  # noqa: PLC0415

    from features.settings import Home  # noqa: PLC0415
    from serving.events import Events  # noqa: PLC0415
    from serving.request_log import silent_tell  # noqa: PLC0415

    events = Events(Home(root=root), clock=ticking(began), tell=silent_tell)
    events.worker.start()
    says.send(os.getpid())
    time.sleep(3600)


def serve(says: Connection, root: Path, began: datetime, works: bool) -> None:
    """Serve the API of a home, behind its guard, on a free port; say the port.

    The clock begins at ``began``. ``works``: does this process work the journal off?
    """
    import uvicorn  # noqa: PLC0415

    from features.settings import Home  # noqa: PLC0415
    from serving.api.app import create_app  # noqa: PLC0415
    from serving.connection import careful  # noqa: PLC0415
    from serving.context import ServiceContext  # noqa: PLC0415
    from serving.guard import Guard  # noqa: PLC0415
    from serving.request_log import silent_tell  # noqa: PLC0415
    from serving.settings import ServiceSettings  # noqa: PLC0415

    settings = ServiceSettings(home=Home(root=root))
    context = ServiceContext.of(settings, tell=silent_tell, clock=ticking(began))
    app: Any = Guard(
        create_app(context), settings=settings, metrics=context.metrics, tell=silent_tell, door=context.door
    )
    if works:
        context.events.worker.start()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, http=careful(settings.body_timeout), lifespan="off", log_config=None, access_log=False)
    )
    says.send(listener.getsockname()[1])
    asyncio.run(server.serve(sockets=[listener]))


def ask_batches(says: Connection, address: str, asked: Sequence[str], scores: Mapping[str, Any], times: int) -> None:
    """Ask a service for many accounts so many times; say after each whether it was answered, whole and right.

    In a process of its own: to read such an answer takes long enough to hold up whoever else asks from this one.
    """
    import httpx  # noqa: PLC0415

    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        for _ in range(times):
            answer = client.post("/v1/score", json={"account_ids": list(asked)})
            found = [(one["account_id"], one["score"]) for one in answer.json().get("results", [])]
            says.send(answer.status_code == 200 and found == [(name, scores[name]) for name in asked])


def ticking(began: datetime) -> Callable[[], datetime]:
    """A clock that begins at a moment and goes as every other."""
    start = time.monotonic()
    return lambda: began + timedelta(seconds=time.monotonic() - start)
