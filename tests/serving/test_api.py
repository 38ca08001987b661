from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from features.errors import IntegrityError
from features.settings import Home
from serving.api.answers import explanation_out, score_out
from serving.context import ServiceContext
from serving.ledger import Channel
from serving.scorer import Scorer
from tests.serving.http_case import Client, service_of
from tests.serving.service_case import NAME, as_ofs, ids, newest, now, stored_home

JUDGED = "2023-06-07T12:00:00Z"
AS_OF = "2023-06-05T00:00:00Z"
FRESH = {"age_days": 2.5, "stale_after_days": 8.0, "stale": False, "waiting_since": None}


class Service:
    """A service over a real home, asked in this process."""

    def __init__(self, home: Home, *, live: bool = True, **settings: Any) -> None:
        self.home = home
        self.events: list[tuple[str, dict[str, Any]]] = []
        app, self.context = service_of(
            home, clock=now, tell=lambda event, facts: self.events.append((event, facts)), **settings
        )
        self.client = Client(app)
        if live:
            self.context.live.refresh()
            assert self.context.live.ready

    @property
    def scorer(self) -> Scorer:
        return self.context.live.require()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    served = Service(stored_home(tmp_path_factory.mktemp("api")))
    for as_of in as_ofs():
        served.scorer.score_cohort(as_of, now=now())
    yield served
    served.context.close()


def problem(status: int, slug: str, title: str, detail: str, **more: Any) -> dict[str, Any]:
    return {
        "type": f"urn:campaign-pulse:problem:{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "urn:campaign-pulse:request:test-1",
        "request_id": "test-1",
        **more,
    }


def invalid(*errors: tuple[str, str, str]) -> dict[str, Any]:
    return problem(
        422,
        "invalid-input",
        "Unprocessable Entity",
        "The input does not fit the description of this operation; errors lists each place and rule.",
        errors=[{"field": field, "rule": rule, "message": message} for field, rule, message in errors],
    )


NOT_FOUND = problem(404, "not-found", "Not Found", "There is nothing under this address.")
UNKNOWN = problem(
    404, "not-found", "Not Found", "No account has this id: expected the id of an account that was scored."
)
NOT_JSON = problem(415, "not-json", "Unsupported Media Type", "A body must be JSON, sent as application/json.")
NOT_READY = problem(503, "not-ready", "Service Unavailable", "No model can answer now.")
TOO_LARGE = problem(413, "body-too-large", "Request Entity Too Large", "The body is larger than this service takes.")


def test_accounts_are_scored_one_result_per_id_in_order(service: Service) -> None:
    known, new = ids()[0], ids("onboarding")[0]
    answer = service.client.post("/v1/score", json={"account_ids": ["nobody", known, new, known]})
    score = json.loads(score_out(service.scorer.score_accounts([known], now())[0].assessment.score).model_dump_json())  # type: ignore[union-attr]
    by = {"model_version": "1"}
    found = {"status": "ok", **by, "as_of": AS_OF, "freshness": FRESH, "data_watermark": None, "score": score}
    assert answer.status_code == 200
    assert answer.json() == {
        "model_version": "1",
        "canary_version": None,
        "judged_at": JUDGED,
        "recorded": True,
        "results": [
            {
                "account_id": "nobody",
                "status": "not_found",
                **by,
                "as_of": None,
                "freshness": None,
                "data_watermark": None,
                "score": None,
            },
            {"account_id": known, **found},
            {
                "account_id": new,
                "status": "insufficient_data",
                **by,
                "as_of": AS_OF,
                "freshness": FRESH,
                "data_watermark": None,
                "score": None,
            },
            {"account_id": known, **found},
        ],
    }


def test_the_endpoint_tells_what_the_batch_told_bit_for_bit(service: Service) -> None:
    # Law 7, over HTTP: JSON writes the shortest text that reads back as the same double.
    told = {entry.account_id: entry for entry in service.context.ledger.latest()}
    answer = service.client.post("/v1/score", json={"account_ids": list(told)}).json()
    for result in answer["results"]:
        score = told[result["account_id"]].score
        assert result["score"] == json.loads(score_out(score).model_dump_json())
        assert result["score"]["health"] == score.health
        assert list(result["score"]["risk"].values()) == list(score.risk.values())
        assert result["score"]["points"] == {str(part): points for part, points in score.points.items()}


def test_ten_thousand_ids_with_mixed_outcomes_are_answered_one_by_one(service: Service) -> None:
    mixed = [*ids(), "nobody", *ids("onboarding"), *ids("lost_pending")]
    asked = [mixed[number % len(mixed)] for number in range(10_000)]
    outcome = {"nobody": "not_found", **dict.fromkeys(ids("onboarding"), "insufficient_data")}
    results = service.client.post("/v1/score", json={"account_ids": asked}).json()["results"]
    assert [(result["account_id"], result["status"]) for result in results] == [
        (account_id, outcome.get(account_id, "ok")) for account_id in asked
    ]


def test_an_explanation_comes_with_its_score_from_one_model(service: Service) -> None:
    known = ids()[0]
    told = service.scorer.score_accounts([known], now())[0].assessment
    assert told is not None
    answer = service.client.get(f"/v1/accounts/{known}/explanation")
    assert answer.json() == {
        "account_id": known,
        "status": "ok",
        "as_of": AS_OF,
        "freshness": FRESH,
        "data_watermark": None,
        "score": json.loads(score_out(told.score).model_dump_json()),
        "model_version": "1",
        "judged_at": JUDGED,
        "recorded": True,
        "explanation": json.loads(explanation_out(told.explanation).model_dump_json()),
        "policy": None,
    }
    document = answer.json()["explanation"]
    assert document["scale"].startswith("0 to 100; 100 = healthy.")
    assert {reason["effect"] for reason in document["lowers"]} == {"lowers"}


def test_an_account_too_new_to_be_scored_is_told_so_and_not_explained(service: Service) -> None:
    answer = service.client.get(f"/v1/accounts/{ids('onboarding')[0]}/explanation").json()
    assert (answer["status"], answer["score"], answer["explanation"]) == ("insufficient_data", None, None)


def test_history_tells_every_as_of_oldest_first(service: Service) -> None:
    known = ids()[0]
    told = service.context.ledger.history(known)
    answer = service.client.get(f"/v1/accounts/{known}/history").json()
    assert answer["account_id"] == known
    assert [score["as_of"] for score in answer["scores"]] == [f"{as_of:%Y-%m-%dT%H:%M:%SZ}" for as_of in as_ofs()][
        -len(told) :
    ]
    assert [score["score"]["health"] for score in answer["scores"]] == [entry.score.health for entry in told]
    assert service.client.get(f"/v1/accounts/{known}/history?limit=1").json()["scores"] == answer["scores"][-1:]


def test_an_id_may_hold_a_slash_and_every_other_character(service: Service) -> None:
    for account_id in ("crm/12/explanation", "ä b", "a%2Fb", "'; DROP TABLE x"):
        answer = service.client.get(f"/v1/accounts/{quote(account_id, safe='')}/explanation")
        assert (answer.status_code, answer.json()) == (404, UNKNOWN)


def test_the_portfolio_is_paged_most_value_at_risk_first(service: Service) -> None:
    told = [entry.account_id for entry in service.context.ledger.latest()]
    seen: list[str] = []
    cursor = ""
    while True:
        page = service.client.get(f"/v1/accounts?limit=20{cursor}").json()
        assert page["as_of"] == AS_OF
        seen += [account["account_id"] for account in page["accounts"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == told


def test_an_account_of_the_portfolio_is_told_whole(service: Service) -> None:
    entry = service.context.ledger.latest()[0]
    (first,) = service.client.get("/v1/accounts?limit=1").json()["accounts"]
    assert first == {
        "as_of": AS_OF,
        "scored_at": JUDGED,
        "model_version": "1",
        "data_watermark": None,
        "score": json.loads(score_out(entry.score).model_dump_json()),
        "account_id": entry.account_id,
        "account_name": entry.facts.account_name,
        "segment": entry.facts.segment,
        "csm_owner_id": entry.facts.csm_owner_id,
        "annual_value": entry.facts.annual_value,
        "currency": "EUR",
        "value_at_risk": entry.value_at_risk,
        "decision_on": entry.facts.decision_on.isoformat() if entry.facts.decision_on else None,
        "campaigns_live": entry.facts.campaigns_live,
        "policy_index": None,
    }


def test_filters_take_what_they_say(service: Service) -> None:
    told = service.context.ledger.latest()
    band, phase = told[0].score.band, told[0].score.phase
    page = service.client.get(f"/v1/accounts?limit=100&band={band}&phase={phase}").json()
    assert [account["account_id"] for account in page["accounts"]] == [
        entry.account_id for entry in told if entry.score.band is band and entry.score.phase is phase
    ]
    assert service.client.get("/v1/accounts?segment=none-such").json()["accounts"] == []


def test_a_name_is_data_and_stays_as_it_is(service: Service) -> None:
    accounts = service.client.get("/v1/accounts?limit=100").json()["accounts"]
    assert NAME in {account["account_name"] for account in accounts}


def test_the_live_model_is_named(service: Service) -> None:
    answer = service.client.get("/v1/models").json()
    assert answer["champion"]["version"] == "1"
    assert answer["champion"]["features"] == len(service.scorer.bundle.features)
    assert len(answer["champion"]["feature_list_hash"]) == 64
    assert answer["champion"]["group_values"] == "lookup tables"
    assert answer["refused"] == []


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "body"),
    [
        ("GET", "/nothing/here", {}, 404, NOT_FOUND),
        ("GET", "/v1/accounts/", {}, 404, NOT_FOUND),
        ("GET", "/v1/accounts/nobody/history", {}, 404, UNKNOWN),
        ("GET", "/v1/accounts/nobody/explanation", {}, 404, UNKNOWN),
        (
            "POST",
            "/v1/score",
            {"content": b'{"account_ids": ["a"]}', "headers": {"content-type": "text/plain"}},
            415,
            NOT_JSON,
        ),
        ("POST", "/v1/score", {"content": b" " * ((1 << 20) + 1), "headers": JSON}, 413, TOO_LARGE),
        ("POST", "/v1/score", {}, 422, invalid(("body", "missing", "Field required"))),
        (
            "POST",
            "/v1/score",
            {"content": b"{", "headers": JSON},
            422,
            invalid(("body", "json_invalid", "This is not JSON.")),
        ),
        (
            "POST",
            "/v1/score",
            {"json": {"account_ids": ["a"], "password": "hunter2"}},
            422,
            invalid(("body", "extra_forbidden", "Extra inputs are not permitted")),
        ),
        (
            "POST",
            "/v1/score",
            {"json": {"account_ids": ["a", 5, "", "x" * 201]}},
            422,
            invalid(
                ("body.account_ids[1]", "string_type", "Input should be a valid string"),
                ("body.account_ids[2]", "string_too_short", "String should have at least 1 character"),
                ("body.account_ids[3]", "string_too_long", "String should have at most 200 characters"),
            ),
        ),
        (
            "POST",
            "/v1/score",
            {"json": {"account_ids": []}},
            422,
            invalid(("body.account_ids", "too_short", "List should have at least 1 item after validation, not 0")),
        ),
        (
            "POST",
            "/v1/score",
            {"json": {"account_ids": ["a"] * 10_001}},
            422,
            invalid(
                ("body.account_ids", "too_long", "List should have at most 10000 items after validation, not 10001")
            ),
        ),
        (
            "GET",
            "/v1/accounts?limit=101&band=blue",
            {},
            422,
            invalid(
                ("query.band", "enum", "Input should be 'green', 'amber', 'red', 'unknown' or 'lost_pending'"),
                ("query.limit", "less_than_equal", "Input should be less than or equal to 100"),
            ),
        ),
        (
            "GET",
            "/v1/accounts?cursor=mine",
            {},
            400,
            problem(
                400,
                "bad-request",
                "Bad Request",
                "This cursor cannot be used: expected the next_cursor of the page before, of the same order.",
            ),
        ),
        (
            "POST",
            "/v1/score",
            {"content": b"[" * 100_000, "headers": JSON},
            400,
            problem(400, "bad-request", "Bad Request", "The request cannot be understood."),
        ),
    ],
)
def test_every_refusal_has_one_format(
    service: Service, *, method: str, path: str, options: dict[str, Any], status: int, body: dict[str, Any]
) -> None:
    answer = service.client.ask(method, path, **options)
    assert (answer.status_code, answer.json()) == (status, body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "test-1"


def test_a_method_that_is_not_taken_is_refused_with_those_that_are(service: Service) -> None:
    answer = service.client.ask("PUT", "/v1/score")
    detail = "This address does not take that method; the Allow header lists what it takes."
    assert answer.json() == problem(405, "method-not-allowed", "Method Not Allowed", detail)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "content",
    [
        b"NaN",
        b'{"account_ids": [NaN]}',
        b'{"account_ids": [Infinity]}',
        b'{"account_ids": [1e999]}',
        b'{"account_ids": [-0.0]}',
        b'{"account_ids": ["a"], "limit": NaN}',
        b'{"account_ids": [' + b"9" * 400 + b"]}",
        b'{"account_ids": ["\\ud800"]}',
        b'{"account_ids": null}',
        b'["a"]',
        b'"a"',
        b"",
        b"\xff\xfe",
    ],
)
def test_what_is_no_list_of_ids_is_never_scored(service: Service, content: bytes) -> None:
    answer = service.client.post("/v1/score", content=content, headers=JSON)
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


def test_nothing_that_was_sent_comes_back_in_a_refusal(service: Service) -> None:
    secret = "-".join(("s3cret", "value"))
    answers = [
        service.client.post("/v1/score", json={"account_ids": [{secret: secret}], secret: secret}),
        service.client.post("/v1/score", content=f'{{"{secret}'.encode(), headers=JSON),
        service.client.get(f"/v1/accounts?band={secret}&cursor={secret}&limit={secret}"),
        service.client.get(f"/v1/accounts/{secret}/history"),
        service.client.get(f"/{secret}"),
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 404, 404]
    assert not [answer.text for answer in answers if secret in answer.text]
    assert secret not in json.dumps(service.events, default=str)


def test_without_a_live_model_nothing_is_scored_but_the_past_can_be_read(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    Scorer.open(home).score_cohort(newest(), now=now())
    service = Service(home, live=False)
    for answer in (
        service.client.post("/v1/score", json={"account_ids": ["a"]}),
        service.client.get("/v1/accounts/a/explanation"),
        service.client.get("/v1/models"),
    ):
        assert (answer.status_code, answer.json()) == (503, NOT_READY)
        assert answer.headers["retry-after"] == "5"
    assert len(service.client.get("/v1/accounts").json()["accounts"]) == 50
    assert service.client.get(f"/v1/accounts/{ids()[0]}/history").status_code == 200


def test_before_the_first_batch_the_portfolio_is_empty(tmp_path: Path) -> None:
    service = Service(Home(root=tmp_path), live=False)
    assert service.client.get("/v1/accounts").json() == {
        "as_of": None,
        "order": "value_at_risk",
        "policy": None,
        "accounts": [],
        "next_cursor": None,
    }


def test_a_service_that_stands_on_a_past_date_judges_by_it(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    late = Service(home, as_of=newest() + timedelta(days=9))
    result = late.client.post("/v1/score", json={"account_ids": ids()[:1]}).json()["results"][0]
    assert (result["status"], result["score"]) == ("stale", None)
    assert result["freshness"] == {**FRESH, "age_days": 9.0, "stale": True}
    in_time = Service(home, as_of=newest() + timedelta(days=8))
    assert in_time.client.post("/v1/score", json={"account_ids": ids()[:1]}).json()["results"][0]["status"] == "ok"


def test_what_is_served_is_in_the_ledger_once(tmp_path: Path) -> None:
    service = Service(stored_home(tmp_path))
    for _ in range(2):
        service.client.post("/v1/score", json={"account_ids": [*ids()[:3], "nobody", *ids("onboarding")]})
        service.client.get(f"/v1/accounts/{ids()[0]}/explanation")
    told = service.context.ledger.latest()
    assert sorted(entry.account_id for entry in told) == ids()[:3]
    assert {entry.channel for entry in told} == {Channel.API}


def test_scores_go_on_when_the_ledger_cannot_be_written_and_say_so(tmp_path: Path) -> None:
    service = Service(stored_home(tmp_path))
    service.client.get(
        "/metrics"
    )  # that no key was ever made is known; a store that was never read keeps the door shut
    state = service.home.state
    for path in tmp_path.glob("state.db*"):
        path.unlink()
    state.mkdir()
    answer = service.client.post("/v1/score", json={"account_ids": ids()[:1]}).json()
    assert (answer["recorded"], answer["results"][0]["status"]) == (False, "ok")
    assert [facts["title"] for event, facts in service.events if event == "ledger not written"] == [
        "the score ledger does not answer"
    ]


class Broken:
    """A live model whose feature store is found damaged in the middle of an answer."""

    def __init__(self, scorer: Scorer) -> None:
        self.bundle = scorer.bundle

    def score_accounts(self, *asked: Any, **how: Any) -> Any:
        raise IntegrityError("the online store is damaged", expected="a", found="acc-0001", todo="look at /home/x")


def test_a_failure_of_ours_is_answered_without_its_facts_and_told_to_the_log(tmp_path: Path) -> None:
    service = Service(stored_home(tmp_path))
    _make_live(service.context, Broken(service.scorer))
    answer = service.client.post("/v1/score", json={"account_ids": ["a"]})
    assert (answer.status_code, answer.json()) == (
        503,
        problem(503, "not-ready", "Service Unavailable", "The online store is damaged."),
    )
    assert ("failure", "look at /home/x") in [(event, facts.get("todo")) for event, facts in service.events]


def test_a_defect_is_answered_without_a_trace(tmp_path: Path) -> None:
    service = Service(stored_home(tmp_path))
    _make_live(service.context, object())
    answer = service.client.post("/v1/score", json={"account_ids": ["a"]})
    detail = "The service met a defect of its own. Its log holds this request id."
    assert (answer.status_code, answer.json()) == (500, problem(500, "defect", "Internal Server Error", detail))
    told = [facts for event, facts in service.events if event == "defect"]
    assert [(facts["kind"], facts["request_id"]) for facts in told] == [("AttributeError", "test-1")]


def _make_live(context: ServiceContext, scorer: Any) -> None:
    context.live._scorer = scorer


def test_metrics_tell_requests_by_route_accounts_by_outcome_and_readiness(tmp_path: Path) -> None:
    service = Service(stored_home(tmp_path), live=False)
    assert "campaign_pulse_ready 0.0" in service.client.get("/metrics").text
    service.context.live.refresh()
    service.client.post("/v1/score", json={"account_ids": [*ids()[:2], "nobody"]})
    service.client.get(f"/v1/accounts/{ids()[0]}/history")
    text = service.client.get("/metrics").text
    for line in (
        "campaign_pulse_ready 1.0",
        'campaign_pulse_accounts_total{status="ok"} 2.0',
        'campaign_pulse_accounts_total{status="not_found"} 1.0',
        'campaign_pulse_requests_total{method="POST",route="/v1/score",status="200"} 1.0',
        'campaign_pulse_requests_total{method="GET",route="/v1/accounts/{account_id}/history",status="200"} 1.0',
    ):
        assert line in text.splitlines()
    assert ids()[0] not in text


def test_no_line_of_log_names_an_account(service: Service) -> None:
    service.client.get(f"/v1/accounts/{ids()[5]}/explanation")
    service.client.post("/v1/score", json={"account_ids": ids()[5:8]})
    assert "acc-" not in json.dumps(service.events, default=str)


def test_many_questions_at_once_are_all_answered_right(service: Service) -> None:
    told = {entry.account_id: entry.score.health for entry in service.context.ledger.latest()}
    asked = [list(told)[number % 20 : number % 20 + 5] for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda some: service.client.post("/v1/score", json={"account_ids": some}), asked))
    for some, answer in zip(asked, answers, strict=True):
        assert answer.status_code == 200
        assert [result["score"]["health"] for result in answer.json()["results"]] == [told[one] for one in some]
