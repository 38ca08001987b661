"""People come in by a provider that vouches for them: OpenID Connect against a real one on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.settings import Home
from serving.access.people import PeopleStore, Person
from serving.access.roles import PersonRole
from serving.access.settings import AccessSettings
from serving.access.tables import PeopleTables
from tests.serving.html_case import parsed
from tests.serving.people_case import START, Browser, Place, add_person, new_home
from tests.serving.provider_case import CLAIMS, CLIENT, SECRET, SmallProvider, running

ROLES = {"pulse-admins": "admin", "finance": "finance", "csm": "success"}


@pytest.fixture(scope="module")
def small() -> Iterator[SmallProvider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(small: SmallProvider) -> SmallProvider:
    small.claims, small.spoil, small.sign_with = dict(CLAIMS), {}, ("RS256", small.key)
    small.now = int(START.timestamp())
    small.asked.clear()
    return small


def _nobody(root: Path) -> Home:
    home = new_home(root)
    with PeopleTables(home).writing() as connection:
        connection.exec_driver_sql("UPDATE people SET email = 'old@vendor.example'")
    return home


def place_with(home: Home, provider: SmallProvider, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Place:
    monkeypatch.setenv("PULSE_OIDC_SECRET", SECRET)
    said = {"issuer": provider.address, "client_id": CLIENT, "name": "Vendor", "roles": ROLES, **more}
    return Place(home, access=AccessSettings.model_validate({"provider": said}))


@pytest.fixture
def place(tmp_path: Path, provider: SmallProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    made = place_with(_nobody(tmp_path), provider, monkeypatch)
    yield made
    made.context.close()


def round_trip(browser: Browser, onward: str = "/") -> httpx.Response:
    """Press the button, agree at the provider, come back."""
    away = browser.get(f"/sign-in/provider?next={onward}")
    assert away.status_code == 303
    agreed = httpx.get(away.headers["location"])
    assert agreed.status_code == 302
    return browser.get(agreed.headers["location"].removeprefix(browser.place.base))


def people(place: Place) -> PeopleStore:
    return PeopleStore(PeopleTables(place.home))


def known(place: Place) -> list[Person]:
    """Everybody but the one who was there before."""
    return [one for one in people(place).everyone() if one.email != "old@vendor.example"]


def test_a_person_of_a_group_comes_in_with_its_role_and_goes_where_he_wanted(place: Place) -> None:
    browser = place.browser()
    button = parsed(browser.get("/sign-in").text).one("a", class_="button")
    assert (button.text, button.attributes["href"]) == ("Sign in with Vendor", "/sign-in/provider?next=/")
    back = round_trip(browser, "/accounts/acc-1")
    assert (back.status_code, back.headers["location"]) == (303, "/accounts/acc-1")
    assert "Signed in as <strong>Ada</strong>" in browser.get("/").text
    (person,) = known(place)
    assert (person.email, person.role, person.password) == ("ada@vendor.example", PersonRole.SUCCESS, None)
    assert "pulse_flow" not in browser.cookies


def test_role_and_teams_are_what_the_groups_say_at_each_sign_in(
    tmp_path: Path, provider: SmallProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    teams = {"csm": ["owner:csm-ada", "segment:studio"], "finance": []}
    place = place_with(_nobody(tmp_path), provider, monkeypatch, teams=teams)
    round_trip(place.browser())
    assert known(place)[0].teams.terms() == ["owner:csm-ada", "segment:studio"]
    provider.claims["groups"] = ["finance", "csm"]
    round_trip(place.browser())
    (person,) = known(place)
    assert (person.role, person.teams.bound) == (PersonRole.FINANCE, False)
    provider.claims["groups"] = ["pulse-admins"]  # in no team: administrators see every account
    assert round_trip(place.browser()).status_code == 303
    place.context.close()


def test_before_it_is_asked_nothing_goes_out(place: Place, provider: SmallProvider) -> None:
    assert place.browser().get("/").status_code == 303
    assert place.browser().get("/sign-in").status_code == 200
    assert provider.asked == []


REFUSED: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "another"},
    "several audiences, not presented by us": {"aud": [CLIENT, "another"], "azp": "another"},
    "another issuer": {"iss": "https://evil.example"},
    "expired": {"exp": int(START.timestamp()) - 61},
    "no end": {"exp": None},
    "no name": {"sub": None},
    "issued in an hour": {"iat": int(START.timestamp()) + 3600},
    "a wrong hash of the access token": {"at_hash": "x"},
    "no group with a role": {"groups": ["everybody"]},
    "no groups": {"groups": None},
    "no address": {"email": None},
}


@pytest.mark.parametrize("spoilt", REFUSED, ids=str)
def test_a_token_that_is_not_whole_or_not_for_us_lets_nobody_in(
    place: Place, provider: SmallProvider, spoilt: str
) -> None:
    provider.spoil = REFUSED[spoilt]
    browser = place.browser()
    back = round_trip(browser)
    assert back.status_code == 403
    assert "You cannot be signed in this way" in parsed(back.text).one("main").text
    assert browser.get("/").status_code == 303
    assert known(place) == []


@pytest.mark.parametrize("kind", ["another key", "a shared secret"])
def test_a_signature_of_somebody_else_lets_nobody_in(place: Place, provider: SmallProvider, kind: str) -> None:
    from joserfc.jwk import RSAKey  # noqa: PLC0415

    another = RSAKey.generate_key(2048, {"kid": "one"})
    provider.sign_with = ("RS256", another) if kind == "another key" else ("HS256", provider.key.as_pem(private=False))
    assert round_trip(place.browser()).status_code == 403


def test_new_keys_of_the_provider_are_fetched(place: Place, provider: SmallProvider) -> None:
    from joserfc.jwk import RSAKey  # noqa: PLC0415

    round_trip(place.browser())
    before = provider.key
    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    provider.sign_with = ("RS256", provider.key)
    try:
        assert round_trip(place.browser()).status_code == 303
    finally:
        provider.key = before


def test_an_answer_that_this_browser_did_not_ask_for_lets_nobody_in(place: Place) -> None:
    victim, attacker = place.browser(), place.browser()
    away = attacker.get("/sign-in/provider")
    landed = httpx.get(away.headers["location"]).headers["location"].removeprefix(place.base)
    assert victim.get(landed).status_code == 403  # he began nothing
    victim.get("/sign-in/provider")
    assert victim.get(landed).status_code == 403  # he began something else


def test_a_code_works_once(place: Place) -> None:
    browser = place.browser()
    landed = httpx.get(browser.get("/sign-in/provider").headers["location"]).headers["location"]
    path, kept = landed.removeprefix(place.base), dict(browser.cookies)
    assert browser.get(path).status_code == 303
    again = place.browser()
    again.cookies.update(kept)
    assert again.get(path).status_code == 403


def test_a_sign_in_that_took_too_long_is_begun_again(place: Place) -> None:
    assert place.browser().get("/sign-in/provider/back?code=x&state=y").status_code == 403


def test_a_refusal_of_the_provider_is_told(place: Place) -> None:
    browser = place.browser()
    away = httpx.URL(browser.get("/sign-in/provider").headers["location"])
    back = browser.get(f"/sign-in/provider/back?error=access_denied&state={away.params['state']}")
    assert (back.status_code, "leave of the provider is needed" in back.text) == (403, True)


def test_somebody_we_know_by_his_address_is_known_again_when_the_provider_has_proven_it(
    place: Place, provider: SmallProvider
) -> None:
    add_person(place.home)
    provider.claims["email_verified"] = False
    assert round_trip(place.browser()).status_code == 403
    provider.claims["email_verified"] = True
    assert round_trip(place.browser()).status_code == 303
    (person,) = known(place)
    assert person.subject == f"{provider.address} {CLAIMS['sub']}"
    provider.claims["sub"] = "another"
    assert round_trip(place.browser()).status_code == 403  # the address is his, and he is somebody else there


def test_whom_we_disabled_stays_out(place: Place) -> None:
    round_trip(place.browser())
    (person,) = known(place)
    people(place).disable(person, who="user root", at=START)
    assert round_trip(place.browser()).status_code == 403


def test_a_provider_that_does_not_answer_is_told_and_nothing_else_stops(
    tmp_path: Path, provider: SmallProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_with(_nobody(tmp_path), provider, monkeypatch, issuer="http://127.0.0.1:9")
    answer = place.browser().get("/sign-in/provider")
    assert (answer.status_code, "does not work at the moment" in answer.text) == (503, True)
    assert place.browser().get("/sign-in").status_code == 200
    assert "provider does not answer" in {event for event, _ in place.events}
    place.context.close()


def test_a_document_of_another_issuer_is_not_taken(
    tmp_path: Path, provider: SmallProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, provider.address = provider.address, provider.address.replace("127.0.0.1", "localhost")
    try:
        place = place_with(_nobody(tmp_path), provider, monkeypatch, issuer=real)
        assert place.browser().get("/sign-in/provider").status_code == 503
        place.context.close()
    finally:
        provider.address = real


def test_the_way_to_the_provider_ends_after_ten_minutes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving.access import provider as module  # noqa: PLC0415

    browser = place.browser()
    landed = httpx.get(browser.get("/sign-in/provider").headers["location"]).headers["location"]
    monkeypatch.setattr(module, "FLOW_LIVES", timedelta(seconds=-1))
    assert browser.get(landed.removeprefix(place.base)).status_code == 403
