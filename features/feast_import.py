"""How is Feast brought in quickly?

Feast has every method of its definitions written anew at import, with a check of each argument's type at run time: of
some six seconds of processor time, four. Our calls are checked by mypy, so Feast is brought in as it is written; every
command that reads features, and every worker of the service, starts that much sooner. Whatever of Feast is used comes
from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typeguard

__all__ = [
    "BaseRegistry",
    "DataSource",
    "Entity",
    "EntityKey",
    "FeastConfigBaseModel",
    "FeatureService",
    "FeatureServiceNotFoundException",
    "FeatureView",
    "Field",
    "FileSource",
    "Float64",
    "Map",
    "OfflineStore",
    "OnDemandFeatureView",
    "OnlineResponse",
    "OnlineStore",
    "RepoConfig",
    "RetrievalJob",
    "RetrievalMetadata",
    "SqlRegistryConfig",
    "String",
    "Value",
    "ValueType",
    "feast",
    "infer_event_timestamp_from_entity_df",
    "serialize_entity_key",
]


@contextmanager
def _as_written() -> Iterator[None]:
    checked = typeguard.typechecked

    def left_alone(target: Any = None, **_settings: Any) -> Any:
        # With settings alone, it is asked for something that takes the target.
        return left_alone if target is None else target

    typeguard.typechecked = left_alone
    try:
        yield
    finally:
        typeguard.typechecked = checked


with _as_written():
    import feast
    from feast import Entity, FeatureService, FeatureView, Field, OnDemandFeatureView, ValueType
    from feast.data_source import DataSource
    from feast.errors import FeatureServiceNotFoundException
    from feast.infra.key_encoding_utils import serialize_entity_key
    from feast.infra.offline_stores.file_source import FileSource
    from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
    from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df
    from feast.infra.online_stores.online_store import OnlineStore
    from feast.infra.registry.base_registry import BaseRegistry
    from feast.infra.registry.sql import SqlRegistryConfig
    from feast.online_response import OnlineResponse
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Map, Value
    from feast.repo_config import FeastConfigBaseModel, RepoConfig
    from feast.types import Float64, String
