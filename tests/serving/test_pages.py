"""What do the two pages say? Whole pieces of them, read from a real ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette

from features.settings import Home
from features.vocabulary import WEEK, Band, Phase, Subcategory
from serving.assessment import Assessment
from serving.ledger import Channel
from serving.pages.routes import page_routes
from serving.pages.words import PHASE_NAMES
from tests.serving.html_case import Node, parsed
from tests.serving.http_case import Client
from tests.serving.pages_case import MONDAY, NOTHING_KNOWN, assessment, filled

Pages = Callable[..., Client]
NONE = "\N{EN DASH}"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """A client of the pages over a ledger with these assessments."""

    def make(*assessments: Assessment) -> Client:
        return Client(Starlette(routes=page_routes(filled(Home(root=tmp_path), *assessments))))

    return make


def page(client: Client, path: str = "/", status: int = 200) -> Node:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    return parsed(answer.text)


def accounts(found: Node) -> list[str]:
    """The account ids of the list, from its links."""
    return [link.attributes["href"] for row in found.all("th", class_="name") for link in row.all("a")]


def line(found: Node, account: str = "acc-1") -> dict[str, str]:
    """One row of the list, by the words of its head."""
    head, *rows = found.one("table", class_="accounts").rows
    place = accounts(found).index(f"/accounts/{account}")
    return dict(zip(head, rows[place], strict=True))


def test_before_the_first_score_the_portfolio_says_so(pages: Pages) -> None:
    found = page(pages())
    assert found.one("h1").text == "No scores yet"
    assert "Once a model is live, run pulse score --as-of DATE --out FILE" in found.one("main").text


def test_an_account_nobody_scored_is_not_found(pages: Pages) -> None:
    found = page(pages(assessment()), "/accounts/acc-2", status=404)
    assert found.one("title").inside == ["Account not found · campaign-pulse"]
    assert found.one("main").text.startswith("No score for this account No score was ever told for it.")
    assert "acc-2" not in found.text


def test_a_line_of_the_list_says_all_of_an_account(pages: Pages) -> None:
    told = {Subcategory.ENGAGEMENT: -14.0, Subcategory.SENTIMENT: 3.25}
    found = page(pages(assessment(points=told, phase=Phase.POST), assessment(as_of=MONDAY - 4 * WEEK)))
    assert line(found) == {
        "Account": "Paper Moon Films Studio",
        "Health": "49.2",
        "Change in 4 weeks": "-11",
        "Band": "Amber",
        "Phase": "Just after a campaign",
        "Risk in 90 days": "7.1 %",
        "Annual value": "USD 48,000",
        "Value at risk": "USD 3,400",
        "Decision": "3 Jun 2024 in 7 weeks",
        "What weighs most": "Seats in use -7.7",
        "CSM": "csm-ada",
    }
    assert found.one("p", class_="sub").text == "As known on 15 April 2024 · scored by model version 3"
    (note,) = found.all("p", class_="note")
    assert note.text == (
        "Value at risk is the risk of leaving within 90 days \N{MULTIPLICATION SIGN} the annual value. "
        "Health: 100 = healthy. Change is against 18 March 2024."
    )


def test_what_is_not_known_of_an_account_is_written_as_not_known(pages: Pages) -> None:
    found = page(pages(assessment(**NOTHING_KNOWN, band=Band.UNKNOWN, grade="D")))
    assert line(found) == {
        "Account": "acc-1 segment not known",
        "Health": "60.0",
        "Change in 4 weeks": NONE,
        "Band": "Unknown",
        "Phase": "Between campaigns",
        "Risk in 90 days": "4.2 %",
        "Annual value": "not known",
        "Value at risk": "not known",
        "Decision": "no fixed date",
        "What weighs most": "nothing lowers it much",
        "CSM": "nobody",
    }
    note, other = [note.text for note in found.all("p", class_="note")]
    assert note == "1 account without a known annual value: listed after those, not in the sums."
    assert other.endswith("There are no scores of four weeks before to compare with.")
    assert found.all("table", class_="phases") == []


@pytest.mark.parametrize("name", ["", "   ", "\u200b\u00a0", None])
def test_a_name_that_shows_nothing_gives_way_to_the_id(pages: Pages, name: str | None) -> None:
    client = pages(assessment(account_name=name))
    assert page(client).one("th", class_="name").one("bdi").text == "acc-1"
    assert page(client, "/accounts/acc-1").one("h1").text == "acc-1"


def test_accounts_stand_by_value_at_risk_and_those_that_cannot_be_compared_after_them(pages: Pages) -> None:
    risks = {30: 0.1, 60: 0.1, 180: 0.1}
    client = pages(
        assessment("eur", currency="EUR", annual_value=9e9, risk=risks | {90: 0.9}),
        assessment("notice", band=Band.LOST_PENDING, annual_value=9e9, risk=risks | {90: 0.1}),
        assessment("notice-small", band=Band.LOST_PENDING, annual_value=8e9, risk=risks | {90: 0.9}),
        assessment("no-value-calm", annual_value=None, risk=risks | {90: 0.1}),
        assessment("no-value-hot", annual_value=None, risk=risks | {90: 0.5}),
        assessment("small-hot", annual_value=1_000.0, risk=risks | {90: 0.9}),
        assessment("large-calm", annual_value=100_000.0, risk=risks | {90: 0.05}),
        assessment("b", annual_value=10_000.0, risk=risks | {90: 0.01}),
        assessment("a", annual_value=1_000.0, risk=risks | {90: 0.1}),
    )
    ordered = ["large-calm", "small-hot", "a", "b", "eur", "no-value-hot", "no-value-calm", "notice", "notice-small"]
    found = page(client)
    assert accounts(found) == [f"/accounts/{account}" for account in ordered]
    assert found.one("ul", class_="tiles").all("li")[0].text == (
        "USD 6,100 a year at risk within 90 days of USD 17,000,112,000 under contract"
    )
    assert found.all("p", class_="note")[0].text == (
        "1 account billed in another currency than USD: listed after the others, not in the sums. "
        "2 accounts without a known annual value: listed after those, not in the sums."
    )
    notice = line(found, "notice")
    assert [notice[head] for head in ("Value at risk", "Risk in 90 days", "Decision")] == [NONE] * 3
    euros = page(client, "/?currency=EUR")
    assert euros.one("ul", class_="tiles").all("li")[0].text.startswith("EUR 8,100,000,000 a year at risk")


def test_value_at_risk_is_shown_by_phase_and_band(pages: Pages) -> None:
    risk: dict[str, Any] = {"risk": {30: 0.1, 60: 0.1, 90: 0.25, 180: 0.3}}
    found = page(
        pages(
            assessment("1", phase=Phase.ACTIVE, band=Band.RED, annual_value=4_000.0, **risk),
            assessment("2", phase=Phase.ACTIVE, band=Band.GREEN, annual_value=8_000.0, **risk),
            assessment("3", phase=Phase.ACTIVE, band=Band.LOST_PENDING, annual_value=80_000.0, **risk),
            assessment("4", phase=Phase.POST, band=Band.UNKNOWN, annual_value=400.0, **risk),
            assessment("5", phase=Phase.POST, band=Band.RED, annual_value=4_000.0, currency="EUR", **risk),
        )
    )
    table = found.one("table", class_="phases")
    assert table.one("caption").text == "USD a year at risk within 90 days, by phase and band"
    assert table.rows == [
        ["Phase", "Accounts", "", "Red", "Amber", "Green", "Unknown", "At risk"],
        ["Campaign running", "2", "", "1,000", "0", "2,000", "0", "3,000"],
        ["Just after a campaign", "1", "", "0", "0", "0", "100", "100"],
    ]
    bars = [
        [(b.attributes["x"], b.attributes["width"]) for b in s.all("rect")] for s in table.all("svg", class_="stack")
    ]
    assert bars == [[("0.00%", "33.33%"), ("33.33%", "66.67%")], [("0.00%", "3.33%")]]


CHOICES: dict[str, tuple[str, list[str]]] = {
    "owner": ("?owner=csm-bo", ["b"]),
    "nobody": ("?owner=-", ["c"]),
    "phase": ("?phase=post", ["b", "c"]),
    "segment": ("?segment=agency", ["b"]),
    "no segment": ("?segment=-", ["c"]),
    "band": ("?band=red", ["a", "c"]),
    "currency": ("?currency=EUR", ["c"]),
    "two": ("?band=red&phase=post", ["c"]),
    "spaces and signs": ("?owner=csm%20%26%20%22ada%22", ["a"]),
    "the last of two": ("?owner=csm-bo&owner=-", ["c"]),
    "empty": ("?owner=&phase=&segment=&band=&page=", ["a", "b", "c"]),
    "something else": ("?colour=red", ["a", "b", "c"]),
}


@pytest.mark.parametrize(("query", "ids"), CHOICES.values(), ids=CHOICES)
def test_a_choice_takes_what_it_says(pages: Pages, query: str, ids: list[str]) -> None:
    client = pages(
        assessment("a", csm_owner_id='csm & "ada"', band=Band.RED),
        assessment("b", csm_owner_id="csm-bo", segment="agency", phase=Phase.POST),
        assessment("c", csm_owner_id=None, segment=None, phase=Phase.POST, band=Band.RED, currency="EUR"),
    )
    assert sorted(accounts(page(client, f"/{query}"))) == [f"/accounts/{account}" for account in ids]


@pytest.mark.parametrize("query", ["?phase=winter", "?band=RED", "?owner=csm-zoe", "?segment=%00", "?currency=%F0%9F"])
def test_a_choice_that_nothing_fits_is_told_and_stays_chosen(pages: Pages, query: str) -> None:
    found = page(pages(assessment()), f"/{query}")
    assert found.one("h2").text == "No account fits this choice"
    assert [link.text for link in found.one("main").all("a", href="/")] == ["Show all", "show all 1 account"]
    chosen = [option for option in found.all("option") if "selected" in option.attributes]
    assert len(chosen) == 1


def test_the_form_shows_the_choice_and_offers_what_there_is(pages: Pages) -> None:
    client = pages(assessment("a", segment="vfx house"), assessment("b", csm_owner_id=None, segment="studio"))
    found = page(client, "/?phase=off&owner=-")
    offered = {one.attributes["id"]: [o.inside[0] for o in one.all("option")] for one in found.all("select")}
    assert offered == {
        "owner": ["all", "nobody", "csm-ada"],
        "phase": ["all", *PHASE_NAMES.values()],
        "segment": ["all", "Studio", "vfx house"],
        "band": ["all", "Red", "Amber", "Green", "Unknown", "Notice given"],
    }
    chosen = [option.attributes["value"] for option in found.all("option") if "selected" in option.attributes]
    assert chosen == ["-", "off"]


@pytest.mark.parametrize("asked", ["", "0", "-1", "1.5", "two", "²", "99999999999", "1e2"])
def test_a_page_that_cannot_be_is_the_first(pages: Pages, asked: str) -> None:
    found = page(pages(*(assessment(f"a{number:02d}") for number in range(51))), f"/?page={asked}")
    assert found.one("nav", aria_label="Pages of the list").text == "Page 1 of 2 Next page"


def test_a_page_beyond_the_end_is_the_last(pages: Pages) -> None:
    found = page(pages(*(assessment(f"a{number:02d}") for number in range(51))), "/?page=9")
    assert found.one("nav", aria_label="Pages of the list").text == "Previous page Page 2 of 2"
    assert found.one("table", class_="accounts").one("caption").text == "51 to 51 of 51 accounts"


def test_turning_the_pages_shows_every_chosen_account_once(pages: Pages) -> None:
    many = [assessment(f"a{number:03d}", csm_owner_id=("x&y", "z")[number % 4 == 0]) for number in range(160)]
    client, seen, next_page = pages(*many), list[str](), "/?owner=x%26y"
    while next_page:
        found = page(client, next_page)
        seen += accounts(found)
        (next_page,) = [link.attributes["href"] for link in found.all("a", rel="next")] or [""]
    assert sorted(seen) == [f"/accounts/a{number:03d}" for number in range(160) if number % 4]


@pytest.mark.parametrize(
    ("weeks_before", "change", "note"),
    [
        (3, NONE, "There are no scores of four weeks before to compare with."),
        (4, "-5", "Change is against 18 March 2024."),
        (5, "-5", "Change is against 11 March 2024."),
        (6, NONE, "There are no scores of four weeks before to compare with."),
    ],
)
def test_change_is_against_four_weeks_before_and_nothing_older(
    pages: Pages, weeks_before: int, change: str, note: str
) -> None:
    earlier = assessment(points={Subcategory.MARKET: 5.2}, as_of=MONDAY - weeks_before * WEEK)
    found = page(pages(assessment(), earlier))
    assert line(found)["Change in 4 weeks"] == change
    assert found.all("p", class_="note")[-1].text.endswith(note)


def test_an_account_without_a_score_four_weeks_before_is_new_and_a_new_model_is_told(pages: Pages) -> None:
    month = MONDAY - 4 * WEEK
    found = page(pages(assessment("old"), assessment("new"), assessment("old", as_of=month, model_version="2")))
    assert [line(found, account)["Change in 4 weeks"] for account in ("old", "new")] == ["0", "new"]
    assert "Change is against 18 March 2024; a new model version may have moved it too." in found.one("main").text


def test_a_score_told_a_moment_ago_is_on_the_page(tmp_path: Path) -> None:
    ledger = filled(Home(root=tmp_path), assessment())
    client = Client(Starlette(routes=page_routes(ledger)))
    before = page(client)
    ledger.append([assessment(model_version="4", band=Band.RED)], channel=Channel.API, scored_at=MONDAY)
    assert [line(before)["Band"], line(page(client))["Band"]] == ["Amber", "Red"]
    ledger.append([assessment("acc-9", as_of=MONDAY + WEEK)], channel=Channel.BATCH, scored_at=MONDAY)
    assert accounts(page(client)) == ["/accounts/acc-9"]


def test_while_nothing_was_told_no_score_is_read_again(tmp_path: Path) -> None:
    ledger = filled(Home(root=tmp_path), assessment(), assessment(as_of=MONDAY - 4 * WEEK))
    client, asked = Client(Starlette(routes=page_routes(ledger))), list[str]()

    def note(*told: Any) -> None:
        asked.append(told[2])

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        first = [client.get("/").text, [one for one in asked if "health" in one]]
        asked.clear()
        again = [client.get("/").text, [one for one in asked if "health" in one]]
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert again[0] == first[0]
    assert (len(first[1]), again[1]) == (2, [])
