"""Is what is online the same as history at that moment, whole, and never older than it was?"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from features import online_store
from features.catalogue import FEATURES
from features.errors import IntegrityError, MissingStateError, ServiceUnavailable
from features.settings import Home
from features.store import FeatureStore
from features.vocabulary import WEEK, Subcategory
from tests.features.snapshot_case import MONDAY, account_ids, bits, store_rows, store_snapshot, view_rows, weeks

NAMES = [feature.name for feature in FEATURES]
ACCOUNTS = account_ids(12)
NEXT = MONDAY + WEEK
VIEWS = len(Subcategory)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two dates built, nothing online yet; each test has its own copy."""
    home = Home(root=tmp_path_factory.mktemp("online") / "home").prepare()
    for as_of in weeks(2):
        store_snapshot(home, as_of, ACCOUNTS)
    FeatureStore(home).apply()
    return home


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    shutil.copytree(made.root, tmp_path / "home")
    return Home(root=tmp_path / "home")


@pytest.fixture
def store(home: Home) -> FeatureStore:
    return FeatureStore(home)


def checksum(home: Home) -> str:
    """SHA-256 over all that is online, and a proof that the file is sound."""
    with closing(sqlite3.connect(home.feast / "online.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT * FROM online_rows ORDER BY view, entity_key").fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def assert_online_is_history(store: FeatureStore, moment: datetime, ids: Sequence[str]) -> None:
    online = store.online(ids)
    then = store.historical(pd.DataFrame({"account_id": ids, "as_of": pd.to_datetime([moment] * len(ids), utc=True)}))
    assert bits(online, NAMES) == bits(then, NAMES)


def test_online_equals_history_for_every_account_bit_for_bit(store: FeatureStore) -> None:
    assert store.materialize(NEXT) == VIEWS * len(ACCOUNTS)
    assert_online_is_history(store, NEXT, [*ACCOUNTS, "nobody"])
    assert store.online(ACCOUNTS)["as_of"].unique().tolist() == [pd.Timestamp(NEXT)]


def test_one_row_per_id_in_order_with_duplicates_and_unknown_ones(store: FeatureStore) -> None:
    store.materialize(NEXT)
    ids = ["a00005", "nobody", "a00001", "a00005", ""]
    rows = store.online(ids)
    assert list(rows.columns) == ["account_id", "found", "as_of", *NAMES]
    assert rows["account_id"].tolist() == ids
    assert rows["found"].tolist() == [True, False, True, True, False]
    assert rows["as_of"].isna().tolist() == [False, True, False, False, True]
    assert rows.loc[~rows["found"], NAMES].isna().all(axis=None)
    assert bits(rows.iloc[[0]], NAMES) == bits(rows.iloc[[3]], NAMES)
    assert rows.index.tolist() == [0, 1, 2, 3, 4]


def test_types_do_not_depend_on_what_is_found(store: FeatureStore) -> None:
    store.materialize(NEXT)
    kinds = [store.online(ids).dtypes.to_dict() for ids in (ACCOUNTS, ["a00001"], ["nobody"], [])]
    assert kinds[0] == kinds[1] == kinds[2] == kinds[3]
    assert {str(kinds[0][feature.name]) for feature in FEATURES if not feature.is_text} == {"float64"}
    assert str(kinds[0]["as_of"]) == "datetime64[us, UTC]"
    assert str(kinds[0]["found"]) == "bool"


def test_ten_thousand_ids_are_read_in_one_call(store: FeatureStore) -> None:
    store.materialize(NEXT)
    ids = [*ACCOUNTS, *(f"unknown{number}" for number in range(9_988))]
    rows = store.online(ids)
    assert rows["account_id"].tolist() == ids
    assert rows["found"].tolist() == [True] * 12 + [False] * 9_988


def test_materialising_twice_changes_nothing(home: Home, store: FeatureStore) -> None:
    first, before = store.materialize(NEXT), checksum(home)
    assert store.materialize(NEXT) == first
    assert checksum(home) == before
    assert FeatureStore(home).materialize(NEXT) == first
    assert checksum(home) == before


def test_an_older_snapshot_never_overwrites_a_newer_one(home: Home, store: FeatureStore) -> None:
    store.materialize(NEXT)
    before = checksum(home)
    assert store.materialize(MONDAY) == 0
    assert checksum(home) == before
    assert store.online(["a00001"])["as_of"].tolist() == [pd.Timestamp(NEXT)]


def test_any_order_of_runs_ends_in_the_same_state(home: Home, store: FeatureStore) -> None:
    for as_of in (MONDAY, NEXT):
        store.materialize(as_of)
    in_order = checksum(home)
    (home.feast / "online.db").unlink()
    again = FeatureStore(home)
    again.apply()
    for as_of in (NEXT, MONDAY, NEXT, MONDAY):
        again.materialize(as_of)
    assert checksum(home) == in_order


def test_a_snapshot_that_was_built_again_replaces_its_former_values(home: Home, store: FeatureStore) -> None:
    store.materialize(NEXT)
    before = checksum(home)
    store_snapshot(home, NEXT, ACCOUNTS, version=1)
    assert store.materialize(NEXT) == VIEWS * len(ACCOUNTS)
    assert checksum(home) != before
    assert_online_is_history(store, NEXT, ACCOUNTS)


def test_an_account_that_a_rebuilt_snapshot_no_longer_holds_loses_its_row_of_it(
    home: Home, store: FeatureStore
) -> None:
    store.materialize(NEXT)
    store_snapshot(home, NEXT, ACCOUNTS[1:], version=1)
    assert store.materialize(NEXT) == VIEWS * len(ACCOUNTS)
    # It falls back to the snapshot that still has it.
    assert_online_is_history(store, NEXT, ACCOUNTS)
    # And to nothing, where the one before was built anew without it, too.
    store_snapshot(home, MONDAY, ACCOUNTS[1:], version=1)
    store.materialize(NEXT)
    assert store.online(ACCOUNTS)["found"].tolist() == [False] + [True] * (len(ACCOUNTS) - 1)


def test_a_run_for_an_earlier_moment_takes_nothing_away_that_was_known_later(home: Home, store: FeatureStore) -> None:
    later = NEXT + timedelta(hours=2)
    store_snapshot(home, NEXT, ACCOUNTS, known_at=later)
    store.materialize(later)
    store.materialize(NEXT)
    assert store.online(ACCOUNTS)["as_of"].unique().tolist() == [pd.Timestamp(NEXT)]


def test_nothing_later_than_the_date_gets_in(store: FeatureStore) -> None:
    store.materialize(NEXT - timedelta(microseconds=1))
    assert store.online(ACCOUNTS)["as_of"].unique().tolist() == [pd.Timestamp(MONDAY)]


def test_a_snapshot_that_is_not_known_yet_stays_out_until_it_is(home: Home, store: FeatureStore) -> None:
    known = NEXT + timedelta(days=2)
    store_snapshot(home, NEXT, ACCOUNTS, known_at=known)
    store.materialize(NEXT)
    assert store.online(ACCOUNTS)["as_of"].unique().tolist() == [pd.Timestamp(MONDAY)]
    assert_online_is_history(store, NEXT, ACCOUNTS)
    # Late rows are found, for each run looks back over the whole window.
    store.materialize(known)
    assert store.online(ACCOUNTS)["as_of"].unique().tolist() == [pd.Timestamp(NEXT)]


def test_an_account_that_left_keeps_its_last_row_and_its_date(home: Home, store: FeatureStore) -> None:
    store.materialize(NEXT)
    store_snapshot(home, NEXT + WEEK, ACCOUNTS[1:])
    store.materialize(NEXT + WEEK)
    rows = store.online(["a00000", "a00001"])
    assert rows["found"].tolist() == [True, True]
    assert rows["as_of"].tolist() == [pd.Timestamp(NEXT), pd.Timestamp(NEXT + WEEK)]


def test_a_window_without_snapshots_is_refused_not_a_success_with_nothing(store: FeatureStore) -> None:
    with pytest.raises(MissingStateError, match="no snapshot lies in the window"):
        store.materialize(NEXT + timedelta(days=8))


def test_views_of_different_builds_are_refused_and_nothing_is_written(home: Home, store: FeatureStore) -> None:
    store.materialize(MONDAY)
    before = checksum(home)
    store_rows(home, "market", view_rows(Subcategory.MARKET, NEXT, ACCOUNTS[1:]), as_of=NEXT)
    with pytest.raises(IntegrityError, match="others in market"):
        store.materialize(NEXT)
    assert checksum(home) == before


def test_a_reader_sees_the_old_state_until_every_view_is_written(home: Home, store: FeatureStore) -> None:
    store.materialize(MONDAY)
    reader, seen = FeatureStore(home), []

    def look(stage: str, done: int, total: int) -> None:
        seen.append((done, total, reader.online(ACCOUNTS)["as_of"].unique().tolist()))

    store.materialize(NEXT, progress=look)
    assert seen == [(done, VIEWS, [pd.Timestamp(MONDAY)]) for done in range(1, VIEWS + 1)]
    assert reader.online(ACCOUNTS)["as_of"].unique().tolist() == [pd.Timestamp(NEXT)]


def test_a_run_that_fails_half_way_leaves_nothing_behind(home: Home, store: FeatureStore) -> None:
    store.materialize(MONDAY)
    before = checksum(home)

    def fail(stage: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.materialize(NEXT, progress=fail)
    assert checksum(home) == before
    assert store.online(["a00001"])["as_of"].tolist() == [pd.Timestamp(MONDAY)]
    assert store.materialize(NEXT) == VIEWS * len(ACCOUNTS)


def test_a_run_that_is_killed_leaves_nothing_behind_and_the_next_one_finishes(home: Home, store: FeatureStore) -> None:
    store.materialize(MONDAY)
    before = checksum(home)
    code = (
        "import os, signal, sys\n"
        "from datetime import datetime\n"
        "from pathlib import Path\n"
        "from features.settings import Home\n"
        "from features.store import FeatureStore\n"
        "def die(stage, done, total):\n"
        "    if done == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "FeatureStore(Home(root=Path(sys.argv[1]))).materialize(datetime.fromisoformat(sys.argv[2]), progress=die)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(home.root), NEXT.isoformat()], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert checksum(home) == before
    store.materialize(NEXT)
    after = checksum(home)
    (home.feast / "online.db").unlink()
    fresh = FeatureStore(home)
    fresh.apply()
    fresh.materialize(NEXT)
    assert checksum(home) == after


def test_a_second_writer_is_told_to_come_back(home: Home, store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online_store, "BUSY_SECONDS", 0.01)
    other = FeatureStore(home)

    def write_too(stage: str, done: int, total: int) -> None:
        with pytest.raises(ServiceUnavailable, match="locked"):
            other.materialize(NEXT)

    assert store.materialize(NEXT, progress=write_too) == VIEWS * len(ACCOUNTS)


def test_dates_do_not_depend_on_the_time_zone_of_the_machine(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Feast's own SQLite store writes local time: a reader in another zone would see another date.
    try:
        for zone in ("Pacific/Auckland", "America/Los_Angeles"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            store.materialize(NEXT)
            assert store.online(["a00001"])["as_of"].tolist() == [pd.Timestamp(NEXT)]
            monkeypatch.setenv("TZ", "Asia/Kolkata")
            time.tzset()
            assert store.online(["a00001"])["as_of"].tolist() == [pd.Timestamp(NEXT)]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_nothing_online_is_said_not_answered_with_unknown_accounts(home: Home, store: FeatureStore) -> None:
    with pytest.raises(MissingStateError, match="an empty store"):
        store.online(ACCOUNTS)
    (home.feast / "online.db").unlink()
    with pytest.raises(MissingStateError, match="no file"):
        store.online(ACCOUNTS)
    with pytest.raises(MissingStateError, match="no file"):
        store.materialize(NEXT)
    assert not (home.feast / "online.db").exists()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "a broken row"])
def test_a_damaged_online_store_is_refused_by_name(home: Home, store: FeatureStore, damage: str) -> None:
    store.materialize(NEXT)
    path = home.feast / "online.db"
    if damage == "a broken row":
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE online_rows SET feature_values = X'FFFFFF'")
    else:
        whole = path.read_bytes()
        path.write_bytes(b"garbage" * 2000 if damage == "garbage" else whole[: len(whole) // 2])
    with pytest.raises(IntegrityError) as refused:
        store.online(ACCOUNTS)
    assert str(path) in refused.value.expected


def test_views_of_different_dates_are_refused(home: Home, store: FeatureStore) -> None:
    store.materialize(NEXT)
    with closing(sqlite3.connect(home.feast / "online.db")) as connection, connection:
        connection.execute("UPDATE online_rows SET event_us = event_us + 1 WHERE view = 'market'")
    with pytest.raises(IntegrityError, match="found 12 accounts with several"):
        store.online(ACCOUNTS)


def test_features_leave_the_metrics_of_the_process_alone() -> None:
    # Importing Feast would point every Prometheus metric of the process at a folder of Feast's own.
    assert not [name for name, value in os.environ.items() if "feast_metrics_" in value]
