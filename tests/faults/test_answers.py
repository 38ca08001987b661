"""Rows 25, 27, 29 and 45: is every answer about what was asked, whatever is asked among it?"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.api.answers import score_out
from serving.request_log import silent_tell
from tests.faults.reporter import report, tries
from tests.serving.event_case import ARRIVAL, event_home, service, stored, ticket
from tests.serving.http_case import Client, service_of
from tests.serving.service_case import ids, newest, now, stored_home

QUICK, FULL = 200, 10_000


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, dict[str, Any]]]:
    """A service, and the score of each of its accounts as the batch tells it."""
    app, context = service_of(stored_home(tmp_path_factory.mktemp("answers")), clock=now, tell=silent_tell)
    context.live.refresh()
    told = context.live.require().assess_cohort(newest())
    yield Client(app), {one.account_id: json.loads(score_out(one.score).model_dump_json()) for one in told}
    context.close()


def made_up(draw: random.Random) -> str:
    """An id that nobody has: near to one of ours, or nothing like it."""
    letters = "abcxyz019-_./% ?#'\"\u00e9\u202e\U0001f600"
    near = draw.choice(ids())
    return draw.choice(
        [near + draw.choice(letters), near[:-1], near.upper(), f" {near}", "".join(draw.choices(letters, k=12))]
    )


def test_row_25_no_score_is_invented_for_an_account_that_nobody_knows(known: tuple[Client, dict[str, Any]]) -> None:
    client, _ = known
    draw, wanted = random.Random(25), tries(QUICK, 1_000)  # noqa: S311  made-up ids, no secret
    strangers = [name for name in (made_up(draw) for _ in range(wanted)) if name not in {*ids(), *ids("onboarding")}]
    answer = client.post("/v1/score", json={"account_ids": strangers}).json()["results"]
    invented = sum((one["status"], one["score"], one["as_of"]) != ("not_found", None, None) for one in answer)
    single = strangers[:: max(1, len(strangers) // 20)]
    for name in single:
        # Every byte that is not plain goes percent-encoded, as a client library sends it.
        path = "".join(f"%{byte:02x}" for byte in name.encode())
        refused = client.get(f"/v1/accounts/{path}/explanation")
        invented += (refused.status_code, refused.json().get("detail", "")[:22]) != (404, "No account has this id")
    assert len(answer) == len(strangers)
    report(25, invented, len(strangers) + len(single), "invented scores")


def test_row_45_a_batch_has_one_result_per_id_in_order(known: tuple[Client, dict[str, Any]]) -> None:
    client, scores = known
    draw, wanted = random.Random(45), tries(2_000, FULL)  # noqa: S311  a mixture, no secret
    pool = [*ids(), *ids("onboarding"), "nobody", "acc-", "\u202e", ids()[0]]
    asked = draw.choices(pool, k=wanted)
    results = client.post("/v1/score", json={"account_ids": asked}).json()["results"]
    expected = {name: ("ok", scores[name]) for name in ids()} | dict.fromkeys(
        ids("onboarding"), ("insufficient_data", None)
    )
    wrong = sum(
        (one["account_id"], one["status"], one["score"]) != (name, *expected.get(name, ("not_found", None)))
        for name, one in zip(asked, results, strict=True)
    )
    assert {one["status"] for one in results} == {"ok", "insufficient_data", "not_found"}
    report(45, wrong, len(asked), "ids of a mixed batch answered wrong or out of order")


EDGES = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", '"inf"', '"NaN"', "-0.0", "9" * 400, "9" * 5_000, "[]")
"""Literals that are no finite number, or that many a parser takes for one."""


def test_row_29_nothing_that_is_no_number_gets_past_the_edge(known: tuple[Client, dict[str, Any]]) -> None:
    client, _ = known
    account = json.dumps(ids()[0])
    lever = '{{"account_id": {account}, "levers": [{{"lever": "train_more_features", "amount": {edge}}}]}}'
    bodies = [("/v1/score", f'{{"account_ids": [{edge}]}}') for edge in EDGES if not edge.startswith('"')]
    bodies += [("/v1/whatif", lever.format(account=account, edge=edge)) for edge in EDGES]
    wrong = []
    for path, body in bodies:
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
        # A number that is too long to be read is bad JSON; everything else breaks a rule of the operation.
        if answer.status_code not in {400, 422} or answer.headers["content-type"] != "application/problem+json":
            wrong.append((path, body[:80], answer.status_code))
    assert wrong == []
    report(29, len(wrong), len(bodies), "let past")


POISON: tuple[dict[str, Any], ...] = (
    {"first_reply_s": "NaN"},
    {"first_reply_s": "inf"},
    {"first_reply_s": 2**63},
    {"first_reply_s": 1e308},
    {"tags": "x" * 66_000},
    {"tags": "nul\u0000"},
    {"tags": "half \ud83d"},
    {"created_at": "9999-12-31T00:00:00Z"},
    {"valid_from": "9999-12-31T00:00:00Z"},
    {"priority": "\u202etnegru"},
    {"status": "\U0001f600"},
    {"account_id": "\u202ea1"},
)


def test_row_27_poison_among_good_rows_is_set_aside_and_every_good_row_goes_on(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        ticket("a1", number, tags="\U0001f600 \u202e ok") for number in range(tries(300, 900))
    ]
    places = {17 + 23 * number: cells for number, cells in enumerate(POISON)}
    sent = [{**row, **places.get(number, {})} for number, row in enumerate(rows)]
    with service(event_home(tmp_path / "home")) as running:
        answer = running.send(sent).json()
        running.store()
        found = {row["ticket_id"] for row in stored(running.home)}
        set_aside = [
            line
            for path in running.home.quarantine.glob("*/*.jsonl")
            for line in path.read_text().rstrip("\n").split("\n")
        ]
    told = {row["row"]: row["status"] for row in answer["rows"]}
    wrong = sum(told[number] != ("quarantined" if number in places else "accepted") for number in range(len(sent)))
    wrong += found != {row["ticket_id"] for number, row in enumerate(rows) if number not in places}
    wrong += len(set_aside) != len(POISON)
    assert answer["arrived_at"] == ARRIVAL.isoformat().replace("+00:00", "Z")
    report(27, wrong, len(sent), f"rows judged wrong, {len(POISON)} of them poison")
