"""Are the pages sound HTML that everyone can use, and does no text of an account become anything else?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.applications import Starlette

from features.settings import Home
from features.vocabulary import WEEK, Band, Subcategory
from serving.assessment import Assessment
from serving.pages import routes
from serving.pages.routes import page_routes
from tests.serving.html_case import Node, parsed
from tests.serving.http_case import Client
from tests.serving.pages_case import MONDAY, assessment, filled, portfolio_ledger, saying
from tests.serving.payloads import PAYLOADS

STATIC = Path(routes.__file__).parent / "static"
POINTS = {Subcategory.ENGAGEMENT: -14.0, Subcategory.SENTIMENT: 9.0}


def client_of(root: Path, *told: Assessment) -> Client:
    return Client(Starlette(routes=page_routes(filled(Home(root=root), *told))))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Node]:
    """Every kind of page there is, by name."""
    empty = client_of(tmp_path_factory.mktemp("empty"))
    ledger = portfolio_ledger(Home(root=tmp_path_factory.mktemp("full")), accounts=80, weeks=6)
    full = Client(Starlette(routes=page_routes(ledger)))
    named = {
        "portfolio": "/",
        "last page": "/?page=2",
        "chosen": "/?band=red&phase=active",
        "nothing fits": "/?owner=who",
        "account": f"/accounts/{ledger.latest()[0].account_id}",
        "account under notice": "/accounts/acc-0020",
        "account of little data": "/accounts/acc-0013",
        "new account": "/accounts/acc-0009",
        "no account": "/accounts/none",
    }
    texts = {"empty": empty.get("/").text} | {name: full.get(path).text for name, path in named.items()}
    return {name: parsed(text) for name, text in texts.items()}


KINDS = [
    "empty",
    "portfolio",
    "last page",
    "chosen",
    "nothing fits",
    "account",
    "account under notice",
    "account of little data",
    "new account",
    "no account",
]


@pytest.fixture(params=KINDS)
def tree(request: pytest.FixtureRequest, pages: dict[str, Node]) -> Node:
    return pages[request.param]


def test_nothing_in_a_page_needs_more_than_the_policy_allows(tree: Node) -> None:
    assert [one.tag for one in tree if one.tag in ("script", "style", "iframe", "object", "embed", "base")] == []
    assert [name for one in tree for name in one.attributes if name == "style" or name.startswith("on")] == []
    targets = [one.attributes[name] for one in tree for name in ("href", "src", "action") if name in one.attributes]
    assert [target for target in targets if not re.match(r"/(?!/)|#main$", target)] == []


def test_a_page_has_its_landmarks_its_language_and_a_way_past_the_head(tree: Node) -> None:
    assert tree.one("html").attributes["lang"] == "en-GB"
    assert tree.one("meta", name="viewport").attributes["content"] == "width=device-width, initial-scale=1"
    assert [one.tag for one in tree if one.tag in ("header", "main", "footer")] == ["header", "main", "footer"]
    assert "maximum-scale" not in tree.one("meta", name="viewport").attributes["content"]
    first = next(one for one in tree.one("body") if one.tag in ("a", "button", "select", "summary"))
    assert (first.attributes, first.text) == ({"class": "skip", "href": "#main"}, "Skip to content")
    assert tree.one("main").attributes["id"] == "main"
    navigations = [one.attributes["aria-label"] for one in tree.all("nav")]
    assert len(set(navigations)) == len(navigations)


def test_headings_stand_in_order_under_one_first(tree: Node) -> None:
    levels = [int(one.tag[1]) for one in tree if re.fullmatch("h[1-6]", one.tag)]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1] == []
    assert all(one.text for one in tree if re.fullmatch("h[1-6]", one.tag))


def test_every_name_is_given_once_and_every_reference_has_its_name(tree: Node) -> None:
    names = Counter(one.attributes["id"] for one in tree if "id" in one.attributes)
    assert [name for name, times in names.items() if times > 1] == []
    referred = {one.attributes[key] for one in tree for key in ("aria-labelledby", "for") if key in one.attributes}
    patterns = {found for one in tree for found in re.findall(r"url\(#(.+)\)", one.attributes.get("fill", ""))}
    assert referred | patterns <= set(names)


def test_every_control_has_a_label_and_every_link_words(tree: Node) -> None:
    labelled = {one.attributes["for"] for one in tree.all("label")}
    assert {one.attributes["id"] for one in tree.all("select")} == labelled
    assert all(one.text for one in tree if one.tag in ("a", "button", "summary"))


def test_tables_say_what_they_are_and_which_cells_are_heads(tree: Node) -> None:
    for table in tree.all("table"):
        region = next(one for one in tree.all("div", class_="wide") if table in list(one))
        assert (region.attributes["role"], region.attributes["tabindex"]) == ("region", "0")
        assert table.all("caption") or region.attributes["aria-labelledby"]
        assert {head.attributes.get("scope") for head in table.all("th")} <= {"col", "row"}
        assert all(head.text for head in table.all("th"))
        assert len({_width(row) for row in table.all("tr")}) == 1


def test_drawn_shapes_are_left_to_the_eye(tree: Node) -> None:
    hidden = [one for one in tree if one.attributes.get("aria-hidden") == "true"]
    seen = [one for shape in hidden for one in shape]
    assert [one for one in tree.all("svg") if not any(one is other for other in seen)] == []
    assert [one.tag for one in seen if one.tag in ("a", "button", "select") or "tabindex" in one.attributes] == []


def test_a_page_speaks_british_english_and_not_the_models_language(tree: Node) -> None:
    text = tree.one("body").text.lower()
    banned = ("shap", "logit", "margin", "log-odds", "churn", "feature", "color", "nan", "none", "null", "true", "inf")
    assert [word for word in banned if re.search(rf"\b{word}\b", text)] == []


def test_charts_stay_within_their_frames(tree: Node) -> None:
    for svg in tree.all("svg"):
        for rect in svg.all("rect"):
            start, width = (_percent(rect.attributes.get(name, "0")) for name in ("x", "width"))
            assert 0 <= start <= start + width <= 100.011
        places = [_percent(one.attributes[name]) for one in svg.all("circle") for name in ("cx", "cy")]
        assert all(0 <= place <= 100 for place in places if not svg.all("pattern"))


def test_no_text_becomes_anything_but_text(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert len(set(PAYLOADS)) >= 120
    harmless = [f"harmless {number:03d}" for number in range(len(PAYLOADS))]
    plain, harmful = (_client_of_texts(tmp_path_factory.mktemp("told"), texts) for texts in (harmless, PAYLOADS))
    for path in ("/", "/?page=2", "/?page=3"):
        assert _shape(harmful, path) == _shape(plain, path)
    one_account = _shape(plain, "/accounts/acc-0")
    nothing_fits = _shape(plain, "/?owner=harmless&band=x")
    for number, payload in enumerate(PAYLOADS):
        assert _shape(harmful, f"/accounts/acc-{number}") == one_account, payload
        if number % 9 == 0:
            assert _shape(harmful, f"/?owner={quote(payload + '.')}&band=x") == nothing_fits, payload


ODD_IDS = [
    r"a/b",
    r"/a",
    r"a//b/",
    r"50%",
    r"a%2Fb",
    r"a b",
    r"Søn-ü",
    r"x'\"y",
    r"<b>",
    r"a?b=c",
    r"a#b",
    r"a&b;",
    r"a\b",
    r"a+b",
    r"'",
]


@pytest.mark.parametrize("account_id", [*ODD_IDS, "\N{GRINNING FACE}", "a\x00b", "\u202eabc"])
def test_an_account_is_found_under_the_address_that_the_list_gives_it(tmp_path: Path, account_id: str) -> None:
    client = client_of(tmp_path, assessment(account_id, account_name=None))
    (link,) = parsed(client.get("/").text).one("th", class_="name").all("a")
    assert link.attributes["href"] == "/accounts/" + quote(account_id, safe="")
    answer = client.get(link.attributes["href"])
    assert answer.status_code == 200
    assert (
        parsed(answer.text).one("h1").one("bdi").inside == [account_id.replace("\x00", "\ufffd")]
        or "\x00" in account_id
    )


def test_the_style_sheet_and_the_icon_are_served_and_asked_for_anew_only_when_changed(tmp_path: Path) -> None:
    client = client_of(tmp_path)
    style = client.get("/static/pulse.css")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert style.headers["cache-control"] == "no-cache"
    again = client.get("/static/pulse.css", headers={"if-none-match": style.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/static/pulse.svg").headers["content-type"] == "image/svg+xml"


def _told(account_id: str, text: str) -> list[Assessment]:
    told = assessment(account_id, points=POINTS, model_version=text, **saying(text))
    reasons = tuple(replace(one, label=text, sentence=text, actual=text) for one in told.explanation.lowers)
    parts = tuple(replace(one, title=text, words=text, gaps=(text,)) for one in told.explanation.subcategories)
    told = replace(told, explanation=replace(told.explanation, lowers=reasons, subcategories=parts))
    return [told, assessment(account_id, as_of=MONDAY - WEEK, band=Band.RED)]


def _client_of_texts(root: Path, texts: Sequence[str]) -> Client:
    return client_of(root, *(one for number, text in enumerate(texts) for one in _told(f"acc-{number}", text)))


def _shape(client: Client, path: str) -> list[tuple[str, list[str]]]:
    """Tags and the names of their attributes; texts, and the order they give to lists, left out."""
    return sorted((one.tag, list(one.attributes)) for one in parsed(client.get(path).text))


def _width(row: Node) -> int:
    return sum(int(cell.attributes.get("colspan", "1")) for cell in row if cell.tag in ("th", "td"))


def _percent(text: str) -> float:
    return float(text.removesuffix("%")) if text.endswith("%") else 0.0
