"""Every address against everybody who could ask: a new route without a rule, or with a wrong one, turns this red.

Which routes there are is read from the app itself, not from the table of rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.routing import Route

from serving.access import door as door_module
from serving.access.roles import SCOPES, PersonRole
from serving.access.rules import DESK_RULES, PAGE_RULES, RULES, AccessScope, Rows, Rule, rule_of
from serving.access.settings import AccessSettings, LimitSettings
from serving.access.store import KeyStore
from serving.access.teams import EVERYBODY, Teams
from tests.serving.people_case import PUBLIC, START, Browser, Place, add_person, new_home

ALL = tuple(AccessScope)
TEAM = Teams.of(["owner:csm1"])
OURS = {"/livez", "/readyz", "/healthz", "/docs.json", "/schema.json"}
"""Answered by BentoML beside our app: not among its routes, and in the rules all the same (or open, as probes)."""


@dataclass(frozen=True)
class Asker:
    """Somebody who asks: with which scopes and teams he may, and what he sends."""

    scopes: frozenset[AccessScope]
    teams: Teams
    headers: Mapping[str, str]
    browser: Browser | None = None

    def may(self, rule: Rule) -> bool:
        """Said once more in other words than the door's: all scopes, admins read models, bound ones see no whole."""
        held = self.scopes | ({AccessScope.MODELS_READ} if AccessScope.ADMIN in self.scopes else set())
        return all(scope in held for scope in rule.scopes) and not (self.teams.bound and rule.rows is Rows.ALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    door_module.FRESH_SECONDS, before = 0.0, door_module.FRESH_SECONDS
    limits = LimitSettings(per_key=100_000, per_person=100_000, per_address=100_000)
    made = Place(new_home(tmp_path_factory.mktemp("matrix")), exposed=True, access=AccessSettings(limits=limits))
    yield made
    made.context.close()
    door_module.FRESH_SECONDS = before


@pytest.fixture(scope="module")
def askers(place: Place) -> dict[str, Asker]:
    """A key for each scope, one that was revoked, one of another home, a person of each role, some of them bound."""
    store, found = KeyStore(place.home), {"nobody": Asker(frozenset(), EVERYBODY, {})}

    def key(*scopes: AccessScope, teams: Teams = EVERYBODY) -> tuple[str, dict[str, str]]:
        made, token = store.create("bot", scopes, who="user root", at=START, teams=teams)
        return made.prefix, {"authorization": f"Bearer {token}"}

    for scope in ALL:
        found[f"key {scope}"] = Asker(frozenset({scope}), EVERYBODY, key(scope)[1])
    found["key of a team"] = Asker(frozenset(ALL), TEAM, key(*ALL, teams=TEAM)[1])
    prefix, revoked = key(*ALL)
    store.revoke(prefix, who="user root", at=START)
    found["key revoked"] = Asker(frozenset(), EVERYBODY, revoked)
    found["key of another place"] = Asker(frozenset(), EVERYBODY, {"authorization": "Bearer pulse_x"})
    for role in PersonRole:
        for teams in (EVERYBODY, TEAM):
            name = f"{role}{'-team' if teams.bound else ''}"
            add_person(place.home, f"{name}@vendor.example", role=role, teams=teams)
            browser = place.browser()
            assert browser.sign_in(f"{name}@vendor.example").status_code == 303
            found[f"person {name}"] = Asker(SCOPES[role], teams, {}, browser)
    ended = place.browser()
    ended.cookies.set("__Host-pulse_session", "ended", domain=PUBLIC)
    found["person whose session ended"] = Asker(frozenset(), EVERYBODY, {}, ended)
    return found


def routes(place: Place) -> set[tuple[str, str]]:
    """Every method and pattern that our app answers, in the words of the rules."""
    app: Any = place.guard._app
    return {
        (method, route.path.replace(":path}", "}"))
        for route in _flat(app.router.routes)
        for method in route.methods or ()
        if method != "HEAD"
    }


def _flat(found: Any) -> Iterator[Route]:
    for route in found:
        if getattr(route, "methods", None):
            yield route
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if inner is not None:
            yield from _flat(inner.routes)


def test_every_route_has_a_rule_of_its_own_and_every_rule_a_route(place: Place) -> None:
    ruled = {(rule.method, rule.path) for rule in (*RULES, *PAGE_RULES, *DESK_RULES)}
    found = routes(place)
    assert len(found) > 15
    assert found - ruled == set()
    assert {one for one in ruled - found if one[1] not in OURS} == set()


def test_the_table_of_the_description_is_that_of_the_rules(place: Place, askers: dict[str, Asker]) -> None:
    key = askers["key score:read"].headers
    document = place.browser().get("/v1/openapi.json", headers=dict(key)).json()
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert told == {(rule.method, rule.path) for rule in RULES if rule.path != "/v1/openapi.json"}


@pytest.mark.parametrize("rule", [*RULES, *PAGE_RULES], ids=lambda rule: rule.name)
def test_an_address_opens_to_whom_its_rule_says_and_to_nobody_else(
    place: Place, askers: dict[str, Asker], rule: Rule
) -> None:
    wrong = []
    for name, asker in askers.items():
        status = _asked(place, asker, rule)
        known = bool(asker.scopes)
        refused = status in {401, 403} or (status == 303 and not known)
        if refused == asker.may(rule) and not (not rule.scopes and not known):
            wrong.append((name, status))
        if not known:
            assert status in {401, 303}, name
    assert wrong == []


def _asked(place: Place, asker: Asker, rule: Rule) -> int:
    browser = asker.browser or place.browser()
    path = rule.path.replace("{account_id}", "nobody").replace("{table}", "usage_daily").replace("{id}", "x")
    headers = {"origin": place.base, **asker.headers}
    # A body that no operation takes: who gets past the door is refused further in, without any effect.
    body = {"json": {}} if rule.method != "GET" else {}
    return browser.ask(rule.method, path, headers=headers, **body).status_code


@pytest.mark.parametrize("path", ["/v1/new", "/new", "/v2/accounts", "/admin", "/accounts", "/v1"])
def test_an_address_that_no_rule_knows_is_for_admins_who_see_everything(
    place: Place, askers: dict[str, Asker], path: str
) -> None:
    rule = rule_of("GET", path)
    assert (rule.scopes, rule.rows) == (frozenset({AccessScope.ADMIN}), Rows.ALL)
    for name, asker in askers.items():
        status = _asked(place, asker, Rule("GET", path, rule.scopes))
        assert (status == 404) == asker.may(rule), name


def test_the_probes_and_the_desk_are_all_that_is_open_from_afar(place: Place) -> None:
    opened = {
        path: place.browser().get(path, headers={"accept": "*/*"}).status_code
        for path in ("/livez", "/sign-in", "/static/pulse.css", "/", "/metrics", "/docs.json", "/v1/openapi.json")
    }
    assert opened == {
        "/livez": 404,  # BentoML's to answer, which is not here
        "/sign-in": 200,
        "/static/pulse.css": 200,
        "/": 401,
        "/metrics": 401,
        "/docs.json": 401,
        "/v1/openapi.json": 401,
    }


@pytest.mark.parametrize(
    "forged", ["localhost", "127.0.0.1", "evil.example", "pulse.example.evil", "pulse.example@evil"]
)
def test_a_forged_host_and_forwarded_headers_change_nothing(place: Place, forged: str) -> None:
    headers = {"host": forged, "x-forwarded-host": PUBLIC, "forwarded": "host=pulse.example", "accept": "*/*"}
    assert place.browser().get("/v1/levers", headers=headers).status_code == 400
    own = {"x-forwarded-for": "127.0.0.1", "x-forwarded-host": "localhost", "x-original-url": "/livez", "accept": "*/*"}
    assert place.browser().get("/v1/levers", headers=own).status_code == 401


def test_a_forwarded_address_is_believed_of_a_proxy_that_was_named_and_of_nobody_else() -> None:
    from starlette.datastructures import Headers  # noqa: PLC0415

    from serving.access.origin import address_of  # noqa: PLC0415

    settings = AccessSettings.model_validate({"trusted_proxies": ["10.0.0.0/8"]})

    def seen(connected: str, *forwarded: str) -> str:
        raw = [(b"x-forwarded-for", one.encode()) for one in forwarded]
        return address_of({"client": (connected, 1)}, Headers(raw=raw), settings)

    assert seen("10.0.0.1", "203.0.113.7") == "203.0.113.7"
    assert seen("10.0.0.1", "1.1.1.1, 203.0.113.7, 10.0.0.2") == "203.0.113.7"  # what a client put before is his word
    assert seen("10.0.0.1", "1.1.1.1", "203.0.113.7") == "203.0.113.7"
    assert seen("203.0.113.9", "1.1.1.1") == "203.0.113.9"
    assert seen("10.0.0.1") == "10.0.0.1"
    assert seen("10.0.0.1", "") == "10.0.0.1"
    assert address_of({"client": None}, Headers(), settings) == ""
