"""Is a registry that is missing, empty or damaged refused, and a sound one made again without harm?"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import feast
import pandas as pd
import pytest
from feast.infra.registry.sql import SqlRegistryConfig
from feast.types import Float64

from features.catalogue import FEATURES
from features.definitions import AS_OF, JOIN_KEY, KNOWN_AT, PROJECT, catalogue_schema, definitions, schema_of
from features.errors import IntegrityError, MissingStateError
from features.settings import Home
from features.store import FeatureStore
from tests.features.snapshot_case import MONDAY, account_ids, bits, online_home

NAMES = [feature.name for feature in FEATURES]
ROWS = pd.DataFrame({"account_id": ["a00001"], "as_of": pd.to_datetime([MONDAY], utc=True)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A sound home; tests copy it before they harm it."""
    return online_home(tmp_path_factory.mktemp("registry") / "home", account_ids(3))


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    shutil.copytree(made.root, tmp_path / "home")
    return Home(root=tmp_path / "home")


def registry(home: Home) -> feast.FeatureStore:
    """Feast as any other program would open this registry."""
    config = feast.RepoConfig(
        project=PROJECT,
        provider="local",
        registry=SqlRegistryConfig(path=f"sqlite:///{home.feast / 'registry.db'}", cache_ttl_seconds=1),
        offline_store={"type": "features.offline_store.SnapshotOfflineStore"},
        online_store={"type": "features.online_store.SnapshotOnlineStore", "path": home.feast / "online.db"},
        entity_key_serialization_version=3,
        repo_path=home.root,
    )
    return feast.FeatureStore(config=config)


def test_the_registered_schema_is_the_catalogue(home: Home) -> None:
    assert schema_of(registry(home).list_feature_views()) == catalogue_schema()


def test_applying_again_changes_nothing(home: Home) -> None:
    def content() -> list[object]:
        with closing(sqlite3.connect(home.feast / "registry.db")) as connection:
            tables = ("projects", "entities", "data_sources", "feature_views", "feature_services", "permissions")
            counts = [connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() for table in tables]
            online = connection.execute("SELECT COUNT(*) FROM feature_view_version_history").fetchone()
        return [*counts, online]

    store = FeatureStore(home)
    before, values = content(), store.online(account_ids(3))
    for _ in range(2):
        store.apply()
    assert content() == before
    assert bits(store.online(account_ids(3)), NAMES) == bits(values, NAMES)
    assert schema_of(registry(home).list_feature_views()) == catalogue_schema()


def assert_refused(home: Home, kind: type[Exception]) -> None:
    for read in (
        lambda store: store.historical(ROWS),
        lambda store: store.online(["a00001"]),
        lambda store: store.materialize(MONDAY),
    ):
        with pytest.raises(kind) as refused:
            read(FeatureStore(home))
        assert str(home.feast / "registry.db") in str(refused.value)


def test_a_missing_registry_is_refused(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "none")
    assert_refused(home, MissingStateError)
    assert not home.root.exists()


def test_an_empty_registry_is_refused_and_applying_fills_it(home: Home) -> None:
    (home.feast / "registry.db").write_bytes(b"")
    assert_refused(home, MissingStateError)
    FeatureStore(home).apply()
    assert len(FeatureStore(home).historical(ROWS)) == 1


def test_a_registry_with_tables_but_without_features_is_refused(home: Home) -> None:
    # What a crash between making the tables and registering leaves.
    (home.feast / "registry.db").unlink()
    registry(home).apply([definitions().entity])
    assert_refused(home, MissingStateError)


@pytest.mark.parametrize("part", range(20))
def test_a_truncated_registry_is_refused(home: Home, part: int) -> None:
    path = home.feast / "registry.db"
    whole = path.read_bytes()
    path.write_bytes(whole[: max(1, part * len(whole) // 20)])
    assert_refused(home, IntegrityError)


@pytest.mark.parametrize("size", [1, 100, 5_000])
def test_garbage_is_refused_and_never_overwritten(home: Home, size: int) -> None:
    path = home.feast / "registry.db"
    garbage = (b"not a registry. " * size)[:size]
    path.write_bytes(garbage)
    assert_refused(home, IntegrityError)
    with pytest.raises(IntegrityError, match="registry is damaged"):
        FeatureStore(home).apply()
    assert path.read_bytes() == garbage


def test_a_registry_with_any_broken_page_is_refused_or_read_right(home: Home) -> None:
    path, page = home.feast / "registry.db", 4096
    whole, right = path.read_bytes(), bits(FeatureStore(home).historical(ROWS), NAMES)
    refused = 0
    for number in range(1, len(whole) // page):
        for fill in (b"\x00", b"\xff"):
            path.write_bytes(whole[: number * page] + fill * page + whole[(number + 1) * page :])
            try:
                # A page that no definition lies on may be broken without harm.
                assert bits(FeatureStore(home).historical(ROWS), NAMES) == right
            except IntegrityError:
                refused += 1
    assert refused >= len(whole) // page


def test_a_registry_of_another_catalogue_is_refused_until_it_is_applied_again(home: Home) -> None:
    other = definitions()
    changed = feast.FeatureView(
        name="market",
        entities=[other.entity],
        ttl=timedelta(days=8),
        schema=[feast.Field(name=JOIN_KEY, dtype=feast.types.String), feast.Field(name="old_feature", dtype=Float64)],
        source=feast.FileSource(path="snapshots/market", timestamp_field=AS_OF, created_timestamp_column=KNOWN_AT),
    )
    registry(home).apply([other.entity, changed])
    assert_refused(home, IntegrityError)
    store = FeatureStore(home)
    store.apply()
    assert len(store.historical(ROWS)) == 1


def test_a_home_that_was_moved_reads_its_own_snapshots(home: Home, tmp_path: Path) -> None:
    before = FeatureStore(home).historical(ROWS)
    moved = Home(root=tmp_path / "somewhere else?")
    shutil.move(home.root, moved.root)
    assert bits(FeatureStore(moved).historical(ROWS), NAMES) == bits(before, NAMES)
    assert FeatureStore(moved).online(["a00001"])["found"].tolist() == [True]


def test_feast_itself_brings_the_same_values_online(home: Home) -> None:
    # The plug-ins keep Feast's contract: its own command, used by somebody else, does no harm.
    values = FeatureStore(home).online(account_ids(3))
    (home.feast / "online.db").unlink()
    other = registry(home)
    other.apply(definitions().objects())
    other.materialize(MONDAY - timedelta(days=8), MONDAY)
    assert bits(FeatureStore(home).online(account_ids(3)), NAMES) == bits(values, NAMES)
