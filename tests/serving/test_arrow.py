"""Scores as an Arrow stream: the same questions, the same refusals, the same values as in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.vocabulary import HORIZONS_DAYS, Subcategory, parse_moment
from serving.batch.contract import SCORE_SCHEMA
from serving.request_log import silent_tell
from serving.score_table import MEDIA_TYPE, SCHEMA, facts_of, ids_in, stream_of, stream_of_ids
from tests.serving.http_case import Client, service_of
from tests.serving.service_case import ids, now, stored_home

ARROW = {"accept": MEDIA_TYPE}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    app, context = service_of(stored_home(tmp_path_factory.mktemp("arrow")), clock=now, tell=silent_tell)
    context.live.refresh()
    yield Client(app)
    context.close()


def asked() -> list[str]:
    """Accounts of every kind, one of them twice."""
    return [*ids()[:40], "nobody", *ids("onboarding")[:1], ids()[3]]


def in_arrow(answer: httpx.Response) -> pa.Table:
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE)
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.schema.equals(SCHEMA)
    return table


def as_arrow(client: Client, content: bytes, **headers: str) -> httpx.Response:
    return client.post("/v1/score", content=content, headers={"content-type": MEDIA_TYPE, **headers})


def expected_row(result: dict[str, Any]) -> dict[str, Any]:
    """A result of the JSON answer under the names of the table, written out by hand."""
    score, fresh = result["score"], result["freshness"] or {}
    moments = {name: result[name] and parse_moment(result[name]) for name in ("as_of", "data_watermark")}
    row = dict.fromkeys(SCHEMA.names)
    row |= {"account_id": result["account_id"], "status": result["status"], "model_version": result["model_version"]}
    row |= moments | fresh
    if score:
        row |= {name: score[name] for name in ("health", "band", "grade", "phase", "base_points")}
        row |= {name: score[name] for name in ("clip_adjust", "shrink_adjust")}
        row |= {f"risk_{days}": score["risk"][f"days_{days}"] for days in HORIZONS_DAYS}
        row |= {f"interval_{name}": score["risk_range"][name] for name in ("days", "p0", "p1", "low", "high")}
        row |= {f"points_{part}": score["points"][part] for part in Subcategory}
    return row


def test_an_arrow_answer_has_the_values_of_the_json_answer_bit_for_bit(client: Client) -> None:
    plain = client.post("/v1/score", json={"account_ids": asked()}).json()
    table = in_arrow(client.post("/v1/score", json={"account_ids": asked()}, headers=ARROW))
    assert table.to_pylist() == [expected_row(result) for result in plain["results"]]
    assert facts_of(table) == {name: value for name, value in plain.items() if name != "results"}


def test_a_question_in_arrow_is_the_same_question(client: Client) -> None:
    plain = client.post("/v1/score", json={"account_ids": asked()})
    told = as_arrow(client, stream_of_ids(asked()))
    assert (told.status_code, told.headers["content-type"]) == (200, "application/json")
    assert told.json() == plain.json()
    assert in_arrow(as_arrow(client, stream_of_ids(asked()), **ARROW)).column("account_id").to_pylist() == asked()


def test_a_score_has_the_columns_that_a_file_of_scores_has() -> None:
    shared = [column for column in SCHEMA if column.name in SCORE_SCHEMA.names]
    assert [column.name for column in shared] == SCORE_SCHEMA.names
    assert all(column.type == SCORE_SCHEMA.field(column.name).type for column in shared)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        (f"application/json;q=0.5, {MEDIA_TYPE}", MEDIA_TYPE),
        (f"{MEDIA_TYPE};q=0.8", MEDIA_TYPE),
        (f"{MEDIA_TYPE};q=0, application/json", "application/json"),
        (f"{MEDIA_TYPE}; q=0.0", "application/json"),
    ],
)
def test_the_client_says_what_it_takes(client: Client, accept: str, kind: str) -> None:
    answer = client.post("/v1/score", json={"account_ids": ids()[:1]}, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)


def _stream(**columns: Any) -> bytes:
    return stream_of(pa.table(columns))


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "arrow_invalid"),
        (b"ARROW1 or so", "arrow_invalid"),
        (stream_of_ids(["a"])[:-60], "arrow_invalid"),
        (_stream(account=["a"]), "arrow_invalid"),
        (_stream(account_id=["a"], other=[1]), "arrow_invalid"),
        (_stream(account_id=[1]), "arrow_invalid"),
        (stream_of_ids([]), "too_short"),
        (stream_of_ids([""]), "string_too_short"),
        (stream_of_ids(["x" * 201]), "string_too_long"),
        (stream_of(pa.table({"account_id": pa.array(["a", None])})), "string_type"),
        (stream_of_ids(["a"] * 10_001), "too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_may_not_be_asked_in_json_may_not_be_asked_in_arrow(client: Client, content: bytes, rule: str) -> None:
    told = as_arrow(client, content, **ARROW)
    assert told.headers["content-type"] == "application/problem+json"
    assert told.status_code == 422
    assert [error["rule"] for error in told.json()["errors"]] == [rule]


def test_other_addresses_take_no_arrow(client: Client) -> None:
    told = client.post("/v1/whatif", content=stream_of_ids(["a"]), headers={"content-type": MEDIA_TYPE})
    assert told.status_code == 415


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_a_damaged_stream_is_refused_or_read_and_ends_nothing(place: int, damage: bytes) -> None:
    whole = stream_of_ids(["acc-1", "acc-2", "Søn \U0001f600"])
    cut = place % len(whole)
    spoilt = whole[:cut] + damage + whole[cut + len(damage) :]
    try:
        found = ids_in(spoilt)
    except (ValueError, UnicodeDecodeError):
        return
    assert len(found) <= 10_001
