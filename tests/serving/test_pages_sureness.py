"""What the page of an account says about how sure its figures are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from features.settings import Home
from serving.assessment import Assessment, RiskRange
from serving.explain import LIMITED_DATA, Grounds
from serving.pages.routes import page_routes
from tests.serving.html_case import Node, parsed
from tests.serving.http_case import Client
from tests.serving.pages_case import assessment, filled

Read = Callable[[Assessment], Node]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The page of acc-1 over a ledger with this assessment."""

    def make(told: Assessment) -> Node:
        client = Client(Starlette(routes=page_routes(filled(Home(root=tmp_path), told))))
        return parsed(client.get("/accounts/acc-1").text)

    return make


def test_the_page_says_what_the_grade_rests_on_and_what_keeps_it_from_a_better_one(read: Read) -> None:
    reasons = ("45 weeks of data from 3 of 6 sources", "fewer than 52 weeks of data", "campaigns come irregularly")
    told = read(assessment(grade="B", grounds=Grounds(reasons, 0.81)))
    assert told.one("p", class_="grounds").text == (
        "It has 45 weeks of data from 3 of 6 sources. "
        "What keeps it from a better grade: fewer than 52 weeks of data; campaigns come irregularly."
    )


def test_the_best_grade_needs_no_excuse(read: Read) -> None:
    best = read(assessment(grade="A", grounds=Grounds(("45 weeks of data from 3 of 6 sources",), 0.81)))
    assert best.one("p", class_="grounds").text == "It has 45 weeks of data from 3 of 6 sources."


def test_what_limited_data_does_stands_beside_how_much_the_own_data_weigh(read: Read) -> None:
    # "Plenty of data" once stood beside "for want of data": now both say how much there is.
    grounds = Grounds(("80 weeks of data from 5 of 6 sources",), 0.81)
    score: dict[str, Any] = {"health": 58.7, "shrink_adjust": -1.26, "clip_adjust": 0.0}
    rows = read(assessment(grade="A", grounds=grounds, **score)).one("table", class_="sum").rows
    line = next(row for row in rows if row[0].startswith(LIMITED_DATA))
    note = "the account's own data weigh 81 %, what is usual in its segment the rest"
    assert line[0].replace("\u00a0", " ").endswith(note)
    assert line[-1].replace("\u2212", "-") == "-1.3"


def test_a_score_of_before_there_were_ranges_shows_its_risk_alone(read: Read) -> None:
    told = read(assessment(range=None))
    facts = {one.one("dt").text: one.one("dd").text for one in told.one("dl", class_="facts").all("div")}
    assert "between" not in facts["Risk in 90 days"]
    assert "How sure" not in told.one("main").text


def test_a_risk_of_which_nothing_is_known_says_so(read: Read) -> None:
    told = read(assessment(range=RiskRange(days=90, p0=0.0, p1=1.0, low=0.0, high=1.0)))
    facts = {one.one("dt").text: one.one("dd").text for one in told.one("dl", class_="facts").all("div")}
    assert facts["Risk in 90 days"].replace("\u00a0", " ").endswith("anywhere between 0 % and 100 %")
