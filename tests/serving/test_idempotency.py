"""Does a call that is sent twice take effect once, whatever happens between?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from features.settings import Home
from features.state import writing
from serving.idempotency import KEPT_FOR, LEASE, Answered, Claim, IdempotencyKeys
from serving.problems import Refused
from tests.faults.children import claim
from tests.faults.killer import Nursery
from tests.serving.event_case import ARRIVAL, Service, event_home, service, stored, ticket

MINUTE = timedelta(minutes=1)


@pytest.fixture
def keys(tmp_path: Path) -> IdempotencyKeys:
    return IdempotencyKeys(Home(root=tmp_path))


def claimed(keys: IdempotencyKeys, name: str = "k", body: str = "b", at: Any = ARRIVAL) -> Claim:
    found = keys.claim(name, body, now=at)
    assert isinstance(found, Claim)
    return found


def complete(keys: IdempotencyKeys, held: Claim, body: bytes = b"done", status: int = 200) -> None:
    with writing(keys.engine) as connection:
        keys.complete(connection, held, Answered(status, body))


def refusal(keys: IdempotencyKeys, name: str = "k", body: str = "b", at: Any = ARRIVAL) -> int:
    with pytest.raises(Refused) as told:
        keys.claim(name, body, now=at)
    return told.value.problem.status


def test_what_was_answered_is_answered_again_for_a_day_and_forgotten_then(keys: IdempotencyKeys) -> None:
    complete(keys, claimed(keys), b"\x00 any bytes")
    for age in (timedelta(0), KEPT_FOR):
        assert keys.claim("k", "b", now=ARRIVAL + age) == Answered(200, b"\x00 any bytes")
    claimed(keys, at=ARRIVAL + KEPT_FOR + MINUTE)


def test_another_body_under_the_same_key_is_refused_while_running_and_after(keys: IdempotencyKeys) -> None:
    held = claimed(keys)
    assert refusal(keys, body="other") == 422
    complete(keys, held)
    assert refusal(keys, body="other") == 422
    assert keys.claim("k", "b", now=ARRIVAL) == Answered(200, b"done")


def test_a_call_that_is_worked_on_is_not_begun_again(keys: IdempotencyKeys) -> None:
    claimed(keys)
    assert refusal(keys) == 409
    # From another process of the same machine it looks the same: ours is alive.
    assert refusal(IdempotencyKeys(keys._home), at=ARRIVAL + MINUTE) == 409
    claimed(keys, "another")


def test_a_key_that_is_given_back_is_free_and_one_that_was_completed_stays(keys: IdempotencyKeys) -> None:
    first = claimed(keys)
    keys.give_back(first)
    again = claimed(keys)
    complete(keys, again)
    keys.give_back(again)
    keys.give_back(first)
    assert keys.claim("k", "b", now=ARRIVAL) == Answered(200, b"done")


def test_whoever_lost_a_key_meanwhile_cannot_complete_it_and_has_no_effect(keys: IdempotencyKeys) -> None:
    slow = claimed(keys)
    quick = claimed(keys, at=ARRIVAL + LEASE)
    with pytest.raises(Refused) as told, writing(keys.engine) as connection:
        keys.complete(connection, slow, Answered(200, b"slow"))
    assert told.value.problem.status == 409
    complete(keys, quick, b"quick")
    assert keys.claim("k", "b", now=ARRIVAL + LEASE) == Answered(200, b"quick")


def test_the_key_of_a_process_that_was_killed_is_free_at_once(keys: IdempotencyKeys) -> None:
    # Nothing it did counts, for the effect and the answer are one transaction; its client must not wait for a lease.
    with Nursery("serving.idempotency").child(claim, keys._home.root, ARRIVAL) as child:
        assert child.hear() == "Claim"
        assert refusal(keys) == 409
        child.kill()
        claimed(keys)


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Service]:
    with service(event_home(tmp_path / "home")) as running:
        yield running


def test_the_same_call_is_answered_with_the_same_bytes_and_counts_once(sender: Service) -> None:
    rows = [ticket("a1"), ticket("nobody")]
    first = sender.send(rows, key="k-1")
    again = sender.send(rows, key="k-1")
    assert (again.status_code, again.content) == (200, first.content)
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    sender.store()
    assert sender.send(rows, key="k-1").content == first.content
    sender.store()
    assert len(stored(sender.home)) == 1
    assert len(list(sender.home.quarantine.glob("*/*.jsonl"))) == 1
    # Without the key, or with another, it is another call: the row is known by itself.
    assert sender.send([ticket("a1")]).json()["known"] == 1


def test_a_refusal_with_an_effect_is_repeated_and_one_without_is_not_kept(sender: Service) -> None:
    refused = sender.send([ticket("nobody")], key="k-1")
    again = sender.send([ticket("nobody")], key="k-1", **{"x-request-id": "another"})
    assert (refused.status_code, again.status_code, again.content) == (422, 422, refused.content)
    assert sender.send([{"oops": 1}], key="k-2").status_code == 422
    assert sender.send([ticket("a1")], key="k-2").json()["accepted"] == 1


def test_a_key_belongs_to_one_body_one_table_and_one_caller(sender: Service) -> None:
    assert sender.send([ticket("a1")], key="k-1").status_code == 200
    assert sender.send([ticket("a1", 2)], key="k-1").status_code == 422
    other_table = sender.send([ticket("a1")], key="k-1", table="texts")
    assert other_table.status_code == 422
    from serving.access.rules import AccessScope  # noqa: PLC0415

    _, token = sender.context.door.store.create("other", tuple(AccessScope), who="user ada", at=ARRIVAL)
    sender.context.door._read()
    answer = sender.send([ticket("a1", 3)], key="k-1", authorization=f"Bearer {token}")
    assert answer.json()["accepted"] == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "caf\xe9"])
def test_a_key_is_some_printable_characters(sender: Service, key: str) -> None:
    headers = {"authorization": f"Bearer {sender.token}", "idempotency-key": key.encode("latin-1")}
    answer = sender.client.post("/v1/events/tickets_history", json=[ticket("a1")], headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "header.Idempotency-Key")
