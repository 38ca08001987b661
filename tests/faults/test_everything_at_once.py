"""Row 12: does everything hold when models are fitted, promoted and rolled back and features come, all at once?

One real process that serves and is asked all the time; fitting, features, promotions and rollbacks happen beside it, in
threads that each have a connection of their own. Whoever promotes keeps a journal.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from features.errors import MissingStateError, UsageError
from features.settings import Home
from features.store import FeatureStore
from tests.faults.journal import ClientJournal
from tests.faults.load import Load, table_of
from tests.faults.reporter import report, tries
from tests.serving.service_case import PASSED, _write_model, newest, now, stored_home
from tests.serving.test_service_process import Process
from training.promotions import log, promote, rollback

QUICK_CHANGES, FULL_CHANGES = 12, 1_000


def promote_in_turn(home: Home, who: str, changes: int) -> ClientJournal:
    """Promote versions 1 and 2 in turn; a version that somebody else has just put live is no failure."""
    journal = ClientJournal()
    for number in range(changes):
        journal.sent.append(f"{who}-{number}")
        try:
            promote(home, "12"[number % 2], who=who, why=journal.sent[-1], verdict=PASSED, at=now())
        except UsageError:
            continue
        journal.acknowledged.add(journal.sent[-1])
    return journal


def roll_back(home: Home, who: str, changes: int) -> ClientJournal:
    """Go back again and again; that there is nothing to go back to is no failure."""
    journal = ClientJournal()
    for number in range(changes):
        journal.sent.append(f"{who}-{number}")
        try:
            rollback(home, who=who, why=journal.sent[-1], at=now())
        except MissingStateError:
            continue
        journal.acknowledged.add(journal.sent[-1])
    return journal


def materialise(home: Home, times: int) -> None:
    """Put the newest features online again."""
    for _ in range(times):
        FeatureStore(home).materialize(newest())


def retrain(home: Home, times: int) -> None:
    """Fit models that stand beside those that answer."""
    for number in range(times):
        _write_model(home, str(100 + number), 5)


def broken_links(home: Home) -> int:
    """How many promotions do not follow the one before them, or go back to what was not live before."""
    entries, wrong = log(home), 0
    live: list[str] = []
    for entry in entries:
        if entry.action == "rollback":
            live.pop()
            wrong += live[-1:] != [entry.version_to]
        else:
            live.append(entry.version_to)
    return wrong + sum(after.version_from != one.version_to for one, after in pairwise(entries))


@pytest.mark.timeout(3_600)
def test_row_12_all_at_once_loses_no_promotion_and_mixes_no_version(tmp_path: Path) -> None:
    home, changes = stored_home(tmp_path / "home"), tries(QUICK_CHANGES, FULL_CHANGES)
    table = table_of(home, ("1", "2"))
    with Process(home, tmp_path / "elsewhere") as running, ThreadPoolExecutor(6) as pool:
        running.await_event("model live")
        with Load(str(running.client.base_url), table, pause=0.05) as load:
            load.until("1", more=5)
            others = [pool.submit(materialise, home, tries(1, 60)), pool.submit(retrain, home, tries(1, 60))]
            changing = [
                pool.submit(work, home, f"{work.__name__}-{number}", changes)
                for work in (promote_in_turn, roll_back)
                for number in range(2)
            ]
            journals = [one.result() for one in changing]
            for other in others:
                other.result()
            load.until(log(home)[-1].version_to, more=5)
    told, found = load.answers, [entry.why for entry in log(home)]
    lost = sum(len(journal.lost(found)) + len(journal.doubled(found)) for journal in journals)
    acknowledged = sum(len(journal.acknowledged) for journal in journals)
    assert len(found) == acknowledged + 1
    note = f"answers wrong or failed or promotions lost, {acknowledged} promotions and rollbacks acknowledged"
    failed = told.failed + told.wrong + lost + broken_links(home)
    report(12, failed, told.asked + acknowledged, note)
