"""Do files in the canonical layout become canonical rows, completed, once, and nothing else?"""

from __future__ import annotations

import fcntl
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from features.errors import DataContractError, RowsQuarantined, UsageError
from features.warehouse import Warehouse
from tests.features.source_case import (
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


def test_a_correction_without_a_time_of_its_own_is_known_from_now_and_changes_no_past(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    folder = write_usage(tmp_path / "in", *USAGE_ROWS).parent
    take_in(home, folder)
    before = stored(home, "usage_daily")
    corrected = USAGE_ROWS[2].replace("a2,,studio,,2024-01-01,,", "a2,,studio,,2024-01-01,9,")
    write_usage(folder, *USAGE_ROWS[:2], corrected, "a2,,studio,,2024-01-02,1,")
    take_in(home, folder, now=NOW + DAY)
    after = stored(home, "usage_daily")
    assert [row for row in after if row in before] == before
    later = {row["sessions"]: row["available_at"] for row in after if row not in before}
    assert later == {9: NOW + DAY, 1: datetime(2024, 1, 3, 6, tzinfo=UTC)}


def test_a_tombstone_for_a_known_record_takes_it_back_from_now_on(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    folder = write_accounts(tmp_path / "in").parent
    take_in(home, folder)
    gone = "a1,2023-01-01T00:00:00Z,,,,delete"
    write_accounts(folder, gone, header="account_id,valid_from,name,segment,hq_tz,op")
    take_in(home, folder, now=NOW + DAY)
    (row,) = [row for row in stored(home, "accounts_history") if row["op"] == "delete"]
    assert (row["account_id"], row["available_at"]) == ("a1", NOW + DAY)


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
