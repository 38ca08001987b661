"""Signing in before a real browser: with the keyboard alone, read out by a screen reader, and over when it is over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from features.settings import Home
from serving.access.people import PeopleStore
from serving.access.tables import PeopleTables
from serving.ledger import Ledger
from tests.serving.browser_case import Watched, opened_browser, served
from tests.serving.pages_case import assessment, filled
from tests.serving.people_case import PASSWORD, START, WRONG, new_home

SHOTS = os.environ.get("PULSE_SHOTS")
"""A folder for pictures, for whoever wants to look."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = new_home(tmp_path_factory.mktemp("signing"))
    filled(made, assessment())
    return made


@pytest.fixture(scope="module")
def site(home: Home) -> Iterator[str]:
    with served(home, Ledger(home)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    one = Watched(browser)  # with cookies of its own
    yield one
    one.page.close()


def picture(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def type_in(page: Page, password: str) -> None:
    """With the keyboard alone: the address has the focus, the password comes next, Enter sends."""
    page.keyboard.type("ada@vendor.example")
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_person_signs_in_with_the_keyboard_and_lands_where_he_wanted(watched: Watched, site: str) -> None:
    page = watched.open(f"{site}/accounts/acc-1")
    assert page.title().startswith("Sign in")
    picture(page, "sign-in")
    type_in(page, PASSWORD)
    assert page.url == f"{site}/accounts/acc-1"
    assert page.get_by_text("Signed in as Ada").is_visible()
    picture(page, "signed-in")
    assert [cookie["httpOnly"] for cookie in page.context.cookies()] == [True, True]
    assert page.evaluate("document.cookie") == ""
    assert watched.trouble == []


def test_a_wrong_password_is_read_out_and_what_was_typed_stays(watched: Watched, site: str) -> None:
    page = watched.open(f"{site}/sign-in")
    type_in(page, WRONG)
    alert = page.get_by_role("alert")
    assert alert.inner_text() == "This address and password do not belong together. Look at both, and try again."
    assert page.title().startswith("Not signed in")
    assert page.get_by_label("E-mail address").input_value() == "ada@vendor.example"
    password = page.get_by_label("Password")
    assert password.input_value() == ""
    assert password.evaluate("one => document.activeElement === one")
    assert password.get_attribute("aria-describedby") == "trouble"
    picture(page, "sign-in-wrong")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/")
    assert page.get_by_role("heading", level=1).inner_text() == "Portfolio"


def test_signing_out_leaves_nothing_to_go_back_to(watched: Watched, site: str) -> None:
    page = watched.open(f"{site}/sign-in")
    type_in(page, PASSWORD)
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/sign-in?why=out")
    assert page.get_by_role("status").inner_text() == "You are signed out."
    page.go_back()
    page.reload()
    assert page.title().startswith("Sign in")
    assert watched.trouble == []


def test_a_session_that_ended_asks_to_sign_in_and_goes_on_from_there(watched: Watched, site: str, home: Home) -> None:
    page = watched.open(f"{site}/sign-in")
    type_in(page, PASSWORD)
    with PeopleTables(home).writing() as connection:
        connection.exec_driver_sql(f"UPDATE people_sessions SET seen_at = '{START.isoformat()}'")
    page.goto(f"{site}/?band=red")
    assert page.get_by_role("status").inner_text().startswith("You were signed out, because some time went by.")
    type_in(page, PASSWORD)
    assert page.url == f"{site}/?band=red"
    assert watched.trouble == []


def test_a_link_lets_a_new_colleague_choose_a_password(watched: Watched, site: str, home: Home) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415

    store = PeopleStore(PeopleTables(home))
    code = store.make_link(store.require("ada@vendor.example"), who="user root", at=datetime.now(UTC))
    page = watched.open(f"{site}/sign-up?code={code}")
    picture(page, "sign-up")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/")
    assert page.get_by_text("Signed in as Ada").is_visible()
    assert watched.trouble == []


@pytest.mark.parametrize("width", [320, 1280])
def test_the_sign_in_page_fits_every_screen_and_every_field_has_a_name(browser: Browser, site: str, width: int) -> None:
    one = Watched(browser, width=width)
    page = one.open(f"{site}/sign-in")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for field in page.locator("input:not([type=hidden])").all():
        assert page.locator(f"label[for={field.get_attribute('id')}]").is_visible()
        box = field.bounding_box()
        assert box is not None
        assert box["height"] >= 24  # the least size of a target (WCAG 2.2)
    picture(page, f"sign-in-{width}")
    page.close()


def test_a_page_of_another_site_cannot_sign_anybody_in_or_out(watched: Watched, site: str) -> None:
    page = watched.open(f"{site}/sign-in")
    type_in(page, PASSWORD)
    # A form of no origin, as on a page that somebody mails: the cookie is not sent, and the order is not taken.
    page.goto(f"data:text/html,<form method=post action={site}/sign-out><button>win a prize</button></form>")
    with page.expect_response("**/sign-out") as answer:
        page.get_by_role("button").click()
    assert answer.value.status == 403
    page.goto(f"{site}/")
    assert page.get_by_text("Signed in as Ada").is_visible()
