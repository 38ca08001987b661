"""How long from rows that arrive to new online features, in a company of 2,000 accounts?

Prints seconds; asserts only that every push came online. Making the company takes some minutes.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.build import build_snapshots
from features.cohort import read_cohort
from features.push import push_account
from features.settings import Home
from features.shelf import Shelf
from features.simulator import simulate
from features.sources import ingest, onboarding_of
from features.store import FeatureStore

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_600)]

START, WEEKS, ACCOUNTS, PUSHES = datetime(2021, 1, 4, tzinfo=UTC), 104, 2_000, 60
MONDAY = START + timedelta(weeks=WEEKS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("push")
    home = Home(root=folder / "home").prepare()
    simulate(regime="campaign", accounts=ACCOUNTS, seed=7, start=START.date(), weeks=WEEKS, out=folder / "raw")
    ingest(home, folder / "raw", mapping=None, now=MONDAY)
    build_snapshots(home, MONDAY, MONDAY, onboarding=onboarding_of(home))
    store = FeatureStore(home)
    store.apply()
    store.materialize(MONDAY)
    Shelf(home).catch_up()
    return home


def test_from_rows_to_online_features(home: Home, tmp_path: Path) -> None:
    store = FeatureStore(home)
    random = np.random.default_rng(7)
    accounts = [str(name) for name in random.choice(read_cohort(home, [MONDAY])["account_id"], PUSHES + 1)]
    news(home, tmp_path / "warm", accounts[0], MONDAY + timedelta(hours=1))
    push_account(store, accounts[0], MONDAY + timedelta(hours=1))
    spent: dict[str, list[float]] = {"ingest": [], "push": [], "both": [], "both, CPU": []}
    for number, account in enumerate(accounts[1:]):
        moment = MONDAY + timedelta(hours=2, minutes=number)
        began, began_cpu = time.perf_counter(), time.process_time()
        news(home, tmp_path / str(number), account, moment)
        taken = time.perf_counter()
        assert push_account(store, account, moment).is_newest
        ended = time.perf_counter()
        spent["ingest"].append(taken - began)
        spent["push"].append(ended - taken)
        spent["both"].append(ended - began)
        spent["both, CPU"].append(time.process_time() - began_cpu)
    for name, seconds in spent.items():
        p50, p95 = np.percentile(seconds, [50, 95])
        print(f"{name:<12} p50 {p50:.3f} s   p95 {p95:.3f} s   max {max(seconds):.3f} s")


def news(home: Home, folder: Path, account: str, moment: datetime) -> None:
    """A ticket, and a day's use of three people, arrive."""
    folder.mkdir()
    at = moment.isoformat()
    ticket = {"ticket_id": f"t-{at}", "valid_from": at, "account_id": account, "created_at": at, "status": "open"}
    ticket |= {"channel": "portal", "type": "incident", "priority": "urgent", "event_at": at}
    use = {"account_id": account, "product_sku": "frameworks", "feature_code": "core", "tz": "UTC", "events": 5}
    use |= {"usage_date": moment.date().isoformat(), "sessions": 1, "active_minutes": 12.0}
    _write(folder / "tickets_history.jsonl", [ticket])
    _write(folder / "usage_daily.jsonl", [{**use, "user_key": f"u{number}"} for number in range(3)])
    report = ingest(home, folder, mapping=None, now=moment, live=True)
    assert report.quarantined_error() is None


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
