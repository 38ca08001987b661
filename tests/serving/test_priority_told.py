"""How the leads' order is told over HTTP and on the pages: apart from scores, with its author and its worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from features.settings import Home
from features.vocabulary import Band, Subcategory
from serving.leads_priority import Measured
from serving.ledger import Channel, Ledger
from serving.pages.priority import measured
from serving.pages.routes import page_routes
from serving.priority_page import UNRANKED
from tests.serving.html_case import Node, parsed
from tests.serving.http_case import Client, service_of
from tests.serving.pages_case import assessment, filled
from tests.serving.priority_case import TOLD_AT, leads_of, put_in_force, studios
from tests.serving.service_case import ids, newest, now, stored_home
from training import policy_log
from training.policy import PolicyWeights

Pages = Callable[[], Client]
EMPTY = "The leads have put no weights in force, so there is one order, by value at risk."
PANEL = (
    "Leads' priority “money first”, set by ada on 10 April 2024: late payers leave first. "
    "It weighs Money 75 %, Engagement 25 %. The index, 0 to 100, says where an account stands by these weights among "
    "accounts in the same phase and segment; "
    "the lowest are called first. It is no probability, and enters neither health nor risk. "
    "Tried on 300 scores with a decision due within 90 days, 40 accounts left. Chance to rank a leaver above a stayer "
    "(AUC): these weights 0.64 (0.55 to 0.73), the model 0.71 (0.62 to 0.80). In a blend with the model, the "
    "weights earn a say of 0.08 (0.00 to 0.21)."
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path)


@pytest.fixture
def api(home: Home) -> Iterator[Client]:
    """The API over hand-made scores; no model is live, and none is needed to list what was told."""
    filled(home, *studios()).close()
    app, context = service_of(home, clock=lambda: TOLD_AT, tell=lambda *_: None)
    yield Client(app)
    context.close()


@pytest.fixture
def pages(home: Home) -> Pages:
    def make() -> Client:
        ledger = filled(home, *studios())
        return Client(Starlette(routes=page_routes(ledger, leads=leads_of(home, ledger))))

    return make


def page(client: Client, path: str = "/") -> Node:
    answer = client.get(path)
    assert answer.status_code == 200
    return parsed(answer.text)


def accounts(found: Node) -> list[str]:
    return [
        link.attributes["href"].removeprefix("/accounts/")
        for row in found.all("th", class_="name")
        for link in row.all("a")
    ]


def listed(api: Client, query: str = "") -> dict[str, Any]:
    answer = api.get(f"/v1/accounts?limit=100{query}")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def test_without_weights_lists_are_as_ever_and_the_second_order_is_refused(api: Client) -> None:
    plain = listed(api)
    assert (plain["order"], plain["policy"]) == ("value_at_risk", None)
    assert {one["policy_index"] for one in plain["accounts"]} == {None}
    refused = api.get("/v1/accounts?order=leads_priority")
    assert (refused.status_code, refused.json()["detail"]) == (
        400,
        "There is no order by the leads' weights: expected weights in force, and a batch of scores that they order.",
    )
    assert api.get("/v1/accounts?order=mine").status_code == 422


def test_weights_in_force_are_told_whole_and_change_neither_scores_nor_the_default_order(
    api: Client, home: Home
) -> None:
    before = listed(api)
    put_in_force(home)
    after = listed(api)
    assert after["policy"] == {
        "policy_id": 1,
        "name": "money first",
        "set_by": "ada",
        "set_at": "2024-04-10T09:30:00Z",
        "why": "late payers leave first",
        "shares": {
            "engagement": 0.25,
            "campaign": 0.0,
            "output_quality": 0.0,
            "financial": 0.75,
            "sentiment": 0.0,
            "market": 0.0,
        },
        "trial": {
            "model_version": "3",
            "horizon_days": 90,
            "rows": 300,
            "outcomes": 40,
            "auc_model": {"value": 0.71, "low": 0.62, "high": 0.8},
            "auc_index": {"value": 0.64, "low": 0.55, "high": 0.73},
            "auc_lead": {"value": 0.07, "low": 0.01, "high": 0.13},
            "say": {"value": 0.08, "low": 0.0, "high": 0.21},
            "say_in_words": "the weights earn a say of 0.08 (0.00 to 0.21)",
        },
        "recorded": True,
    }
    index = {one["account_id"]: one.pop("policy_index") for one in after["accounts"]}
    assert [one | {"policy_index": None} for one in after["accounts"]] == before["accounts"]
    assert index.pop("left") is None
    assert sorted(index, key=lambda account: index[account]) == [f"a{place:02d}" for place in range(24)]


def test_the_second_order_is_read_page_by_page_and_stays_while_scores_are_added(api: Client, home: Home) -> None:
    put_in_force(home)
    seen, cursor = list[str](), ""
    while True:
        answer = api.get(f"/v1/accounts?order=leads_priority&limit=7{cursor}").json()
        assert answer["order"] == "leads_priority"
        seen += [one["account_id"] for one in answer["accounts"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
        filled(home, assessment(f"new-{len(seen)}", model_version="9")).close()
    assert seen == [*(f"a{place:02d}" for place in range(24)), "left"]
    assert UNRANKED > 100


def test_filters_take_what_they_say_in_the_second_order_too(api: Client, home: Home) -> None:
    put_in_force(home)
    chosen = listed(api, "&order=leads_priority&band=lost_pending")["accounts"]
    assert [one["account_id"] for one in chosen] == ["left"]
    everyone = listed(api, "&order=leads_priority&segment=studio&phase=off")["accounts"]
    assert len(everyone) == 25
    assert listed(api, "&order=leads_priority&segment=agency")["accounts"] == []


def test_a_cursor_of_one_order_or_of_weights_that_ended_opens_no_other(api: Client, home: Home) -> None:
    put_in_force(home)
    plain = api.get("/v1/accounts?limit=2").json()["next_cursor"]
    leads = api.get("/v1/accounts?limit=2&order=leads_priority").json()["next_cursor"]
    assert api.get(f"/v1/accounts?cursor={leads}").status_code == 400
    assert api.get(f"/v1/accounts?order=leads_priority&cursor={plain}").status_code == 400
    assert api.get(f"/v1/accounts?order=leads_priority&cursor={leads}").status_code == 200
    put_in_force(home, PolicyWeights(name="use first", engagement=1))
    assert api.get(f"/v1/accounts?order=leads_priority&cursor={leads}").status_code == 400


def test_before_the_first_score_the_second_order_is_empty(tmp_path: Path) -> None:
    app, context = service_of(Home(root=tmp_path / "new"), clock=lambda: TOLD_AT, tell=lambda *_: None)
    document = listed(Client(app), "&order=leads_priority")
    context.close()
    assert document == {
        "as_of": None, "order": "leads_priority", "policy": None, "accounts": [], "next_cursor": None
    }  # fmt: skip


def test_an_explanation_says_where_the_weights_put_the_account_and_what_adds_up_to_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = stored_home(tmp_path_factory.mktemp("explained"))
    app, context = service_of(home, clock=now, tell=lambda *_: None)
    client, account = Client(app), ids()[0]
    context.live.refresh()
    context.live.require().score_cohort(newest(), now=now())
    assert client.get(f"/v1/accounts/{account}/explanation").json()["policy"] is None
    put_in_force(home)
    policy = client.get(f"/v1/accounts/{account}/explanation").json()["policy"]
    indices = {one["account_id"]: one["policy_index"] for one in listed(client)["accounts"]}
    context.close()
    assert (policy["policy_id"], policy["name"], policy["policy_index"]) == (1, "money first", indices[account])
    assert policy["policy_index"] == pytest.approx(sum(part["adds"] for part in policy["parts"]))
    assert [part["subcategory"] for part in policy["parts"] if part["share"]] == ["engagement", "financial"]
    assert 1 <= policy["place"] <= policy["among"]


def test_the_list_says_that_there_is_no_second_order_while_none_is_in_force(pages: Pages) -> None:
    client = pages()
    found = page(client)
    assert found.one("p", class_="order").text == EMPTY
    assert found.one("h2", id="accounts").text == "Accounts, most value at risk first"
    asked = page(client, "/?order=leads")
    assert asked.one("p", class_="order").text.startswith("There is no leads' priority to order by: the leads have put")
    assert accounts(asked) == accounts(found)
    account = page(client, "/accounts/a00").one("section", aria_labelledby="leads")
    assert account.text == "Leads' priority The leads have put no weights in force, so there is no second order."


def test_the_second_order_is_offered_beside_the_first_and_named_when_chosen(pages: Pages, home: Home) -> None:
    client = pages()
    put_in_force(home)
    first = page(client)
    assert accounts(first) == accounts(page(Client(Starlette(routes=page_routes(Ledger(home))))))
    assert first.one("p", class_="order").text == (
        "Order: most value at risk first · leads' priority first (“money first”, a second order that changes no score)"
    )
    assert first.all("div", class_="leads") == []
    second = page(client, "/?order=leads")
    assert accounts(second) == [*(f"a{place:02d}" for place in range(24)), "left"]
    assert second.one("h2", id="accounts").text == "Accounts, leads' priority first"
    assert second.one("div", class_="leads").text == PANEL
    head, worst, *_, left = second.one("table", class_="accounts").rows
    assert head[:3] == ["Account", "Leads' index", "Health"]
    assert worst[1] == "26.0 1 of 24"
    assert left[1] == "\N{EN DASH}"
    plain = first.one("table", class_="accounts").rows
    assert {row[0]: row[1] for row in plain[1:]} == {
        row[0]: row[2] for row in second.one("table", class_="accounts").rows[1:]
    }


def test_the_second_order_stays_chosen_while_a_reader_filters_and_turns_pages(home: Home) -> None:
    many = [assessment(f"b{place:03d}", points={Subcategory.FINANCIAL: place / 9}) for place in range(120)]
    ledger = filled(home, *many)
    put_in_force(home)
    client = Client(Starlette(routes=page_routes(ledger, leads=leads_of(home, ledger))))
    found = page(client, "/?order=leads&phase=off")
    assert [one.attributes["value"] for one in found.all("input", name="order")] == ["leads"]
    (following,) = [link.attributes["href"] for link in found.all("a", rel="next")]
    assert following == "/?phase=off&order=leads&page=2"
    assert accounts(page(client, following))[0] == "b050"
    back = [link.attributes["href"] for link in found.one("p", class_="order").all("a")]
    assert back == ["/?phase=off"]


def test_the_page_of_an_account_says_what_adds_up_to_its_index(pages: Pages, home: Home) -> None:
    client = pages()
    put_in_force(home)
    section = page(client, "/accounts/a01").one("section", aria_labelledby="leads")
    assert section.one("table", class_="index").rows == [
        ["Part", "Better than", "Weight", "Adds"],
        ["Engagement", "94 % of peers", "25 %", "23.4"],
        ["Campaigns", "50 % of peers", "0.0 %", "0.0"],
        ["Output and quality", "50 % of peers", "0.0 %", "0.0"],
        ["Money", "6.2 % of peers", "75 %", "4.7"],
        ["Mood and support", "50 % of peers", "0.0 %", "0.0"],
        ["Market", "50 % of peers", "0.0 %", "0.0"],
        ["Leads' index", "", "", "28.1"],
    ]
    assert section.one("caption").text.startswith("Place 2 of 24 (1 = first to be called) on 15 April 2024, index 28.1")
    gone = page(client, "/accounts/left").one("section", aria_labelledby="leads")
    assert gone.text.endswith("it was not among the scores of 15 April 2024, or notice was given.")


def test_weights_that_wait_for_a_batch_and_those_tried_beside_another_model_are_told_so(home: Home) -> None:
    ledger = filled(home)
    ledger.append([assessment(model_version="4")], channel=Channel.API, scored_at=TOLD_AT)
    put_in_force(home)
    client = Client(Starlette(routes=page_routes(ledger, leads=leads_of(home, ledger))))
    waiting = "The leads' weights “money first” are in force; the next batch of scores will have an order by them."
    assert page(client).one("p", class_="order").text == waiting
    assert page(client, "/accounts/acc-1").one("section", aria_labelledby="leads").text.endswith(waiting)
    ledger.append([assessment(model_version="5", band=Band.RED)], channel=Channel.BATCH, scored_at=TOLD_AT)
    told = page(client, "/?order=leads").one("div", class_="leads").text
    assert told.endswith("That was beside model version 3; another scores now.")


def test_what_leads_write_is_text_and_never_markup(pages: Pages, home: Home) -> None:
    client = pages()
    put_in_force(home, PolicyWeights(name="<b>me</b>", financial=1), why="<script>alert(1)</script>")
    for path in ("/", "/?order=leads", "/accounts/a00"):
        found = page(client, path)
        assert found.all("script") == []
        assert found.all("b") == []
    policy_log.end(home, who="bob", why="no", at=TOLD_AT)
    assert page(client).one("p", class_="order").text == EMPTY


def test_a_number_that_the_past_could_not_tell_is_told_as_such() -> None:
    assert [measured(Measured(*ends)) for ends in ((None, None, None), (0.5, None, None), (0.5, 0.25, 0.75))] == [
        "not known",
        "0.50",
        "0.50 (0.25 to 0.75)",
    ]
