"""What do Feast's interface and our safety cost, over a training set and over 100 accounts online?

Point-in-time: ``PULSE_BENCH_TRAINING_ROWS`` rows (a million is the target) with every feature of every view, through
Feast's interface and by one plain ASOF join a view; both must give the same values. Feast's own store for this engine
is not timed: it needs ibis, which cannot be installed beside the other pins; by earlier measurements it costs some 40
times the plain join. Online: 100 accounts through our read, which tells how old each row is and refuses mixed dates,
and through Feast's own SQLite store, which does neither. One thread, processor time, best of alternating rounds.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import feast
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast.infra.online_stores.sqlite import SqliteOnlineStoreConfig
from feast.infra.registry.sql import SqlRegistryConfig
from feast.repo_config import RepoConfig

from features.build import snapshot_dataset
from features.catalogue import FEATURES, features_of
from features.definitions import PROJECT, SERVICE, definitions
from features.settings import Home
from features.store import FeatureStore
from features.vocabulary import WEEK, Subcategory
from features.warehouse import open_engine
from tests.benchmarks.measured import best_of, cost_of, rows_wanted
from tests.features.snapshot_case import MONDAY, account_ids, store_snapshot, weeks

pytestmark = [pytest.mark.bench, pytest.mark.timeout(7_200)]

MONDAYS = 26
ASKED = rows_wanted("PULSE_BENCH_TRAINING_ROWS", 50_000)
ACCOUNTS = max(200, ASKED // 50)
READ = 100


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    home = Home(root=tmp_path_factory.mktemp("reads") / "home").prepare()
    for as_of in weeks(MONDAYS):
        store_snapshot(home, as_of, account_ids(ACCOUNTS))
    store = FeatureStore(home)
    store.apply()
    store.materialize(weeks(MONDAYS)[-1])
    return store


def asked_rows() -> pd.DataFrame:
    random = np.random.default_rng(3)
    minutes = random.integers(0, MONDAYS * 7 * 24 * 60, ASKED)
    accounts = np.array(account_ids(ACCOUNTS))[random.integers(0, ACCOUNTS, ASKED)]
    moments = pd.to_datetime(np.datetime64(MONDAY.replace(tzinfo=None), "us") + minutes.astype("timedelta64[m]"))
    return pd.DataFrame({"account_id": accounts, "as_of": moments.tz_localize("UTC").as_unit("us")})


def plain(home: Home, rows: pd.DataFrame) -> pd.DataFrame:
    """One ASOF join a view over the same files, every feature beside its row."""
    answer: dict[str, pa.ChunkedArray] = {}
    with open_engine(threads=1) as engine:
        engine.name_rows("asked", pa.Table.from_pandas(rows.assign(place=np.arange(len(rows)))))
        for part in Subcategory:
            engine.name("snapshots", snapshot_dataset(home, part).files(), same_columns=True)
            names = [feature.name for feature in features_of(part)]
            cells = ", ".join(f's."{name}"' for name in names)
            found = engine.fetch(
                f"SELECT {cells} FROM asked AS a ASOF LEFT JOIN snapshots AS s "
                "ON a.account_id = s.account_id AND a.as_of >= s.as_of ORDER BY a.place"
            )
            answer |= {name: found.column(name) for name in names}
    told: pd.DataFrame = pa.table(answer).to_pandas()
    return told


def test_a_training_set_against_plain_joins(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_THREADS", "1")
    rows = asked_rows()
    kept: dict[str, pd.DataFrame] = {}
    ours, joins = best_of(
        lambda: kept.update(ours=store.historical(rows)), lambda: kept.update(plain=plain(store.home, rows)), rounds=3
    )
    _, peak = cost_of(lambda: store.historical(rows))
    print(
        f"\n{len(rows):,} rows x {len(Subcategory)} views, {len(FEATURES)} features, {ACCOUNTS:,} accounts, {MONDAYS} "
        f"snapshots: through Feast {ours:.2f} s, plain joins {joins:.2f} s = {ours / joins:.2f} times, {peak:.0f} MB"
    )
    names = [feature.name for feature in FEATURES]
    pd.testing.assert_frame_equal(kept["ours"][names], kept["plain"][names], check_exact=True)


def stock(store: FeatureStore, folder: Path) -> feast.FeatureStore:
    """Feast with its own SQLite store, holding the same newest rows."""
    folder.mkdir()
    config = RepoConfig(
        project=PROJECT,
        provider="local",
        registry=SqlRegistryConfig(path=f"sqlite:///{folder / 'registry.db'}", cache_ttl_seconds=600),
        online_store=SqliteOnlineStoreConfig(path=str(folder / "online.db")),
        entity_key_serialization_version=3,
        repo_path=store.home.root,
    )
    own = feast.FeatureStore(config=config)
    own.apply(definitions().objects())
    last = weeks(MONDAYS)[-1]
    for view in own.list_feature_views():
        rows = pq.read_table(snapshot_dataset(store.home, view.name).files()[-1]).to_pandas()
        assert set(rows["as_of"]) == {pd.Timestamp(last)}
        own.write_to_online_store(view.name, rows)
    return own


def test_an_online_read_of_100_accounts_against_feasts_own(store: FeatureStore, tmp_path: Path) -> None:
    theirs = stock(store, tmp_path / "stock")
    service = theirs.get_feature_service(SERVICE)
    ids = account_ids(ACCOUNTS)[:READ]
    kept: dict[str, pd.DataFrame] = {}

    def default() -> None:
        asked = [{"account_id": name} for name in ids]
        kept["theirs"] = theirs.get_online_features(features=service, entity_rows=asked).to_df()

    ours, own = best_of(lambda: kept.update(ours=store.online(ids)), default, rounds=7)
    print(
        f"\n{READ} accounts online: {ours * 1e3:.1f} ms, "
        f"Feast's SQLite store {own * 1e3:.1f} ms = {ours / own:.2f} times"
    )
    assert (kept["ours"]["as_of"] > MONDAY + (MONDAYS - 1) * WEEK - timedelta(days=1)).all()
    for feature in FEATURES:
        read, expected = kept["ours"][feature.name], kept["theirs"][feature.name]
        assert list(read.fillna("none")) == list(expected.fillna("none")), feature.name
