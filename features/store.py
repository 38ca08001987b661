"""How are features read: as they were known at past moments, and as they are now?

Grain in: accounts and moments. Grain out: one row per row asked for, in order, with every feature of the catalogue in
catalogue order (numbers float64 with NaN for null, words as text). This is the talk with Feast; importing it costs
seconds of CPU, so a command that does not read features does not import it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import pandas as pd
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs
from sqlalchemy import URL

from features.catalogue import FEATURES
from features.cohort import built_as_ofs
from features.definitions import AS_OF, JOIN_KEY, PROJECT, SERVICE, TTL, catalogue_schema, definitions, schema_of
from features.engine_place import OFFLINE_VARIABLE, EnginePlace
from features.errors import IntegrityError, MissingStateError, UsageError
from features.feast_import import FeastConfigBaseModel, FeatureServiceNotFoundException, SqlRegistryConfig, feast
from features.latest_rows import LatestRows, microseconds
from features.offline_store import SnapshotOfflineStore, SnapshotOfflineStoreConfig
from features.online_place import OnlinePlace, Product
from features.online_rows import (
    OnlineRows,
    StoredAccount,
    holders_of,
    online_arrays,
    online_rows,
    require_same_keys,
    require_same_rows,
    stored_accounts,
)
from features.online_store import SnapshotOnlineStoreConfig
from features.progress import Progress, silent
from features.registry_file import damaged_registry, require_registry, require_sound_file
from features.settings import Home
from features.vocabulary import Subcategory, require_utc

__all__ = ["FeatureStore", "OnlineRows", "StoredAccount"]

_MOMENT = "event_timestamp"
_NAMES = [feature.name for feature in FEATURES]
_REGISTRY_SECONDS = 60
"""A running service sees a new registration within a minute; asking more often only costs."""

_ROWS_PER_WRITE = 5_000
"""Feast holds every value as an object of its own while it writes; pieces keep that below some 100 MB."""

_METRICS_VARIABLES = ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR")


@dataclass(frozen=True, slots=True)
class _Opened:
    """Feast with a registry that was checked against the catalogue."""

    feast: feast.FeatureStore
    service: feast.FeatureService
    views: tuple[feast.FeatureView, ...]


class FeatureStore:
    """The features of one home. Making one touches no disk; the first read opens the registry."""

    def __init__(self, home: Home, *, online: OnlinePlace | None = None, offline: EnginePlace | None = None) -> None:
        self.home = home
        self.offline = offline or EnginePlace.from_environment(variable=OFFLINE_VARIABLE)
        self.place = online or OnlinePlace.from_environment()

    def apply(self) -> None:
        """Register the catalogue, and make the online store where it is missing. Doing it again changes nothing.

        Raises:
            IntegrityError: the registry or the online store is damaged.
        """
        self.home.prepare()
        self.home.feast.mkdir(mode=0o700, exist_ok=True)
        require_sound_file(self._registry_file)
        feast.FeatureStore(config=self._config).apply(definitions().objects())
        self.__dict__.pop("_opened", None)

    def historical(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows (``account_id``, ``as_of``, anything else) with every feature as it was known at ``as_of``.

        Same rows, same order, duplicates kept, index 0..n-1. Where no snapshot of the last 8 days was known then, every
        feature is null.

        Raises:
            MissingStateError: nothing is registered or built.
            UsageError: a column is missing, has a feature's name, or ``as_of`` has no zone.
            IntegrityError: the answer does not have the rows of the question, or a snapshot file is damaged.
        """
        _require_columns(rows)
        opened = self._opened
        asked = rows.reset_index(drop=True)
        answer: pd.DataFrame = opened.feast.get_historical_features(
            entity_df=pd.DataFrame({JOIN_KEY: asked[JOIN_KEY], _MOMENT: asked[AS_OF]}),
            features=opened.service,
            filter_by_created_timestamp=True,
        ).to_df()
        if len(answer) != len(asked) or not answer[JOIN_KEY].equals(asked[JOIN_KEY].astype(answer[JOIN_KEY].dtype)):
            raise IntegrityError(
                "the historical read does not have the rows that were asked for",
                expected=f"{len(asked)} rows in their order",
                found=f"{len(answer)} rows",
                todo="please report this: it is a defect",
            )
        return pd.concat([asked, answer[_NAMES]], axis=1)

    def materialize(self, as_of: datetime, *, progress: Progress = silent) -> int:
        """Bring the latest snapshots known at ``as_of`` online and return the rows written (one per account and view).

        Looks back 8 days from ``as_of``, never only to the last run, so late rows are taken; nothing later than
        ``as_of`` gets in. A stored newer snapshot stays. An account that a snapshot no longer holds (it was built anew
        from late rows) loses the row that it had of it. All views change in one transaction. Feast's own
        ``materialize`` is not used: it commits view by view, and marks each view unreadable while it works.

        Raises:
            MissingStateError: nothing is registered, or no snapshot lies in the window.
            IntegrityError: the views do not hold the same accounts and dates (a build stopped half-way).
        """
        opened, until = self._opened, require_utc(as_of)
        latest = {view.name: self._latest(view, until) for view in opened.views}
        require_same_rows(latest, until)
        looked_at = [built for built in built_as_ofs(self.home) if until - TTL <= built <= until]
        version = self._config.entity_key_serialization_version
        holders = holders_of(latest[opened.views[0].name], looked_at, key_version=version)
        provider = opened.feast.provider
        with provider.online_store.session(self._config, writing=True) as online:
            for done, view in enumerate(opened.views, start=1):
                rows = latest.pop(view.name)
                for event_us, keep in holders.items():
                    online.withdraw(view.name, event_us, microseconds(until), keep)
                for start in range(0, len(rows), _ROWS_PER_WRITE):
                    provider.ingest_df(view, rows.iloc[start : start + _ROWS_PER_WRITE])
                progress("bring features online", done, len(opened.views))
        # Only now is everything written: some products take it at the end.
        return int(online.written)

    def push(self, rows: Mapping[str, pd.DataFrame]) -> int:
        """Put rows that were just computed online and return how many were taken (one per account and view).

        ``rows`` has, for every view, ``account_id``, its features, ``as_of`` and ``known_at``; the same accounts and
        dates in each. A stored newer row stays. All views change in one session, as in :meth:`materialize`.

        Raises:
            MissingStateError: nothing is registered.
            IntegrityError: the views do not hold the same accounts and dates.
        """
        opened = self._opened
        require_same_keys(rows)
        provider = opened.feast.provider
        with provider.online_store.session(self._config, writing=True) as online:
            for view in opened.views:
                provider.ingest_df(view, rows[view.name])
        return int(online.written)

    def online(self, account_ids: Sequence[str]) -> pd.DataFrame:
        """What is online: one row per id, in order, with ``account_id``, ``found``, ``as_of`` and every feature.

        ``as_of`` says how old the row is; judging that is the caller's business, for an account that left the cohort
        keeps its last row. An unknown account has ``found`` false, no ``as_of`` and null features.

        Raises:
            MissingStateError: nothing is registered, or nothing at all is online.
            IntegrityError: the views of an account are of different dates, or a file is damaged.
        """
        with self._session():
            return self.rows_of(self.stored(account_ids))

    def stored(self, account_ids: Sequence[str]) -> list[StoredAccount]:
        """What is online as it is stored, one per id, in order: what tells whether anything is new; raises as above."""
        unique = list(dict.fromkeys(account_ids))
        with self._session() as rows:
            self._opened.feast.provider.online_store.require_rows(self._config)
            found = stored_accounts(rows, unique, key_version=self._config.entity_key_serialization_version)
        place = dict(zip(unique, found, strict=True))
        return [place[account_id] for account_id in account_ids]

    def rows_of(self, accounts: Sequence[StoredAccount]) -> pd.DataFrame:
        """The rows of accounts that were read by :meth:`stored`, as :meth:`online` tells them; raises as there."""
        with self._session():
            return online_rows(accounts)

    def arrays_of(self, accounts: Sequence[StoredAccount]) -> OnlineRows:
        """The same as arrays, which are made in a tenth of the time; raises as :meth:`online`."""
        with self._session():
            return online_arrays(accounts)

    def _session(self) -> AbstractContextManager[LatestRows]:
        session: AbstractContextManager[LatestRows] = self._opened.feast.provider.online_store.session(self._config)
        return session

    @property
    def _registry_file(self) -> Path:
        return self.home.feast / "registry.db"

    @cached_property
    def _config(self) -> feast.RepoConfig:
        registry = URL.create("sqlite", database=str(self._registry_file.absolute()))
        return feast.RepoConfig(
            project=PROJECT,
            provider="local",
            registry=SqlRegistryConfig(path=registry.render_as_string(), cache_ttl_seconds=_REGISTRY_SECONDS),
            offline_store=SnapshotOfflineStoreConfig(engine=self.offline.kind, master=self.offline.master),
            online_store=_online_config(self.home, self.place),
            entity_key_serialization_version=3,
            repo_path=self.home.root,
        )

    @cached_property
    def _opened(self) -> _Opened:
        require_registry(self._registry_file)
        store = feast.FeatureStore(config=self._config)
        try:
            service = store.get_feature_service(SERVICE)
            views = {view.name: view for view in store.list_feature_views()}
        except DecodeError as cause:
            raise damaged_registry(self._registry_file, "a definition that cannot be read") from cause
        except FeatureServiceNotFoundException as cause:
            raise MissingStateError(
                "the feature registry has no features",
                expected=f"the feature service {SERVICE} in {self._registry_file}",
                found="none",
                todo="run `pulse build`",
            ) from cause
        if schema_of(views.values()) != catalogue_schema():
            raise IntegrityError(
                "the registered features are not those of the catalogue",
                expected=f"the {len(_NAMES)} features of this version in {self._registry_file}",
                found="other names or types",
                todo="run `pulse build`",
            )
        return _Opened(feast=store, service=service, views=tuple(views[part] for part in Subcategory))

    def _latest(self, view: feast.FeatureView, until: datetime) -> pd.DataFrame:
        source = view.batch_source
        rows: pd.DataFrame = SnapshotOfflineStore.pull_latest_from_table_or_query(
            self._config,
            source,
            join_key_columns=view.join_keys,
            feature_name_columns=[field.name for field in view.features],
            timestamp_field=source.timestamp_field,
            created_timestamp_column=source.created_timestamp_column,
            start_date=until - TTL,
            end_date=until,
        ).to_df()
        return rows


def _online_config(home: Home, place: OnlinePlace) -> FeastConfigBaseModel:
    if place.product is Product.REDIS:
        # Imported where they are wanted: a home with a SQLite file needs neither driver.
        from features.online_redis import RedisOnlineStoreConfig  # noqa: PLC0415

        return RedisOnlineStoreConfig(address=place.address)
    if place.product is Product.POSTGRESQL:
        from features.online_postgresql import PostgresqlOnlineStoreConfig  # noqa: PLC0415

        return PostgresqlOnlineStoreConfig(address=place.address)
    return SnapshotOnlineStoreConfig(path=home.feast / "online.db")


def _require_columns(rows: pd.DataFrame) -> None:
    missing = [name for name in (JOIN_KEY, AS_OF) if name not in rows.columns]
    taken = [name for name in rows.columns if name in _NAMES]
    naive = not missing and not isinstance(rows[AS_OF].dtype, pd.DatetimeTZDtype)
    if missing or taken or naive:
        raise UsageError(
            "these rows cannot be given features",
            expected=f"{JOIN_KEY}, {AS_OF} with a zone, and no column with a feature's name",
            found=f"missing: {missing}; taken: {taken}; {AS_OF} without a zone: {naive}",
            todo="build the rows from read_cohort",
        )


def _forget_metrics_folder() -> None:
    # Importing Feast points every Prometheus metric of the process, and of its children, at a folder that Feast makes
    # for itself; a folder that the service has chosen is left alone.
    for name in _METRICS_VARIABLES:
        if Path(os.environ.get(name, "")).name.startswith("feast_metrics_"):
            del os.environ[name]


_forget_metrics_folder()
