"""One set of names: the catalogue, the columns of the SQL steps, and what a catalogue entry must say."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest

from features.build import COHORT, VIEWS
from features.catalogue import (
    FEATURES,
    MODEL_FEATURES,
    NOT_CARRIED,
    TIMING_FEATURES,
    Use,
    feature_list_hash,
    feature_named,
    features_of,
)
from features.events import TABLES
from features.steps import STEPS, name_run, run_steps
from features.vocabulary import Subcategory, parse_moment
from features.warehouse import empty_table_query, open_engine
from tests.features.sql_case import rows_of
from tests.features.view_case import AS_OF, COMPANY


@cache
def answers() -> dict[str, pa.Table]:
    """Every view of a company without any usage, money, production or campaigns."""
    with TemporaryDirectory() as scratch, open_engine(threads=1) as engine:
        for name in TABLES:
            if name in COMPANY:
                engine.name_rows(name, rows_of(name, COMPANY[name]))
            else:
                engine.name_query(name, empty_table_query(name))
        name_run(engine, [parse_moment(AS_OF)])
        run_steps(engine, STEPS, Path(scratch))
        return {view: engine.fetch(f'SELECT * FROM "{view}"') for view in VIEWS}


@pytest.mark.parametrize("subcategory", Subcategory)
def test_a_views_columns_are_its_features_in_the_catalogues_order(subcategory: Subcategory) -> None:
    names = [feature.name for feature in features_of(subcategory)]
    assert answers()[subcategory].column_names == ["account_id", "as_of", "known_at", *names]


@pytest.mark.parametrize("subcategory", Subcategory)
def test_a_feature_is_a_double_or_a_text(subcategory: Subcategory) -> None:
    schema = answers()[subcategory].schema
    expected = {each.name: pa.string() if each.is_text else pa.float64() for each in features_of(subcategory)}
    assert {name: schema.field(name).type for name in expected} == expected


@pytest.mark.parametrize("subcategory", Subcategory)
def test_an_account_without_any_source_still_has_exactly_one_row(subcategory: Subcategory) -> None:
    keys = ["account_id", "as_of", "known_at"]
    rows = [(row["account_id"], row["as_of"], row["as_of"]) for row in answers()[COHORT].to_pylist()]
    found = [tuple(row[key] for key in keys) for row in answers()[subcategory].to_pylist()]
    assert sorted(found) == sorted(rows)


@pytest.mark.parametrize("subcategory", [each for each in Subcategory if each is not Subcategory.CONTEXT])
def test_without_sources_no_feature_claims_that_all_is_well(subcategory: Subcategory) -> None:
    # What the contract alone tells is known; everything else must be null, not zero.
    told_by_the_contract = {
        "annual_value_log",
        "annual_value_change_w52",
        "seats_contracted_change_w52",
        "billing_currency_change_w13",
        "segment_churn_rate_lagged",
    }
    valued = {
        name
        for row in answers()[subcategory].to_pylist()
        for name, value in row.items()
        if value is not None and name not in ("account_id", "as_of", "known_at")
    }
    assert valued <= told_by_the_contract


def test_every_step_is_used_and_every_file_is_a_step() -> None:
    files = {path.stem for path in (Path(__file__).parents[2] / "features" / "sql").glob("*.sql")}
    assert files == set(STEPS)
    assert len(STEPS) == len(set(STEPS))
    assert set(VIEWS) <= set(STEPS)


def test_names_are_unique_and_belong_to_one_use() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(names) == len(set(names))
    assert set(MODEL_FEATURES).isdisjoint(TIMING_FEATURES)
    shown = {feature.name for feature in FEATURES if feature.use is Use.DISPLAY}
    assert {*MODEL_FEATURES, *TIMING_FEATURES, *shown} == set(names)


def test_every_feature_of_the_reference_is_carried_or_said_not_to_be() -> None:
    numbers = {"E": 24, "C": 20, "P": 24, "F": 18, "S": 18, "M": 8, "X": 8}
    reference = [f"{group}{number:02}" for group, last in numbers.items() for number in range(1, last + 1)]
    carried = {feature.code for feature in FEATURES if feature.code}
    missing = [each.code for each in NOT_CARRIED]
    assert len(reference) == 120
    assert sorted([*carried, *missing]) == sorted(reference)


def test_words_are_for_people_and_never_reach_the_model() -> None:
    assert all(feature.use is Use.DISPLAY for feature in FEATURES if feature.is_text)
    assert all(feature.label and feature.meaning and feature.null for feature in FEATURES)


def test_timing_is_never_monotone_nor_in_a_health_subcategory() -> None:
    timing = [feature_named(name) for name in TIMING_FEATURES]
    assert {feature.subcategory for feature in timing} == {Subcategory.CONTEXT}
    assert {feature.monotone for feature in timing} == {0}


def test_a_list_of_features_is_known_by_its_order() -> None:
    assert feature_list_hash(("a", "b")) != feature_list_hash(("b", "a"))
    assert feature_list_hash(("ab",)) != feature_list_hash(("a", "b"))
    with pytest.raises(KeyError):
        feature_named("no_such_feature")
