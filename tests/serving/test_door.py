"""Who comes in? Every operation against every kind of key, and every refusal body by body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from features.settings import Home
from serving.access import door as door_module
from serving.access.door import PAGES_ARE_HERE
from serving.access.rules import PAGE_RULES, RULES, AccessScope, rule_of
from serving.access.store import NOBODY, KeyStore
from tests.serving.html_case import parsed
from tests.serving.service_case import ids, now, stored_home
from tests.serving.test_api import Service, problem
from tests.serving.test_guard import HOST, JSON, Wire, answering, asked

SCOPES = tuple(AccessScope)
NO_KEY = problem(
    401,
    "no-key",
    "Unauthorized",
    "This call needs a key: send it as `Authorization: Bearer KEY`. `pulse keys create` makes one.",
)
NOT_VALID = problem(401, "no-key", "Unauthorized", "This key is not valid: it is not one of ours, or it was revoked.")
CLOSED_PAGE = problem(403, "not-allowed", "Forbidden", PAGES_ARE_HERE)


def lacks(scope: str) -> dict[str, Any]:
    return problem(403, "not-allowed", "Forbidden", f"This key does not have the scope that is needed here: {scope}.")


def bearer(token: str) -> dict[str, Any]:
    return {"headers": {"authorization": f"Bearer {token}"}}


def new_key(home: Home, *scopes: AccessScope) -> str:
    return KeyStore(home).create("bot", scopes, who="user ada", at=now())[1]


@pytest.fixture(autouse=True)
def _keys_are_read_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "FRESH_SECONDS", 0.0)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service with a key for each scope, one that was revoked, and one that was never made here."""
    home = stored_home(tmp_path_factory.mktemp("closed"))
    keys: dict[str, str] = {str(scope): new_key(home, scope) for scope in SCOPES}
    keys["revoked"] = new_key(home, *SCOPES)
    KeyStore(home).revoke(keys["revoked"].split("_")[1], who="user ada", at=now())
    keys["not ours"] = new_key(Home(root=tmp_path_factory.mktemp("elsewhere")), *SCOPES)
    # A prefix that is ours with a secret that is not: what somebody who read the list could try.
    keys["another secret"] = _grafted(keys["admin"], keys["not ours"])
    service = Service(home)
    yield service, keys
    service.context.close()


def _grafted(ours: str, other: str) -> str:
    import zlib  # noqa: PLC0415

    body = f"{ours.split('_')[1]}_{other.split('_', 2)[2][:43]}"
    return f"pulse_{body}{zlib.crc32(body.encode()):08x}"


def ask(service: Service, method: str, path: str, **options: Any) -> Any:
    # Bodies and ids that no operation takes: what comes in is refused further in, quickly and without any effect.
    body = {"json": {}} if method == "POST" else {}
    return service.client.ask(method, path.replace("{account_id}", "nobody"), **body, **options)


def test_the_rules_are_those_of_the_operations(closed: tuple[Service, dict[str, str]]) -> None:
    service, keys = closed
    document = service.client.get("/v1/openapi.json", **bearer(keys["score:read"])).json()
    told = {
        f"{method.upper()} {path}": operation["x-scopes"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert told == {rule.name: sorted(rule.scopes) for rule in RULES if rule.path != "/v1/openapi.json"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_operation_opens_to_its_scope_only(closed: tuple[Service, dict[str, str]], rule: Any) -> None:
    service, keys = closed
    answers = {name: ask(service, rule.method, rule.path, **bearer(key)) for name, key in keys.items()}
    answers["none"] = ask(service, rule.method, rule.path)
    for name in ("none", "revoked", "not ours", "another secret"):
        refusal = answers.pop(name)
        assert (refusal.status_code, refusal.json()) == (401, NO_KEY if name == "none" else NOT_VALID)
        assert refusal.headers["www-authenticate"].startswith('Bearer realm="campaign-pulse"')
    (needed,) = rule.scopes or ("",)
    for name, answer in answers.items():
        # Whoever puts models live reads them, too.
        if needed in ("", name) or (needed, name) == ("models:read", "admin"):
            assert answer.status_code in {200, 404, 422}, name
        else:
            assert (answer.status_code, answer.json()) == (403, lacks(needed))
            assert answer.headers["www-authenticate"] == (
                f'Bearer realm="campaign-pulse", error="insufficient_scope", scope="{needed}"'
            )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_before_the_first_key_the_api_is_open_but_for_what_changes_the_model(tmp_path: Path, rule: Any) -> None:
    service = Service(Home(root=tmp_path), live=False)
    answer = ask(service, rule.method, rule.path)
    if rule.always:
        assert (answer.status_code, answer.json()) == (401, NO_KEY)
    else:
        assert answer.status_code in {200, 404, 422, 503}
    service.context.close()


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("DELETE", "/v1/score"), ("GET", "/v1")])
def test_an_address_without_a_rule_is_for_admins(
    closed: tuple[Service, dict[str, str]], method: str, path: str
) -> None:
    service, keys = closed
    assert ask(service, method, path, **bearer(keys["score:read"])).json() == lacks("admin")
    assert ask(service, method, path, **bearer(keys["admin"])).status_code in {404, 405}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic cHVsc2U6cHVsc2U="},
        {"authorization": "Bearer"},
        {"authorization": ""},
        {"x-api-key": "KEY"},
        {"cookie": "key=KEY"},
    ],
)
def test_a_key_in_another_place_or_form_is_no_key(
    closed: tuple[Service, dict[str, str]], headers: dict[str, str]
) -> None:
    service, keys = closed
    sent = {name: value.replace("KEY", keys["score:read"]) for name, value in headers.items()}
    assert service.client.get("/v1/accounts", headers=sent).status_code == 401
    assert service.client.get(f"/v1/accounts?access_token={keys['score:read']}").json() == NO_KEY


def test_other_ways_to_write_an_address_open_nothing(closed: tuple[Service, dict[str, str]]) -> None:
    service, _ = closed
    for path in (
        "/%761/accounts",
        "/v1/accounts/",
        "/v1%2Faccounts",
        "//v1/accounts",
        "/v1/./accounts",
        "/V1/accounts",
    ):
        assert service.client.get(path).status_code in {401, 404}


def test_what_was_asked_is_in_the_log_without_key_or_account(closed: tuple[Service, dict[str, str]]) -> None:
    service, keys = closed
    prefix = keys["score:read"].split("_")[1]
    service.client.get(f"/v1/accounts/{ids()[0]}/history", **bearer(keys["score:read"]))
    service.client.get(f"/v1/accounts/{ids()[0]}/history")
    service.client.get("/metrics")
    service.context.door.trail.flush()
    refused, asked = service.context.door.store.lines(2)
    assert (asked.who, asked.what, asked.status) == (prefix, "GET /v1/accounts/{account_id}/history", 404)
    assert (refused.who, refused.what, refused.status) == (NOBODY, "GET /v1/accounts/{account_id}/history", 401)
    assert (asked.at, asked.request_id) == (now(), "test-1")
    assert {key.prefix: key.last_used_at for key in service.context.door.store.every_key()}[prefix] == now()
    told = [facts for event, facts in service.events if event == "request"]
    assert prefix in {facts.get("key") for facts in told}
    everything = json.dumps(service.events, default=str)
    assert "acc-" not in everything
    assert not [name for name, key in keys.items() if key.split("_", 2)[2] in everything]


def test_a_key_counts_until_it_is_revoked_and_then_the_door_stays_shut(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    service = Service(home, live=False)
    assert service.client.get("/v1/accounts").status_code == 200
    key = new_key(home, AccessScope.SCORE_READ)
    assert service.client.get("/v1/accounts").json() == NO_KEY
    assert [service.client.get("/v1/accounts", **bearer(key)).status_code for _ in range(2)] == [200, 200]
    KeyStore(home).revoke(key.split("_")[1], who="user ada", at=now())
    assert service.client.get("/v1/accounts", **bearer(key)).json() == NOT_VALID
    assert service.client.get("/v1/accounts").json() == NO_KEY
    service.context.close()


def test_a_key_with_several_scopes_opens_all_of_them(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    key = new_key(home, AccessScope.SCORE_READ, AccessScope.EXPLAIN_READ)
    service = Service(home, live=False)
    for path in ("/v1/accounts", "/v1/levers"):
        assert service.client.get(path, **bearer(key)).status_code == 200
    assert service.client.get("/v1/models", **bearer(key)).json() == lacks("models:read")
    service.context.close()


@pytest.mark.parametrize("rule", PAGE_RULES, ids=lambda rule: rule.name)
def test_where_others_can_reach_the_service_nothing_but_the_probes_is_open(tmp_path: Path, rule: Any) -> None:
    home = Home(root=tmp_path)
    key = new_key(home, *rule.scopes)
    poor = new_key(home, AccessScope.EVENTS_WRITE)
    service = Service(home, live=False, exposed=True)
    page = rule.path in ("/", "/accounts/{account_id}")
    assert ask(service, "GET", rule.path).json() == (CLOSED_PAGE if page else NO_KEY)
    assert ask(service, "GET", rule.path, **bearer(poor)).json() == lacks(" ".join(sorted(rule.scopes)))
    assert ask(service, "GET", rule.path, **bearer(key)).status_code in {200, 404}
    for path in ("/livez", "/readyz", "/healthz", "/static/pulse.css"):
        assert service.client.get(path).status_code == 404  # not ours to answer here, and not refused
    service.context.close()


def test_a_person_who_opens_a_page_from_afar_reads_why_not(tmp_path: Path) -> None:
    service = Service(Home(root=tmp_path), live=False, exposed=True)
    browser = {"headers": {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}}
    for path in ("/", "/accounts/acc-1?page=2"):
        answer = service.client.get(path, **browser)
        assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
        assert parsed(answer.text).one("h1").text == "Pages are not shown from here"
        assert "pulse keys create" in parsed(answer.text).one("main").text
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    # A program gets problems only, whatever it says that it likes to read.
    assert service.client.get("/v1/accounts", **browser).json() == NO_KEY
    assert service.client.get("/metrics", **browser).json() == NO_KEY
    service.context.close()


def test_a_connection_from_afar_is_judged_as_such_whatever_the_settings_say(tmp_path: Path) -> None:
    # `bentoml serve` would bind every address; the address that a connection came in at tells.
    service = Service(Home(root=tmp_path), live=False, hosts=("192.168.1.5", "127.0.0.1"))
    assert service.client.get("http://192.168.1.5/v1/accounts").json() == NO_KEY
    assert service.client.get("http://192.168.1.5/metrics").json() == NO_KEY
    assert service.client.get("http://192.168.1.5/").json() == CLOSED_PAGE
    assert service.client.get("http://127.0.0.1/v1/accounts").status_code == 200
    service.context.close()


def test_a_store_that_was_never_read_keeps_the_door_shut_and_one_that_breaks_later_changes_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "state.db").mkdir()
    service = Service(Home(root=tmp_path), live=False)
    shut = problem(503, "not-ready", "Service Unavailable", "The store of keys does not answer.")
    assert service.client.get("/v1/levers").json() == shut
    assert service.client.get("/livez").status_code == 404
    (tmp_path / "state.db").rmdir()
    assert service.client.get("/v1/levers").status_code == 200
    (tmp_path / "state.db").mkdir()
    assert service.client.get("/v1/levers").status_code == 200
    assert "keys not read" in {event for event, _ in service.events}
    service.context.close()


def test_a_store_that_lost_its_keys_does_not_open_the_door(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    key = new_key(home, AccessScope.EXPLAIN_READ)
    service = Service(home, live=False)
    assert service.client.get("/v1/levers").json() == NO_KEY
    for path in tmp_path.glob("state.db*"):
        path.unlink()
    assert service.client.get("/v1/levers").json() == NO_KEY
    assert service.client.get("/v1/levers", **bearer(key)).status_code == 200
    service.context.close()


def test_made_up_keys_cannot_take_the_processor(
    closed: tuple[Service, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, keys = closed
    assert service.client.get("/v1/accounts", **bearer(keys["score:read"])).status_code == 200
    monkeypatch.setattr(door_module, "MOST_CHECKED_AT_ONCE", 0)
    # Its mark tells a made-up key at once; only one whose mark fits, which nobody can make up, costs more.
    assert service.client.get("/v1/accounts", **bearer(keys["another secret"])).json() == NOT_VALID
    monkeypatch.setattr(door_module.hmac, "compare_digest", lambda *_: True)
    answer = service.client.get("/v1/accounts", **bearer(keys["another secret"]))
    assert answer.json() == problem(
        429, "too-many-requests", "Too Many Requests", "The service is working at its limit. Try again in a moment."
    )
    # A key that was found right before is not checked again, so nobody is kept out by the made-up ones.
    assert service.client.get("/v1/accounts", **bearer(keys["score:read"])).status_code == 200


def test_the_body_of_a_caller_without_a_key_is_not_read(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    new_key(home, AccessScope.SCORE_READ)
    wire = asked(Wire(answering(), home=home), path="/v1/score", headers=(HOST, JSON), body=[{"body": b"x" * 5000}])
    assert (wire.status, wire.read) == (401, 0)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/v1/accounts/a/b/history", "GET /v1/accounts/{account_id}/history"),
        ("GET", "/v1/accounts/a/explanation/history", "GET /v1/accounts/{account_id}/history"),
        ("HEAD", "/v1/accounts", "GET /v1/accounts"),
        ("POST", "/v1/accounts", "ANY unmatched"),
        ("GET", "/v1/accounts/a\nb/change", "GET /v1/accounts/{account_id}/change"),
        ("GET", "/v1/accounts//history", "ANY unmatched"),
        ("GET", "/v1/score", "ANY unmatched"),
    ],
)
def test_an_address_finds_the_rule_of_the_route_that_would_answer(method: str, path: str, name: str) -> None:
    assert rule_of(method, path).name == name
