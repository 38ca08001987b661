"""Rows 9, 11 and 16 on the service as it really runs: promotions, sabotage and rollbacks under load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.load import Load, table_of
from tests.faults.mutate import another_model, copied, empty_file, mutant
from tests.faults.reporter import report, tries
from tests.serving.service_case import PASSED, now, stored_home
from tests.serving.test_service_process import Process
from training.promotions import promote, rollback

QUICK_PROMOTIONS, FULL_PROMOTIONS = 3, 100
QUICK_REQUESTS, FULL_REQUESTS = 100, 10_000
_EVERY = 5
"""Of five changes one is sabotaged, and another goes back."""
_SABOTAGES = (empty_file, another_model, mutant(7))
_LIVE_WITHIN = 60.0
"""A bound for a machine that does other things, too; what it took is told."""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    root = tmp_path_factory.mktemp("swap")
    with Process(stored_home(root / "home"), root / "elsewhere") as running:
        running.await_event("model live")
        yield running


def _promote(process: Process, version: str, why: str) -> None:
    promote(process.home, version, who="test", why=why, verdict=PASSED, at=now())


@pytest.mark.timeout(3_600)
def test_rows_9_11_and_16_no_request_fails_or_is_wrong_while_models_come_and_go(process: Process) -> None:
    promotions, requests = tries(QUICK_PROMOTIONS, FULL_PROMOTIONS), tries(QUICK_REQUESTS, FULL_REQUESTS)
    table = table_of(process.home, ("1", "2"))
    took: list[float] = []
    sabotaged = rolled = 0
    with Load(str(process.client.base_url), table, pause=0.05) as load:
        load.until("1", more=5)
        live = "1"
        for number in range(promotions):
            if number % _EVERY == 1:
                sabotaged += 1
                bad = copied(process.home.bundles / live, str(100 + number))
                _SABOTAGES[sabotaged % len(_SABOTAGES)](bad)
                _promote(process, bad.name, "sabotage")
                assert process.await_event("model refused")["version"] == bad.name
                # Back from a version that never answered: the one before it is the one that answers.
                rollback(process.home, who="test", why="sabotage", at=now())
                load.until(live, more=5)
            elif number % _EVERY == 2:
                rolled += 1
                rollback(process.home, who="test", why="second thoughts", at=now())
                live = "1" if live == "2" else "2"
                took.append(load.until(live, limit=_LIVE_WITHIN))
            else:
                live = "1" if live == "2" else "2"
                _promote(process, live, "better")
                took.append(load.until(live, limit=_LIVE_WITHIN))
            share = (number + 1) * requests // promotions
            load.until(live, more=max(0, share - load.answers.asked), limit=10 * _LIVE_WITHIN)
    told = load.answers
    assert process.child.poll() is None
    assert set(told.versions) == {"1", "2"}
    note = (
        f"requests failed or wrong through {promotions} promotions, {sabotaged} sabotaged, "
        f"p99={told.percentile(0.99):.0f}ms slowest-live={max(took):.1f}s"
    )
    report(9, told.failed + told.wrong, told.asked, note)
    report(11, told.wrong, told.asked, f"scores not those of their version, bit for bit, through {rolled} rollbacks")
    report(16, told.unequal, told.explained, "explanations that do not add up to their score while models are swapped")
