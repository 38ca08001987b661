"""People sign in, stay for a while, and sign out; nobody else comes in by their cookies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from features import audit_log
from features.audit_log import What
from features.settings import Home
from serving.access.origin import FOREIGN, NOT_ENCRYPTED
from serving.access.people import PeopleStore
from serving.access.roles import PersonRole
from serving.access.rules import RULES
from serving.access.settings import AccessSettings
from serving.access.tables import PeopleTables
from tests.serving.html_case import parsed
from tests.serving.people_case import PASSWORD, PUBLIC, START, WRONG, Browser, Place, add_person, new_home


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(new_home(tmp_path))
    yield made
    made.context.close()


@pytest.fixture
def reached(tmp_path: Path) -> Iterator[Place]:
    """The same, where other machines reach it by TLS."""
    made = Place(new_home(tmp_path), exposed=True)
    yield made
    made.context.close()


def signed_in(place: Place, email: str = "ada@vendor.example", **options: str) -> Browser:
    browser = place.browser(**options)
    assert browser.sign_in(email).status_code == 303
    return browser


def test_a_page_sends_a_person_to_sign_in_and_back_to_where_he_wanted_to_go(place: Place) -> None:
    browser = place.browser()
    sent = browser.get("/accounts/acc-1?from=mail")
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=%2Faccounts%2Facc-1%3Ffrom%3Dmail")
    page = parsed(browser.get(sent.headers["location"]).text)
    assert page.one("h1").text == "Sign in"
    (onward,) = [field.attributes["value"] for field in page.all("input") if field.attributes["name"] == "next"]
    assert onward == "/accounts/acc-1?from=mail"
    form = {"email": " ADA@vendor.example", "password": PASSWORD, "next": str(onward)}
    answer = browser.post("/sign-in", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/accounts/acc-1?from=mail")
    assert browser.get("/accounts/acc-1").status_code == 404  # he is in; nothing was scored
    shown = browser.get("/").text
    assert "Signed in as <strong>Ada</strong>" in shown


@pytest.mark.parametrize(
    "onward",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "", "/a\r\nset-cookie: x=1"],
)
def test_nobody_is_sent_to_a_page_of_another_site(place: Place, onward: str) -> None:
    form = {"email": "ada@vendor.example", "password": PASSWORD, "next": onward}
    assert place.browser().post("/sign-in", form).headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(place: Place) -> None:
    wrong = place.browser().sign_in(password=WRONG)
    unknown = place.browser().sign_in("bob@vendor.example")
    PeopleStore(PeopleTables(place.home)).disable(
        PeopleStore(PeopleTables(place.home)).require("ada@vendor.example"), who="user root", at=START
    )
    disabled = place.browser().sign_in()
    for answer in (wrong, unknown, disabled):
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        page = parsed(answer.text)
        assert page.one("title").text.startswith("Not signed in: Sign in")
        (alert,) = [one for one in page.all("p") if one.attributes.get("role") == "alert"]
        assert alert.text == "This address and password do not belong together. Look at both, and try again."
    assert wrong.text == disabled.text == unknown.text.replace("bob@", "ada@")


def test_on_loopback_the_cookie_is_for_this_site_and_no_script(place: Place) -> None:
    given = place.browser().sign_in().headers.get_list("set-cookie")
    session, device = sorted(given, key=lambda line: "device" in line)
    assert [part.strip() for part in session.split(";")[1:]] == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=lax"]
    assert session.startswith("pulse_session=")
    assert device.startswith("pulse_device=")


def test_from_afar_the_cookie_is_for_encrypted_connections_only(reached: Place) -> None:
    session = next(line for line in reached.browser().sign_in().headers.get_list("set-cookie") if "session" in line)
    assert session.startswith("__Host-pulse_session=")
    assert {part.strip() for part in session.split(";")[1:]} >= {"HttpOnly", "Secure", "Path=/", "SameSite=lax"}
    # The name without its prefix, which another site of the same company could set, opens nothing.
    browser = reached.browser()
    browser.cookies.set("pulse_session", session.split("=", 1)[1].split(";")[0], domain=PUBLIC)
    assert browser.get("/").status_code == 303


def test_signing_in_without_encryption_is_refused_and_says_why(reached: Place) -> None:
    answer = reached.browser().sign_in(headers={"origin": f"http://{PUBLIC}"})
    assert (answer.status_code, answer.json()["detail"]) == (403, NOT_ENCRYPTED)


def test_each_sign_in_makes_a_new_session_and_ends_the_one_of_before(place: Place) -> None:
    browser = signed_in(place)
    first = browser.cookies["pulse_session"]
    assert browser.sign_in().status_code == 303
    assert browser.cookies["pulse_session"] != first
    thief = place.browser()
    thief.cookies.set("pulse_session", first)
    assert thief.get("/").status_code == 303


def test_a_session_that_somebody_planted_is_not_taken_over(place: Place) -> None:
    browser = place.browser()
    browser.cookies.set("pulse_session", "planted")
    assert browser.get("/").headers["location"] == "/sign-in?next=%2F&why=ended"
    browser.sign_in()
    assert "planted" not in {cookie.value for cookie in browser.cookies.jar if cookie.domain}


def test_signing_out_ends_the_session_everywhere(place: Place) -> None:
    browser = signed_in(place)
    kept = browser.cookies["pulse_session"]
    left = browser.post("/sign-out", {})
    assert (left.status_code, left.headers["location"]) == (303, "/sign-in?why=out")
    assert "You are signed out." in browser.get("/sign-in?why=out").text
    thief = place.browser()
    thief.cookies.set("pulse_session", kept)
    assert thief.get("/").status_code == 303
    assert [line.deed.what for line in audit_log.read(place.home, 2)] == [What.SIGN_OUT, What.SIGN_IN]


def test_a_session_ends_when_nobody_used_it_and_at_the_end_of_the_day(place: Place) -> None:
    browser = signed_in(place)
    for _ in range(7):
        place.later(timedelta(minutes=100))
        assert browser.get("/").status_code == 200  # used often enough
    place.later(timedelta(minutes=30))
    assert browser.get("/").headers["location"] == "/sign-in?next=%2F&why=ended"  # twelve hours are over
    browser = signed_in(place)
    place.later(timedelta(hours=2))
    ended = browser.get("/")
    assert ended.headers["location"] == "/sign-in?next=%2F&why=ended"
    assert "because some time went by" in browser.get(ended.headers["location"]).text
    assert browser.get("/v1/levers").json()["status"] == 401


@pytest.mark.parametrize("act", ["disable", "set_password", "change"])
def test_what_is_changed_about_a_person_counts_at_once(place: Place, act: str) -> None:
    browser, store = signed_in(place), PeopleStore(PeopleTables(place.home))
    person = store.require("ada@vendor.example")
    assert browser.get("/v1/models").status_code == 403
    if act == "change":
        store.change(person, PersonRole.FINANCE, person.teams, who="user root", at=START)
        assert browser.get("/v1/models").status_code == 503  # let in; there is no model
        return
    if act == "disable":
        store.disable(person, who="user root", at=START)
    else:
        store.set_password(person, WRONG, who="user root", at=START)
    assert browser.get("/").status_code == 303


def test_a_key_opens_a_page_and_a_session_opens_the_api(place: Place) -> None:
    browser = signed_in(place)
    answer = browser.get("/v1/levers", headers={"accept": "application/json"})
    assert answer.status_code == 200
    assert answer.headers["ratelimit-policy"] == '"default";q=300;w=60'
    refused = place.browser().get("/v1/levers")
    assert (refused.status_code, refused.json()["title"]) == (401, "Unauthorized")
    assert place.browser().get("/", headers={"accept": "*/*"}).status_code == 401


def test_before_anybody_is_added_the_pages_are_open_to_their_own_machine(tmp_path: Path) -> None:
    place = Place(Home(root=tmp_path))
    assert place.browser().get("/").status_code == 200
    page = parsed(place.browser().get("/sign-in").text)
    assert "pulse users add" in page.one("main").text
    assert [form for form in page.all("form") if form.attributes.get("action") == "/sign-in"] == []
    place.context.close()


CHANGING = [(rule.method, rule.path) for rule in RULES if rule.method != "GET"] + [
    ("POST", "/sign-in"),
    ("POST", "/sign-up"),
    ("POST", "/sign-out"),
]
CROSS_SITE = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1"},
    {"origin": "http://127.0.0.1:8080"},
    {},
)
BODIES = (
    {"json": {"version": "2", "why": "x"}},
    {"content": b'{"version": "2"}', "type": "text/plain"},
    {"data": {"version": "2"}},
    {"files": {"version": b"2"}},
)


@pytest.mark.parametrize(("method", "path"), CHANGING)
def test_no_page_of_another_site_changes_anything_with_the_cookie_of_a_session(
    place: Place, method: str, path: str
) -> None:
    store = PeopleStore(PeopleTables(place.home))
    person = store.require("ada@vendor.example")
    admin = store.change(person, PersonRole.ADMIN, person.teams, who="user root", at=START)
    browser = signed_in(place, admin.email)
    for headers in CROSS_SITE:
        for body in BODIES:
            sent = {name: value for name, value in body.items() if name != "type"}
            kind = {"content-type": str(body["type"])} if "type" in body else {}
            answer = browser.ask(method, path.replace("{table}", "usage_daily"), headers={**headers, **kind}, **sent)
            assert answer.status_code in (403, 415), (headers, body)
            if answer.status_code == 403:
                no_person_may = "Your role does not open this: it needs events:write."
                assert answer.json()["detail"] in (FOREIGN, no_person_may)
    assert browser.get("/").status_code == 200  # nor did any of them sign him out


def test_a_link_sets_a_password_once_and_lets_its_owner_in(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    person = add_person(home, "bob@vendor.example", password=None)
    code = PeopleStore(PeopleTables(home)).make_link(person, who="user root", at=START)
    place = Place(home)
    browser = place.browser()
    page = parsed(browser.get(f"/sign-up?code={code}").text)
    assert page.one("h1").text == "Choose your password"
    asked = {"code": code, "password": PASSWORD, "again": WRONG}
    different = browser.post("/sign-up", asked)
    assert (different.status_code, "Type the same one twice" in different.text) == (422, True)
    short = browser.post("/sign-up", asked | {"password": "short", "again": "short"})
    assert (short.status_code, "12 to 200 characters" in short.text) == (422, True)
    assert browser.post("/sign-up", asked | {"again": PASSWORD}).status_code == 303
    assert browser.get("/").status_code == 200
    for answer in (browser.get(f"/sign-up?code={code}"), browser.post("/sign-up", asked | {"again": PASSWORD})):
        assert (answer.status_code, "This link opens nothing" in answer.text) == (404, True)
    place.context.close()


def test_an_old_link_opens_nothing(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    store = PeopleStore(PeopleTables(home))
    code = store.make_link(store.require("ada@vendor.example"), who="user root", at=START)
    place = Place(home)
    place.later(timedelta(days=3))
    assert place.browser().get(f"/sign-up?code={code}").status_code == 404
    place.context.close()


def test_without_passwords_only_the_provider_lets_people_in(tmp_path: Path) -> None:
    place = Place(new_home(tmp_path), access=AccessSettings(passwords=False))
    assert place.browser().sign_in().status_code == 401
    place.context.close()


def test_every_answer_of_the_desk_has_the_headers_of_safety(reached: Place) -> None:
    browser = reached.browser()
    answers = [browser.get("/sign-in"), browser.sign_in(password=WRONG), browser.sign_in(), browser.get("/")]
    answers += [browser.post("/sign-out", {}), browser.get("/"), browser.get("/v1/levers")]
    assert [answer.status_code for answer in answers] == [200, 401, 303, 200, 303, 303, 401]
    for answer in answers:
        told = answer.headers
        assert told["x-content-type-options"] == "nosniff"
        assert told["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in told["content-security-policy"]
        assert told["strict-transport-security"] == "max-age=31536000"
        page = told.get("content-type", "").startswith("text/html")
        assert told["referrer-policy"] == ("same-origin" if page else "no-referrer")


def test_a_request_id_stands_in_the_audit_log(place: Place) -> None:
    answer = place.browser().sign_in(headers={"x-request-id": "from-the-browser"})
    assert answer.status_code == 303
    (line,) = audit_log.read(place.home, 1)
    assert (line.request_id, line.deed.what, line.deed.after) == ("from-the-browser", What.SIGN_IN, {"by": "password"})
