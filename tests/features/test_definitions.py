"""Does Feast know exactly what the catalogue says?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from features.catalogue import FEATURES, features_of
from features.definitions import SERVICE, catalogue_schema, definitions, schema_of
from features.vocabulary import Subcategory


def test_feast_schema_and_catalogue_are_the_same_set() -> None:
    made = definitions()
    assert schema_of(made.views) == catalogue_schema()
    assert [name for names in schema_of(made.views).values() for name in names] == [
        feature.name for part in Subcategory for feature in features_of(part)
    ]


def test_the_service_holds_every_feature_once() -> None:
    service = definitions().service
    names = [field.name for view in service.feature_view_projections for field in view.features]
    assert service.name == SERVICE
    assert sorted(names) == sorted(feature.name for feature in FEATURES)


def test_words_are_strings_and_everything_else_is_a_double() -> None:
    types = {name: kind for names in catalogue_schema().values() for name, kind in names.items()}
    assert {name for name, kind in types.items() if kind == "String"} == {f.name for f in FEATURES if f.is_text}
    assert set(types.values()) == {"String", "Float64"}


@pytest.mark.parametrize("part", Subcategory)
def test_a_view_reads_the_snapshots_of_its_subcategory_and_runs_no_code(part: Subcategory) -> None:
    view = {view.name: view for view in definitions().views}[part]
    assert view.join_keys == ["account_id"]
    assert view.ttl == timedelta(days=8)
    assert (view.batch_source.timestamp_field, view.batch_source.created_timestamp_column) == ("as_of", "known_at")
    # Relative to the home, so that a home can be moved.
    assert Path(view.batch_source.path) == Path("snapshots") / part
    assert not view.to_proto().spec.HasField("feature_transformation")


def test_definitions_made_twice_are_equal() -> None:
    assert definitions().objects() == definitions().objects()
