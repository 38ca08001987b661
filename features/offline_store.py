"""How does Feast read our snapshots?

Feast's plug-in point for offline stores: every question becomes one as-of join per feature view, done by the query
engine over the files that the manifests name. Rows in equal rows out, in order, duplicates kept. Feast's own store for
files drops rows in silence, and its store for this engine needs a library that cannot be installed beside the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa

from features.as_of_join import SnapshotView, join_as_of, latest_known, name_rows, rows_between
from features.catalogue import feature_named
from features.engine_place import EngineKind, EnginePlace, open_at
from features.errors import ConfigError, UsageError
from features.feast_import import (
    BaseRegistry,
    DataSource,
    FeastConfigBaseModel,
    FeatureView,
    FileSource,
    OfflineStore,
    OnDemandFeatureView,
    RepoConfig,
    RetrievalJob,
    RetrievalMetadata,
    infer_event_timestamp_from_entity_df,
)
from features.query_engine import QueryEngine


class SnapshotOfflineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc] # Feast has no types
    """Which engine joins; where snapshots lie is said by each view's source, relative to the repository path."""

    type: Literal["features.offline_store.SnapshotOfflineStore"] = "features.offline_store.SnapshotOfflineStore"
    engine: EngineKind = EngineKind.DUCKDB
    master: str | None = None


class SnapshotRetrievalJob(RetrievalJob):  # type: ignore[misc] # Feast has no types
    """A question that is answered when its answer is asked for."""

    def __init__(
        self,
        question: Callable[[QueryEngine], pa.Table],
        *,
        config: RepoConfig,
        full_feature_names: bool = False,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._question = question
        self._config = config
        self._full_feature_names = full_feature_names
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        """True when feature names carry their view's name."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Always none: code in a registry is not ours."""
        return []

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """Names of features and keys, and the range of moments."""
        return self._metadata

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:  # noqa: ARG002 - Feast's interface
        chosen = self._config.offline_store
        place = EnginePlace(kind=chosen.engine, master=chosen.master)
        with open_at(place, Path(self._config.repo_path) / "scratch") as engine:
            return self._question(engine)

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        rows: pd.DataFrame = self._to_arrow_internal(timeout).to_pandas()
        return rows


class SnapshotOfflineStore(OfflineStore):  # type: ignore[misc] # Feast has no types
    """Snapshots in Parquet, read point-in-time right: ``known_at`` is obeyed whether or not Feast asks for it."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(  # noqa: PLR0913, PLR0917 - Feast's interface
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,  # noqa: ARG004 - Feast's interface
        project: str,  # noqa: ARG004 - Feast's interface
        full_feature_names: bool = False,
        **_options: object,
    ) -> RetrievalJob:
        """The rows of ``entity_df`` with the wanted features beside them, row for row."""
        asked = _rows_asked(entity_df)
        moment = infer_event_timestamp_from_entity_df(dict(asked.dtypes))
        rows = pa.Table.from_pandas(asked, preserve_index=False)

        def question(engine: QueryEngine) -> pa.Table:
            answer, keys = rows, list[str]()
            for view in feature_views:
                names = _wanted(view, feature_refs)
                snapshots = _snapshots(config, view.batch_source, view.join_keys, names)
                if view.join_keys != keys:
                    keys = view.join_keys
                    name_rows(engine, {key: rows.column(key) for key in keys}, rows.column(moment))
                values = join_as_of(engine, snapshots, ttl=view.ttl or None)
                for name in names:
                    shown = f"{view.projection.name_to_use()}__{name}" if full_feature_names else name
                    answer = answer.append_column(shown, values.column(name))
            return answer

        metadata = RetrievalMetadata(
            features=list(feature_refs),
            keys=[name for name in rows.column_names if name != moment],
            min_event_timestamp=asked[moment].min(),
            max_event_timestamp=asked[moment].max(),
        )
        return SnapshotRetrievalJob(question, config=config, full_feature_names=full_feature_names, metadata=metadata)

    @staticmethod
    def pull_latest_from_table_or_query(  # noqa: PLR0913, PLR0917 - Feast's interface
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,  # noqa: ARG004 - the source says it
        created_timestamp_column: str | None,  # noqa: ARG004 - the source says it
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """The latest row per key in ``(start_date, end_date]`` that was known by ``end_date``, as history says it.

        Feast counts the first moment in; here it stays out, as the TTL of a historical read leaves it out.
        """
        view = _snapshots(config, data_source, join_key_columns, feature_name_columns)
        return SnapshotRetrievalJob(
            lambda engine: latest_known(engine, view, after=start_date, until=end_date), config=config
        )

    @staticmethod
    def pull_all_from_table_or_query(  # noqa: PLR0913, PLR0917 - Feast's interface
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,  # noqa: ARG004 - the source says it
        created_timestamp_column: str | None = None,  # noqa: ARG004 - the source says it
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Every stored row with ``as_of`` in ``[start_date, end_date]``, whenever it was known."""
        view = _snapshots(config, data_source, join_key_columns, feature_name_columns)
        return SnapshotRetrievalJob(
            lambda engine: rows_between(engine, view, first=start_date, last=end_date), config=config
        )


def _rows_asked(asked: pd.DataFrame | str | None) -> pd.DataFrame:
    if not isinstance(asked, pd.DataFrame):
        raise UsageError(
            "historical features are read for rows, not for a query",
            expected="a data frame with keys and a moment",
            found=type(asked).__name__,
            todo="read the keys and moments first",
        )
    return asked


def _snapshots(config: RepoConfig, source: DataSource, keys: Sequence[str], names: Sequence[str]) -> SnapshotView:
    if not isinstance(source, FileSource):
        raise ConfigError(
            "this store reads snapshot folders only",
            expected="a file source",
            found=type(source).__name__,
            todo="use the definitions of features/definitions.py",
        )
    return SnapshotView(
        folder=Path(FileSource.get_uri_for_file_path(config.repo_path, source.path)),
        keys=tuple(keys),
        as_of=source.timestamp_field,
        known_at=source.created_timestamp_column,
        features={name: "VARCHAR" if feature_named(name).is_text else "DOUBLE" for name in names},
    )


def _wanted(view: FeatureView, refs: Sequence[str]) -> list[str]:
    prefix = f"{view.projection.name_to_use()}:"
    return [ref.removeprefix(prefix) for ref in refs if ref.startswith(prefix)]
