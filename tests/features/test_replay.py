"""Do repaired rows come in as they would have at first, and do the others stay, with nothing lost or taken twice?"""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.errors import DataContractError, IntegrityError, MissingStateError, UsageError
from features.settings import Home
from features.sources.quarantine import quarantine_file
from features.sources.waiting import read_waiting
from features.warehouse import FIRST_AVAILABLE_AT, Warehouse
from tests.features.replay_case import LATER, edit, file_of, lines_of, play, put, waiting
from tests.features.source_case import (
    ACCOUNTS_HEADER,
    NOW,
    USAGE_HEADER,
    USAGE_ROWS,
    everything_in,
    home_in,
    stored,
    take_in,
    write_accounts,
    write_text,
    write_usage,
)
from tests.features.test_sources_poison import USAGE_POISON

BAD = "a9,u9,studio,core,2024-01-01,-1,1"
MOMENTS = ("available_at", "ingested_at")


def with_refused(folder: Path, *rows: str, live: bool = False) -> Home:
    """A home into which three good rows and these came."""
    home = home_in(folder)
    take_in(home, write_usage(folder / "in", *USAGE_ROWS, *(rows or (BAD,))).parent, live=live)
    return home


def moments_of(home: Home, account: str) -> list[tuple[datetime, datetime]]:
    rows = stored(home, "usage_daily", "account_id", *MOMENTS)
    return [(row["available_at"], row["ingested_at"]) for row in rows if row["account_id"] == account]


def test_a_repaired_row_is_taken_and_known_from_when_it_usually_is(tmp_path: Path) -> None:
    home = with_refused(tmp_path)
    edit(file_of(home, "usage_daily"), put(sessions="1"))
    report = play(home)
    assert (report.new, report.refused, report.refused_error()) == (1, 0, None)
    # A day is known six hours after it ended, as it would have been without the mistake.
    assert moments_of(home, "a9") == [(datetime(2024, 1, 2, 6, tzinfo=UTC), LATER)]
    assert waiting(home, "usage_daily") == []


def test_a_repaired_row_of_a_live_load_is_known_from_its_first_offer(tmp_path: Path) -> None:
    home = with_refused(tmp_path, live=True)
    edit(file_of(home, "usage_daily"), put(sessions="1"))
    play(home)
    assert moments_of(home, "a9") == [(NOW, LATER)]


def test_what_the_source_itself_says_of_a_moment_stays(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    header = f"{USAGE_HEADER},available_at"
    take_in(home, write_usage(tmp_path / "in", f"{BAD},2024-02-01T00:00:00Z", header=header).parent)
    edit(file_of(home, "usage_daily"), put(sessions="1"))
    play(home)
    assert moments_of(home, "a9") == [(datetime(2024, 2, 1, tzinfo=UTC), LATER)]


def test_a_row_that_corrects_a_stored_record_is_known_from_the_replay(tmp_path: Path) -> None:
    # Else snapshots of the past, which knew the other content, would change.
    home = with_refused(tmp_path)
    write_usage(tmp_path / "second", "a9,u9,studio,core,2024-01-01,5,5")
    take_in(home, tmp_path / "second", now=NOW + timedelta(days=1))
    edit(file_of(home, "usage_daily"), put(sessions="1"))
    play(home)
    assert [available for available, _ in moments_of(home, "a9")] == [datetime(2024, 1, 2, 6, tzinfo=UTC), LATER]


def test_rows_that_are_still_bad_stay_where_they_are_with_their_new_reason(tmp_path: Path) -> None:
    home = with_refused(tmp_path, BAD, "a8,u8,studio,core,2024-01-01,-1,1", "only,three,cells")
    before = lines_of(file_of(home, "usage_daily"))

    def change(cells: dict[str, str | None]) -> dict[str, str | None] | None:
        return {**cells, "sessions": "1", "usage_date": "soon"} if cells.get("account_id") == "a9" else None

    edit(file_of(home, "usage_daily"), change)
    report = play(home)
    assert (report.new, report.refused) == (0, 3)
    assert lines_of(file_of(home, "usage_daily")) == [
        {
            **before[0],
            "column": "usage_date",
            "rule": "type",
            "reason": "not days without a time",
            "cells": {**before[0]["cells"], "sessions": "1", "usage_date": "soon"},
        },
        before[1],
        {**before[2], "reason": "not 7 cells"},
    ]
    told = str(report.refused_error())
    assert "usage_daily of 2024" in told
    assert "soon" not in told + "".join(report.lines())


def test_good_rows_leave_the_bad_ones_behind(tmp_path: Path) -> None:
    home = with_refused(tmp_path, *(f"a{number},u,studio,core,2024-01-01,-1,1" for number in range(3, 9)))
    edit(file_of(home, "usage_daily"), lambda cells: {**cells, "sessions": "2"} if cells["account_id"] < "a6" else None)
    assert (play(home).new, play(home).new) == (3, 0)
    assert waiting(home, "usage_daily") == [(row, "sessions", "minimum") for row in (7, 8, 9)]
    assert len(stored(home, "usage_daily")) == 6


def test_a_record_that_was_none_is_read_again_from_its_line(tmp_path: Path) -> None:
    home = with_refused(tmp_path, "a9,u9,studio")
    write_text(tmp_path / "second", "tickets_history.jsonl", '{"ticket_id": "t1", "valid_from": "2024-01-0', '{"x": 1}')
    take_in(home, write_accounts(tmp_path / "third", "a9,soon,Nine,studio,UTC").parent)
    edit(file_of(home, "usage_daily"), lambda _: {"line": 'a9,"u, 9",studio,core,2024-01-01,1,1'})
    edit(file_of(home, "accounts_history"), put(valid_from="2024-01-01T00:00:00Z", employees=7, is_test=True))
    assert play(home).new == 2
    assert "u, 9" in {row["user_key"] for row in stored(home, "usage_daily", "user_key")}
    # Cells need not be text, and a column may be added.
    (nine,) = stored(home, "accounts_history", "name", "employees", "is_test")
    assert nine == {"name": "Nine", "employees": 7, "is_test": True}


def test_a_broken_line_of_json_is_read_again(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    good = {"account_id": "a1", "valid_from": "2024-01-01T00:00:00Z", "segment": "studio", "hq_tz": "UTC"}
    write_text(folder, "accounts_history.jsonl", json.dumps(good), '{"account_id": "a2", ', "[1]")
    take_in(home, folder)
    repaired = json.dumps({**good, "account_id": "a2", "employees": 3})
    edit(file_of(home, "accounts_history"), lambda cells: {"line": repaired} if "a2" in cells["line"] else None)
    assert play(home).new == 1
    assert waiting(home, "accounts_history") == [(3, "", "malformed")]
    rows = stored(home, "accounts_history", "account_id", "employees")
    assert rows == [{"account_id": "a1", "employees": None}, {"account_id": "a2", "employees": 3}]


def test_poisoned_rows_that_nobody_repaired_stay_as_they_are(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    folder.mkdir()
    text = "".join(f"{line}\n" for line in (USAGE_HEADER, *(row for row, _, _ in USAGE_POISON)))
    (folder / "usage_daily.csv").write_bytes(text.encode("utf-8", errors="surrogateescape"))
    take_in(home, folder)
    before = lines_of(file_of(home, "usage_daily"))
    report = play(home, now=NOW)  # later, a row out of the future would be good
    assert (report.new, report.refused) == (0, len(before))
    kept = ("table", "file", "row", "entry", "rule", "column", "cells")
    assert [[row[name] for name in kept] for row in lines_of(file_of(home, "usage_daily"))] == [
        [row[name] for name in kept] for row in before
    ]


def test_a_contradiction_stays_until_one_of_the_two_is_taken_away(tmp_path: Path) -> None:
    twins = ("a9,u9,studio,core,2024-01-01,1,1", "a9,u9,studio,core,2024-01-01,2,1")
    home = with_refused(tmp_path, *twins)
    assert play(home).refused == 2
    path = file_of(home, "usage_daily")
    path.write_text(path.read_text().split("\n")[0] + "\n")
    assert (play(home).new, waiting(home, "usage_daily")) == (1, [])


def test_a_row_that_came_in_another_way_meanwhile_is_not_taken_twice(tmp_path: Path) -> None:
    home = with_refused(tmp_path)
    write_usage(tmp_path / "second", BAD.replace("-1", "1"))
    take_in(home, tmp_path / "second", now=NOW + timedelta(days=1))
    edit(file_of(home, "usage_daily"), put(sessions="1"))
    ((_, told),) = play(home).files
    assert (told.read, told.new, told.known, told.refused) == (1, 0, 1, 0)
    assert (len(moments_of(home, "a9")), waiting(home, "usage_daily")) == (1, [])


def test_one_load_or_one_table_is_replayed_alone(tmp_path: Path) -> None:
    home = with_refused(tmp_path)
    write_accounts(tmp_path / "second", "a9,soon,Nine,studio,UTC", header=ACCOUNTS_HEADER)
    second = take_in(home, tmp_path / "second", now=NOW + timedelta(days=1)).load_id
    assert [(load, told.table) for load, told in play(home, load=second).files] == [(second, "accounts_history")]
    assert [told.table for _, told in play(home, table="usage_daily").files] == ["usage_daily"]
    assert [told.table for _, told in play(home).files] == ["accounts_history", "usage_daily"]
    with pytest.raises(MissingStateError, match="nothing of this lies in quarantine"):
        play(home, load=second, table="usage_daily")


def test_an_empty_quarantine_is_no_failure(tmp_path: Path) -> None:
    report = play(home_in(tmp_path))
    assert (report.lines(), report.refused_error()) == (["nothing lies in quarantine"], None)


@pytest.mark.parametrize(
    ("line", "found"),
    [("{", "json_invalid"), ('{"table": "usage_daily"}', "missing file"), ("[]", "model_type")],
)
def test_a_line_that_is_no_refused_row_is_named_and_nothing_is_changed(tmp_path: Path, line: str, found: str) -> None:
    home = with_refused(tmp_path)
    path = file_of(home, "usage_daily")
    path.write_text(f"{path.read_text()}{line}\n")
    before = everything_in(home)
    with pytest.raises(DataContractError, match="line 2 of quarantine/usage_daily/") as refusal:
        play(home)
    assert found in refusal.value.found
    assert everything_in(home) == before


def test_rows_edited_while_they_are_replayed_are_not_lost(tmp_path: Path) -> None:
    home = with_refused(tmp_path)
    path = file_of(home, "usage_daily")
    read = read_waiting(path)
    edit(path, put(sessions="1"))
    with pytest.raises(UsageError, match="edited while they were replayed"):
        read.keep_only((), tmp_path)
    assert play(home).new == 1


def test_how_a_load_was_done_is_kept_for_its_owner_and_without_it_nothing_is_guessed(tmp_path: Path) -> None:
    home = with_refused(tmp_path)
    (record,) = (home.root / "loads").iterdir()
    assert [stat.S_IMODE(place.stat().st_mode) for place in (record, record.parent)] == [0o600, 0o700]
    assert "a9" not in record.read_text()
    record.write_text("{}")
    with pytest.raises(IntegrityError, match="record of the load"):
        play(home)
    record.unlink()
    with pytest.raises(MissingStateError, match="not known how the load"):
        play(home)
    assert len(waiting(home, "usage_daily")) == 1


def test_a_clean_load_keeps_no_record(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    take_in(home, write_usage(tmp_path / "in").parent)
    assert not (home.root / "loads").exists()


def test_what_stays_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    home = with_refused(tmp_path)
    play(home)
    assert stat.S_IMODE(file_of(home, "usage_daily").stat().st_mode) == 0o600


def test_the_stored_rows_tell_from_when_they_were_known(tmp_path: Path) -> None:
    home = with_refused(tmp_path)
    edit(file_of(home, "usage_daily"), put(sessions="1", usage_date="2023-01-01"))
    play(home)
    first, second = Warehouse(home).dataset("usage_daily").entries()
    assert first.facts[FIRST_AVAILABLE_AT] == "2024-01-02T06:00:00+00:00"
    assert second.facts[FIRST_AVAILABLE_AT] == "2023-01-02T06:00:00+00:00"
    assert quarantine_file(home, "usage_daily", first.facts["load_id"]).parent.is_dir()
