"""Is what is read past Feast what Feast would say, and is no file read on that is not there any more?"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from features.catalogue import FEATURES
from features.definitions import SERVICE
from features.settings import Home
from features.state import open_state
from features.store import FeatureStore, StoredAccount
from features.vocabulary import Subcategory
from tests.features.snapshot_case import MONDAY, WEEK, account_ids, bits, online_home, weeks

NAMES = [feature.name for feature in FEATURES]
ACCOUNTS = account_ids(6)
VIEWS = len(Subcategory)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two dates built, the first one online; each test has its own copy."""
    return online_home(tmp_path_factory.mktemp("rows") / "home", ACCOUNTS, built=weeks(2))


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    shutil.copytree(made.root, tmp_path / "home")
    return Home(root=tmp_path / "home")


def dates(store: FeatureStore) -> list[pd.Timestamp]:
    found: list[pd.Timestamp] = store.online(ACCOUNTS)["as_of"].unique().tolist()
    return found


def _take_the_place(backup: Path, file: Path) -> None:
    # As a database is restored: what lies beside the old file belongs to it.
    for beside in ("-wal", "-shm"):
        Path(f"{file}{beside}").unlink(missing_ok=True)
    backup.replace(file)


def test_feast_says_the_same_of_every_account_and_feature(home: Home) -> None:
    store, asked = FeatureStore(home), [*ACCOUNTS[::-1], "nobody"]
    theirs = store._opened.feast.get_online_features(
        features=store._opened.feast.get_feature_service(SERVICE),
        entity_rows=[{"account_id": account_id} for account_id in asked],
    ).to_df()
    ours = store.online(asked)
    assert list(ours["account_id"]) == list(theirs["account_id"]) == asked
    for name in NAMES:
        assert list(ours[name].fillna("none")) == list(theirs[name].fillna("none")), name
    assert list(ours.columns) == ["account_id", "found", "as_of", *NAMES]
    assert list(ours["found"]) == [True] * len(ACCOUNTS) + [False]


def test_what_is_stored_gives_the_rows_that_are_online(home: Home) -> None:
    store, asked = FeatureStore(home), [ACCOUNTS[2], "nobody", ACCOUNTS[0], ACCOUNTS[2]]
    stored = store.stored(asked)
    assert bits(store.rows_of(stored), NAMES) == bits(store.online(asked), NAMES)
    assert [any(one.packed) for one in stored] == [True, False, True, True]
    assert store.rows_of([]).columns.tolist() == store.online(asked).columns.tolist()


def test_a_digest_is_the_same_for_the_same_and_another_for_anything_else(home: Home) -> None:
    store = FeatureStore(home)
    (before,) = store.stored(ACCOUNTS[:1])
    assert FeatureStore(home).stored(ACCOUNTS[:1])[0].digest() == before.digest()
    others = [
        StoredAccount("another", before.events_us, before.packed),
        StoredAccount(before.account_id, tuple(event + 1 for event in before.events_us), before.packed),
        StoredAccount(before.account_id, before.events_us, before.packed[::-1]),
        # The same bytes, cut elsewhere.
        StoredAccount(before.account_id, before.events_us, (before.packed[0][:-1], before.packed[0][-1:])),
        StoredAccount(before.account_id, before.events_us, (before.packed[0],)),
    ]
    assert len({before.digest(), *(one.digest() for one in others)}) == len(others) + 1
    store.materialize(MONDAY + WEEK)
    assert store.stored(ACCOUNTS[:1])[0].digest() != before.digest()


def test_a_reader_that_keeps_its_connection_sees_what_was_written_and_what_was_restored(home: Home) -> None:
    reader, backup = FeatureStore(home), home.root / "backup.db"
    shutil.copy(home.feast / "online.db", backup)
    assert dates(reader) == [pd.Timestamp(MONDAY)]
    FeatureStore(home).materialize(MONDAY + WEEK)
    assert dates(reader) == [pd.Timestamp(MONDAY + WEEK)]
    _take_the_place(backup, home.feast / "online.db")
    assert dates(reader) == [pd.Timestamp(MONDAY)]


def test_many_threads_read_the_same_through_connections_that_are_lent(home: Home) -> None:
    store = FeatureStore(home)
    alone = bits(store.online(ACCOUNTS), NAMES)
    with ThreadPoolExecutor(12) as threads:
        told = list(threads.map(lambda _: bits(store.online(ACCOUNTS), NAMES), range(60)))
    assert told == [alone] * 60


def _names(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(sa.text("SELECT name FROM note ORDER BY name")))


def _state_with(home: Home, name: str) -> None:
    engine = open_state(home)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS note (name TEXT)"))
        connection.execute(sa.text("INSERT INTO note VALUES (:name)"), {"name": name})


def test_a_lasting_engine_sees_what_others_wrote_and_a_state_that_took_the_place(tmp_path: Path) -> None:
    home, other = Home(root=tmp_path / "one").prepare(), Home(root=tmp_path / "other").prepare()
    _state_with(home, "first")
    _state_with(other, "restored")
    lasting = open_state(home, lasting=True)
    assert _names(lasting) == ["first"]
    _state_with(home, "second")
    assert _names(lasting) == ["first", "second"]
    _take_the_place(other.state, home.state)
    assert _names(lasting) == ["restored"]
    lasting.dispose()


def test_arrays_say_what_the_table_says(home: Home) -> None:
    store, asked = FeatureStore(home), [*ACCOUNTS[::-1], "nobody"]
    table, arrays = store.online(asked), store.arrays_of(store.stored(asked))
    assert list(arrays.account_ids) == list(table["account_id"])
    assert list(arrays.found) == table["found"].tolist()
    assert [as_of for as_of in arrays.as_ofs if as_of] == [moment.to_pydatetime() for moment in table["as_of"].dropna()]
    assert arrays.as_ofs[-1] is None
    assert arrays.numbers.tobytes() == table[list(arrays.names)].to_numpy("float64").tobytes()
    assert {name: list(words) for name, words in arrays.words.items()} == {
        name: table[name].tolist() for name in NAMES if name not in arrays.names
    }
