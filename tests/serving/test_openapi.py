"""Is the OpenAPI document true? Every operation is asked with made-up input, and every answer is held against it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.engine import Status, events, from_schema

from serving import schemas
from serving.access import door as door_module
from serving.access.rules import AccessScope
from serving.access.settings import AccessSettings, LimitSettings
from serving.access.teams import Teams
from serving.api.cursors import cursor_of
from serving.event_bodies import EventRow, EventsResponse
from serving.guard import Guard
from serving.ledger import Selection
from serving.model_bodies import PromoteRequest, RollbackRequest
from serving.problem_bodies import ProblemOut
from serving.request_log import silent_tell
from serving.score_table import MEDIA_TYPE as ARROW
from serving.score_table import stream_of_ids
from serving.scorer import Scorer
from serving.whatif_bodies import WhatIfRequest
from tests.faults.reporter import tries
from tests.serving.http_case import Client, service_of
from tests.serving.service_case import as_ofs, now, stored_home

EXAMPLES = tries(10, 30)
EXAMPLES_OF_A_ROLE = 4
# Whether a row fits its table and names a known account cannot be said in a schema either: what does not, is refused.
ROWS = {
    "include-name": "POST /v1/events/{table}",
    "generation": {"max-examples": 10},  # each is judged as an ingest judges
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "422"]}},
}
# Nor can it be said that an order by weights needs weights in force: without them it is refused.
ORDERS = {
    "include-name": "GET /v1/accounts",
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400"]}},
}
# That one date must not lie before another cannot be said in a schema, so such a pair is rightly refused.
TWO_DATES = {
    "include-name": "GET /v1/accounts/{account_id}/change",
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "422"]}},
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    home = stored_home(tmp_path_factory.mktemp("openapi"))
    scorer = Scorer.open(home)
    for as_of in as_ofs():
        scorer.score_cohort(as_of, now=now())
    shutil.rmtree(home.bundles / "2")  # a version that could be promoted would take a process of seconds each time
    hosts = ("testserver", "127.0.0.1")  # schemathesis calls an app in this process by the first name
    unlimited = AccessSettings(limits=LimitSettings(per_key=1_000_000))  # made-up input comes without end
    guarded, context = service_of(home, clock=now, tell=silent_tell, hosts=hosts, access=unlimited)
    context.live.refresh()
    start = context.ledger.beginning()
    assert start is not None
    _, after = context.ledger.page(start, Selection(), limit=3)
    assert after is not None
    # What a cursor looks like is nobody's business but ours; a made-up one is rightly refused.
    account_ids = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200), min_size=1)
    schemathesis.openapi.media_type(ARROW, account_ids.map(stream_of_ids))
    schemathesis.openapi.format("cursor", st.just(cursor_of(after)))
    yield guarded
    context.close()


@pytest.fixture(scope="module")
def key(app: Guard) -> str:
    """A key with every scope: from here on the service answers nobody without one."""
    return app._door.store.create("schemathesis", tuple(AccessScope), who="user ada", at=now())[1]


def test_every_answer_to_made_up_input_is_as_described(app: Guard, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    generation = {"max-examples": EXAMPLES, "deterministic": True, "database": "none"}
    config = schemathesis.Config.from_dict(
        {"seed": 7, "generation": generation, "headers": headers, "operations": [TWO_DATES, ROWS, ORDERS]}
    )
    described = schemathesis.openapi.from_asgi("/v1/openapi.json", app, config=config, headers=headers)
    answers, troubles = 0, []
    for event in from_schema(described).execute():
        if isinstance(event, events.ScenarioFinished):
            checks = [check for several in event.recorder.checks.values() for check in several]
            answers += len(event.recorder.cases)
            troubles += [
                f"{event.label}: {check.name}: {check.failure_info.failure.title} {check.failure_info.code_sample}"
                for check in checks
                if check.status is not Status.SUCCESS and check.failure_info
            ]
        elif isinstance(event, events.NonFatalError | events.FatalError):
            troubles.append(str(event))
    assert troubles == []
    # Every phase ran: examples, edges of the schema, fuzzing, and calls that follow from answers.
    assert answers > 5 * EXAMPLES


ROLES: dict[str, tuple[tuple[AccessScope, ...], Teams]] = {
    "reads scores": ((AccessScope.SCORE_READ,), Teams()),
    "reads reasons": ((AccessScope.EXPLAIN_READ,), Teams()),
    "sends events": ((AccessScope.EVENTS_WRITE,), Teams()),
    "reads the accounts of a team": ((AccessScope.SCORE_READ, AccessScope.EXPLAIN_READ), Teams.of(["owner:csm1"])),
}


@pytest.mark.parametrize("role", ROLES)
def test_every_answer_to_whoever_may_do_less_is_as_described(
    app: Guard, key: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "FRESH_SECONDS", 0.0)
    scopes, teams = ROLES[role]
    _, token = app._door.store.create(role, scopes, who="user ada", at=now(), teams=teams)
    told = {"Authorization": f"Bearer {token}"}
    generation = {"max-examples": EXAMPLES_OF_A_ROLE, "deterministic": True, "database": "none"}
    # Whether good input is taken is not asked: most of it is not his to send.
    checks = {"positive_data_acceptance": {"enabled": False}}
    phases = {"stateful": {"enabled": False}, "coverage": {"enabled": False}}
    config = schemathesis.Config.from_dict(
        {"seed": 7, "generation": generation, "headers": told, "checks": checks, "phases": phases}
    )
    described = schemathesis.openapi.from_asgi("/v1/openapi.json", app, config=config, headers=told)
    found = [event for event in from_schema(described).execute() if isinstance(event, events.ScenarioFinished)]
    statuses = {
        (event.label, check.name): check.status
        for event in found
        for checks_of in event.recorder.checks.values()
        for check in checks_of
        if check.status is not Status.SUCCESS
    }
    assert statuses == {}
    assert sum(len(event.recorder.cases) for event in found) > 10 * EXAMPLES_OF_A_ROLE


def test_the_document_names_every_operation_and_every_refusal(app: Guard, key: str) -> None:
    document = Client(app).get("/v1/openapi.json", headers={"authorization": f"Bearer {key}"}).json()
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert sorted(operations) == [
        "GET /v1/accounts",
        "GET /v1/accounts/{account_id}/change",
        "GET /v1/accounts/{account_id}/explanation",
        "GET /v1/accounts/{account_id}/history",
        "GET /v1/levers",
        "GET /v1/models",
        "GET /v1/sources/status",
        "POST /v1/events/{table}",
        "POST /v1/models/promote",
        "POST /v1/models/rollback",
        "POST /v1/score",
        "POST /v1/whatif",
    ]
    for operation in operations.values():
        refusals = {status for status in operation["responses"] if status >= "400"}
        assert {"400", "401", "403", "408", "413", "415", "429", "500", "503", "504", "507"} <= refusals
        for status in refusals:
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_examples_of_the_document_are_bodies_it_allows() -> None:
    told = (schemas.ScoreRequest, schemas.ScoreResponse, schemas.ScoreOut, ProblemOut)
    for model in (*told, WhatIfRequest, PromoteRequest, RollbackRequest, EventRow, EventsResponse):
        extra: Any = model.model_config["json_schema_extra"]
        for example in extra["examples"]:
            model.model_validate_json(json.dumps(example))
