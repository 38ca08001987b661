"""Does everything that was kept get into the warehouse once, whatever else happens to the home?"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import journal_work
from features.journal import SMALL, Backlog, Journal, SentRows, judge_rows
from features.journal_work import Busy, store_before_build, store_kept
from features.settings import Home
from features.sources import ingest
from features.state import writing
from features.warehouse import FIRST_AVAILABLE_AT, Warehouse
from tests.features.made_up_rows import FIRST
from tests.features.online_servers import Server
from tests.features.push_case import load
from tests.features.state_case import PRODUCTS, new_state, server_of

NOW = FIRST + timedelta(days=300)
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module", params=PRODUCTS)
def server(request: pytest.FixtureRequest) -> Iterator[Server | None]:
    """Where the state lies: the journal keeps the same laws in both products."""
    with server_of(request.param) as running:
        yield running


@pytest.fixture
def journal(server: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    home = new_state(server, tmp_path / "home", monkeypatch).prepare()
    load(home, "accounts_history", [_account(name) for name in ("a1", "a2", "a3")], "first")
    return Journal(home)


def _account(name: str) -> dict[str, Any]:
    return {"account_id": name, "valid_from": FIRST, "segment": "studio", "hq_tz": "UTC", "available_at": FIRST}


def payment(account: str, number: int, **cells: Any) -> dict[str, Any]:
    return {
        "payment_id": f"p{number}",
        "account_id": account,
        "attempted_at": (NOW - SECOND).isoformat(),
        "amount_minor": number,
        "currency": "EUR",
        "status": "succeeded",
        **cells,
    }


def judged(journal: Journal, *rows: dict[str, Any], at: Any = NOW) -> SentRows:
    return judge_rows(journal.home, "payments", rows, load_id=journal.new_load_id(at), now=at)


def kept(journal: Journal, sent: SentRows) -> list[str]:
    with writing(journal.engine) as connection:
        return [str(outcome.became) for outcome in journal.keep(connection, sent).outcomes]


def stored(journal: Journal) -> list[str]:
    files = Warehouse(journal.home).dataset("payments").files()
    rows = pa.concat_tables([pq.read_table(path) for path in files]).to_pylist() if files else []
    return sorted(row["payment_id"] for row in rows)


def test_sendings_go_into_the_warehouse_in_order_as_one_file_per_table(journal: Journal) -> None:
    for number in range(3):
        assert kept(journal, judged(journal, payment("a1", number), at=NOW + number * SECOND)) == ["accepted"]
    assert journal.backlog() == Backlog(3, 1, NOW)
    assert store_kept(journal, now=NOW) == 3
    assert stored(journal) == ["p0", "p1", "p2"]
    (entry,) = Warehouse(journal.home).dataset("payments").entries()
    assert (entry.rows, entry.facts[FIRST_AVAILABLE_AT]) == (3, NOW.isoformat())
    assert journal.backlog() == Backlog(0, 1, NOW)
    assert store_kept(journal, now=NOW) == 0


def test_two_sendings_that_were_judged_at_once_bring_a_row_once(journal: Journal) -> None:
    # Neither saw the other when it was judged; who comes second is told so, and the warehouse has it once.
    first, second = judged(journal, payment("a1", 1), payment("a1", 2)), judged(journal, payment("a1", 2))
    assert kept(journal, first) == ["accepted", "accepted"]
    assert kept(journal, second) == ["known"]
    store_kept(journal, now=NOW)
    assert stored(journal) == ["p1", "p2"]
    assert journal.backlog().sendings == 0


def test_a_row_that_an_ingest_brings_while_it_waits_is_there_once(journal: Journal, tmp_path: Path) -> None:
    sent = judged(journal, payment("a1", 1), payment("a1", 2))
    kept(journal, sent)
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "payments.jsonl").write_text(json.dumps(payment("a1", 1)))
    assert ingest(journal.home, folder, mapping=None, now=NOW, live=True).new == 1
    store_kept(journal, now=NOW)
    assert stored(journal) == ["p1", "p2"]


@pytest.mark.parametrize("moment", ["before the rows", "after the rows"])
def test_a_crash_between_the_steps_repeats_them_and_changes_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    kept(journal, judged(journal, payment("a1", 1), payment("nobody", 2), payment("a2", 3)))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if moment == "before the rows":
            patched.setattr(journal_work, "_commit", crash)
        else:
            patched.setattr(Journal, "stored", crash)
        with pytest.raises(KeyboardInterrupt):
            store_kept(journal, now=NOW)
    kept(journal, judged(journal, payment("a3", 4)))
    store_kept(journal, now=NOW)
    assert stored(journal) == ["p1", "p3", "p4"]
    assert len(list(journal.home.quarantine.glob("*/*.jsonl"))) == 1
    assert sorted(journal.waiting()) == ["a1", "a2", "a3"]


def test_while_an_ingest_writes_the_journal_waits_and_loses_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(journal, judged(journal, payment("a1", 1)))
    monkeypatch.setattr(journal_work, "_TURN_SECONDS", 0.001)
    with (journal.home.root / "ingest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Busy):
            store_kept(journal, now=NOW)
        # A build would lack acknowledged rows: it says so instead.
        with pytest.raises(Busy):
            store_before_build(journal.home, now=NOW)
        assert judged(journal, payment("a1", 2)).good is not None
    assert store_before_build(journal.home, now=NOW) == 1
    assert stored(journal) == ["p1"]
    assert store_before_build(journal.home, now=NOW) == 0


def test_accounts_of_small_sendings_come_first_then_those_that_came_first(journal: Journal) -> None:
    many = [f"b{number:02d}" for number in range(SMALL + 1)]
    load(journal.home, "accounts_history", [_account(name) for name in many], "more")
    kept(journal, judged(journal, *(payment(name, number) for number, name in enumerate(many))))
    kept(journal, judged(journal, payment("a2", 50)))
    kept(journal, judged(journal, payment("a1", 51), payment(many[3], 52)))
    assert journal.due(99) == []
    store_kept(journal, now=NOW)
    due = journal.due(4)
    assert [one.account_id for one in due] == ["b03", "a2", "a1", "b00"]
    assert len(due[0].sendings) == 2
    for one in journal.due(99):
        journal.shown(one)
    assert journal.backlog() == Backlog()
    assert journal.due(99) == []


def test_news_that_arrive_during_a_push_wait_for_the_next(journal: Journal) -> None:
    kept(journal, judged(journal, payment("a1", 1)))
    store_kept(journal, now=NOW)
    (due,) = journal.due(9)
    kept(journal, judged(journal, payment("a1", 2), at=NOW + SECOND))
    journal.shown(due)
    assert journal.waiting() == {"a1": NOW + SECOND}
    assert journal.due(9) == []
    store_kept(journal, now=NOW)
    assert [one.newest for one in journal.due(9)] == [NOW + SECOND]


def test_only_sendings_that_are_done_with_are_forgotten(journal: Journal) -> None:
    for number, account in enumerate(("a1", "a2")):
        kept(journal, judged(journal, payment(account, number)))
    store_kept(journal, now=NOW)
    journal.shown(journal.due(1)[0])
    assert journal.forget(NOW) == 0
    assert journal.forget(NOW + SECOND) == 1
    assert sorted(journal.waiting()) == ["a2"]


def test_reading_the_journal_of_a_home_without_state_makes_no_file(tmp_path: Path) -> None:
    journal = Journal(Home(root=tmp_path / "none"))
    assert (journal.backlog(), journal.waiting(), journal.due(9), journal.kept(9)) == (Backlog(), {}, [], [])
    assert not journal.home.root.exists()
