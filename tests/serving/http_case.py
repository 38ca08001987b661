"""A client for an ASGI app in this process: one request in, one answer out, no server between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from features.settings import Home
from features.store import FeatureStore
from serving.api.app import create_app
from serving.clock import Clock
from serving.context import ServiceContext
from serving.guard import Guard
from serving.scorer import Scorer
from serving.settings import ServiceSettings
from training.model import load_bundle
from training.promotions import Champion

BASE = "http://127.0.0.1"


class Client:
    """Asks one app. Every request id is ``test-1``, so that whole bodies can be compared."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("POST", path, **options)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"x-request-id": "test-1", **options.pop("headers", {})}

        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(once())


def _unproven(home: Home) -> Callable[[Champion], Scorer]:
    # The proof in a child process costs seconds; it has tests of its own.
    return lambda champion: Scorer(load_bundle(champion.folder), FeatureStore(home), home)


def service_of(
    home: Home, *, as_of: Any = None, clock: Clock, tell: Callable[..., None], **settings: Any
) -> tuple[Guard, ServiceContext]:
    """The app behind its guard, as the service runs it, and what it stands on."""
    chosen = ServiceSettings(home=home, as_of=as_of, **settings)
    context = ServiceContext.of(chosen, tell=tell, clock=clock, opener=_unproven(home), bundles=load_bundle)
    app = create_app(context)
    return Guard(app, settings=chosen, metrics=context.metrics, tell=tell, door=context.door), context
