"""When did a row happen, when could it be known, and which row is it: the envelope that ingest fills."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events import ENVELOPE, TABLES, Kind
from features.warehouse import Warehouse
from tests.features.source_case import (
    ACCOUNTS_HEADER,
    ACCOUNTS_ROWS,
    NOW,
    USAGE_HEADER,
    USAGE_ROWS,
    home_in,
    refusals,
    stored,
    take_in,
    write_accounts,
    write_text,
    write_usage,
)

DAY = timedelta(days=1)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_row_of_a_file_gets_the_whole_envelope(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    report = take_in(home, write_usage(tmp_path / "in", USAGE_ROWS[0]).parent)
    (row,) = stored(home, "usage_daily")
    day = moment("2024-01-01T00:00:00Z")
    assert {name: row[name] for name in row if name != "row_hash"} == {
        "source_system": "file",
        "source_record_id": None,
        "event_at": day,
        "event_precision": "day",
        "recorded_at": None,
        "ingested_at": NOW,
        "available_at": day + DAY + TABLES["usage_daily"].lag,
        "op": "upsert",
        "load_id": report.load_id,
        "account_id": "a1",
        "user_key": "u1",
        "product_sku": "studio",
        "feature_code": "core",
        "usage_date": date(2024, 1, 1),
        "tz": None,
        "sessions": 3,
        "active_minutes": 12.5,
        "events": None,
        "tokens": None,
    }


def test_the_stored_file_has_the_declared_columns_and_types_in_their_order(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    take_in(home, write_usage(tmp_path / "in").parent)
    (file,) = Warehouse(home).dataset("usage_daily").files()
    schema = pq.read_schema(file)
    assert schema.names == [column.name for column in (*ENVELOPE, *TABLES["usage_daily"].columns)]
    arrow = {
        Kind.TEXT: pa.string(),
        Kind.INTEGER: pa.int64(),
        Kind.NUMBER: pa.float64(),
        Kind.MOMENT: pa.timestamp("us", tz="UTC"),
        Kind.DAY: pa.date32(),
    }
    kinds = {column.name: column.kind for column in (*ENVELOPE, *TABLES["usage_daily"].columns)}
    assert {name: schema.field(name).type for name in schema.names} == {name: arrow[kinds[name]] for name in kinds}


def test_the_row_hash_is_the_md5_of_the_text_form(tmp_path: Path) -> None:
    # The outside oracle: the text form written out by hand, hashed by Python.
    home = home_in(tmp_path)
    folder = write_accounts(tmp_path / "in", "a1,2023-01-01T00:00:00Z,Aurora Café,studio,Europe/Berlin").parent
    write_usage(folder, "a1,u1,studio,core,2024-01-01,3,0.1")
    take_in(home, folder)
    forms = {
        "accounts_history": "op=upsert|event_at=1672531200000000|account_id=a1|valid_from=1672531200000000"
        "|name=Aurora Café|segment=studio|hq_tz=Europe/Berlin",
        "usage_daily": "op=upsert|event_at=1704067200000000|account_id=a1|user_key=u1|product_sku=studio"
        "|feature_code=core|usage_date=2024-01-01|sessions=3|active_minutes=0.10000000000000001",
    }
    for table, form in forms.items():
        lower = hashlib.md5(form.replace("|", "\x1f").encode(), usedforsecurity=False).digest()[8:]
        (row,) = stored(home, table, "row_hash")
        assert row["row_hash"] == int.from_bytes(lower, "little") >> 1


def test_a_day_begins_at_midnight_in_its_zone_as_python_sees_it(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    zones = ["Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland", "UTC"]
    days = [date(2024, 3, 10), date(2024, 3, 31), date(2024, 4, 1), date(2023, 10, 29)]
    rows = [f"{zone},u{number},studio,core,{day},{zone}" for zone in zones for number, day in enumerate(days)]
    folder = write_usage(tmp_path / "in", *rows, header="account_id,user_key,product_sku,feature_code,usage_date,tz")
    take_in(home, folder.parent)
    for row in stored(home, "usage_daily", "tz", "usage_date", "event_at", "available_at"):
        midnight = datetime.combine(row["usage_date"], datetime.min.time(), tzinfo=ZoneInfo(row["tz"]))
        assert row["event_at"] == midnight.astimezone(UTC)
        assert row["available_at"] == row["event_at"] + DAY + TABLES["usage_daily"].lag


@pytest.mark.parametrize(
    ("table", "header", "cells", "event_at", "available_at", "precision"),
    [
        # A moment: known after the lag.
        (
            "alerts",
            "alert_id,episode_id,account_id,rule_id,created_at,state",
            "x,e,a1,r,2024-01-01T10:00:00Z,open",
            "2024-01-01T10:00:00Z",
            "2024-01-01T11:00:00Z",
            "instant",
        ),
        # A day in a table of moments: the event is known no better than its day.
        (
            "contract_events",
            "contract_event_id,contract_id,account_id,type,effective_on",
            "x,c,a1,signed,2024-01-01",
            "2024-01-01T00:00:00Z",
            "2024-01-07T00:00:00Z",
            "day",
        ),
        # The file says when it was decided.
        (
            "contract_events",
            "contract_event_id,contract_id,account_id,type,effective_on,event_at",
            "x,c,a1,notice_given,2024-12-31,2024-01-01T10:00:00Z",
            "2024-01-01T10:00:00Z",
            "2024-01-06T10:00:00Z",
            "instant",
        ),
        # Recorded later than it happened: the record counts.
        (
            "payments",
            "payment_id,attempted_at,account_id,amount_minor,currency,status,recorded_at",
            "x,2024-01-01T00:00:00Z,a1,5,EUR,failed,2024-01-03T00:00:00Z",
            "2024-01-01T00:00:00Z",
            "2024-01-04T00:00:00Z",
            "instant",
        ),
        # A month: the lag is counted from its first day.
        (
            "market_indices",
            "index_code,period_start,region,period_end,value,revision",
            "tv,2024-01-01,us,2024-01-31,1.5,0",
            "2024-01-01T00:00:00Z",
            "2024-02-15T00:00:00Z",
            "month",
        ),
        # Known a year ahead.
        (
            "holidays",
            "region,holiday_on",
            "us,2025-01-01",
            "2025-01-01T00:00:00Z",
            "2024-01-02T00:00:00Z",
            "day",
        ),
        # Given in full: nothing is touched.
        (
            "texts",
            "text_id,written_at,event_precision,available_at,source_system,source_record_id",
            "x,2024-01-01T00:00:00Z,month,2024-02-01T00:00:00.000001Z,crm,9",
            "2024-01-01T00:00:00Z",
            "2024-02-01T00:00:00.000001Z",
            "month",
        ),
    ],
)
def test_the_rules_of_time(  # noqa: PLR0917 - one case, seen whole
    tmp_path: Path, table: str, header: str, cells: str, event_at: str, available_at: str, precision: str
) -> None:
    home = home_in(tmp_path)
    report = take_in(home, write_text(tmp_path / "in", f"{table}.csv", header, cells).parent)
    assert report.refused == 0, report.worst
    (row,) = stored(home, table, "event_at", "available_at", "event_precision")
    assert row == {
        "event_at": moment(event_at),
        "available_at": moment(available_at),
        "event_precision": precision,
    }


def test_in_a_live_load_a_row_counts_as_known_from_now(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    header = f"{USAGE_HEADER},available_at"
    folder = write_usage(
        tmp_path / "in", f"{USAGE_ROWS[0]},", f"{USAGE_ROWS[1]},2024-02-01T00:00:00Z", header=header
    ).parent
    take_in(home, folder, live=True)
    assert [row["available_at"] for row in stored(home, "usage_daily", "user_key", "available_at")] == [
        NOW,
        moment("2024-02-01T00:00:00Z"),
    ]


def test_a_tombstone_needs_only_the_key_of_what_is_gone(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    rows = [f"{ACCOUNTS_ROWS[0]},", "a1,2024-01-01T00:00:00Z,,,,delete", ",2024-01-01T00:00:00Z,,,,delete"]
    report = take_in(home, write_accounts(tmp_path / "in", *rows, header=f"{ACCOUNTS_HEADER},op").parent)
    assert [(row["op"], row["segment"]) for row in stored(home, "accounts_history", "op", "segment")] == [
        ("delete", None),
        ("upsert", "studio"),
    ]
    assert (report.new, refusals(home, "accounts_history")) == (2, [(3, "account_id", "required")])
