"""The Python client against a real service on a real port; and what it makes of one that is busy, gone or cross."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import uvicorn

from features.errors import ConfigError, PulseError, ServiceUnavailable, UnknownAccount, UsageError
from features.settings import Home
from features.vocabulary import Band
from serving import client as client_module
from serving.access.rules import AccessScope
from serving.access.store import KeyStore
from serving.client import PulseClient
from serving.event_bodies import EventsResponse
from serving.request_log import silent_tell
from serving.scorer import Scorer
from tests.serving.http_case import service_of
from tests.serving.service_case import as_ofs, ids, newest, now, stored_home

DOCS = Path(client_module.__file__).parents[1] / "docs" / "api.md"


@contextmanager
def running(home: Home) -> Iterator[str]:
    """The address of a service over a home, guard and all, on a port of this machine."""
    app, context = service_of(home, clock=now, tell=silent_tell)
    context.live.refresh()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, http="h11", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
            context.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = stored_home(tmp_path_factory.mktemp("client"))
    scorer = Scorer.open(home)
    for as_of in as_ofs()[-2:]:
        scorer.score_cohort(as_of, now=now())
    return home


@pytest.fixture(scope="module")
def address(home: Home) -> Iterator[str]:
    with running(home) as found:
        yield found


@pytest.fixture
def pulse(address: str) -> Iterator[PulseClient]:
    with PulseClient(address) as client:
        yield client


def test_the_example_of_the_page_runs_as_it_stands(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(from serving\.client.*?)```", DOCS.read_text(), re.DOTALL)
    assert "http://127.0.0.1:3000" in example
    exec(compile(example.replace("http://127.0.0.1:3000", address), str(DOCS), "exec"), {})  # noqa: S102  our own page
    told = capsys.readouterr().out
    with PulseClient(address) as pulse:
        worst = next(pulse.accounts())
    assert f"{worst.account_id}: health {worst.score.health:.0f}" in told
    assert "health" in told.splitlines()[1]
    assert any(line.startswith("- ") and line.endswith(" points.") for line in told.splitlines())


def test_scores_are_those_of_the_scorer(home: Home, pulse: PulseClient) -> None:
    asked = [*ids()[:5], "nobody"]
    told = pulse.score(asked)
    batch = {one.account_id: one.score for one in Scorer.open(home).assess_cohort(newest())}
    assert [one.account_id for one in told.results] == asked
    for one in told.results[:5]:
        assert one.score is not None
        assert one.score.health == batch[one.account_id].health
        assert one.score.points.campaign == list(batch[one.account_id].points.values())[1]
    assert (str(told.results[5].status), told.results[5].score) == ("not_found", None)


def test_a_frame_has_the_same_numbers_in_as_many_calls_as_it_takes(
    pulse: PulseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [*ids()[:40], "nobody"]
    whole = pulse.frame(asked)
    monkeypatch.setattr(client_module, "MOST_ACCOUNTS", 7)
    pd.testing.assert_frame_equal(pulse.frame(asked), whole, check_exact=True)
    told = pulse.score(asked)
    assert whole["account_id"].tolist() == asked
    health = [one.score.health if one.score else None for one in told.results]
    assert whole["health"].astype(object).where(whole["health"].notna(), None).tolist() == health
    assert str(whole["as_of"].dtype) == "datetime64[us, UTC]"
    assert len(pulse.frame([])) == 0
    assert list(pulse.frame([]).columns) == list(whole.columns)


def test_the_portfolio_comes_whole_page_after_page(pulse: PulseClient, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [one.account_id for one in pulse.accounts()]
    monkeypatch.setattr(client_module, "_PAGE", 13)
    assert [one.account_id for one in pulse.accounts()] == whole
    assert sorted(whole) == sorted(ids("at_risk") + ids("lost_pending"))
    amber = list(pulse.accounts(band=Band.AMBER))
    assert {one.score.band for one in amber} <= {Band.AMBER}
    assert 0 < len(amber) < len(whole)
    values = [one.value_at_risk for one in pulse.accounts()]
    assert values == sorted(values, reverse=True)


def test_every_other_question_is_answered_in_its_own_shape(pulse: PulseClient) -> None:
    account = ids()[0]
    why = pulse.explanation(account)
    assert why.explanation is not None
    assert len(why.explanation.subcategories) == 7
    assert [one.as_of for one in pulse.history(account).scores] == as_ofs()[-2:]
    assert len(pulse.history(account, limit=1).scores) == 1
    moved = pulse.change(account, as_ofs()[-2].date(), newest().date())
    assert abs(sum(part.points for part in moved.parts) - moved.difference) < 1e-6
    assert pulse.what_if(account, [{"lever": "settle_overdue_invoices"}]).account_id == account
    assert pulse.models().champion.version == "1"


def test_an_id_with_anything_in_it_is_asked_for_as_it_is(pulse: PulseClient) -> None:
    odd = 'a/b?c#d%20 "é\u202e'
    assert pulse.score([odd]).results[0].account_id == odd
    with pytest.raises(UnknownAccount):
        pulse.history(odd)


def test_what_the_service_refuses_is_told_with_place_and_request_id(pulse: PulseClient) -> None:
    with pytest.raises(UsageError) as refused:
        pulse.score([])
    assert refused.value.title == "the service answers 422 Unprocessable Entity"
    assert refused.value.found.startswith("body.account_ids: List should have at least 1 item")
    assert re.search(r"request [0-9a-f]{32} in the service's log", refused.value.todo)
    with pytest.raises(UnknownAccount):
        pulse.explanation("nobody")
    with pytest.raises(ConfigError):
        pulse.send_events("tickets_history", [{"ticket_id": "t-1"}])  # needs a key in any case


def test_a_key_opens_what_it_may_and_its_lack_is_told(tmp_path: Path) -> None:
    home = stored_home(tmp_path / "home")
    _, token = KeyStore(home).create("app", [AccessScope.SCORE_READ], who="user ada", at=now())
    with running(home) as address:
        with PulseClient(address) as nobody, pytest.raises(ConfigError, match="401"):
            nobody.score(ids()[:1])
        with PulseClient(address, key=token) as pulse:
            assert pulse.score(ids()[:1]).results[0].score is not None
            with pytest.raises(ConfigError, match="403"):
                pulse.explanation(ids()[0])


class Service:
    """Answers of a service that is not there: what it says next, and what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **options: Any) -> PulseClient:
        return PulseClient(transport=httpx.MockTransport(self), sleep=self.waits.append, **options)


def busy(status: int = 429, **headers: str) -> httpx.Response:
    problem = {"title": "Busy", "detail": "Try again.", "request_id": "r-1"}
    kind = {"content-type": "application/problem+json"}
    return httpx.Response(status, headers={**headers, **kind}, content=json.dumps(problem))


def good(**more: Any) -> httpx.Response:
    told = {"model_version": "1", "canary_version": None, "judged_at": "2024-07-03T09:30:00Z", "recorded": True}
    return httpx.Response(200, json={**told, "results": [], **more})


def test_a_busy_service_is_asked_again_when_it_says() -> None:
    service = Service(busy(**{"retry-after": "2"}), busy(503, **{"retry-after": "5"}), good())
    assert service.client().score(["a"]).model_version == "1"
    assert service.waits == [2.0, 5.0]
    assert {request.content for request in service.asked} == {b'{"account_ids":["a"]}'}


def test_a_call_without_an_answer_is_made_again_and_events_keep_their_key() -> None:
    told: Any = EventsResponse.model_config["json_schema_extra"]
    last = httpx.Response(200, json=told["examples"][0])
    service = Service(httpx.ReadError("gone"), httpx.ConnectError("gone"), last)
    assert service.client().send_events("tickets_history", [{"a": 1}]).accepted == 1
    assert service.waits == [0.25, 0.5]
    keys = {request.headers["idempotency-key"] for request in service.asked}
    assert (len(service.asked), len(keys)) == (3, 1)


@pytest.mark.parametrize("answers", [[busy() for _ in range(40)], [httpx.ConnectError("no") for _ in range(40)]])
def test_patience_ends(answers: list[Any]) -> None:
    service = Service(*answers)
    with pytest.raises(ServiceUnavailable):
        service.client(patience=timedelta(seconds=12)).score(["a"])
    assert 7 <= sum(service.waits) <= 12
    with pytest.raises(ServiceUnavailable):
        Service(busy(**{"retry-after": "3600"})).client().score(["a"])


@pytest.mark.parametrize("status", [400, 404, 413, 422, 500, 504])
def test_what_would_be_refused_again_is_not_asked_again(status: int) -> None:
    service = Service(busy(status))
    with pytest.raises(PulseError) as refused:
        service.client().score(["a"])
    assert (len(service.asked), service.waits) == (1, [])
    assert (refused.value.expected, "r-1" in refused.value.todo) == ("Try again.", True)


def test_a_newer_service_may_say_more() -> None:
    assert Service(good(invented_later=[1, 2])).client().score(["a"]).recorded
    page = httpx.Response(502, text="<html>proxy</html>")
    with pytest.raises(ServiceUnavailable, match="502"):
        Service(page).client().score(["a"])
