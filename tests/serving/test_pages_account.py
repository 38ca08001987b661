"""What does the page of one account say, and do its sums add up?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from features.catalogue import Feature, Use, features_of
from features.settings import Home
from features.vocabulary import WEEK, Band, Phase, Subcategory
from serving.assessment import Assessment
from serving.change import Change, Kept, change
from serving.entries import Entry
from serving.explain import LIMITED_DATA, TITLES
from serving.kept_models import KeptModel
from serving.pages.account import account_page
from serving.pages.routes import page_routes
from serving.pages.words import PHASE_ADVICE
from tests.serving.html_case import Node, parsed
from tests.serving.http_case import Client
from tests.serving.pages_case import MONDAY, NOTHING_KNOWN, assessment, explained, filled

Read = Callable[..., Node]
NOW = {Subcategory.ENGAGEMENT: -14.0, Subcategory.CAMPAIGN: -2.04, Subcategory.SENTIMENT: 3.25}
THEN = {Subcategory.ENGAGEMENT: -9.5, Subcategory.CAMPAIGN: -2.0, Subcategory.SENTIMENT: 9.13}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The page of acc-1 over a ledger with these assessments."""

    def make(*assessments: Assessment) -> Node:
        client = Client(Starlette(routes=page_routes(filled(Home(root=tmp_path), *assessments))))
        return parsed(client.get("/accounts/acc-1").text)

    return make


def test_the_head_of_the_page_says_how_the_account_stands(read: Read) -> None:
    told = assessment(points=NOW, phase=Phase.ACTIVE, grade="C", campaigns_live="Award season (active), Upfronts (pre)")
    main = read(told).one("main")
    assert main.one("h1").text == "Paper Moon Films"
    assert main.one("p", class_="sub").text == "Studio · account acc-1 · CSM csm-ada · as known on 15 April 2024"
    assert [part.text for part in main.one("div", class_="verdict amber").all("div")[1:]] == [
        "47.2 health of 100; 100 = healthy",
        "Amber watch Grade C: the score rests on some data: check before you act.",
        f"Campaign running: Award season (running), Upfronts (about to start) {PHASE_ADVICE[Phase.ACTIVE]}",
    ]
    facts = main.one("dl", class_="facts")
    assert {one.one("dt").text: one.one("dd").text for one in facts.all("div")} == {
        "Next decision": "3 June 2024 in 7 weeks",
        "Risk in 30 days": "2.7 %",
        "Risk in 60 days": "5.3 %",
        "Risk in 90 days": "7.8 % between 4 % and 13 %",
        "Risk in 180 days": "15 %",
        "Annual value": "USD 48,000",
        "Value at risk in 90 days": "USD 3,731",
    }


def test_the_points_add_up_to_the_health_and_the_changes_to_its_change(read: Read) -> None:
    table = read(assessment(points=NOW), assessment(points=THEN, as_of=MONDAY - WEEK)).one("table", class_="sum")
    assert table.one("caption").text == (
        "60.0 for an average account, -16.0 for what lowers it, +3.2 for what raises it: 47.2"
    )
    assert table.rows == [
        ["Part", "", "Points", "Change"],
        ["An average account", "", "60.0", "0.0"],
        ["Engagement strongly lowers the estimate", "", "-14.0", "-4.5"],
        ["Campaigns slightly lowers the estimate", "", "-2.0", "0.0"],
        ["Output and quality hardly moves the estimate", "", "0.0", "0.0"],
        ["Money hardly moves the estimate", "", "0.0", "0.0"],
        ["Mood and support slightly raises the estimate", "", "+3.2", "-5.9"],
        ["Market hardly moves the estimate", "", "0.0", "0.0"],
        ["Context hardly moves the estimate", "", "0.0", "0.0"],
        ["Health", "", "47.2", "-10.4"],
    ]


def test_the_bars_of_the_parts_go_left_and_right_of_the_middle_on_one_scale(read: Read) -> None:
    drawn = read(assessment(points=NOW)).all("svg", class_="diverging")
    bars = [(b.attributes["class"], b.attributes["x"], b.attributes["width"]) for svg in drawn for b in svg.all("rect")]
    assert bars == [
        ("lowers", "0.00%", "50.00%"),
        ("lowers", "42.86%", "7.14%"),
        ("raises", "50.00%", "0.00%"),
        ("raises", "50.00%", "0.00%"),
        ("raises", "50.00%", "11.43%"),
        ("raises", "50.00%", "0.00%"),
        ("raises", "50.00%", "0.00%"),
    ]


def test_what_changed_since_last_week_is_said_in_a_line(read: Read) -> None:
    before = assessment(points=THEN, as_of=MONDAY - WEEK, band=Band.GREEN)
    older = assessment(as_of=MONDAY - 2 * WEEK)
    assert read(assessment(points=NOW), older, before).one("p", class_="change").text == (
        "Since last week (8 April 2024): health went from 57.6 to 47.2, -10.4 points. "
        "Mood and support moved most, -5.9 points. The band was Green and is Amber."
    )


def test_nothing_is_made_of_a_change_that_is_none(read: Read) -> None:
    assert read(assessment(), assessment(as_of=MONDAY - 3 * WEEK)).one("p", class_="change").text == (
        "Since the score before (25 March 2024): health stayed at 60.0."
    )


def test_a_change_that_a_new_model_may_have_made_says_so(read: Read) -> None:
    assert read(assessment(model_version="4"), assessment(as_of=MONDAY - WEEK)).one("p", class_="change").text == (
        "Since last week (8 April 2024): health stayed at 60.0. "
        "A new model version scores since then and may have moved the numbers too."
    )


def test_what_moved_a_score_stands_below_in_words_when_somebody_can_tell(tmp_path: Path) -> None:
    now, then = assessment(points=NOW), assessment(points=THEN, as_of=MONDAY - WEEK)
    ledger = filled(Home(root=tmp_path), now, then)
    asked: list[tuple[Entry, Entry]] = []

    def tell(before: Entry, after: Entry) -> Change:
        asked.append((before, after))
        gone = KeptModel("3", None, "model version 3 is not loaded")
        return change(*(Kept(entry, ledger.features(entry), gone) for entry in (before, after)))

    client = Client(Starlette(routes=page_routes(ledger, tell)))
    found = parsed(client.get("/accounts/acc-1").text).one("details", class_="moved")
    assert [(before.as_of, after.as_of) for before, after in asked] == [(MONDAY - WEEK, MONDAY)]
    assert [one.text for one in found.all("li")] == [
        "Mood and support -5.9: What people there said and asked of support: this lowered the estimate by 5.9 points.",
        "Engagement -4.5: How much, and by how many, the product is used: this lowered the estimate by 4.5 points.",
    ]
    assert found.one("p", class_="note").text == (
        "No model of then can be asked: the parts are the points that were kept with the two scores, and hold what "
        "the campaign calendar and missing data moved. Parts of the estimate, strongest first; they prove no cause."
    )


def test_a_score_that_stayed_has_no_parts_to_show(tmp_path: Path) -> None:
    ledger = filled(Home(root=tmp_path), assessment(), assessment(as_of=MONDAY - WEEK))

    def tell(before: Entry, after: Entry) -> Change:
        gone = KeptModel("3", None, "not loaded")
        return change(*(Kept(entry, ledger.features(entry), gone) for entry in (before, after)))

    assert "What moved it" not in Client(Starlette(routes=page_routes(ledger, tell))).get("/accounts/acc-1").text


def test_a_first_score_has_nothing_to_be_compared_with_and_no_trend(read: Read) -> None:
    found = read(assessment(points=NOW))
    assert found.one("p", class_="change").text == (
        "This is the first score of the account: there is nothing to compare it with yet."
    )
    assert found.one("table", class_="sum").rows[0] == ["Part", "", "Points"]
    assert "There is one score so far; the trend begins with the second." in found.one("main").text
    assert found.all("svg", class_="plot") == []


def test_reasons_are_told_with_what_is_and_what_is_usual(read: Read) -> None:
    lowers, raises = read(assessment(points=NOW)).all("table", class_="reasons")
    head, first, sentence, *rest = lowers.rows
    assert (head, first) == (["Reason", "Here", "Usual", "Points"], ["Seats in use", "5 %", "42 %", "-7.7"])
    assert sentence[0] == (
        "5 % of the contracted seats were used in the last 4 weeks; accounts like this use 42 %. "
        "This lowers the estimate by 7.7 points."
    )
    assert [row[0] for row in rest[::2]] == ["Change in seats in use", "Active seats against expectation"]
    assert raises.rows[1] == ["Last recommendation score", "3.85", "3.2", "+1.8"]


def test_without_reasons_nothing_stands_out(read: Read) -> None:
    text = read(assessment()).one("main").text
    assert "What lowers it most Nothing stands out. What raises it most Nothing stands out." in text


def test_values_that_are_not_known_are_named_the_first_two(read: Read) -> None:
    unknown = [feature.name for feature in _features(Subcategory.FINANCIAL)[:5]]
    told = replace(assessment(), explanation=explained(dict.fromkeys(Subcategory, 0.0), unknown))
    labels = [f.label for f in _features(Subcategory.FINANCIAL)][:2]
    (row,) = [row for row in read(told).one("table", class_="sum").rows if row[0].startswith("Money")]
    assert row[0] == f"Money hardly moves the estimate; not known: {', '.join(labels)} and 3 more"


def test_where_notice_was_given_no_value_is_at_risk_and_the_page_says_what_its_numbers_mean(read: Read) -> None:
    found = read(assessment(band=Band.LOST_PENDING))
    assert found.one("div", class_="verdict lost_pending").text.count("Notice given leaving already") == 1
    assert found.all("p", class_="note")[0].text.startswith("Notice was given, so the decision has fallen.")
    assert found.one("dl").all("div")[0].text == "Next decision notice was given"
    assert "Value at risk in 90 days" not in found.one("dl").text


def test_what_is_not_known_is_said_and_breaks_nothing(read: Read) -> None:
    found = read(assessment(**NOTHING_KNOWN, band=Band.UNKNOWN, grade="D"))
    assert found.one("p", class_="sub").text == (
        "segment not known · account acc-1 · CSM nobody · as known on 15 April 2024"
    )
    facts = {one.one("dt").text: one.one("dd").text for one in found.one("dl").all("div")}
    assert (facts["Next decision"], facts["Annual value"]) == ("no fixed date", "not known")
    assert "Value at risk in 90 days" not in facts
    assert "Too little is known of this account for a band." in found.one("main").text


def test_what_a_score_was_drawn_to_or_kept_within_stands_in_the_sum(read: Read) -> None:
    score: dict[str, Any] = {"health": 100.0, "base_points": 61.0, "shrink_adjust": -1.26, "clip_adjust": -9.74}
    rows = read(assessment(points={Subcategory.MARKET: 50.0}, **score)).one("table", class_="sum").rows
    assert rows[-3:] == [
        [LIMITED_DATA, "", "-1.3"],
        ["Kept within 0 to 100", "", "-9.7"],
        ["Health", "", "100.0"],
    ]


def test_the_trend_is_told_as_a_table_too_newest_first(read: Read) -> None:
    weeks = [assessment(as_of=MONDAY - week * WEEK, phase=Phase.PRE, model_version=str(9 - week)) for week in range(3)]
    table = read(*weeks).one("details").one("table")
    assert table.one("caption").text == "3 scores, newest first"
    assert table.rows == [
        ["Date", "Health", "Band", "Phase", "Risk in 90 days", "Model version"],
        ["15 April 2024", "60.0", "Amber", "Campaign about to start", "4.2 %", "9"],
        ["8 April 2024", "60.0", "Amber", "Campaign about to start", "4.2 %", "8"],
        ["1 April 2024", "60.0", "Amber", "Campaign about to start", "4.2 %", "7"],
    ]


def test_a_trend_shows_the_newest_year(read: Read) -> None:
    weeks = [assessment(as_of=MONDAY - week * WEEK) for week in range(60)]
    assert len(read(*weeks).one("svg", class_="plot").all("circle")) == 52


_POINTS = st.lists(st.floats(-30, 30), min_size=7, max_size=7)


@settings(max_examples=40, deadline=None)
@given(now=_POINTS, then=_POINTS, base=st.floats(40, 80))
def test_whatever_the_points_the_shown_numbers_add_up(now: list[float], then: list[float], base: float) -> None:
    with TemporaryDirectory() as root:
        told = [
            assessment(points=dict(zip(Subcategory, points, strict=True)), base=base, as_of=as_of)
            for points, as_of in ((then, MONDAY - WEEK), (now, MONDAY))
        ]
        found = account_page(filled(Home(root=Path(root)), *told), "acc-1")
    assert found is not None
    assert found.change is not None
    lines = [found.start, *found.lines]
    shown = [[Decimal(f"{line.points:.1f}"), Decimal(f"{line.change:.1f}")] for line in lines]
    health, before = told[1].score.health, told[0].score.health
    total, change = (sum(column, Decimal(0)) for column in zip(*shown, strict=True))
    assert abs(float(total) - health) <= 0.1
    assert abs(float(change) - (health - before)) <= 0.0500001
    exact = {
        TITLES[part]: (points, points - told[0].score.points[part]) for part, points in told[1].score.points.items()
    }
    for line in lines:
        if line.title in exact:
            assert (line.points, line.change) == tuple(round(value, 1) for value in exact[line.title])
    assert [line.title for line in lines[1:8]] == list(TITLES.values())


def test_a_decision_is_told_with_how_far_it_is(read: Read) -> None:
    near = read(assessment(decision_on=MONDAY.date() + timedelta(days=9))).one("dl").all("dd")[0].text
    past = read(assessment(decision_on=date(2024, 3, 1), model_version="later")).one("dl").all("dd")[0].text
    assert (near, past) == ("24 April 2024 in 9 days", "1 March 2024 passed")


def _features(part: Subcategory) -> list[Feature]:
    return [feature for feature in features_of(part) if feature.use is Use.MODEL]
