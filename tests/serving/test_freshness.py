from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.errors import IntegrityError
from features.manifest import stored_file
from features.settings import Home
from features.warehouse import Warehouse
from serving.freshness import Freshness, Watermarks
from tests.features.sql_case import rows_of

MONDAY = datetime(2024, 4, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "stale"),
    [
        (timedelta(0), False),
        (timedelta(days=8), False),
        (timedelta(days=8, microseconds=1), True),
        (timedelta(days=400), True),
        (timedelta(microseconds=-1), True),
    ],
)
def test_a_snapshot_may_be_told_for_eight_days_and_never_before_its_time(age: timedelta, stale: bool) -> None:
    judged = Freshness.of(MONDAY, MONDAY + age)
    assert (judged.age, judged.stale) == (age, stale)


def store(home: Home, table: str, text: str, name: str = "one") -> None:
    dataset = Warehouse(home).dataset(table)
    path = dataset.staging(name)
    rows = rows_of(table, text)
    pq.write_table(rows, path)
    dataset.commit([(path, stored_file(path, name=name, rows=rows.num_rows))])


def payments(*known: str) -> str:
    head = "payment_id | account_id | attempted_at | available_at"
    return "\n".join([head, *(f"p{number} | a | 2024-04-01 | {moment}" for number, moment in enumerate(known))])


def test_the_watermark_is_the_newest_moment_known_by_the_snapshot_over_all_tables(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    store(home, "payments", payments("2024-04-09T10:00:00Z", "2024-04-15T00:00:00Z", "2024-04-15T00:00:01Z"))
    marks = Watermarks(home)
    assert marks.at(MONDAY) == MONDAY
    assert marks.at(MONDAY - timedelta(days=3)) == datetime(2024, 4, 9, 10, tzinfo=UTC)
    assert marks.at(MONDAY - timedelta(days=30)) is None


def test_the_watermark_follows_a_new_load_without_a_restart(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    marks = Watermarks(home)
    assert marks.at(MONDAY) is None
    store(home, "payments", payments("2024-04-09T10:00:00Z"))
    assert marks.at(MONDAY) == datetime(2024, 4, 9, 10, tzinfo=UTC)
    store(home, "payments", payments("2024-04-12T10:00:00Z"), name="two")
    assert marks.at(MONDAY) == datetime(2024, 4, 12, 10, tzinfo=UTC)


def test_the_watermark_is_found_in_footers_or_in_files_that_lie_on_both_sides(tmp_path: Path) -> None:
    # Law: whatever way it is found, it is the newest moment of all rows at or before the date. Every date, two tables.
    home, moments = Home(root=tmp_path), [datetime(2024, 4, 1 + day, 7, tzinfo=UTC) for day in range(12)]
    for place in range(0, 12, 3):
        store(
            home,
            "payments",
            payments(*(f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments[place : place + 3])),
            f"f{place}",
        )
    store(home, "payments", payments(), "empty")
    marks = Watermarks(home)
    for hours in range(0, 24 * 14, 19):
        as_of = datetime(2024, 3, 31, tzinfo=UTC) + timedelta(hours=hours)
        assert marks.at(as_of) == max((moment for moment in moments if moment <= as_of), default=None)


def test_the_watermark_of_a_file_without_statistics_is_read_from_its_rows(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    dataset = Warehouse(home).dataset("payments")
    path, rows = dataset.staging("bare"), rows_of("payments", payments("2024-04-09T10:00:00Z", "2024-04-11T10:00:00Z"))
    pq.write_table(rows, path, write_statistics=False)
    dataset.commit([(path, stored_file(path, name="bare", rows=2))])
    assert Watermarks(home).at(MONDAY) == datetime(2024, 4, 11, 10, tzinfo=UTC)
    assert Watermarks(home).at(datetime(2024, 4, 10, tzinfo=UTC)) == datetime(2024, 4, 9, 10, tzinfo=UTC)


def test_a_stored_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    store(home, "payments", payments("2024-04-09T10:00:00Z"))
    (path,) = Warehouse(home).dataset("payments").files()
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(IntegrityError, match="cannot be read"):
        Watermarks(home).at(MONDAY)
