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
from serving.access.rules import AccessScope
from serving.api.cursors import cursor_of
from serving.guard import Guard
from serving.ledger import Selection
from serving.model_bodies import PromoteRequest, RollbackRequest
from serving.problem_bodies import ProblemOut
from serving.request_log import silent_tell
from serving.scorer import Scorer
from serving.whatif_bodies import WhatIfRequest
from tests.serving.http_case import Client, service_of
from tests.serving.service_case import as_ofs, now, stored_home

EXAMPLES = 30
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
    guarded, context = service_of(home, clock=now, tell=silent_tell, hosts=hosts)
    context.live.refresh()
    start = context.ledger.beginning()
    assert start is not None
    _, after = context.ledger.page(start, Selection(), limit=3)
    assert after is not None
    # What a cursor looks like is nobody's business but ours; a made-up one is rightly refused.
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
        {"seed": 7, "generation": generation, "headers": headers, "operations": [TWO_DATES]}
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
        "POST /v1/models/promote",
        "POST /v1/models/rollback",
        "POST /v1/score",
        "POST /v1/whatif",
    ]
    for operation in operations.values():
        refusals = {status for status in operation["responses"] if status >= "400"}
        assert {"400", "401", "403", "408", "413", "415", "429", "500", "503", "504"} <= refusals
        for status in refusals:
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_examples_of_the_document_are_bodies_it_allows() -> None:
    told = (schemas.ScoreRequest, schemas.ScoreResponse, schemas.ScoreOut, ProblemOut)
    for model in (*told, WhatIfRequest, PromoteRequest, RollbackRequest):
        extra: Any = model.model_config["json_schema_extra"]
        for example in extra["examples"]:
            model.model_validate_json(json.dumps(example))
