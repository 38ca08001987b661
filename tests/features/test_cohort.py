"""Is the cohort read as it was built?"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.build import COHORT, snapshot_dataset
from features.cohort import built_as_ofs, read_cohort
from features.errors import IntegrityError, MissingStateError, UsageError
from features.settings import Home
from tests.features.snapshot_case import COHORT_COLUMNS, MONDAY, account_ids, cohort_rows, store_rows, weeks


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(root=tmp_path / "home").prepare()
    # Stored out of order, with another account joining each week.
    for number, as_of in reversed(list(enumerate(weeks(3), start=2))):
        store_rows(made, COHORT, cohort_rows(as_of, account_ids(number)[::-1]), as_of=as_of)
    return made


def test_the_whole_cohort_is_sorted_by_date_and_account(home: Home) -> None:
    rows = read_cohort(home)
    expected = [(as_of, account) for number, as_of in enumerate(weeks(3), start=2) for account in account_ids(number)]
    assert list(zip(rows["as_of"], rows["account_id"], strict=True)) == expected
    assert tuple(rows.columns) == COHORT_COLUMNS
    assert rows.index.tolist() == list(range(len(expected)))


def test_chosen_dates_are_read_once_each(home: Home) -> None:
    rows = read_cohort(home, [weeks(3)[2], weeks(3)[0], weeks(3)[2]])
    assert rows["as_of"].tolist() == [weeks(3)[0]] * 2 + [weeks(3)[2]] * 4


def test_moments_have_a_zone_and_days_are_days(home: Home) -> None:
    row = read_cohort(home).iloc[0]
    assert row["as_of"] == pd.Timestamp(MONDAY)
    assert row["start_on"] == date(2026, 3, 2) - timedelta(days=400)
    assert (row["acv_minor"], row["seats"], row["discount_pct"]) == (1_200_000, 40, 5.0)


def test_built_dates_are_listed_oldest_first(home: Home) -> None:
    assert built_as_ofs(home) == tuple(weeks(3))


def test_a_date_that_is_not_built_is_refused_not_skipped(home: Home) -> None:
    with pytest.raises(MissingStateError, match="2026-03-23, and 1 more"):
        read_cohort(home, [*weeks(5)])


def test_nothing_built_is_refused(tmp_path: Path) -> None:
    empty = Home(root=tmp_path)
    assert built_as_ofs(empty) == ()
    for asked in (None, [], [MONDAY]):
        with pytest.raises(MissingStateError, match="pulse build"):
            read_cohort(empty, asked)


def test_no_date_asked_of_a_built_cohort_is_no_row(home: Home) -> None:
    rows = read_cohort(home, [])
    assert (len(rows), tuple(rows.columns)) == (0, COHORT_COLUMNS)


def test_a_date_without_a_zone_is_refused(home: Home) -> None:
    with pytest.raises(UsageError, match="zone"):
        read_cohort(home, [MONDAY.replace(tzinfo=None)])


def test_a_damaged_cohort_file_is_refused(home: Home) -> None:
    path = snapshot_dataset(home, COHORT).files()[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(IntegrityError, match="not the one that was written"):
        read_cohort(home)
