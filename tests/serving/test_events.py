"""Is what an application sends durable when it is told so, judged like an ingest, and in the next score?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.events import TABLES
from features.journal import Backlog, columns_to_send, open_tables
from features.settings import Home
from features.store import FeatureStore
from serving.event_bodies import MOST_ROWS
from tests.serving.event_case import ARRIVAL, MONDAY, Service, event_home, service, stored, ticket, waiting_rows
from tests.walk_case import pulse

LATER = timedelta(minutes=5)


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Service]:
    with service(event_home(tmp_path / "home")) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """For calls that change nothing."""
    with service(event_home(tmp_path_factory.mktemp("shared") / "home")) as running:
        yield running


def outcomes(answer: Any) -> list[tuple[str, str | None, str | None]]:
    assert answer.status_code == 200, answer.text
    return [(row["status"], row["column"], row["rule"]) for row in answer.json()["rows"]]


def test_a_ticket_is_in_the_next_score_and_until_then_the_score_says_that_it_waits(sender: Service) -> None:
    before = sender.score("a1")
    assert before["freshness"]["waiting_since"] is None
    answer = sender.send([ticket("a1"), ticket("a1", 2)])
    body = answer.json()
    assert body == {
        "load_id": body["load_id"],
        "table": "tickets_history",
        "arrived_at": "2023-11-08T14:03:00Z",
        "accepted": 2,
        "known": 0,
        "quarantined": 0,
        "rows": [
            {"row": place, "status": "accepted", "column": None, "rule": None, "reason": None} for place in range(2)
        ],
    }
    waiting = sender.score("a1")
    assert waiting == {**before, "freshness": {**before["freshness"], "waiting_since": body["arrived_at"]}}
    assert sender.score("a2")["freshness"]["waiting_since"] is None
    sender.hands.now += LATER
    sender.work_off()
    after = sender.score("a1")
    assert (after["as_of"], after["data_watermark"]) == ("2023-11-08T14:08:00Z", "2023-11-08T14:03:00Z")
    assert after["freshness"] == {"age_days": 0, "stale_after_days": 8, "stale": False, "waiting_since": None}
    names = ["tickets_per_100_seats_w13"]
    told = FeatureStore(sender.home).online(["a1", "a2"])
    assert told[names[0]][0] > 0
    assert told["as_of"].tolist() == [ARRIVAL + LATER, MONDAY]
    assert sender.context.events.journal.backlog() == Backlog()


def test_a_row_is_known_from_its_arrival_and_from_no_other_moment(sender: Service) -> None:
    # The law of time: whatever a sender says, nothing counts before it was here.
    recorded = (ARRIVAL - timedelta(seconds=30)).isoformat()
    assert outcomes(sender.send([ticket("a1", recorded_at=recorded)])) == [("accepted", None, None)]
    sender.hands.now += LATER
    sender.store()
    (row,) = stored(sender.home)
    assert (row["available_at"], row["ingested_at"]) == (ARRIVAL, ARRIVAL)
    assert row["recorded_at"] == ARRIVAL - timedelta(seconds=30)
    refused = sender.send([ticket("a1", 2), ticket("a1", 3, available_at=recorded)])
    assert (refused.status_code, refused.json()["errors"]) == (
        422,
        [
            {
                "field": "body[1].available_at",
                "rule": "not_to_be_sent",
                "message": "From when a row is known is the moment of its arrival: leave this column out.",
            }
        ],
    )


def test_a_stored_row_is_the_one_that_a_live_ingest_of_the_same_file_stores(sender: Service, tmp_path: Path) -> None:
    # An outside oracle: the command line's way, on a home of its own.
    other = event_home(tmp_path / "other")
    rows = [ticket("a1", number, first_reply_s=number, is_escalated=number == 1, tags="a b") for number in range(3)]
    folder = tmp_path / "news"
    folder.mkdir()
    (folder / "tickets_history.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert pulse("ingest", folder, "--live", home=other.root).code == 0
    assert outcomes(sender.send(rows)) == [("accepted", None, None)] * 3
    sender.store()
    ours = {"source_system", "ingested_at", "available_at", "load_id"}
    found = [{name: cell for name, cell in row.items() if name not in ours} for row in stored(sender.home)]
    expected = [
        {name: cell for name, cell in row.items() if name not in ours}
        for row in stored(other, source="file")
        if row["ticket_id"].startswith("sent-")
    ]
    assert found == expected
    assert len(found) == 3


def test_the_same_row_is_known_whether_it_waits_or_is_stored_and_is_taken_once(sender: Service) -> None:
    assert outcomes(sender.send([ticket("a1"), ticket("a1")])) == [("accepted", None, None), ("known", None, None)]
    assert outcomes(sender.send([ticket("a1")])) == [("known", None, None)]
    sender.store()
    assert outcomes(sender.send([ticket("a1")])) == [("known", None, None)]
    sender.store()
    assert len(stored(sender.home)) == 1
    assert sender.context.events.journal.backlog().sendings == 0


def test_good_rows_go_on_and_bad_ones_wait_in_quarantine_each_with_its_rule_and_no_cell(sender: Service) -> None:
    secret = "Ms Andersen's ticket"  # noqa: S105  a cell's value that nobody must repeat
    answer = sender.send(
        [
            ticket("a1"),
            ticket("nobody", tags=secret),
            ticket("a1", 2, priority=secret),
            ticket("a1", 3, created_at=None),
            ticket("a1", 4, at=ARRIVAL + timedelta(days=2)),
            ticket("a1", 5, first_reply_s=-1),
            ticket("a1", 6, first_reply_s=1e300),
            ticket("a1", 7, created_at="2023-11-08T14:00:00"),
            ticket("a1", 8, tags="a\u0000b"),
            ticket("a1", 9, tags="x" * 70_000),
            ticket("a1", 10, tags="\ud800"),
            ticket("a1", 11, tags="\u202e \U0001f600", first_reply_s=2**63),
        ]
    )
    assert outcomes(answer) == [
        ("accepted", None, None),
        ("quarantined", "account_id", "unmatched"),
        ("quarantined", "priority", "choices"),
        ("quarantined", "created_at", "required"),
        ("quarantined", "event_at", "future"),
        ("quarantined", "first_reply_s", "minimum"),
        ("quarantined", "first_reply_s", "type"),
        ("quarantined", "created_at", "zone"),
        ("quarantined", "tags", "text"),
        ("quarantined", "tags", "text"),
        ("quarantined", None, "malformed"),
        ("quarantined", "first_reply_s", "type"),
    ]
    assert secret not in answer.text
    sender.store()
    assert secret not in json.dumps(sender.told)
    assert [row["ticket_id"] for row in stored(sender.home)] == ["sent-a1-1"]
    (file,) = waiting_rows(sender.home)
    assert file.stem == answer.json()["load_id"]
    assert len(file.read_text().splitlines()) == 11
    assert secret in file.read_text()
    assert (file.stat().st_mode & 0o777, file.parent.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_where_no_row_can_be_taken_the_answer_is_a_problem_that_names_each(sender: Service) -> None:
    answer = sender.send([ticket("nobody"), ticket("a1", at=ARRIVAL + timedelta(days=2))])
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json() == {
        "type": "urn:campaign-pulse:problem:invalid-input",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "No row could be taken; errors says why. They wait in quarantine.",
        "instance": "urn:campaign-pulse:request:test-1",
        "request_id": "test-1",
        "errors": [
            {"field": "body[0].account_id", "rule": "unmatched", "message": "no account and no alias has this id"},
            {"field": "body[1].event_at", "rule": "future", "message": "more than a day after now"},
        ],
    }
    sender.store()
    assert len(waiting_rows(sender.home)) == 1


def test_rows_that_waited_for_an_account_are_taken_when_it_is_sent(sender: Service) -> None:
    assert sender.send([ticket("late")]).status_code == 422
    sender.store()
    account = {"account_id": "late", "valid_from": MONDAY.isoformat(), "segment": "studio", "hq_tz": "UTC"}
    sender.hands.now += LATER
    assert outcomes(sender.send([account], table="accounts_history")) == [("accepted", None, None)]
    sender.store()
    assert waiting_rows(sender.home) == []
    (row,) = stored(sender.home)
    # Known from when it was first sent, as every row that is replayed; by the account from when that was sent.
    assert (row["account_id"], row["available_at"]) == ("late", ARRIVAL)
    assert outcomes(sender.send([ticket("late")])) == [("known", None, None)]


def test_a_task_brings_the_account_online_that_owns_its_project(sender: Service) -> None:
    at, day = MONDAY.isoformat(), MONDAY.date().isoformat()
    project = {"project_id": "p-sent", "account_id": "a2", "valid_from": at, "kind": "spot"}
    milestone = {"milestone_id": "m-sent", "project_id": "p-sent", "valid_from": at, "kind": "lock"}
    for table, row in (
        ("projects_history", {**project, "status_canonical": "active"}),
        ("milestones_history", {**milestone, "planned_on": day, "baseline_on": day, "status_canonical": "not_started"}),
    ):
        answer = sender.send([row], table=table)
        assert outcomes(answer) == [("accepted", None, None)], answer.text
    sender.hands.now += LATER
    sender.work_off()
    assert sender.score("a2")["as_of"] == "2023-11-08T14:08:00Z"


@pytest.mark.parametrize(
    ("rows", "field", "rule"),
    [
        ([], "body", "too_short"),
        ([ticket("a1")] * (MOST_ROWS + 1), "body", "too_long"),
        ({}, "body", "list_type"),
        ([1], "body[0]", "dict_type"),
        ([{}], "body[0]", "empty_row"),
        ([{**ticket("a1"), "Ms Andersen": 1}], "body[0]", "unknown_column"),
        ([{**ticket("a1"), "ingested_at": "2020-01-01T00:00:00Z"}], "body[0]", "unknown_column"),
        ([{**ticket("a1"), "load_id": "mine"}], "body[0]", "unknown_column"),
        ([{**ticket("a1"), "tags": ["a"]}], "body[0].tags", "cell"),
        ([{**ticket("a1"), "tags": {"a": 1}}], "body[0].tags", "cell"),
    ],
)
def test_a_body_that_is_no_rows_of_the_table_is_refused_whole(
    shared: Service, rows: Any, field: str, rule: str
) -> None:
    answer = shared.send(rows)
    assert answer.status_code == 422
    assert [(error["field"], error["rule"]) for error in answer.json()["errors"]] == [(field, rule)]
    assert "Andersen" not in answer.text
    assert shared.context.events.journal.backlog() == Backlog()


@pytest.mark.parametrize("table", ["campaigns", "market_indices", "holidays", "account_aliases", "fx_rates", "nothing"])
def test_a_table_that_takes_no_events_is_told_with_those_that_do(shared: Service, table: str) -> None:
    answer = shared.send([{"a": 1}], table=table)
    assert answer.status_code == 404
    assert "these do: accounts_history, contracts_history" in answer.json()["detail"]
    assert table not in open_tables()


def test_open_tables_are_those_whose_rows_concern_one_account() -> None:
    closed = set(TABLES) - set(open_tables())
    assert closed == {
        "account_aliases",
        "campaigns",
        "campaign_instances_history",
        "fx_rates",
        "market_events",
        "market_indices",
        "holidays",
        "source_heartbeats",
    }
    for table in open_tables():
        assert "available_at" not in columns_to_send(table)


def test_a_service_that_stands_on_a_past_date_takes_nothing(tmp_path: Path) -> None:
    with service(event_home(tmp_path / "home"), as_of=ARRIVAL.astimezone(UTC)) as running:
        answer = running.send([ticket("a1")])
        assert (answer.status_code, answer.json()["detail"][:36]) == (409, "This service stands on a fixed date ")
        assert running.context.events.journal.backlog() == Backlog()


def test_sending_needs_a_key_with_its_scope_even_on_the_own_machine(tmp_path: Path) -> None:
    from serving.access.rules import AccessScope  # noqa: PLC0415

    with service(event_home(tmp_path / "home")) as running:
        bare = running.client.post("/v1/events/tickets_history", json=[ticket("a1")])
        assert bare.status_code == 401
        others = [scope for scope in AccessScope if scope is not AccessScope.EVENTS_WRITE]
        _, token = running.context.door.store.create("reader", others, who="user ada", at=ARRIVAL)
        running.context.door._read()
        answer = running.send([ticket("a1")], authorization=f"Bearer {token}")
        assert (answer.status_code, "events:write" in answer.json()["detail"]) == (403, True)
        assert running.context.events.journal.backlog() == Backlog()


def test_a_build_has_what_was_acknowledged_though_no_service_runs(tmp_path: Path) -> None:
    home = event_home(tmp_path / "home")
    with service(home) as running:
        assert running.send([ticket("a1")]).status_code == 200
    assert stored(home) == []
    built = pulse("build", "--to", (MONDAY + timedelta(weeks=1)).date(), home=home.root)
    assert built.code == 0, built.stderr
    assert len(stored(home)) == 1
    rows = FeatureStore(home).online(["a1"])
    assert rows["as_of"][0] == MONDAY + timedelta(weeks=1)
    assert rows["tickets_per_100_seats_w13"][0] > 0


def test_metrics_count_rows_and_tell_what_waits(sender: Service) -> None:
    sender.send([ticket("a1"), ticket("a1"), ticket("nobody")])
    text = sender.get("/metrics").text
    counted = {
        'campaign_pulse_event_rows_total{outcome="accepted"}': 1.0,
        'campaign_pulse_event_rows_total{outcome="known"}': 1.0,
        'campaign_pulse_event_rows_total{outcome="quarantined"}': 1.0,
        "campaign_pulse_journal_sendings": 1.0,
        "campaign_pulse_journal_accounts": 1.0,
        "campaign_pulse_journal_failures_total": 0.0,
        "campaign_pulse_journal_oldest_timestamp_seconds": ARRIVAL.timestamp(),
    }
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert {name: float(found[name]) for name in counted} == counted
    sender.work_off()
    text = sender.get("/metrics").text
    assert "campaign_pulse_journal_sendings 0.0" in text
    assert "campaign_pulse_journal_accounts 0.0" in text
    assert "a1" not in text


def test_a_home_to_which_nothing_was_sent_gets_no_file_from_the_worker(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    with service(home) as running:
        before = sorted(path.name for path in home.root.iterdir())
        assert not running.context.events.worker.work()
        assert running.context.events.waiting_since() == {}
        assert sorted(path.name for path in home.root.iterdir()) == before
