"""Whoever is bound to teams sees their accounts, and cannot tell that there are others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from features.errors import UsageError
from features.settings import Home
from serving.access import door as door_module
from serving.access.roles import PersonRole
from serving.access.rules import PAGE_RULES, RULES, AccessScope, Rows
from serving.access.store import KeyStore
from serving.access.teams import EVERYBODY, Teams, merged
from serving.ledger import Ledger
from serving.scorer import Scorer
from tests.serving.people_case import START, Place, add_person
from tests.serving.service_case import as_ofs, now, stored_home
from tests.serving.test_api import Service

OWN = Teams.of(["owner:csm1"])
READ = (AccessScope.SCORE_READ, AccessScope.EXPLAIN_READ, AccessScope.MODELS_READ)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = stored_home(tmp_path_factory.mktemp("teams"))
    scorer = Scorer.open(made)
    for as_of in as_ofs():
        scorer.score_cohort(as_of, now=now())
    return made


@pytest.fixture(scope="module")
def service(home: Home) -> Iterator[Service]:
    door_module.FRESH_SECONDS, before = 0.0, door_module.FRESH_SECONDS
    served = Service(home)
    yield served
    served.context.close()
    door_module.FRESH_SECONDS = before


@pytest.fixture(scope="module")
def keys(home: Home) -> dict[str, dict[str, str]]:
    store = KeyStore(home)
    made = {
        "bound": store.create("bound", READ, who="user root", at=now(), teams=OWN)[1],
        "free": store.create("free", READ, who="user root", at=now())[1],
    }
    return {name: {"authorization": f"Bearer {token}"} for name, token in made.items()}


@pytest.fixture(scope="module")
def sides(home: Home) -> tuple[list[str], list[str]]:
    """Accounts of the team, and of others."""
    entries = Ledger(home).latest()
    own = [entry.account_id for entry in entries if entry.facts.csm_owner_id == "csm1"]
    return own, [entry.account_id for entry in entries if entry.account_id not in own]


def asked_of(account: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """One request about an account for every address that shows accounts."""
    dates = f"from={as_ofs()[0].date()}&to={as_ofs()[-1].date()}"
    return {
        "POST /v1/score": ("POST", "/v1/score", {"json": {"account_ids": [account]}}),
        "GET /v1/accounts": ("GET", "/v1/accounts?limit=100", {}),
        "GET /v1/accounts/{account_id}/history": ("GET", f"/v1/accounts/{account}/history", {}),
        "GET /v1/accounts/{account_id}/explanation": ("GET", f"/v1/accounts/{account}/explanation", {}),
        "GET /v1/accounts/{account_id}/change": ("GET", f"/v1/accounts/{account}/change?{dates}", {}),
        "POST /v1/whatif": (
            "POST",
            "/v1/whatif",
            {"json": {"account_id": account, "levers": [{"lever": "settle_overdue_invoices"}]}},
        ),
        "GET /": ("GET", "/", {}),
        "GET /accounts/{account_id}": ("GET", f"/accounts/{account}", {}),
    }


def test_every_address_that_says_it_honours_teams_is_asked_here() -> None:
    honouring = {rule.name for rule in (*RULES, *PAGE_RULES) if rule.rows is Rows.OWN}
    assert honouring == set(asked_of("x"))


def test_an_account_of_others_is_not_there_0_of_200_leak(
    service: Service, keys: dict[str, dict[str, str]], sides: tuple[list[str], list[str]]
) -> None:
    own, others = sides
    assert len(own) > 20
    assert len(others) > 40
    unknown = {name: service.client.ask(*_of_nobody(name)[:2], headers=keys["bound"], **_of_nobody(name)[2])
               for name in asked_of("nobody")}  # fmt: skip
    leaks, asked = [], 0
    for account in others[:50]:
        for name, (method, path, options) in asked_of(account).items():
            if name.startswith(("GET /v1/accounts/", "POST")):
                answer = service.client.ask(method, path, headers=keys["bound"], **options)
                said = answer.text.replace(account, "nobody")
                asked += 1
                if (answer.status_code, said) != (unknown[name].status_code, unknown[name].text):
                    leaks.append(f"{name} {answer.status_code}")
        if asked >= 200:
            break
    assert (leaks, asked >= 200) == ([], True)


def _of_nobody(name: str) -> tuple[str, str, dict[str, Any]]:
    return asked_of("nobody")[name]


def test_his_own_accounts_are_told_as_to_everybody(
    service: Service, keys: dict[str, dict[str, str]], sides: tuple[list[str], list[str]]
) -> None:
    for name, (method, path, options) in asked_of(sides[0][0]).items():
        if name.startswith(("GET /v1/accounts/", "POST")):
            mine, whole = (service.client.ask(method, path, headers=keys[who], **options) for who in ("bound", "free"))
            assert (mine.status_code, mine.json()) == (200, whole.json())


def test_a_list_has_his_own_only_page_by_page_and_in_the_same_order(
    service: Service, keys: dict[str, dict[str, str]], sides: tuple[list[str], list[str]]
) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = service.client.get(f"/v1/accounts?limit=7{cursor}", headers=keys["bound"]).json()
        seen += [one["account_id"] for one in page["accounts"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sides[0]  # the ledger's order: most value at risk first


def test_many_ids_at_once_are_answered_in_order_and_only_his_own_are_written_down(
    service: Service, keys: dict[str, dict[str, str]], sides: tuple[list[str], list[str]]
) -> None:
    mixed = [account for pair in zip(*sides, strict=False) for account in pair][:40]
    before = len(service.context.ledger.history(sides[1][0]))
    body = service.client.post("/v1/score", json={"account_ids": mixed}, headers=keys["bound"]).json()
    told = {one["account_id"]: one["status"] for one in body["results"]}
    assert list(told) == mixed
    assert {status for account, status in told.items() if account in sides[1]} == {"not_found"}
    assert "not_found" not in {status for account, status in told.items() if account in sides[0]}
    assert len(service.context.ledger.history(sides[1][0])) == before


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.rows is Rows.ALL], ids=lambda rule: rule.name)
def test_what_is_about_every_account_is_closed_to_whoever_is_bound(home: Home, service: Service, rule: Any) -> None:
    _, token = KeyStore(home).create("wide", tuple(AccessScope), who="user root", at=now(), teams=OWN)
    path = rule.path.replace("{table}", "usage_daily").replace("{account_id}", "x")
    body = {"json": {}} if rule.method == "POST" else {}
    answer = service.client.ask(rule.method, path, headers={"authorization": f"Bearer {token}"}, **body)
    assert (answer.status_code, "bound to teams" in answer.json()["detail"]) == (403, True)


def test_a_person_of_a_team_sees_its_accounts_on_the_pages_and_is_told_so(
    tmp_path: Path, home: Home, sides: tuple[list[str], list[str]]
) -> None:
    import shutil  # noqa: PLC0415

    shutil.copytree(home.root, tmp_path / "home")
    copied = Home(root=tmp_path / "home")
    add_person(copied, teams=OWN)
    add_person(copied, "boss@vendor.example", role=PersonRole.ADMIN)
    place = Place(copied)
    place.now = START
    mine, whole = place.browser(), place.browser()
    mine.sign_in()
    whole.sign_in("boss@vendor.example")
    page = mine.get("/").text
    assert "only your team's accounts" in page
    assert [account for account in sides[1] if f"Studio {account}<" in page or f"/accounts/{account}" in page] == []
    assert f"/accounts/{sides[0][0]}" in page
    assert "csm2" not in page  # nor is there a filter by somebody else's name
    for account in sides[1][:5]:
        assert (mine.get(f"/accounts/{account}").status_code, whole.get(f"/accounts/{account}").status_code) == (
            404,
            200,
        )
    assert mine.get(f"/accounts/{sides[0][0]}").status_code == 200
    assert mine.get(f"/accounts/{sides[1][0]}").text == mine.get("/accounts/nobody-at-all").text
    place.context.close()


def test_an_account_that_cannot_be_scored_now_is_judged_by_its_newest_kept_score(
    service: Service, sides: tuple[list[str], list[str]]
) -> None:
    from serving.own_accounts import own_answers  # noqa: PLC0415
    from serving.scorer import ScoredAccount, Status  # noqa: PLC0415

    stale = [ScoredAccount(account, Status.STALE) for account in (sides[0][0], sides[1][0], "never-scored")]
    told = own_answers(stale, OWN, service.context.ledger)
    assert [one.status for one in told] == [Status.STALE, Status.NOT_FOUND, Status.NOT_FOUND]
    assert own_answers(stale, EVERYBODY, service.context.ledger) == stale


def test_terms_say_whose_accounts_they_are() -> None:
    teams = Teams.of(["owner:csm1", "segment:studio", "owner: csm2 "])
    assert teams.terms() == ["owner:csm1", "owner:csm2", "segment:studio"]
    assert Teams.read(teams.text()) == teams
    assert json.loads(EVERYBODY.text()) == []
    found = {
        (owner, segment): teams.includes(owner, segment)
        for owner in ("csm1", "x", None)
        for segment in ("studio", "y", None)
    }
    assert found == {
        ("csm1", "studio"): True, ("csm1", "y"): True, ("csm1", None): True,
        ("x", "studio"): True, ("x", "y"): False, ("x", None): False,
        (None, "studio"): True, (None, "y"): False, (None, None): False,
    }  # fmt: skip
    assert EVERYBODY.includes(None, None)


def test_teams_put_together_show_what_each_of_them_shows() -> None:
    assert merged([Teams.of(["owner:a"]), Teams.of(["segment:b"])]).terms() == ["owner:a", "segment:b"]
    assert not merged([Teams.of(["owner:a"]), EVERYBODY]).bound
    assert not merged([]).bound


@pytest.mark.parametrize("term", ["", "csm1", "owner:", "owner: ", "team:x", ":x", "owner:" + "x" * 200])
def test_a_term_that_names_no_team_is_refused(term: str) -> None:
    with pytest.raises(UsageError, match="this is no team"):
        Teams.of([term])
