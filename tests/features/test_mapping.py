"""Does a described layout become canonical rows as it says, and is a wrong description refused by name?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from features.errors import ConfigError, IntegrityError
from features.sources import onboarding_of
from features.steps import ONBOARDING
from tests.features.mapping_case import ORDERS, TICKETS, USAGE, take_orders, write_mapping
from tests.features.source_case import (
    home_in,
    only,
    quarantined,
    refusals,
    stored,
    take_in,
    write_parquet,
    write_text,
)


def test_columns_constants_and_value_maps_make_canonical_rows(tmp_path: Path) -> None:
    home, report = take_orders(tmp_path, TICKETS, "7,a1,o,2024-01-05,1,1", "8,a2,d,2024-01-06,1,1")
    kept = ("ticket_id", "account_id", "status", "type", "event_at", "available_at", "source_system")
    day = datetime(2024, 1, 5, tzinfo=UTC)
    assert stored(home, "tickets_history", *kept)[0] == {
        "ticket_id": "7",
        "account_id": "a1",
        "status": "open",
        "type": "task",
        "event_at": day,
        # The day is over, and the table's lag has passed.
        "available_at": day + timedelta(days=1, hours=1),
        "source_system": "shop",
    }
    assert (report.new, report.refused, only(report).unknown_columns) == (2, 0, ())


def test_the_lag_of_a_mapping_replaces_the_table_s(tmp_path: Path) -> None:
    home, _ = take_orders(tmp_path, {**TICKETS, "lag": "2 days"}, "7,a1,o,2024-01-05,1,1")
    assert stored(home, "tickets_history", "available_at")[0]["available_at"] == datetime(2024, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "cell", "expected"),
    [
        ("UTC", "2024-07-01", "2024-07-01T00:00:00+00:00"),
        ("Europe/Berlin", "2024-07-01", "2024-06-30T22:00:00+00:00"),
        ("Europe/Berlin", "2024-07-01 12:30:00.25", "2024-07-01T10:30:00.250000+00:00"),
        ("Europe/Berlin", "2024-07-01T12:30:00Z", "2024-07-01T12:30:00+00:00"),
        ("America/Los_Angeles", "2024-01-01T00:00:00", "2024-01-01T08:00:00+00:00"),
    ],
)
def test_a_declared_zone_places_naive_moments_and_leaves_others(
    tmp_path: Path, zone: str, cell: str, expected: str
) -> None:
    home = home_in(tmp_path)
    write_text(tmp_path / "in", "orders.csv", ORDERS, f"7,a1,o,{cell},1,1")
    mapping = write_mapping(tmp_path, {**TICKETS, "timezone": zone})
    take_in(home, tmp_path / "in", mapping=mapping, now=datetime(2025, 1, 1, tzinfo=UTC))
    assert stored(home, "tickets_history", "valid_from")[0]["valid_from"].isoformat() == expected


def test_days_begin_in_the_declared_zone(tmp_path: Path) -> None:
    home, _ = take_orders(tmp_path, {**USAGE, "timezone": "Asia/Tokyo"}, "7,a1,o,2024-01-05,1,1")
    assert stored(home, "usage_daily", "usage_date", "event_at") == [
        {"usage_date": date(2024, 1, 5), "event_at": datetime(2024, 1, 4, 15, tzinfo=UTC)}
    ]


def test_without_a_zone_naive_moments_go_to_quarantine(tmp_path: Path) -> None:
    table = {key: value for key, value in TICKETS.items() if key != "timezone"}
    home, _ = take_orders(tmp_path, table, "7,a1,o,2024-01-05,1,1")
    assert refusals(home, "tickets_history") == [(1, "valid_from", "zone")]


def test_where_keeps_rows_and_a_condition_that_cannot_be_computed_refuses_its_row(tmp_path: Path) -> None:
    table = {**USAGE, "where": "CAST(qty AS BIGINT) > 1"}
    home, report = take_orders(
        tmp_path, table, "1,a1,o,2024-01-01,1,1", "2,a2,o,2024-01-01,1,2", "3,a3,o,2024-01-01,1,x"
    )
    assert [row["account_id"] for row in stored(home, "usage_daily", "account_id")] == ["a2"]
    assert refusals(home, "usage_daily") == [(3, "", "type")]
    assert (only(report).read, only(report).set_aside) == (2, 1)


def test_only_in_keeps_the_rows_found_in_another_file(tmp_path: Path) -> None:
    write_text(tmp_path / "in", "buyers.csv", "who,since", "a2,x", "a2,y", "a9,z")
    table = {**USAGE, "only_in": {"file": "buyers.csv", "column": "who", "of": "customer"}}
    home, report = take_orders(tmp_path, table, "1,a1,o,2024-01-01,1,1", "2,a2,o,2024-01-01,1,2", "3,,o,2024-01-01,1,2")
    assert [row["account_id"] for row in stored(home, "usage_daily", "account_id")] == ["a2"]
    assert (only(report).set_aside, report.unmatched_files) == (2, ())


def test_first_per_keeps_one_row_per_value_in_an_order_and_the_file_s_order_breaks_ties(tmp_path: Path) -> None:
    table = {**USAGE, "first_per": {"columns": ["customer"], "order_by": ["day", "qty"]}}
    rows = (
        "1,a1,o,2024-01-02,1,1",
        "2,a1,o,2024-01-01,1,7",
        "3,a1,o,2024-01-01,2,7",
        "4,a2,o,,1,1",
        "5,a2,o,2024-01-03,1,1",
    )
    home, _ = take_orders(tmp_path, table, *rows)
    assert stored(home, "usage_daily", "account_id", "usage_date", "active_minutes") == [
        {"account_id": "a1", "usage_date": date(2024, 1, 1), "active_minutes": 60.0},
        {"account_id": "a2", "usage_date": date(2024, 1, 3), "active_minutes": 60.0},
    ]


def test_distinct_drops_rows_that_are_equal_in_every_mapped_column(tmp_path: Path) -> None:
    rows = ("1,a1,o,2024-01-01,1,1", "2,a1,x,2024-01-01,1,1", "3,a1,o,2024-01-02,1,1")
    _, report = take_orders(tmp_path, {**USAGE, "distinct": True}, *rows)
    assert (only(report).read, only(report).new, only(report).set_aside) == (2, 2, 1)


def test_derived_columns_may_use_earlier_ones_and_be_translated(tmp_path: Path) -> None:
    table = {
        **USAGE,
        "derive": {"weight": "state", "minutes": "weight * CAST(hours AS DOUBLE)"},
        "values": {"weight": {"o": 2, "d": 3}},
        "columns": {**USAGE["columns"], "active_minutes": "minutes"},
    }
    home, _ = take_orders(tmp_path, table, "1,a1,o,2024-01-01,5,1", "2,a2,d,2024-01-01,5,1")
    assert [row["active_minutes"] for row in stored(home, "usage_daily", "active_minutes")] == [10.0, 15.0]


def test_totals_add_the_good_rows_of_a_key_and_refuse_the_bad_ones_alone(tmp_path: Path) -> None:
    rows = ("1,a1,o,2024-01-01,0.1,1", "2,a1,o,2024-01-01,0.2,x", "3,a1,o,2024-01-01,0.3,4", "4,a1,o,2024-01-02,,")
    home, report = take_orders(tmp_path, {**USAGE, "totals_per_key": True}, *rows)
    assert stored(home, "usage_daily", "usage_date", "sessions", "events", "active_minutes") == [
        {"usage_date": date(2024, 1, 1), "sessions": 5, "events": 2, "active_minutes": 6.0 + 18.0},
        {"usage_date": date(2024, 1, 2), "sessions": None, "events": 1, "active_minutes": None},
    ]
    assert refusals(home, "usage_daily") == [(2, "sessions", "type")]
    table = only(report)
    assert (table.read, table.new, table.refused, table.set_aside) == (3, 2, 1, 1)


def test_a_total_is_known_when_its_last_part_is(tmp_path: Path) -> None:
    columns = {**USAGE["columns"], "available_at": "state"}
    table = {**USAGE, "totals_per_key": True, "columns": columns}
    rows = ("1,a1,2024-01-09T00:00:00Z,2024-01-01,1,1", "2,a1,2024-01-07T00:00:00Z,2024-01-01,1,1")
    with pytest.raises(ConfigError, match="available_at is neither of the key nor a number"):
        take_orders(tmp_path, table, *rows)
    home, _ = take_orders(tmp_path, {**table, "columns": USAGE["columns"]}, *rows)
    assert stored(home, "usage_daily", "available_at") == [{"available_at": datetime(2024, 1, 2, 6, tzinfo=UTC)}]


def test_a_conversion_that_fails_refuses_its_row_with_the_cells_of_the_source(tmp_path: Path) -> None:
    home, _ = take_orders(tmp_path, USAGE, "1,a1,o,2024-01-01,soon,1", "2,a2,o,2024-01-01,1,1")
    (row,) = quarantined(home, "usage_daily")
    assert (row["row"], row["column"], row["rule"], row["file"]) == (1, "active_minutes", "type", "orders.csv")
    assert row["cells"] == {"id": "1", "customer": "a1", "state": "o", "day": "2024-01-01", "hours": "soon", "qty": "1"}


def test_several_files_and_several_entries_fill_one_table(tmp_path: Path) -> None:
    folder, home = tmp_path / "in", home_in(tmp_path)
    write_text(folder, "jan.csv", ORDERS, "1,a1,o,2024-01-01,1,1", "2,a1,o,2024-01-02,1,-1")
    write_text(folder, "feb.csv", ORDERS, "1,a1,o,2024-02-01,1,1")
    write_parquet(
        folder, "extra", {"who": ["a5"], "on_day": pa.array([19_800], pa.int32()).cast(pa.date32()), "n": [4]}
    )
    extra = {
        "table": "usage_daily",
        "file": "extra.parquet",
        "columns": {"account_id": "who", "usage_date": "on_day", "sessions": "n"},
        "constants": {"product_sku": "extra"},
    }
    mapping = write_mapping(tmp_path, {**USAGE, "file": ["jan.csv", "feb.csv"]}, extra)
    report = take_in(home, folder, mapping=mapping)
    assert (only(report).new, only(report).files) == (3, ("jan.csv", "feb.csv", "extra.parquet"))
    assert [(row["file"], row["row"]) for row in quarantined(home, "usage_daily")] == [("jan.csv", 2)]
    assert take_in(home, folder, mapping=mapping).tables[0].skipped


def test_a_changed_mapping_reads_the_same_file_again(tmp_path: Path) -> None:
    home, _ = take_orders(tmp_path, USAGE, "1,a1,o,2024-01-01,1,1")
    doubled = {**USAGE, "columns": {**USAGE["columns"], "active_minutes": "120 * CAST(hours AS DOUBLE)"}}
    report = take_in(home, tmp_path / "in", mapping=write_mapping(tmp_path, doubled))
    assert (only(report).skipped, only(report).new) == (False, 1)


def test_another_delimiter_may_be_declared(tmp_path: Path) -> None:
    rows = ["1;a1;o;2024-01-01;1,5;1"]
    table = {
        **USAGE,
        "delimiter": ";",
        "columns": {**USAGE["columns"], "active_minutes": "CAST(REPLACE(hours, ',', '.') AS DOUBLE)"},
    }
    home, _ = take_orders(tmp_path, table, *rows, header=ORDERS.replace(",", ";"))
    assert stored(home, "usage_daily", "active_minutes") == [{"active_minutes": 1.5}]


def test_the_cohort_s_defaults_of_a_source_are_remembered(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path).prepare(), tmp_path / "in"
    assert onboarding_of(home) == ONBOARDING
    write_text(folder, "orders.csv", ORDERS, "1,a1,o,2024-01-01,1,1")
    take_in(home, folder, mapping=write_mapping(tmp_path, USAGE, cohort={"onboarding_weeks": 3}))
    assert onboarding_of(home) == timedelta(weeks=3)
    take_in(home, folder, mapping=write_mapping(tmp_path, USAGE))
    assert onboarding_of(home) == timedelta(weeks=3)
    (home.root / "cohort.json").write_text('{"onboarding_weeks": -1}')
    with pytest.raises(IntegrityError, match="cohort"):
        onboarding_of(home)
