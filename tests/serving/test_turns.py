"""A large question is answered piece by piece, in turn with other large ones, and small ones wait for nobody."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Lock

import pyarrow as pa
import pytest

from serving.api.app import create_app
from serving.context import ServiceContext
from serving.request_log import silent_tell
from serving.turns import AT_ONCE, Turns, settled
from tests.serving.http_case import Client, service_of
from tests.serving.service_case import ids, now, stored_home

LARGE = [str(number) for number in range(10)]
"""More than the three at once of these tests."""


def test_every_different_id_is_answered_once_in_order_and_no_piece_is_larger_than_agreed() -> None:
    pieces: list[list[str]] = []
    Turns(3).each(["b", "a", "b", "c", "d", "a", "e"], lambda piece: pieces.append(list(piece)))
    assert pieces == [["b", "a", "c"], ["d", "e"]]


def test_a_small_question_does_not_wait_for_a_large_one() -> None:
    turns, begun, small = Turns(3), Event(), Event()

    def slow(_: Sequence[str]) -> None:
        begun.set()
        assert small.wait(60), "the small one waited for the large one"

    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(turns.each, LARGE, slow)
        assert begun.wait(60)
        turns.each(LARGE[:3], lambda _: small.set())
        large.result()


def test_of_two_large_questions_one_piece_is_worked_on_at_a_time() -> None:
    turns, at_work, told = Turns(3), Lock(), []

    def alone(piece: Sequence[str]) -> None:
        assert at_work.acquire(blocking=False), "two pieces at once"
        told.extend(piece)
        at_work.release()

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(turns.each, LARGE, alone) for _ in range(2)]:
            each.result()
    assert sorted(told) == sorted([*LARGE, *LARGE])


def test_a_question_that_fails_gives_its_turn_back() -> None:
    turns, told = Turns(3), []

    def broken(_: Sequence[str]) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as kept:
        turns.each(LARGE, broken)
    assert kept.tb  # the traceback still holds every frame of it
    with ThreadPoolExecutor(1) as pool:
        pool.submit(turns.each, LARGE, told.extend).result(60)
    assert told == LARGE


@pytest.fixture
def loose() -> Iterator[None]:
    """Whatever was set aside is looked through again afterwards."""
    yield
    gc.unfreeze()


def test_only_the_first_model_of_a_process_settles(loose: None) -> None:
    def opened(version: int) -> list[int]:
        if version == 0:
            raise OSError("not there")
        return [version]

    gc.unfreeze()
    opener = settled(opened)
    with pytest.raises(OSError, match="not there"):
        opener(0)
    assert gc.get_freeze_count() == 0
    assert opener(1) == [1]
    settled_once = gc.get_freeze_count()
    assert settled_once > 0
    later = [[number] for number in range(1000)]
    assert opener(2) == [2]
    assert gc.get_freeze_count() <= settled_once
    assert len(later) == 1000


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceContext]:
    _, made = service_of(stored_home(tmp_path_factory.mktemp("turns")), clock=now, tell=silent_tell)
    made.live.refresh()
    yield made
    made.close()


def asked_of(context: ServiceContext, at_once: int, **headers: str) -> bytes:
    """The body of one question with an unknown id, and one asked twice, of an app that takes so many at once."""
    client = Client(create_app(replace(context, turns=Turns(at_once))))
    asked = [*ids()[:20], "nobody", ids()[3]]
    answer = client.post("/v1/score", json={"account_ids": asked}, headers=headers)
    assert answer.status_code == 200
    return answer.content


def test_an_answer_is_the_same_to_the_byte_in_one_piece_and_in_many(context: ServiceContext) -> None:
    # Told once before: what is told again adds nothing to the ledger.
    whole = asked_of(context, AT_ONCE)
    assert asked_of(context, 7) == asked_of(context, 1) == whole
    assert b'"nobody","status":"not_found"' in whole


def test_a_table_is_the_same_in_one_piece_and_in_many(context: ServiceContext) -> None:
    tables = [
        pa.ipc.open_stream(asked_of(context, at_once, accept="application/vnd.apache.arrow.stream")).read_all()
        for at_once in (AT_ONCE, 7)
    ]
    assert tables[0].equals(tables[1], check_metadata=True)
    assert tables[0].num_rows == 22


def test_an_answer_of_which_one_piece_was_not_kept_says_so(context: ServiceContext) -> None:
    kept: list[bool] = []

    class Forgetful(ServiceContext):
        __slots__ = ()

        def record(self, *_: object) -> bool:
            kept.append(len(kept) != 1)
            return kept[-1]

    facts = {name: getattr(context, name) for name in ServiceContext.__slots__}
    body = asked_of(Forgetful(**facts), 7)
    assert kept == [True, False, True]
    assert b'"recorded":false' in body
