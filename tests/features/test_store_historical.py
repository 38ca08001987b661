"""Does a historical read through Feast return the rows that were asked for, with what was known then?"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.catalogue import FEATURES, features_of
from features.definitions import TTL
from features.errors import IntegrityError, MissingStateError, UsageError
from features.settings import Home
from features.store import FeatureStore
from features.vocabulary import Subcategory
from tests.features.snapshot_case import (
    MONDAY,
    account_ids,
    bits,
    store_rows,
    store_snapshot,
    view_rows,
    weeks,
)

NAMES = [feature.name for feature in FEATURES]
ACCOUNTS = account_ids(20)
DATES = weeks(4)
LATE = DATES[2] + timedelta(days=3)
"""The third snapshot was known only on a Thursday."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = Home(root=tmp_path_factory.mktemp("store") / "home").prepare()
    for as_of in DATES:
        store_snapshot(made, as_of, ACCOUNTS, known_at=LATE if as_of == DATES[2] else as_of)
    FeatureStore(made).apply()
    return made


@pytest.fixture(scope="module")
def store(home: Home) -> FeatureStore:
    return FeatureStore(home)


def rows_of(*pairs: tuple[str, object]) -> pd.DataFrame:
    accounts, moments = zip(*pairs, strict=True)
    return pd.DataFrame({"account_id": list(accounts), "as_of": pd.to_datetime(list(moments), utc=True)})


@lru_cache
def written(as_of: datetime) -> dict[str, tuple[object, ...]]:
    """All features of each account at one date, as they were written."""
    views = [view_rows(part, as_of, ACCOUNTS).drop_columns(["as_of", "known_at"]).to_pandas() for part in Subcategory]
    rows = pd.concat([view.set_index("account_id") for view in views], axis=1)
    return dict(zip(ACCOUNTS, bits(rows, NAMES), strict=True))


def stored(account: str, as_of: datetime) -> tuple[object, ...]:
    return written(as_of)[account]


def test_rows_out_are_the_rows_in_with_duplicates_and_unknown_ids_in_any_order(store: FeatureStore) -> None:
    rng = np.random.default_rng(7)
    asked = pd.DataFrame(
        {
            "account_id": rng.choice([*ACCOUNTS, "nobody", ""], 500),
            "as_of": pd.to_datetime(rng.choice([*DATES, DATES[0] - TTL, DATES[3] + TTL], 500), utc=True),
            "kept": rng.integers(0, 9, 500),
        },
        index=rng.permutation(500),
    )
    answer = store.historical(asked)
    pd.testing.assert_frame_equal(answer[["account_id", "as_of", "kept"]], asked.reset_index(drop=True))
    assert list(answer.columns) == ["account_id", "as_of", "kept", *NAMES]
    inside = asked["account_id"].isin(ACCOUNTS) & asked["as_of"].isin(pd.to_datetime(DATES))
    late = asked["as_of"] == DATES[2]
    assert answer["tenure_weeks"].notna().sum() <= inside.sum()
    assert answer.loc[~inside.to_numpy(), NAMES].isna().all(axis=None)
    assert bits(answer[(inside & ~late).to_numpy()], NAMES) == [
        stored(row.account_id, row.as_of.to_pydatetime()) for row in asked[inside & ~late].itertuples()
    ]


def test_a_snapshot_is_not_seen_before_it_was_known(store: FeatureStore) -> None:
    # On the third Monday, and until Thursday, only the second snapshot was known; from Tuesday on it is too old.
    moments = [
        DATES[2],
        DATES[2] + timedelta(hours=23),
        DATES[2] + timedelta(days=1),
        LATE - timedelta(seconds=1),
        LATE,
    ]
    answer = store.historical(rows_of(*(("a00003", moment) for moment in moments)))
    unknown = (None,) * len(NAMES)
    expected = [stored("a00003", DATES[1])] * 2 + [unknown] * 2 + [stored("a00003", DATES[2])]
    assert bits(answer, NAMES) == expected


def test_moments_with_more_digits_than_snapshots_have_still_find_theirs(store: FeatureStore) -> None:
    answer = store.historical(rows_of(("a00001", pd.Timestamp(DATES[3]) + pd.Timedelta(1, "ns"))))
    assert bits(answer, NAMES) == [stored("a00001", DATES[3])]


def test_numbers_are_float64_and_words_are_objects(store: FeatureStore) -> None:
    for rows in (rows_of(("a00001", DATES[0])), rows_of(("nobody", DATES[0])), rows_of(("a", DATES[0])).iloc[:0]):
        kinds = store.historical(rows)[NAMES].dtypes
        assert {name: str(kinds[name]) for name in NAMES} == {
            feature.name: "object" if feature.is_text else "float64" for feature in FEATURES
        }


def test_no_row_asked_is_no_row_answered(store: FeatureStore) -> None:
    answer = store.historical(rows_of(("a", DATES[0])).iloc[:0])
    assert list(answer.columns) == ["account_id", "as_of", *NAMES]
    assert len(answer) == 0


@pytest.mark.parametrize(
    "rows",
    [
        pd.DataFrame({"account_id": ["a"]}),
        pd.DataFrame({"account_id": ["a"], "as_of": [pd.Timestamp("2026-03-02")]}),
        rows_of(("a", MONDAY)).assign(tenure_weeks=1.0),
    ],
    ids=["no date", "no zone", "a feature's name is taken"],
)
def test_rows_that_cannot_be_given_features_are_refused(store: FeatureStore, rows: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="cannot be given features"):
        store.historical(rows)


def test_a_view_that_was_never_built_is_refused(tmp_path: Path) -> None:
    home = Home(root=tmp_path).prepare()
    store = FeatureStore(home)
    store.apply()
    with pytest.raises(MissingStateError, match="no snapshot of engagement"):
        store.historical(rows_of(("a", MONDAY)))


def test_an_account_twice_in_one_view_is_refused(tmp_path: Path) -> None:
    home = Home(root=tmp_path).prepare()
    store_snapshot(home, MONDAY, ["a", "b"])
    store_rows(home, "market", view_rows(Subcategory.MARKET, MONDAY, ["a", "a"]), as_of=MONDAY)
    store = FeatureStore(home)
    store.apply()
    with pytest.raises(IntegrityError, match="join with market"):
        store.historical(rows_of(("a", MONDAY), ("b", MONDAY)))


def test_the_catalogue_order_is_the_column_order(store: FeatureStore) -> None:
    columns = list(store.historical(rows_of(("a00001", DATES[0]))).columns[2:])
    assert columns == [feature.name for feature in FEATURES]
    assert set(columns) == {feature.name for part in Subcategory for feature in features_of(part)}
