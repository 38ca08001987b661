"""Do the pages work for a person in front of a real browser?"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from features.settings import Home
from features.vocabulary import WEEK, Subcategory
from serving.ledger import Ledger
from tests.serving.browser_case import Watched, chromium, opened_browser, served
from tests.serving.pages_case import MONDAY, assessment, filled, portfolio_ledger, saying
from tests.serving.payloads import PAYLOADS

SCREENSHOTS = "PULSE_SCREENSHOTS"
ODD_ID = "a/b%2F c?d#e&f+g'\"<h>\\ü"
LONG = "Unabbreviated" * 14
PAGES = {"/": 200, "/?band=red": 200, "/?owner=nobody-we-know": 200, "{account}": 200, "/accounts/none": 404}
_FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  return [one.tagName.toLowerCase(), one.id || one.textContent.trim().split(/\\s{2,}/)[0],
          style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
}"""
_CONTRASTS = """() => {
  const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => [.2126, .7152, .0722].reduce((sum, part, place) => sum + part * linear(c[place] / 255), 0);
  const ground = one => {
    for (; one; one = one.parentElement) {
      const c = numbers(getComputedStyle(one).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const found = {};
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || one.closest("option, title")) continue;
    const style = getComputedStyle(one);
    const text = numbers(one.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(text), light(ground(one))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) found[walk.currentNode.data.trim()] = ratio;
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return portfolio_ledger(Home(root=tmp_path_factory.mktemp("portfolio")), accounts=150)


@pytest.fixture(scope="module")
def site(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(Home(root=tmp_path_factory.mktemp("service")), ledger) as address:
        yield address


@pytest.fixture(scope="module")
def account(ledger: Ledger) -> str:
    """The address of the first account of the list."""
    return f"/accounts/{ledger.latest()[0].account_id}"


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A page at which nothing may go wrong."""
    one = Watched(browser)
    yield one
    one.page.close()
    assert one.trouble == []


def pressed(page: Page, times: int) -> list[list[Any]]:
    """Where the focus goes, key by key."""
    found = []
    for _ in range(times):
        page.keyboard.press("Tab")
        found.append(page.evaluate(_FOCUS))
    return found


def test_both_pages_show_their_titles_and_their_charts(watched: Watched, site: str, account: str) -> None:
    page = watched.open(f"{site}/")
    assert page.title() == "Portfolio · campaign-pulse"
    assert page.locator("h1").evaluate("one => getComputedStyle(one).fontSize") == "28px"
    _assert_drawn(page, {"svg.stack rect": 8, "svg.gauge .fill": 50, "svg.swatch rect": 4})
    page = watched.open(f"{site}{account}")
    assert re.fullmatch(r".+ · campaign-pulse", page.title())
    _assert_drawn(
        page, {"svg.diverging rect": 7, "svg.plot circle": 30, "svg.plot rect": 2, "svg.plot line.health": 29}
    )
    plot = page.locator("svg.plot").bounding_box()
    assert plot is not None
    assert plot["width"] > 900
    assert plot["height"] > 180


def test_the_whole_portfolio_can_be_worked_with_keys_alone(watched: Watched, site: str) -> None:
    page = watched.open(f"{site}/")
    stops = pressed(page, 20)
    assert [stop[:2] for stop in stops[:9]] == [
        ["a", "Skip to content"],
        ["a", "campaign-pulse"],
        ["a", "Portfolio"],
        ["select", "owner"],
        ["select", "phase"],
        ["select", "segment"],
        ["select", "band"],
        ["select", "currency"],
        ["button", "Show"],
    ]
    assert all(visible for *_, visible in stops)
    first = page.locator("table.accounts tbody a").first.text_content()
    assert first in [words for _, words, _ in stops]
    while page.evaluate(_FOCUS)[1] != first:
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts/*")
    assert page.locator("h1").text_content() == first


def test_the_skip_link_leads_past_the_head(watched: Watched, site: str) -> None:
    page = watched.open(f"{site}/")
    page.keyboard.press("Tab")
    assert page.locator(".skip").evaluate("one => one.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert pressed(page, 1)[0][:2] == ["select", "owner"]


def test_a_choice_is_made_with_keys_and_kept_in_the_address(watched: Watched, site: str) -> None:
    page = watched.open(f"{site}/")
    page.locator("#phase").focus()
    page.keyboard.type("Campaign r")
    page.locator("button").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**phase=active*")
    assert page.locator("#phase").input_value() == "active"
    phases = page.locator("table.accounts tbody tr td:nth-child(5)").all_text_contents()
    assert set(phases) == {"Campaign running"}


@pytest.mark.parametrize("width", [1280, 400, 320])
def test_no_page_scrolls_sideways_but_its_tables_do(
    browser: Browser, site: str, account: str, width: int, tmp_path: Path
) -> None:
    watched = Watched(browser, width=width, height=800)
    for path, status in PAGES.items():
        page = watched.open(site + path.format(account=account), status)
        assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width], path
    told = assessment(LONG, model_version=LONG, points={Subcategory.MARKET: -9.0}, **saying(LONG))
    with served(Home(root=tmp_path), filled(Home(root=tmp_path), told)) as address:
        for path in ("/", f"/accounts/{LONG}"):
            page = watched.open(address + path)
            assert page.evaluate("document.documentElement.scrollWidth") == width, path
    page = watched.open(f"{site}/")
    table = page.locator(".wide", has=page.locator("table.accounts"))
    assert table.evaluate("one => one.scrollWidth > one.clientWidth") == (width < 1280)
    page.close()
    assert watched.trouble == []


@pytest.mark.parametrize("path", PAGES)
def test_every_word_stands_out_from_its_ground(watched: Watched, site: str, account: str, path: str) -> None:
    page = watched.open(site + path.format(account=account), PAGES[path])
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate(_CONTRASTS) == {}


def test_no_harmful_text_runs(watched: Watched, tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    with served(home, filled(home, *(one for number in range(len(PAYLOADS)) for one in _harmful(number)))) as address:
        paths = ["/", "/?page=2", "/?page=3", *(f"/accounts/acc-{number}" for number in range(0, len(PAYLOADS), 3))]
        for path in paths:
            page = watched.open(address + path)
            assert page.locator("script, iframe, object, embed, [style]").count() == 0
        shown = page.locator("h1").text_content()
    assert shown == PAYLOADS[len(PAYLOADS) - 3]


def test_the_watch_notices_a_text_that_runs_and_a_broken_policy(browser: Browser, site: str) -> None:
    watched = Watched(browser)
    page = watched.open(f"{site}/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=/static/pulse.svg onload=alert(1)>')")
    # Asked from outside: the page's own policy forbids the waiting that the driver would do inside it.
    for _ in range(200):
        if page.evaluate("window.violations.length"):
            break
        page.wait_for_timeout(50)
    # The dialog is waited for: leaving the page while it opens lets the browser hang.
    with page.expect_event("dialog"):
        page.evaluate("setTimeout(() => alert(2))")
    page.close()
    assert any(one.startswith("console error") for one in watched.trouble)
    assert "dialog: 2" in watched.trouble
    assert "dialog: 1" not in watched.trouble


def test_an_odd_id_is_one_click_away(watched: Watched, tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    with served(home, filled(home, assessment(ODD_ID, account_name=None))) as address:
        page = watched.open(f"{address}/")
        page.locator("table.accounts a").click()
        page.wait_for_url("**/accounts/*")
        assert page.locator("h1").text_content() == ODD_ID


def test_a_printed_page_shows_its_tables_whole(watched: Watched, site: str, account: str) -> None:
    watched.page.emulate_media(media="print")
    watched.page.set_viewport_size({"width": 1030, "height": 730})  # A4 across, less its margins
    for path in ("/", account):
        page = watched.open(site + path)
        assert page.evaluate("document.documentElement.scrollWidth") == 1030
        assert page.locator("form:visible, nav:visible, summary:visible").count() == 0
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF-")


def test_the_pages_can_be_looked_at(browser: Browser, site: str, account: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get(SCREENSHOTS) or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    for width, suffix in ((1280, ""), (400, "-narrow")):
        watched = Watched(browser, width=width, height=1180)
        for name, path in (("portfolio", "/"), ("account", account)):
            page = watched.open(site + path)
            picture = page.screenshot(path=folder / f"{name}{suffix}.png", full_page=name == "account")
            assert picture.startswith(b"\x89PNG")
        watched.page.close()
        assert watched.trouble == []


def test_without_a_browser_the_tests_fail_and_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        chromium()


def _harmful(number: int) -> list[Any]:
    payload = PAYLOADS[number]
    now = assessment(f"acc-{number}", model_version=payload, **saying(payload))
    return [now, assessment(f"acc-{number}", as_of=MONDAY - WEEK)]


def _assert_drawn(page: Page, least: dict[str, int]) -> None:
    for shapes, count in least.items():
        found = page.locator(shapes)
        assert found.count() >= count, shapes
        sizes = found.evaluate_all(
            "all => all.map(one => one.getBoundingClientRect()).map(box => Math.max(box.width, box.height))"
        )
        assert [size for size in sizes if size < 1 and shapes != "svg.diverging rect"] == [], shapes
        assert found.evaluate_all("all => all.some(one => getComputedStyle(one).fill === 'none')") is False
