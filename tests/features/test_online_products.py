"""Do SQLite, Redis and PostgreSQL say the same of every account, and keep the same laws?"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pandas as pd
import psycopg
import pytest
import redis

from features import online_postgresql
from features.catalogue import FEATURES
from features.errors import IntegrityError, MissingStateError, PulseError, ServiceUnavailable
from features.online_place import ONLINE_VARIABLE, PASSWORD_VARIABLE, OnlinePlace
from features.settings import Home
from features.store import FeatureStore
from features.vocabulary import WEEK, Subcategory
from tests.features.online_servers import PASSWORD, Server, postgresql_server, redis_server
from tests.features.snapshot_case import MONDAY, account_ids, bits, store_rows, store_snapshot, view_rows, weeks

NAMES = [feature.name for feature in FEATURES]
ACCOUNTS = account_ids(12)
MANY = account_ids(1_000)
NEXT = MONDAY + WEEK
VIEWS = len(Subcategory)
SERVERS = ("redis", "postgresql")


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    with redis_server() as first, postgresql_server() as second:
        yield {"redis": first, "postgresql": second}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, servers: dict[str, Server]) -> Home:
    """Two dates of a few accounts, registered, both servers prepared; each test has its own copy."""
    home = Home(root=tmp_path_factory.mktemp("products") / "home").prepare()
    for as_of in weeks(2):
        store_snapshot(home, as_of, ACCOUNTS)
    for server in servers.values():
        opened(home, server).apply()
    return home


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, servers: dict[str, Server], made: Home) -> Server:
    """A server with nothing in it but the empty table, where it has tables."""
    return emptied(servers[request.param])


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    shutil.copytree(made.root, tmp_path / "home")
    return Home(root=tmp_path / "home")


@pytest.fixture
def store(home: Home, server: Server) -> FeatureStore:
    return opened(home, server)


def emptied(server: Server) -> Server:
    if server.address.startswith("redis"):
        redis.Redis.from_url(server.address).flushall()
    else:
        with psycopg.connect(server.address) as connection:
            if connection.execute("SELECT TO_REGCLASS('pulse_online_rows')").fetchone() != (None,):
                connection.execute("TRUNCATE pulse_online_rows")
    return server


def opened(home: Home, server: Server) -> FeatureStore:
    return FeatureStore(home, online=OnlinePlace.from_environment({ONLINE_VARIABLE: server.address}))


def history(store: FeatureStore, ids: list[str]) -> list[tuple[object, ...]]:
    moments = pd.to_datetime([NEXT] * len(ids), utc=True)
    return bits(store.historical(pd.DataFrame({"account_id": ids, "as_of": moments})), NAMES)


def dates(store: FeatureStore, ids: list[str] | None = None) -> list[pd.Timestamp]:
    dates: list[pd.Timestamp] = store.online(ids or ACCOUNTS)["as_of"].unique().tolist()
    return dates


def test_a_thousand_accounts_read_the_same_from_every_product_and_from_history(
    servers: dict[str, Server], tmp_path: Path
) -> None:
    home = Home(root=tmp_path / "home").prepare()
    for as_of in weeks(2):
        store_snapshot(home, as_of, MANY)
    stores = [FeatureStore(home, online=OnlinePlace()), *(opened(home, emptied(servers[name])) for name in SERVERS)]
    told = []
    asked = [*MANY, "nobody", "", "a00001"]
    for store in stores:
        store.apply()
        assert store.materialize(NEXT) == VIEWS * len(MANY)
        rows = store.online(asked)
        assert rows["found"].tolist() == [True] * 1_000 + [False, False, True]
        told.append(rows)
    assert bits(told[0], NAMES) == history(stores[0], asked)
    for rows in told[1:]:
        pd.testing.assert_frame_equal(rows, told[0], check_exact=True)
        assert bits(rows, NAMES) == bits(told[0], NAMES)


def test_an_older_snapshot_never_replaces_a_newer_one(store: FeatureStore) -> None:
    assert store.materialize(NEXT) == VIEWS * len(ACCOUNTS)
    before = store.online(ACCOUNTS)
    assert store.materialize(MONDAY) == 0
    assert bits(store.online(ACCOUNTS), NAMES) == bits(before, NAMES)
    assert dates(store) == [pd.Timestamp(NEXT)]


def test_a_snapshot_that_was_built_again_replaces_its_former_values(home: Home, store: FeatureStore) -> None:
    store.materialize(NEXT)
    former = store.online(ACCOUNTS)
    store_snapshot(home, NEXT, ACCOUNTS, version=1)
    assert store.materialize(NEXT) == VIEWS * len(ACCOUNTS)
    assert bits(store.online(ACCOUNTS), NAMES) == history(store, ACCOUNTS) != bits(former, NAMES)


def test_an_account_that_a_rebuilt_snapshot_no_longer_holds_loses_its_row_of_it(
    home: Home, store: FeatureStore
) -> None:
    store.materialize(NEXT)
    store_snapshot(home, NEXT, ACCOUNTS[1:], version=1)
    assert store.materialize(NEXT) == VIEWS * len(ACCOUNTS)
    # It falls back to the snapshot that still has it.
    assert bits(store.online(ACCOUNTS), NAMES) == history(store, ACCOUNTS)
    # And to nothing, where the one before was built anew without it, too.
    store_snapshot(home, MONDAY, ACCOUNTS[1:], version=1)
    store.materialize(NEXT)
    assert store.online(ACCOUNTS)["found"].tolist() == [False] + [True] * (len(ACCOUNTS) - 1)


def test_a_correction_that_was_known_later_wins_whichever_comes_first(home: Home, store: FeatureStore) -> None:
    # Same as_of, two beliefs: the later one stays, in either order of arrival.
    for versions in ((0, 1), (1, 0)):
        for version in versions:
            store_snapshot(home, NEXT, ACCOUNTS, known_at=NEXT + timedelta(hours=version), version=version)
            store.materialize(NEXT + timedelta(hours=2))
        store_snapshot(home, NEXT, ACCOUNTS, known_at=NEXT + timedelta(hours=1), version=1)
        moment = pd.to_datetime([NEXT + timedelta(hours=2)] * len(ACCOUNTS), utc=True)
        then = store.historical(pd.DataFrame({"account_id": ACCOUNTS, "as_of": moment}))
        assert bits(store.online(ACCOUNTS), NAMES) == bits(then, NAMES)


def test_a_reader_sees_the_old_state_until_every_view_is_written(home: Home, server: Server) -> None:
    store, reader = opened(home, server), opened(home, server)
    store.materialize(MONDAY)
    seen = []

    def look(stage: str, done: int, total: int) -> None:
        seen.append(dates(reader))

    store.materialize(NEXT, progress=look)
    assert seen == [[pd.Timestamp(MONDAY)]] * VIEWS
    assert dates(reader) == [pd.Timestamp(NEXT)]


def test_a_run_that_fails_half_way_leaves_nothing_behind(store: FeatureStore) -> None:
    store.materialize(MONDAY)

    def fail(stage: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.materialize(NEXT, progress=fail)
    assert dates(store) == [pd.Timestamp(MONDAY)]
    assert store.materialize(NEXT) == VIEWS * len(ACCOUNTS)


def test_views_of_different_builds_are_refused_and_nothing_is_written(home: Home, store: FeatureStore) -> None:
    store.materialize(MONDAY)
    store_rows(home, "market", view_rows(Subcategory.MARKET, NEXT, ACCOUNTS[1:]), as_of=NEXT)
    with pytest.raises(IntegrityError, match="others in market"):
        store.materialize(NEXT)
    assert dates(store) == [pd.Timestamp(MONDAY)]


def test_an_account_that_left_keeps_its_last_row_and_its_date(home: Home, store: FeatureStore) -> None:
    store.materialize(NEXT)
    store_snapshot(home, NEXT + WEEK, ACCOUNTS[1:])
    store.materialize(NEXT + WEEK)
    # How old a row is, is told: no time to live of a product hides it, and none makes it look fresh.
    assert dates(store, ["a00000"]) == [pd.Timestamp(NEXT)]
    assert dates(store, ["a00001"]) == [pd.Timestamp(NEXT + WEEK)]


def test_nothing_online_is_said_not_answered_with_unknown_accounts(home: Home, server: Server) -> None:
    with pytest.raises(MissingStateError, match="an empty store") as refused:
        opened(home, server).online(ACCOUNTS)
    assert_tells_no_secret(refused.value, server)


def test_registering_again_keeps_what_is_online(home: Home, server: Server, store: FeatureStore) -> None:
    store.materialize(NEXT)
    again = opened(home, server)
    again.apply()
    assert bits(again.online(ACCOUNTS), NAMES) == history(store, ACCOUNTS)


def test_feast_itself_can_clear_the_store_and_leaves_what_is_not_ours(
    home: Home, server: Server, store: FeatureStore
) -> None:
    store.materialize(NEXT)
    other = "CREATE TABLE IF NOT EXISTS not_ours AS SELECT 1"
    if server.address.startswith("redis"):
        redis.Redis.from_url(server.address).set("not_ours", 1)
    else:
        with psycopg.connect(server.address) as connection:
            connection.execute(other)
    feast = store._opened.feast
    feast.provider.online_store.teardown(feast.config, feast.list_feature_views(), [])
    if server.address.startswith("redis"):
        assert redis.Redis.from_url(server.address).keys() == [b"not_ours"]
    else:
        with psycopg.connect(server.address) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            connection.execute("DROP TABLE not_ours")
        opened(home, server).apply()
        assert tables == [("not_ours",)]


def test_a_damaged_row_is_refused_by_name(server: Server, store: FeatureStore) -> None:
    store.materialize(NEXT)
    if server.address.startswith("redis"):
        client = redis.Redis.from_url(server.address)
        for key in client.scan_iter(match="campaign_pulse:online:*"):
            client.hset(key, "market", b"\xff" * 40)
    else:
        with psycopg.connect(server.address) as connection:
            connection.execute("UPDATE pulse_online_rows SET feature_values = '\\xffffff' WHERE view = 'market'")
    with pytest.raises(IntegrityError, match="online store is damaged") as refused:
        store.online(ACCOUNTS)
    assert_tells_no_secret(refused.value, server)


def test_views_of_different_dates_are_refused(server: Server, store: FeatureStore) -> None:
    store.materialize(NEXT)
    if server.address.startswith("redis"):
        client = redis.Redis.from_url(server.address)
        for key in client.scan_iter(match="campaign_pulse:online:*"):
            field = client.hget(key, "market")
            assert isinstance(field, bytes)
            client.hset(key, "market", (int.from_bytes(field[:8], "big") + 1).to_bytes(8, "big") + field[8:])
    else:
        with psycopg.connect(server.address) as connection:
            connection.execute("UPDATE pulse_online_rows SET event_us = event_us + 1 WHERE view = 'market'")
    with pytest.raises(IntegrityError, match="found 12 accounts with several"):
        store.online(ACCOUNTS)


def test_a_server_that_hangs_is_told_within_seconds_and_found_again(server: Server, store: FeatureStore) -> None:
    store.materialize(NEXT)
    with server.frozen():
        began = time.monotonic()
        with pytest.raises(ServiceUnavailable) as refused:
            store.online(ACCOUNTS)
        # One try, and one more for a connection that the server might have closed meanwhile.
        assert time.monotonic() - began < 10
        assert_tells_no_secret(refused.value, server)
    assert dates(store) == [pd.Timestamp(NEXT)]


def test_a_wrong_password_and_a_server_that_is_away_are_told_without_the_secret(home: Home, server: Server) -> None:
    away = server.address.replace(server.address.rsplit(":", 1)[1].split("/")[0], "1")
    for address in (server.address.replace(PASSWORD, "another-secret"), away):
        told = FeatureStore(home, online=OnlinePlace.from_environment({ONLINE_VARIABLE: address}))
        with pytest.raises(ServiceUnavailable) as refused:
            told.apply()
        assert_tells_no_secret(refused.value, server)


def test_the_password_may_come_from_a_variable_of_its_own(home: Home, server: Server) -> None:
    bare = server.address.replace(f":{PASSWORD}@", "@")
    place = OnlinePlace.from_environment({ONLINE_VARIABLE: bare, PASSWORD_VARIABLE: PASSWORD})
    store = FeatureStore(home, online=place)
    assert store.materialize(NEXT) == VIEWS * len(ACCOUNTS)


def test_a_second_writer_of_postgresql_is_told_to_come_back(
    home: Home, servers: dict[str, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Redis gathers, and writes each account in one step: there two writers end in the newer rows without a queue.
    monkeypatch.setattr(online_postgresql, "BUSY_SECONDS", 0.05)
    store, other = (opened(home, emptied(servers["postgresql"])) for _ in range(2))

    def write_too(stage: str, done: int, total: int) -> None:
        with pytest.raises(ServiceUnavailable, match="another writer"):
            other.materialize(NEXT)

    assert store.materialize(NEXT, progress=write_too) == VIEWS * len(ACCOUNTS)


def test_a_table_that_is_gone_is_no_store_yet(home: Home, servers: dict[str, Server]) -> None:
    store = opened(home, servers["postgresql"])
    with closing(psycopg.connect(servers["postgresql"].address, autocommit=True)) as connection:
        connection.execute("DROP TABLE pulse_online_rows")
    with pytest.raises(MissingStateError, match="no table"):
        store.online(ACCOUNTS)
    store.apply()
    assert store.materialize(NEXT) == VIEWS * len(ACCOUNTS)


def assert_tells_no_secret(error: PulseError, server: Server) -> None:
    told = f"{error} {error.facts()} {error.__cause__!r}"
    assert server.shown.split("://")[0] in told
    assert not [word for word in (PASSWORD, "another-secret", "a00001") if word in told]
