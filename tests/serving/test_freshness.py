from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

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
