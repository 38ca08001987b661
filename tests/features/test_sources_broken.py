"""Does every broken file end in a clear refusal, and every poisoned row in quarantine, with nothing half-written?"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from features.errors import DataContractError
from tests.features.source_case import (
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

MICROSECONDS = pa.timestamp("us", tz="UTC")
GOOD_USAGE = {
    "account_id": ["a1", "a2"],
    "user_key": ["u1", "u2"],
    "product_sku": ["studio", "studio"],
    "usage_date": pa.array([19_700, 19_701], pa.int32()).cast(pa.date32()),
    "sessions": [1, 2],
    "active_minutes": [1.5, 2.5],
}
GOOD_TEXTS = {
    "text_id": ["t1", "t2"],
    "written_at": pa.array([1_700_000_000_000_000, 1_700_000_000_000_001], MICROSECONDS),
}


def usage(**changed: object) -> Callable[[Path], object]:
    return lambda folder: write_parquet(folder, "usage_daily", {**GOOD_USAGE, **changed})  # type: ignore[dict-item]


def texts(**changed: object) -> Callable[[Path], object]:
    return lambda folder: write_parquet(folder, "texts", {**GOOD_TEXTS, **changed})  # type: ignore[dict-item]


def raw(name: str, content: bytes) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return write


def cut(share: float) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        whole = usage()(folder)
        assert isinstance(whole, Path)
        whole.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])

    return write


def csv_of(header: str, *rows: str) -> Callable[[Path], object]:
    return lambda folder: write_usage(folder, *rows, header=header)


BROKEN_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    # Columns
    "a required column is missing": (csv_of("account_id,usage_date", "a1,2024-01-01"), "product_sku"),
    "a required column is renamed": (csv_of("account,product_sku,usage_date", "a1,s,2024-01-01"), "account_id"),
    "a required column is in capitals": (csv_of("ACCOUNT_ID,product_sku,usage_date", "a1,s,2024-01-01"), "account_id"),
    "no column gives the event": (raw("texts.csv", b"text_id\nt1\n"), "written_at"),
    "a column has no name": (csv_of(f",{USAGE_HEADER}", f"0,{USAGE_ROWS[0]}"), "name of column 1"),
    "a column comes twice": (csv_of(f"{USAGE_HEADER},sessions", f"{USAGE_ROWS[0]},1"), "name of column 6 again"),
    "a column comes twice but for capitals": (csv_of(f"{USAGE_HEADER},Tokens,tokens", f"{USAGE_ROWS[0]},1,1"), "again"),
    "a column has a name of ours": (csv_of(f"{USAGE_HEADER},_pulse_row", f"{USAGE_ROWS[0]},1"), "name of column 8"),
    "the columns are parted by semicolons": (csv_of(USAGE_HEADER.replace(",", ";"), "a;b"), "account_id"),
    "a parquet column is missing": (
        lambda folder: write_parquet(folder, "usage_daily", {"account_id": ["a"]}),
        "usage_date",
    ),
    "a parquet column is named as the engine numbers rows": (usage(file_row_number=[1, 2]), "name of column 7"),
    # Physical types
    "an id is a number": (usage(account_id=[1, 2]), "account_id has the wrong type"),
    "an id is bytes": (usage(account_id=[b"a", b"b"]), "account_id has the wrong type"),
    "a count is a text": (usage(sessions=["1", "2"]), "sessions has the wrong type"),
    "a count is a double": (usage(sessions=[1.0, 2.0]), "sessions has the wrong type"),
    "a count is a truth value": (usage(sessions=[True, False]), "sessions has the wrong type"),
    "a measure is a text": (usage(active_minutes=["1.5", "x"]), "active_minutes has the wrong type"),
    "a day is a text": (usage(usage_date=["2024-01-01", "2024-01-02"]), "usage_date has the wrong type"),
    "a day is a moment": (usage(usage_date=pa.array([1, 2], MICROSECONDS)), "usage_date has the wrong type"),
    "a day is a number": (usage(usage_date=[20240101, 20240102]), "usage_date has the wrong type"),
    "a column is nested": (usage(user_key=[["u1"], ["u2"]]), "user_key has the wrong type"),
    "a moment is naive": (texts(written_at=pa.array([1, 2], pa.timestamp("us"))), "written_at has the wrong type"),
    "a moment is naive in nanoseconds": (texts(written_at=pa.array([1, 2], pa.timestamp("ns"))), "wrong type"),
    "a moment is a day": (texts(written_at=pa.array([1, 2], pa.date32())), "written_at has the wrong type"),
    "a moment is a number": (texts(written_at=[1_700_000_000, 1_700_000_001]), "written_at has the wrong type"),
    "a moment is a text in parquet": (texts(written_at=["2024-01-01T00:00:00Z"] * 2), "written_at has the wrong type"),
    "nanoseconds would be lost": (
        texts(written_at=pa.array([1_000, 1_001], pa.timestamp("ns", tz="UTC"))),
        r"written_at is finer than a microsecond.*row 2",
    ),
    # Files
    "the file is empty": (raw("usage_daily.csv", b""), "an empty file"),
    "the parquet file is empty": (raw("usage_daily.parquet", b""), "an empty file"),
    "the jsonl file is empty": (raw("usage_daily.jsonl", b""), "an empty file"),
    "the gz file holds nothing": (raw("usage_daily.csv.gz", gzip.compress(b"")), "no readable header"),
    "the gz file is cut": (
        raw(
            "usage_daily.csv.gz",
            gzip.compress("".join(f"{row}\n" for row in (USAGE_HEADER, *map(str, range(9_000)))).encode())[:-600],
        ),
        "usage_daily",
    ),
    "the gz file is none": (raw("usage_daily.csv.gz", b"account_id\na1\n"), "no readable header"),
    "the csv is parquet": (raw("usage_daily.csv", b"PAR1\x00\x01\x15\x04PAR1"), "cannot be"),
    "the parquet is csv": (raw("usage_daily.parquet", USAGE_HEADER.encode()), "no readable Parquet"),
    "the parquet lost its footer": (cut(0.9), "no readable Parquet"),
    "the parquet is half there": (cut(0.5), "no readable Parquet"),
    "the parquet is its first bytes": (cut(0.01), "no readable Parquet"),
    "the csv is UTF-16": (raw("usage_daily.csv", f"{USAGE_HEADER}\n{USAGE_ROWS[0]}\n".encode("utf-16")), "cannot be"),
    "line ends are mixed": (
        raw("usage_daily.csv", f"{USAGE_HEADER}\r\n{USAGE_ROWS[0]}\n{USAGE_ROWS[1]}\r\n".encode()),
        "cannot be read into usage_daily",
    ),
    "the jsonl has no object": (raw("usage_daily.jsonl", b"1\n[2]\nnull\n"), "lacks columns"),
    "the header is quoted without an end": (
        raw("usage_daily.csv", b'"account_id,product_sku\n1,2\n'),
        "no readable header",
    ),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_file_that_cannot_be_taken_is_refused_by_name_and_writes_nothing(tmp_path: Path, case: str) -> None:
    make, words = BROKEN_FILES[case]
    home, folder = home_in(tmp_path), tmp_path / "in"
    write_accounts(folder)
    make(folder)
    with pytest.raises(DataContractError, match=words) as refusal:
        take_in(home, folder)
    assert everything_in(home) == {}
    assert "usage_daily" in refusal.value.title or "texts" in refusal.value.title
    assert refusal.value.expected
    assert refusal.value.todo


USAGE_POISON: tuple[tuple[str, str, str], ...] = (
    # account_id, user_key, product_sku, feature_code, usage_date, sessions, active_minutes
    (",u,s,core,2024-01-01,1,1", "account_id", "required"),
    ('"",u,s,core,2024-01-01,1,1', "account_id", "required"),
    ("a,u,,core,2024-01-01,1,1", "product_sku", "required"),
    ("a,u,s,core,,1,1", "usage_date", "required"),
    ("a,u,s,Core,2024-01-01,1,1", "feature_code", "choices"),
    ("a,u,s,core,2024-02-30,1,1", "usage_date", "type"),
    ("a,u,s,core,2024-1-1,1,1", "usage_date", "type"),
    ("a,u,s,core,01/02/2024,1,1", "usage_date", "type"),
    ("a,u,s,core,2024-01-01T00:00:00Z,1,1", "usage_date", "type"),
    ("a,u,s,core,infinity,1,1", "usage_date", "type"),
    ("a,u,s,core,9999-12-31,1,1", "usage_date", "range"),
    ("a,u,s,core,1899-12-31,1,1", "usage_date", "range"),
    ("a,u,s,core,2024-06-05,1,1", "event_at", "future"),
    ("a,u,s,core,2024-01-01,-1,1", "sessions", "minimum"),
    ("a,u,s,core,2024-01-01,1.5,1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,1e3,1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,1_000,1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,0x10,1", "sessions", "type"),
    ('a,u,s,core,2024-01-01,"1,000",1', "sessions", "type"),
    ("a,u,s,core,2024-01-01,9223372036854775808,1", "sessions", "type"),
    (f"a,u,s,core,2024-01-01,{'9' * 400},1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,NaN,1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,١٢,1", "sessions", "type"),
    ("a,u,s,core,2024-01-01,1,-0.5", "active_minutes", "minimum"),
    ("a,u,s,core,2024-01-01,1,NaN", "active_minutes", "type"),
    ("a,u,s,core,2024-01-01,1,inf", "active_minutes", "type"),
    ("a,u,s,core,2024-01-01,1,1e999", "active_minutes", "finite"),
    (f"a,u,s,core,2024-01-01,1,{'9' * 400}", "active_minutes", "finite"),
    ('a,u,s,core,2024-01-01,1,"1,5"', "active_minutes", "type"),
    ("a,u,s,core,2024-01-01,1,1 min", "active_minutes", "type"),
    ("a\0b,u,s,core,2024-01-01,1,1", "account_id", "text"),
    ("a\x1fb,u,s,core,2024-01-01,1,1", "account_id", "text"),
    (f"{'a' * 65_537},u,s,core,2024-01-01,1,1", "account_id", "text"),
    (f"{'a' * 1_000_000},u,s,core,2024-01-01,1,1", "account_id", "text"),
    ("a,u,s,core,2024-01-01,1", "", "malformed"),
    ("a,u,s,core,2024-01-01,1,1,1", "", "malformed"),
    ('a,"u"x,s,core,2024-01-01,1,1', "", "malformed"),
    ("a,\udcff,s,core,2024-01-01,1,1", "", "malformed"),
)
USAGE_FINE = (
    "a1,u1,s,core,2024-06-04,1,1",  # tomorrow: a zone's day
    "a1,u2,s,core,2024-01-01,+12.0,1e2",
    "a1,u3,s,core,2024-01-01, 7 ,.5",
    "a1,u4,s,core,2024-01-01,9223372036854775807,-0.0",
    'a1,"u, ""5""\nsecond line",s,core,2024-01-01,,',
    "\u202eabc,😀,s,core,2024-01-01,1,1",
    "=1+1,u7,s,core,2024-01-01,1,1",
)


def test_poisoned_rows_go_to_quarantine_each_with_its_rule_and_the_others_are_taken(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    folder.mkdir()
    rows = [(row, "", "") for row in USAGE_FINE] + list(USAGE_POISON)
    random.Random(7).shuffle(rows)  # noqa: S311 - an order, not a secret
    text = "\n".join([USAGE_HEADER, *(row for row, _, _ in rows)]) + "\n"
    (folder / "usage_daily.csv").write_bytes(text.encode("utf-8", errors="surrogateescape"))
    report = only(take_in(home, folder))
    assert refusals(home, "usage_daily") == [
        (number, column, rule) for number, (_, column, rule) in enumerate(rows, start=1) if rule
    ]
    assert (report.read, report.new, report.known) == (len(rows), len(USAGE_FINE), 0)
    assert len(stored(home, "usage_daily")) == len(USAGE_FINE)


ACCOUNT_POISON: tuple[tuple[str, str, str], ...] = (
    # account_id, valid_from, name, segment, hq_tz
    ("a,2023-01-01T00:00:00,n,studio,UTC", "valid_from", "zone"),
    ("a,2023-01-01 00:00:00.5,n,studio,UTC", "valid_from", "zone"),
    ("a,2023-01-01,n,studio,UTC", "valid_from", "zone"),
    ("a,2023-01-01T00:00:00.0000001Z,n,studio,UTC", "valid_from", "precision"),
    ("a,2023-01-01T00:00:00.123456789+02:00,n,studio,UTC", "valid_from", "precision"),
    ("a,2023-01-01T25:00:00Z,n,studio,UTC", "valid_from", "type"),
    ("a,2023-01-01T00:00:60Z,n,studio,UTC", "valid_from", "type"),
    ("a,1672531200,n,studio,UTC", "valid_from", "type"),
    ("a,yesterday,n,studio,UTC", "valid_from", "type"),
    ("a,9999-01-01T00:00:00Z,n,studio,UTC", "valid_from", "range"),
    ("a,0001-01-01T00:00:00Z,n,studio,UTC", "valid_from", "range"),
    ("a,2024-06-04T12:00:01Z,n,studio,UTC", "event_at", "future"),
    ("a,2023-01-01T00:00:00Z,n,film,UTC", "segment", "choices"),
    ("a,2023-01-01T00:00:00Z,n,studio,Mars/Olympus", "hq_tz", "zone"),
    ("a,2023-01-01T00:00:00Z,n,studio,+02:00", "hq_tz", "zone"),
    ("a,2023-01-01T00:00:00Z,n,studio,", "hq_tz", "required"),
    ("a,2023-01-01T00:00:00Z,n\0,studio,UTC", "name", "text"),
)
ACCOUNT_FINE = (
    "f1,2023-01-01T00:00:00Z,n,studio,UTC",
    "f2,2023-01-01T00:00:00.123456000+02:00,n,studio,Asia/Kolkata",
    "f3,2023-01-01 00:00:00 UTC,n,studio,UTC",
    "f4,2023-01-01T00:00:00-0800,n,studio,UTC",
    "f5,2024-06-04T12:00:00Z,n,studio,UTC",
)


def test_moments_and_zones_that_cannot_be_placed_go_to_quarantine(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    rows = (*((row, "", "") for row in ACCOUNT_FINE), *ACCOUNT_POISON)
    take_in(home, write_accounts(tmp_path / "in", *(row for row, _, _ in rows)).parent)
    assert refusals(home, "accounts_history") == [
        (number, column, rule) for number, (_, column, rule) in enumerate(rows, start=1) if rule
    ]
    assert [row["valid_from"] for row in stored(home, "accounts_history", "account_id", "valid_from")] == [
        datetime(2023, 1, 1, tzinfo=UTC),
        datetime(2022, 12, 31, 22, 0, 0, 123_456, tzinfo=UTC),
        datetime(2023, 1, 1, tzinfo=UTC),
        datetime(2023, 1, 1, 8, tzinfo=UTC),
        datetime(2024, 6, 4, 12, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("recorded", "available", "expected"),
    [
        ("2024-01-01T09:00:00Z", "", ()),  # within an hour: clocks differ
        ("2024-01-01T08:59:59Z", "", ("recorded_at", "order")),
        ("2024-06-03T12:00:01Z", "", ("recorded_at", "future")),
        ("", "2024-01-01T10:00:00Z", ()),
        ("", "2024-01-01T09:59:59Z", ("available_at", "order")),
        ("2024-01-05T00:00:00Z", "2024-01-04T22:59:59Z", ("available_at", "order")),
        ("", "2024-06-04T12:00:01Z", ("available_at", "future")),
    ],
)
def test_times_that_contradict_each_other_go_to_quarantine(
    tmp_path: Path, recorded: str, available: str, expected: tuple[str, str]
) -> None:
    home = home_in(tmp_path)
    header = "text_id,written_at,recorded_at,available_at"
    row = f"t,2024-01-01T10:00:00Z,{recorded},{available}"
    take_in(home, write_text(tmp_path / "in", "texts.csv", header, row).parent)
    assert [(column, rule) for _, column, rule in refusals(home, "texts")] == ([expected] if expected else [])


def test_holidays_may_lie_as_far_ahead_as_they_are_known(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    rows = ("us,2025-06-04", "us,2025-06-05", "us,2025-06-06")
    take_in(home, write_text(tmp_path / "in", "holidays.csv", "region,holiday_on", *rows).parent)
    assert refusals(home, "holidays") == [(3, "event_at", "future")]


@pytest.mark.parametrize("cells", [pa.nulls(2), pa.array([None, None], pa.int64())], ids=["no type", "a type"])
def test_an_optional_column_may_be_all_null_and_a_required_one_refuses_its_rows(
    tmp_path: Path, cells: pa.Array
) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    usage(sessions=cells, tokens=cells)(folder)
    assert only(take_in(home, folder)).new == 2
    usage(account_id=pa.nulls(2))(folder)
    assert only(take_in(home, folder)).quarantined == {"required": 2}


def test_parquet_types_that_lose_nothing_are_taken(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    usage(
        account_id=pa.array(["a1", "a2"]).dictionary_encode(),
        user_key=pa.array(["u1", "u2"], pa.large_string()),
        usage_date=pa.array([1_704_067_200_000, 1_704_153_600_000], pa.date64()),
        sessions=pa.array([1, 2**64 - 1], pa.uint64()),
        active_minutes=pa.array([1, 2], pa.decimal128(5, 1)),
    )(folder)
    write_parquet(
        folder,
        "texts",
        {
            "text_id": ["t1", "t2"],
            "written_at": pa.array(
                [1_700_000_000_000_001_000, 1_700_000_000_000_000_000], pa.timestamp("ns", tz="UTC")
            ),
            "purge_after": pa.array([1_700_000_000, None], pa.timestamp("s", tz="Asia/Tokyo")),
        },
    )
    take_in(home, folder)
    assert refusals(home, "usage_daily") == [(2, "sessions", "type")]
    assert [row["written_at"].microsecond for row in stored(home, "texts", "text_id", "written_at")] == [1, 0]
    assert stored(home, "texts", "text_id", "purge_after")[0]["purge_after"] == datetime(
        2023, 11, 14, 22, 13, 20, tzinfo=UTC
    )


def test_infinite_numbers_in_parquet_go_to_quarantine(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    usage(active_minutes=[float("nan"), float("inf")])(folder)
    take_in(home, folder)
    assert refusals(home, "usage_daily") == [(1, "active_minutes", "finite"), (2, "active_minutes", "finite")]


def test_lines_that_are_no_json_object_go_to_quarantine_with_their_line(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    folder.mkdir()
    good = b'{"account_id":"a%d","product_sku":"s","usage_date":"2024-01-01","sessions":%d,"extra":{"n":1}}'
    lines = [
        good % (1, 1),
        b"",
        b"no json",
        good % (2, -1),
        b'{"a":"\xff"}',
        b"[1]",
        b'{"a":',
        good % (3, 2**70),
        good % (4, 4),
    ]
    (folder / "usage_daily.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    report = only(take_in(home, folder))
    assert refusals(home, "usage_daily") == [
        (3, "", "malformed"),
        (4, "sessions", "minimum"),
        (5, "", "malformed"),
        (6, "", "malformed"),
        (7, "", "malformed"),
        (8, "sessions", "type"),
    ]
    assert (report.read, report.new, report.unknown_columns) == (8, 2, ("extra",))


def test_a_header_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    report = only(take_in(home, write_text(tmp_path / "in", "usage_daily.csv", USAGE_HEADER).parent))
    assert (report.read, report.new) == (0, 0)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    folder.mkdir()
    text = "\r\n".join([USAGE_HEADER, *USAGE_ROWS]) + "\r\n"
    (folder / "usage_daily.csv").write_bytes(text.encode("utf-8-sig"))
    assert only(take_in(home, folder)).new == 3


def test_a_bit_flip_in_parquet_never_crashes_and_never_half_writes(tmp_path: Path) -> None:
    # 40 flips here; the same loop was run with 400 while this was built.
    chance, folder = random.Random(11), tmp_path / "in"  # noqa: S311 - places, not secrets
    count = 200
    columns = {name: pa.concat_arrays([pa.array(cells)] * (count // 2)) for name, cells in GOOD_USAGE.items()}
    columns["user_key"] = pa.array([f"u{number}" for number in range(count)])
    path = write_parquet(folder, "usage_daily", columns)
    whole = path.read_bytes()
    for flip in range(40):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        home = home_in(tmp_path / str(flip))
        try:
            report = only(take_in(home, folder))
        except DataContractError:
            assert everything_in(home) == {}
        else:
            assert report.read == report.new + report.known + report.refused
            assert len(stored(home, "usage_daily")) == report.new


def test_an_error_about_a_file_repeats_none_of_its_cells(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    secret = "canary-7f3a"  # noqa: S105 - planted to be looked for
    rows = [f"a1,{secret},s,core,2024-01-01,{secret},1", f"a1,{secret}", f"{secret},u,s,{secret},{secret},1,1"]
    report = take_in(home, write_usage(tmp_path / "in", *rows).parent)
    assert report.refused == 3
    assert secret not in str(report.quarantined_error()) + "\n".join(report.lines()) + str(report.document())
    assert secret in str(quarantined(home, "usage_daily"))


def test_the_largest_table_keeps_its_numbers_across_row_groups(tmp_path: Path) -> None:
    # Row numbers in quarantine are those of the file, however many row groups and broken records lie before.
    home, folder = home_in(tmp_path), tmp_path / "in"
    folder.mkdir()
    total, bad = 150_000, {1, 70_000, 122_881, 149_999}
    broken = {2, 3, 60_000, 122_880}
    lines = [USAGE_HEADER]
    for number in range(1, total + 1):
        sessions = "-1" if number in bad else "1"
        lines.append("short" if number in broken else f"a1,u{number},s,core,2024-01-01,{sessions},1")
    (folder / "usage_daily.csv").write_text("\n".join(lines) + "\n")
    report = only(take_in(home, folder))
    assert {row: rule for row, _, rule in refusals(home, "usage_daily")} == {
        **dict.fromkeys(bad, "minimum"),
        **dict.fromkeys(broken, "malformed"),
    }
    assert report.new == total - len(bad) - len(broken)
