"""Are refused rows of a mapped export taken by the repaired mapping, as they would have been taken at first?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import ConfigError, MissingStateError
from features.settings import Home
from tests.features.mapping_case import ORDERS, TICKETS, USAGE, write_mapping
from tests.features.replay_case import LATER, edit, file_of, lines_of, play, put, waiting
from tests.features.source_case import home_in, stored, take_in, write_text

FINE = tuple(f"t{number},a1,o,2024-01-0{number % 9 + 1},1,1" for number in range(100))
NEW_WORD = "t900,a1,parked,2024-02-01,1,1"


def take(folder: Path, *tables: dict[str, Any], rows: tuple[str, ...] = (*FINE, NEW_WORD)) -> Home:
    """A home after a first ingest of orders.csv by a mapping of these tables."""
    home = home_in(folder)
    write_text(folder / "in", "orders.csv", ORDERS, *rows)
    take_in(home, folder / "in", mapping=write_mapping(folder, *tables))
    return home


def with_word(table: dict[str, Any], **words: str) -> dict[str, Any]:
    return {**table, "values": {"status": {**table["values"]["status"], **words}}}


def statuses(home: Home, ticket: str) -> list[str]:
    rows = stored(home, "tickets_history", "ticket_id", "status")
    return [row["status"] for row in rows if row["ticket_id"] == ticket]


def test_a_word_that_the_repaired_mapping_knows_is_taken_with_the_first_times(tmp_path: Path) -> None:
    home = take(tmp_path, {**TICKETS, "lag": "3 days"})
    assert waiting(home, "tickets_history") == [(101, "status", "unmapped")]
    # Most of what waits has the new word, which would end an ingest: here it only stays.
    assert play(home).refused == 1
    write_mapping(tmp_path, with_word({**TICKETS, "lag": "3 days"}, parked="hold"))
    assert (play(home).new, statuses(home, "t900")) == (1, ["hold"])
    rows = stored(home, "tickets_history", "ticket_id", "available_at", "ingested_at", "source_system")
    assert max(rows, key=lambda row: str(row["ingested_at"])) == {
        "ticket_id": "t900",
        "available_at": datetime(2024, 2, 5, tzinfo=UTC),
        "ingested_at": LATER,
        "source_system": "shop",
    }


def test_another_mapping_may_be_named(tmp_path: Path) -> None:
    home = take(tmp_path, TICKETS)
    repaired = write_mapping(tmp_path / "elsewhere", with_word(TICKETS, parked="hold"))
    assert play(home, mapping=repaired).new == 1


def test_each_row_goes_by_its_own_entry_of_the_mapping(tmp_path: Path) -> None:
    second = {**TICKETS, "columns": {**TICKETS["columns"], "ticket_id": "'second ' || id"}, "constants": {}}
    home = take(tmp_path, TICKETS, second)
    assert [(row["row"], row["entry"]) for row in lines_of(file_of(home, "tickets_history"))] == [(101, 1), (101, 2)]
    write_mapping(tmp_path, TICKETS, with_word(second, parked="hold"))
    assert (play(home).new, statuses(home, "second t900"), statuses(home, "t900")) == (1, ["hold"], [])
    assert [(row["row"], row["entry"]) for row in lines_of(file_of(home, "tickets_history"))] == [(101, 1)]
    write_mapping(tmp_path, with_word(TICKETS, parked="closed"), second)
    assert (play(home).new, statuses(home, "t900")) == (1, ["closed"])


def test_cells_of_a_typed_file_have_its_types_again(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    (tmp_path / "in").mkdir()
    hours = pa.array([1.5, -2.0, 3.25, None])
    columns = {"customer": ["a1", "a2", "a3", "a4"], "hours": hours, "qty": pa.array([1, 2, -1, 1], pa.int32())}
    days = pa.array([datetime(2024, 1, day, tzinfo=UTC).date() for day in (1, 2, 3, 4)])
    pq.write_table(pa.table({**columns, "day": days}), tmp_path / "in" / "orders.parquet")
    table = {**USAGE, "file": "orders.parquet", "columns": {**USAGE["columns"], "active_minutes": "60 * hours"}}
    take_in(home, tmp_path / "in", mapping=write_mapping(tmp_path, table))
    assert waiting(home, "usage_daily") == [(2, "active_minutes", "minimum"), (3, "sessions", "minimum")]
    edit(file_of(home, "usage_daily"), lambda cells: {**cells, "hours": "two" if cells["customer"] == "a2" else 3.25})
    play(home)
    assert waiting(home, "usage_daily") == [(2, "hours", "type"), (3, "sessions", "minimum")]
    edit(file_of(home, "usage_daily"), put(hours=0.1, qty="4"))
    assert play(home).new == 2
    rows = stored(home, "usage_daily", "account_id", "active_minutes", "sessions")
    assert rows == [
        {"account_id": "a1", "active_minutes": 90.0, "sessions": 1},
        {"account_id": "a2", "active_minutes": 60 * 0.1, "sessions": 4},
        {"account_id": "a3", "active_minutes": 60 * 0.1, "sessions": 4},
        {"account_id": "a4", "active_minutes": None, "sessions": 1},
    ]


def test_rows_that_stand_for_others_wait_for_their_whole_file(tmp_path: Path) -> None:
    # The stored total would be taken for wrong and be replaced by a part of it.
    home = take(tmp_path, {**USAGE, "totals_per_key": True}, rows=("1,a1,o,2024-01-01,1,2", "2,a1,o,2024-01-01,1,-1"))
    edit(file_of(home, "usage_daily"), put(qty="3"))
    ((_, told),) = play(home).files
    assert (told.new, told.known, told.quarantined) == (0, 0, {"whole_file": 1})
    assert stored(home, "usage_daily", "sessions") == [{"sessions": 2}]
    write_text(tmp_path / "in", "orders.csv", ORDERS, "1,a1,o,2024-01-01,1,2", "2,a1,o,2024-01-01,1,3")
    take_in(home, tmp_path / "in", mapping=tmp_path / "mapping.yaml", now=LATER)
    assert [row["sessions"] for row in stored(home, "usage_daily", "available_at", "sessions")] == [2, 5]


def kept_in_another_file(folder: Path) -> Home:
    write_text(folder / "in", "customers.csv", "id", "a1")
    table = {**TICKETS, "only_in": {"file": "customers.csv", "column": "id", "of": "customer"}}
    home = take(folder, table)
    write_mapping(folder, with_word(table, parked="hold"))
    return home


def test_a_mapping_that_looks_into_other_files_finds_them_where_the_load_did(tmp_path: Path) -> None:
    home = kept_in_another_file(tmp_path)
    (tmp_path / "in" / "orders.csv").unlink()  # the rows themselves lie in quarantine
    assert (play(home).new, waiting(home, "tickets_history")) == (1, [])


def test_or_where_it_is_told_that_they_lie_now(tmp_path: Path) -> None:
    home = kept_in_another_file(tmp_path)
    (tmp_path / "in").rename(tmp_path / "archive")
    with pytest.raises(MissingStateError, match="looks things up in the files of its load"):
        play(home)
    assert len(waiting(home, "tickets_history")) == 1
    assert play(home, folder=tmp_path / "archive").new == 1


def test_a_file_that_looks_into_itself_is_needed_whole(tmp_path: Path) -> None:
    table = {**TICKETS, "only_in": {"file": "orders.csv", "column": "customer", "of": "customer"}}
    home = take(tmp_path, table)
    write_mapping(tmp_path, with_word(table, parked="hold"))
    (tmp_path / "in" / "orders.csv").rename(tmp_path / "orders.csv")
    with pytest.raises(MissingStateError, match="looks things up"):
        play(home)
    (tmp_path / "orders.csv").rename(tmp_path / "in" / "orders.csv")
    assert play(home).new == 1


def test_a_mapping_that_reads_the_file_no_more_is_refused(tmp_path: Path) -> None:
    home = take(tmp_path, TICKETS)
    write_mapping(tmp_path, USAGE)
    with pytest.raises(ConfigError, match="no longer reads the refused rows of tickets_history"):
        play(home)
    write_mapping(tmp_path, {**TICKETS, "file": "others.csv"})
    write_text(tmp_path / "in", "others.csv", ORDERS, FINE[0])
    with pytest.raises(ConfigError, match="no longer reads"):
        play(home)
    assert len(waiting(home, "tickets_history")) == 1


def test_a_row_that_the_mapping_leaves_out_after_all_leaves_quarantine_as_set_aside(tmp_path: Path) -> None:
    home = take(tmp_path, TICKETS)
    write_mapping(tmp_path, {**TICKETS, "where": "state <> 'parked'"})
    ((_, told),) = play(home).files
    assert (told.new, told.set_aside, told.refused) == (0, 1, 0)
    assert waiting(home, "tickets_history") == []
