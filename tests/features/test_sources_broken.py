"""Does every broken file end in a clear refusal, with nothing half-written?"""

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
    # 40 flips here; the same loop was run with 300 while this was built.
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
