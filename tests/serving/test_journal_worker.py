"""Does the worker go on whatever fails, tell it once, and leave the journal as it is until it is done?"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from features.errors import IntegrityError, MissingStateError
from features.journal import Backlog, Due, Journal
from features.settings import Home
from serving import journal_worker
from serving.events import Events
from serving.journal_worker import JournalWorker, Waiting
from tests.features.push_case import load
from tests.features.test_journal import FIRST, NOW, kept, payment, stored
from tests.features.test_journal import judged as judged_rows


class Shown:
    """Stands where accounts are computed (which has tests of its own), and fails where it is told to."""

    def __init__(self) -> None:
        self.accounts: list[str] = []
        self.together: list[int] = []
        self.fail_with: dict[str, Exception] = {}

    def __call__(self, journal: Journal, store: object, due: Sequence[Due], *, now: datetime) -> None:
        for one in due:
            if failure := self.fail_with.get(one.account_id):
                raise failure
        self.together.append(len(due))
        for one in due:
            self.accounts.append(one.account_id)
            journal.shown(one)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    made = Shown()
    monkeypatch.setattr(journal_worker, "show", made)
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    home = Home(root=tmp_path / "home").prepare()
    names = [*(f"a{number}" for number in range(1, 12)), "b1"]
    rows = [{"account_id": name, "valid_from": FIRST, "segment": "s", "available_at": FIRST} for name in names]
    load(home, "accounts_history", rows, "first")
    return Journal(home)


@pytest.fixture
def told() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def worker(journal: Journal, told: list[tuple[str, dict[str, Any]]]) -> Iterator[JournalWorker]:
    made = _worker(journal, told)
    yield made
    made.close()


def _worker(journal: Journal, told: list[tuple[str, dict[str, Any]]]) -> JournalWorker:
    def tell(event: str, facts: Any) -> None:
        told.append((event, dict(facts)))

    return JournalWorker(journal, open_store=object, clock=lambda: NOW, tell=tell)  # type: ignore[arg-type]


def send(journal: Journal, *accounts: str, number: int = 0) -> None:
    rows = [payment(account, 10 * number + place) for place, account in enumerate(accounts)]
    kept(journal, judged_rows(journal, *rows))
    journal.ring()


def work_off(worker: JournalWorker) -> None:
    for _ in range(20):
        if not worker.work():
            return
    raise AssertionError("it never rests")


def test_it_stores_then_shows_and_rests_when_all_is_done(journal: Journal, worker: JournalWorker, shown: Shown) -> None:
    send(journal, "a1", "a2")
    send(journal, "a2", "a3", number=1)
    work_off(worker)
    assert (len(stored(journal)), shown.accounts) == (4, ["a1", "a2", "a3"])
    assert journal.backlog() == Backlog()


def test_accounts_that_wait_are_computed_together_but_never_so_many_that_news_wait_long(
    journal: Journal, worker: JournalWorker, shown: Shown
) -> None:
    send(journal, *(f"a{number}" for number in range(1, 12)))
    assert worker.work()
    # A small sending that comes in between goes first.
    send(journal, "b1", number=9)
    work_off(worker)
    assert shown.together == [4, 4, 4]
    assert "b1" in shown.accounts[4:8]
    assert len(set(shown.accounts)) == 12
    assert journal.backlog() == Backlog()


def test_one_account_that_cannot_be_computed_does_not_hold_back_others(
    journal: Journal, worker: JournalWorker, shown: Shown, told: list[tuple[str, dict[str, Any]]], monkeypatch: Any
) -> None:
    shown.fail_with["a1"] = IntegrityError("a stored file is damaged", expected="e", found="f", todo="t")
    shown.fail_with["a2"] = ValueError("a2 has the value 17")
    send(journal, "a1", "a2", "a3")
    work_off(worker)
    assert shown.accounts == ["a3"]
    assert worker.failures == 2
    # What a foreign error says may hold data: its kind is told, nothing else.
    assert told == [
        ("journal not worked off", {"found": "a stored file is damaged: f"}),
        ("journal not worked off", {"found": "ValueError"}),
    ]
    assert journal.backlog().accounts == 2
    shown.fail_with.clear()
    work_off(worker)
    assert shown.accounts == ["a3"]
    monkeypatch.setattr(journal_worker, "monotonic", lambda: 1e9)
    work_off(worker)
    assert shown.accounts == ["a3", "a1", "a2"]


def test_where_nothing_is_built_for_now_no_account_is_tried_and_it_is_told_once(
    journal: Journal, worker: JournalWorker, shown: Shown, told: list[tuple[str, dict[str, Any]]]
) -> None:
    nothing = MissingStateError("nothing is built", expected="e", found="none", todo="run `pulse build`")
    shown.fail_with |= dict.fromkeys(("a1", "a2", "a3"), nothing)
    send(journal, "a1", "a2", "a3")
    for _ in range(3):
        assert not worker.work()
    assert (len(told), worker.failures, journal.backlog().accounts) == (1, 3, 3)
    shown.fail_with.clear()
    work_off(worker)
    assert journal.backlog() == Backlog()


def test_an_ingest_is_waited_for_without_a_word(
    journal: Journal, worker: JournalWorker, shown: Shown, told: list[tuple[str, dict[str, Any]]]
) -> None:
    send(journal, "a1")
    with (journal.home.root / "ingest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not worker.work()
    assert (told, worker.failures, journal.backlog().sendings) == ([], 0, 1)
    work_off(worker)
    assert journal.backlog() == Backlog()


def test_of_two_workers_one_works_until_it_ends(journal: Journal, worker: JournalWorker, shown: Shown) -> None:
    send(journal, "a1")
    assert worker.work()
    second = _worker(journal, [])
    send(journal, "a2", number=1)
    assert not second.work()
    worker.close()
    assert second.work()
    assert shown.accounts == ["a1", "a2"]
    second.close()


def test_the_thread_hears_the_bell_and_ends_when_told(journal: Journal, worker: JournalWorker, shown: Shown) -> None:
    from time import sleep  # noqa: PLC0415

    worker.start()
    send(journal, "a1")
    for _ in range(400):
        if shown.accounts:
            break
        sleep(0.05)
    assert shown.accounts == ["a1"]
    worker.close()
    assert worker._thread is not None
    assert not worker._thread.is_alive()


def test_who_waits_is_read_when_the_bell_rings_and_not_before(journal: Journal) -> None:
    waiting = Waiting(journal)
    assert waiting.since() == {}
    send(journal, "a1")
    assert waiting.since() == {"a1": NOW}
    kept(journal, judged_rows(journal, payment("a2", 99)))
    assert waiting.since() == {"a1": NOW}
    journal.ring()
    assert sorted(waiting.since()) == ["a1", "a2"]


def test_scoring_goes_on_where_the_journal_does_not_answer(journal: Journal) -> None:
    told: list[str] = []
    events = Events(journal.home, clock=lambda: NOW, tell=lambda event, _: told.append(event))
    send(journal, "a1")
    for path in journal.home.root.glob("state.db*"):
        path.unlink()
    journal.home.state.mkdir()
    assert events.waiting_since() == {}
    assert told == ["journal not read"]
