"""Which Feast objects does the catalogue make?

One entity, one feature view per subcategory over its stored snapshots, one feature service with all of them. Nothing is
said here that the catalogue does not say; no view computes anything, so the registry holds no code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from features.catalogue import Feature, features_of
from features.feast_import import Entity, FeatureService, FeatureView, Field, FileSource, Float64, String, ValueType
from features.settings import Home
from features.vocabulary import Subcategory

PROJECT = "campaign_pulse"
SERVICE = "campaign_pulse_v1"
ENTITY = "account"
JOIN_KEY = "account_id"
AS_OF = "as_of"
KNOWN_AT = "known_at"

TTL = timedelta(days=8)
"""Snapshots are weekly; one day of grace for a late build. After it a value is unknown, not old."""

Schema = dict[str, dict[str, str]]
"""Feature view to feature to Feast type."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """All that Feast knows of this product."""

    entity: Entity
    views: tuple[FeatureView, ...]
    service: FeatureService

    def objects(self) -> list[Entity | FeatureView | FeatureService]:
        """Everything to apply, in an order that Feast accepts."""
        return [self.entity, *self.views, self.service]


def definitions() -> Definitions:
    """The Feast objects of the catalogue as it is now."""
    account = Entity(
        name=ENTITY,
        join_keys=[JOIN_KEY],
        value_type=ValueType.STRING,
        description="a customer account of the vendor",
    )
    views = tuple(_view(account, part) for part in Subcategory)
    service = FeatureService(
        name=SERVICE,
        features=list(views),
        description="every feature of an account: the input of the model, and what people see beside it",
    )
    return Definitions(entity=account, views=views, service=service)


def catalogue_schema() -> Schema:
    """The schema that Feast must have, said by the catalogue."""
    return {str(part): {feature.name: str(_type(feature)) for feature in features_of(part)} for part in Subcategory}


def schema_of(views: Iterable[FeatureView]) -> Schema:
    """The schema that feature views have (keys and timestamps are no features)."""
    return {view.name: {field.name: str(field.dtype) for field in view.features} for view in views}


def _view(account: Entity, part: Subcategory) -> FeatureView:
    # A path relative to the home: a home that is moved or restored elsewhere still finds its own snapshots.
    folder = Home(root=Path()).snapshots / part
    return FeatureView(
        name=str(part),
        entities=[account],
        ttl=TTL,
        schema=[Field(name=JOIN_KEY, dtype=String), *(_field(feature) for feature in features_of(part))],
        source=FileSource(
            name=f"{part}_snapshots", path=str(folder), timestamp_field=AS_OF, created_timestamp_column=KNOWN_AT
        ),
        online=True,
        description=f"weekly snapshots of the {part} features",
    )


def _field(feature: Feature) -> Field:
    return Field(name=feature.name, dtype=_type(feature), description=feature.meaning)


def _type(feature: Feature) -> object:
    return String if feature.is_text else Float64
