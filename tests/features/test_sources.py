"""Do files in the canonical layout become canonical rows, completed, once, and nothing else?"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import DataContractError, RowsQuarantined, UsageError
from features.events import ENVELOPE, TABLES, Kind
from features.warehouse import Warehouse
from tests.features.source_case import (
    ACCOUNTS_HEADER,
    ACCOUNTS_ROWS,
    NOW,
    USAGE_HEADER,
    USAGE_ROWS,
    everything_in,
    home_in,
    only,
    quarantined,
    refusals,
    stored,
    take_in,
    write_accounts,
    write_parquet,
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


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, ending: str) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    folder.mkdir()
    names = USAGE_HEADER.split(",")
    records = [dict(zip(names, (cell or None for cell in row.split(",")), strict=True)) for row in USAGE_ROWS]
    lines = {
        "csv": [USAGE_HEADER, *USAGE_ROWS],
        "jsonl": [json.dumps({name: cell for name, cell in record.items() if cell}) for record in records],
    }
    if ending == "parquet":
        kinds = {"usage_date": pa.date32(), "sessions": pa.int32(), "active_minutes": pa.float32()}
        columns = {
            name: pa.array([record[name] for record in records], pa.string()).cast(kinds.get(name, pa.string()))
            for name in names
        }
        write_parquet(folder, "usage_daily", columns)
    else:
        body = "".join(f"{line}\n" for line in lines[ending.split(".", maxsplit=1)[0]]).encode()
        (folder / f"usage_daily.{ending}").write_bytes(gzip.compress(body) if ending.endswith("gz") else body)
    assert only(take_in(home, folder)).new == 3
    reference = home_in(tmp_path / "reference")
    take_in(reference, write_usage(tmp_path / "reference" / "in").parent)
    kept = ["row_hash", "event_at", "available_at", *names]
    assert stored(home, "usage_daily", *kept) == stored(reference, "usage_daily", *kept)


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


def test_the_same_folder_again_is_recognised_and_changes_no_file(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    folder = write_usage(tmp_path / "in", *USAGE_ROWS, "a1,u9,studio,core,2024-01-01,-1,").parent
    write_accounts(folder)
    first = take_in(home, folder)
    before = everything_in(home)
    again = take_in(home, folder, now=NOW + DAY)
    assert (first.new, first.refused) == (5, 1)
    assert (again.new, again.refused, [table.skipped for table in again.tables]) == (0, 0, [True, True])
    assert sum(table.known for table in again.tables) == 6
    assert everything_in(home) == before
    assert again.quarantined_error() is None


def test_a_longer_export_adds_only_its_new_rows(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    folder = write_usage(tmp_path / "in").parent
    take_in(home, folder)
    write_usage(folder, *reversed(USAGE_ROWS), "a3,u1,studio,core,2024-01-05,1,1")
    report = only(take_in(home, folder, now=NOW + DAY))
    assert (report.read, report.new, report.known) == (4, 1, 3)
    assert len(stored(home, "usage_daily")) == 4


def test_a_correction_in_a_later_load_is_a_new_row_known_later(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    header = f"{USAGE_HEADER},recorded_at"
    folder = write_usage(tmp_path / "in", f"{USAGE_ROWS[0]},2024-01-02T00:00:00Z", header=header).parent
    take_in(home, folder)
    write_usage(folder, "a1,u1,studio,core,2024-01-01,4,12.5,2024-01-09T00:00:00Z", header=header)
    assert only(take_in(home, folder)).new == 1
    # Back to the first content: a third version, though its content is known.
    write_usage(folder, f"{USAGE_ROWS[0]},2024-01-16T00:00:00Z", header=header)
    assert only(take_in(home, folder)).new == 1
    assert [
        (row["sessions"], row["available_at"].day) for row in stored(home, "usage_daily", "available_at", "sessions")
    ] == [
        (3, 2),
        (4, 9),
        (3, 16),
    ]


def test_rows_that_repeat_are_taken_once_and_rows_that_contradict_each_other_not_at_all(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    other = "a1,u2,studio,review,2024-01-02,2,0.25"
    folder = write_usage(tmp_path / "in", USAGE_ROWS[0], USAGE_ROWS[1], USAGE_ROWS[0], other, USAGE_ROWS[2]).parent
    report = only(take_in(home, folder))
    assert (report.read, report.new, report.known, report.quarantined) == (5, 2, 1, {"conflict": 2})
    key = "account_id user_key product_sku feature_code usage_date"
    assert refusals(home, "usage_daily") == [(2, key, "conflict"), (4, key, "conflict")]


def test_a_content_told_twice_counts_from_when_it_was_first_known(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    header = f"{USAGE_HEADER},available_at"
    rows = [f"{USAGE_ROWS[0]},2024-02-0{day}T00:00:00Z" for day in (5, 3, 4)]
    report = only(take_in(home, write_usage(tmp_path / "in", *rows, header=header).parent))
    assert (report.new, report.known) == (1, 2)
    assert [row["available_at"].day for row in stored(home, "usage_daily", "available_at")] == [3]


def test_a_tombstone_needs_only_the_key_of_what_is_gone(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    rows = [f"{ACCOUNTS_ROWS[0]},", "a1,2024-01-01T00:00:00Z,,,,delete", ",2024-01-01T00:00:00Z,,,,delete"]
    report = take_in(home, write_accounts(tmp_path / "in", *rows, header=f"{ACCOUNTS_HEADER},op").parent)
    assert [(row["op"], row["segment"]) for row in stored(home, "accounts_history", "op", "segment")] == [
        ("delete", None),
        ("upsert", "studio"),
    ]
    assert (report.new, refusals(home, "accounts_history")) == (2, [(3, "account_id", "required")])


def test_columns_in_another_order_are_the_same_rows(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    take_in(home, write_usage(tmp_path / "in").parent)
    shuffled = [",".join(row.split(",")[::-1]) for row in (USAGE_HEADER, *USAGE_ROWS)]
    other = write_usage(tmp_path / "other", *shuffled[1:], header=shuffled[0]).parent
    assert (only(take_in(home, other)).new, only(take_in(home, other)).known) == (0, 3)


def test_unknown_columns_and_files_are_told_by_name_and_ours_are_made_anew(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    header = f"{USAGE_HEADER},mood,load_id,row_hash"
    folder = write_usage(tmp_path / "in", f"{USAGE_ROWS[0]},good,mine,7", header=header).parent
    write_text(folder, "notes.txt", "hello")
    write_text(folder / "truth", "oracle.csv", "account_id", "a1")
    report = take_in(home, folder)
    assert only(report).unknown_columns == ("mood",)
    assert report.unmatched_files == ("notes.txt",)
    (row,) = stored(home, "usage_daily", "load_id", "row_hash")
    assert row["load_id"] == report.load_id
    assert row["row_hash"] != 7
    assert "unknown columns mood" in report.lines()[1]
    assert "notes.txt" in report.lines()[2]


def test_one_table_that_breaks_the_contract_keeps_the_whole_folder_out(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    folder = write_usage(tmp_path / "in").parent
    take_in(home, folder)
    before = everything_in(home)
    write_usage(folder, *USAGE_ROWS, "a3,u1,studio,core,2024-01-05,1,1")
    write_accounts(folder, "a1,Aurora", header="account_id,name")
    with pytest.raises(DataContractError, match=r"accounts_history\.csv lacks columns"):
        take_in(home, folder)
    assert everything_in(home) == before


def test_the_report_says_the_same_to_people_and_to_programs(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    folder = write_usage(tmp_path / "in", *USAGE_ROWS, "a1,u7,secret-sku,core,2024-01-01,-1,").parent
    report = take_in(home, folder)
    assert report.lines()[0] == "1 tables: 4 rows read, 3 new, 0 known, 1 refused"
    assert report.lines()[-1] == "  refused: usage_daily: usage_daily.csv row 4, sessions: below 0 (minimum)"
    document = report.document()
    assert (document["new"], document["refused"], document["load_id"]) == (3, 1, report.load_id)
    assert document["tables"][0]["quarantined"] == {"minimum": 1}
    json.dumps(document)
    error = report.quarantined_error()
    assert isinstance(error, RowsQuarantined)
    assert "usage_daily (1)" in str(error)
    assert "row 4, sessions" in str(error)
    assert "secret-sku" not in str(error) + "".join(report.lines())


def test_a_load_has_the_same_id_when_it_is_the_same(tmp_path: Path) -> None:
    folder = write_usage(tmp_path / "in").parent
    ids = [
        take_in(home_in(tmp_path / name), folder, now=now).load_id
        for name, now in [("x", NOW), ("y", NOW), ("z", NOW + DAY)]
    ]
    assert ids[0] == ids[1] != ids[2]
    stored_files = [
        Warehouse(home_in(tmp_path / name)).dataset("usage_daily").entries()[0].sha256 for name in ("x", "y")
    ]
    assert stored_files[0] == stored_files[1]


def test_two_ingests_do_not_run_on_one_home(tmp_path: Path) -> None:
    home = home_in(tmp_path).prepare()
    with (home.root / "ingest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another ingest is running"):
            take_in(home, write_usage(tmp_path / "in").parent)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no file of the folder is a canonical table"),
        ({"usage.csv": "a"}, "no file of the folder is a canonical table"),
        ({"usage_daily.xlsx": "a"}, "no file of the folder is a canonical table"),
        ({"usage_daily.csv": USAGE_HEADER, "usage_daily.jsonl": "{}"}, "two files are named as the table"),
    ],
)
def test_a_folder_that_is_not_clear_is_refused(tmp_path: Path, files: dict[str, str], words: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises((UsageError, DataContractError), match=words):
        take_in(home_in(tmp_path), folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        take_in(home_in(tmp_path), tmp_path / "nowhere")


def test_progress_is_told_once_per_table(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    folder = write_usage(tmp_path / "in").parent
    write_accounts(folder)
    take_in(home_in(tmp_path), folder, progress=lambda stage, done, total: told.append((stage, done, total)))
    assert told == [("read and judge", 1, 2), ("read and judge", 2, 2)]


def test_what_a_killed_ingest_left_is_swept_away(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    folder = write_usage(tmp_path / "in").parent
    take_in(home, folder)
    write_text(home.root / "ingest-dead" / "usage_daily.passing", "file", "x")
    write_text(home.warehouse / "usage_daily", "x.parquet", "never named by a manifest")
    take_in(home, folder, now=NOW + DAY)
    assert not (home.root / "ingest-dead").exists()
    assert not (home.warehouse / "usage_daily" / "x.parquet").exists()
    assert len(stored(home, "usage_daily")) == 3
    assert quarantined(home, "usage_daily") == []
