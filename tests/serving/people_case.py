"""A small service that people sign in to, and browsers that keep cookies as browsers do."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx

from features.settings import Home
from serving.access.people import Newcomer, PeopleStore, Person
from serving.access.roles import PersonRole
from serving.access.settings import AccessSettings
from serving.access.tables import PeopleTables
from serving.access.teams import EVERYBODY, Teams
from serving.api.app import create_app
from serving.context import ServiceContext
from serving.guard import Guard
from serving.pages.routes import page_routes
from serving.settings import LOOPBACK_NAMES, ServiceSettings

PASSWORD = "four plain words together"  # noqa: S105  nobody's
WRONG = "five plain words together"
START = datetime(2024, 4, 15, 9, tzinfo=UTC)
PUBLIC = "pulse.example"


class Place:
    """A service over a home, its clock in our hands. ``exposed``: other machines reach it under a name, by TLS."""

    def __init__(self, home: Home, *, exposed: bool = False, access: AccessSettings | None = None) -> None:
        self.home = home
        self.now = START
        self.events: list[tuple[str, dict[str, Any]]] = []
        hosts = (PUBLIC,) if exposed else LOOPBACK_NAMES
        settings = ServiceSettings(home=home, exposed=exposed, hosts=hosts, access=access or AccessSettings())
        self.context = ServiceContext.of(settings, tell=self._heard, clock=lambda: self.now)
        app = create_app(self.context, pages=page_routes(self.context.ledger))
        self.guard = Guard(
            app, settings=settings, metrics=self.context.metrics, tell=self._heard, door=self.context.door
        )
        self.base = f"https://{PUBLIC}" if exposed else "http://127.0.0.1"

    def browser(self, address: str = "10.0.0.1") -> Browser:
        """A browser without any cookie yet, at an address."""
        return Browser(self, address)

    def later(self, span: timedelta) -> None:
        """Let time go by."""
        self.now += span

    def _heard(self, event: str, facts: Mapping[str, Any]) -> None:
        self.events.append((event, dict(facts)))


class Browser:
    """Keeps cookies, follows no redirect, and says by which page it sends something."""

    def __init__(self, place: Place, address: str) -> None:
        self.place = place
        self.address = address
        self.cookies = httpx.Cookies()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, form: Mapping[str, str], **options: Any) -> httpx.Response:
        sent = {"origin": self.place.base, **options.pop("headers", {})}
        headers = {name: value for name, value in sent.items() if value}
        return self.ask("POST", path, data=dict(form), headers=headers, **options)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"accept": "text/html", **options.pop("headers", {})}

        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.place.guard, client=(self.address, 1234))
            async with httpx.AsyncClient(transport=transport, base_url=self.place.base, cookies=self.cookies) as client:
                answer = await client.request(method, path, headers=headers, **options)
                self.cookies = client.cookies
                return answer

        return asyncio.run(once())

    def sign_in(self, email: str = "ada@vendor.example", password: str = PASSWORD, **options: Any) -> httpx.Response:
        """Type an address and a password."""
        return self.post("/sign-in", {"email": email, "password": password}, **options)


def new_home(root: Path) -> Home:
    """A home whose state has its tables, and Ada, who manages customers; copied, because making it takes a while."""
    root.mkdir(exist_ok=True)
    shutil.copy(_template(), root / "state.db")
    return Home(root=root)


@lru_cache(maxsize=1)
def _template() -> Path:
    root = Path(mkdtemp(prefix="people-case-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    home = Home(root=root)
    add_person(home)
    with closing(sqlite3.connect(home.state)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return home.state


def add_person(
    home: Home,
    email: str = "ada@vendor.example",
    *,
    role: PersonRole = PersonRole.SUCCESS,
    teams: Teams = EVERYBODY,
    password: str | None = PASSWORD,
) -> Person:
    """Somebody who may sign in; called by the first part of the address."""
    store = PeopleStore(PeopleTables(home))
    name = email.split("@", maxsplit=1)[0].capitalize()
    person = store.add(Newcomer(email, name, role, teams), who="user root", at=START)
    return store.set_password(person, password, who="user root", at=START) if password else person
