"""A home that takes events: the made-up company of the pushes, built and online at its Monday, with a live model.

Made once per test process, then copied.
"""

from __future__ import annotations

import atexit
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.journal_work import store_kept
from features.settings import Home
from features.shelf import Shelf
from features.store import FeatureStore
from features.warehouse import Warehouse
from serving.context import ServiceContext
from serving.guard import Guard
from tests.features.made_up_rows import FIRST
from tests.features.push_case import built_home
from tests.serving.http_case import Client, service_of
from tests.serving.service_case import PASSED, stored_home
from training.promotions import promote

SEED = 4
MONDAY = FIRST + timedelta(weeks=44)
ARRIVAL = MONDAY + timedelta(days=2, hours=14, minutes=3)
"""When the first rows are sent."""


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self, now: datetime = ARRIVAL) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Service:
    """One process's app over a home, its context, the key that its calls are sent with, and what it logged."""

    app: Guard
    context: ServiceContext
    hands: Hands
    told: list[tuple[str, dict[str, Any]]]
    token: str

    @property
    def home(self) -> Home:
        return self.context.settings.home

    @property
    def client(self) -> Client:
        return Client(self.app)

    def send(self, rows: Any, *, table: str = "tickets_history", key: str | None = None, **headers: str) -> Any:
        """Send rows; ``key`` is the call's idempotency key."""
        given = {"authorization": f"Bearer {self.token}", **({"idempotency-key": key} if key else {}), **headers}
        # As ASCII, so that everything that JSON can say can be sent.
        content = json.dumps(rows).encode()
        return self.client.post(
            f"/v1/events/{table}", content=content, headers={**given, "content-type": "application/json"}
        )

    def get(self, path: str) -> Any:
        return self.client.get(path, headers={"authorization": f"Bearer {self.token}"})

    def score(self, account: str) -> Any:
        given = {"authorization": f"Bearer {self.token}"}
        answer = self.client.post("/v1/score", json={"account_ids": [account]}, headers=given)
        assert answer.status_code == 200, answer.text
        return answer.json()["results"][0]

    def store(self) -> None:
        """Bring what waits into the warehouse, and compute no account."""
        store_kept(self.context.events.journal, now=self.hands())

    def work_off(self) -> None:
        """Do everything that the journal holds, as the worker's thread does it."""
        while self.context.events.worker.work():
            pass


@contextmanager
def service(home: Home, *, hands: Hands | None = None, **settings: Any) -> Iterator[Service]:
    """The service of one process over a home; its worker has no thread, tests move it."""
    from serving.access.rules import AccessScope  # noqa: PLC0415

    clock, told = hands or Hands(), []

    def tell(event: str, facts: Any) -> None:
        told.append((event, dict(facts)))

    app, context = service_of(home, clock=clock, tell=tell, **settings)
    context.live.refresh()
    _, token = context.door.store.create("sender", tuple(AccessScope), who="user ada", at=clock())
    yield Service(app, context, clock, told, token)
    context.close()


def ticket(account: str, number: int = 1, at: datetime = ARRIVAL, **cells: Any) -> dict[str, Any]:
    """A ticket as an application sends it."""
    moment = (at - timedelta(minutes=1)).isoformat()
    return {
        "ticket_id": f"sent-{account}-{number}",
        "account_id": account,
        "valid_from": moment,
        "created_at": moment,
        "channel": "portal",
        "type": "incident",
        "priority": "urgent",
        "status": "open",
        **cells,
    }


def stored(home: Home, table: str = "tickets_history", *, source: str = "api") -> list[dict[str, Any]]:
    """The rows of a source that lie in the warehouse; those that were sent, unless another is named."""
    files = Warehouse(home).dataset(table).files()
    rows: list[dict[str, Any]] = pa.concat_tables([pq.read_table(path) for path in files]).to_pylist() if files else []
    return [row for row in rows if row["source_system"] == source]


def waiting_rows(home: Home) -> list[Path]:
    """The files of refused rows."""
    return sorted(home.quarantine.glob("*/*.jsonl"))


def event_home(root: Path) -> Home:
    """A copy of the home under ``root``."""
    shutil.copytree(_template(), root, dirs_exist_ok=True)
    return Home(root=root)


@lru_cache(maxsize=1)
def _template() -> Path:
    root = Path(mkdtemp(prefix="event-case-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    home = built_home(root / "home", SEED, MONDAY)
    store = FeatureStore(home)
    store.apply()
    store.materialize(MONDAY)
    Shelf(home).catch_up()
    models = stored_home(root / "models", live=None)
    shutil.copytree(models.bundles, home.bundles)
    promote(home, "1", who="test", why="test", verdict=PASSED, at=MONDAY)
    return home.root
