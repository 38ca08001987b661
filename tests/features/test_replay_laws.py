"""Laws of replay: repaired rows and a clean load are the same thing, and a crash at any point harms neither."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from features.events import TABLES
from features.settings import Home
from features.warehouse import Warehouse
from tests.features.replay_case import edit, file_of, lines_of, play, waiting
from tests.features.source_case import USAGE_HEADER, home_in, stored, take_in, write_parquet, write_text, write_usage

ROOT = Path(__file__).parents[2]
OWN = ("ingested_at", "load_id")
NAMES = USAGE_HEADER.split(",")
HARM = {"product_sku": "", "feature_code": "CORE", "usage_date": "2024-02-30", "sessions": "-1", "active_minutes": "x"}


def made_up(random: Random, number: int) -> dict[str, str]:
    day = f"202{random.randrange(4)}-0{random.randrange(1, 10)}-1{random.randrange(10)}"
    minutes = random.choice(("", "0", "12.5", "1e2"))
    return dict(zip(NAMES, (f"a{number}", "u\n1", "s", "core", day, str(number), minutes), strict=True))


def contents(home: Home) -> list[dict[str, object]]:
    rows = [{k: v for k, v in row.items() if k not in OWN} for row in stored(home, "usage_daily")]
    return sorted(rows, key=lambda row: (str(row["account_id"]), str(row["available_at"])))


def write(folder: Path, rows: list[dict[str, str]], kind: str) -> Path:
    if kind == "jsonl":
        write_text(folder, "usage_daily.jsonl", *(json.dumps(row) for row in rows))
    else:
        cells = [",".join(json.dumps(row[name]).replace("\\n", "\n") for name in NAMES) for row in rows]
        write_usage(folder, *cells)
    return folder


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_harmed_rows_that_are_repaired_equal_a_load_in_which_nothing_was_harmed(
    tmp_path: Path, kind: str, live: bool
) -> None:
    random = Random(kind)  # noqa: S311 - made-up rows are no secret
    whole = [made_up(random, number) for number in range(200)]
    names = [random.choice([*HARM, None, None]) for _ in whole]
    harmed = [{**row, name: HARM[name]} if name else row for row, name in zip(whole, names, strict=True)]
    clean, home = home_in(tmp_path / "clean"), home_in(tmp_path / "harmed")
    take_in(clean, write(tmp_path / "a", whole, kind), live=live)
    take_in(home, write(tmp_path / "b", harmed, kind), live=live)
    by_account = {row["account_id"]: row for row in whole}
    done = 0
    while not done or waiting(home, "usage_daily"):
        # A few at a time, in any order, as a person does; each replay takes what is repaired.
        edit(
            file_of(home, "usage_daily"),
            lambda cells: by_account[cells["account_id"]] if random.random() < 0.5 else None,
        )
        told = play(home)
        done += told.new
    assert done == sum(name is not None for name in names)
    assert contents(home) == contents(clean)


def test_a_typed_file_is_repaired_to_the_same_rows(tmp_path: Path) -> None:
    columns = {
        "text_id": pa.array(["t1", None, "t3"], pa.string()),
        "written_at": pa.array([1_700_000_000_000_001] * 3, pa.timestamp("us", tz="UTC")),
        "sentiment": pa.array([0.1, 1 / 3, -1e-9]),
        "redacted": [True, None, False],
    }
    clean, home = home_in(tmp_path / "clean"), home_in(tmp_path / "harmed")
    take_in(home, write_parquet(tmp_path / "a", "texts", columns).parent)
    take_in(clean, write_parquet(tmp_path / "b", "texts", {**columns, "text_id": ["t1", "t2", "t3"]}).parent)
    edit(file_of(home, "texts"), lambda cells: {**cells, "text_id": "t2"})
    assert play(home).new == 1
    own = [column.name for column in TABLES["texts"].columns]
    assert stored(home, "texts", *own, "available_at", "row_hash") == stored(
        clean, "texts", *own, "available_at", "row_hash"
    )


# The child kills itself just before its n-th rename or removal of a file that others read.
DIES = """
import os, signal, sys
from pathlib import Path
from tests.features.replay_case import play
from tests.features.source_case import home_in
left = int(sys.argv[2])
def watch(event, arguments):
    global left
    kept = event == "os.rename" or event == "os.remove" and "quarantine" in str(arguments[0])
    if kept:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
play(home_in(Path(sys.argv[1])))
"""
STEPS = 6  # rows, manifest, and the quarantine of two tables; the second keeps a row


@pytest.fixture(scope="module")
def repaired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two files of refused rows, all repaired but one."""
    folder = tmp_path_factory.mktemp("repaired")
    home, bad = home_in(folder), "a,soon,A,studio,UTC"
    write_usage(folder / "in", "a,u,s,core,2024-01-01,1,1", "a,u,s,core,2024-01-02,-1,1")
    write_text(folder / "in", "accounts_history.csv", "account_id,valid_from,name,segment,hq_tz", bad, bad.upper())
    take_in(home, folder / "in")
    edit(file_of(home, "usage_daily"), lambda cells: {**cells, "sessions": "1"})
    edit(
        file_of(home, "accounts_history"),
        lambda c: {**c, "valid_from": "2024-01-01T00:00:00Z"} if c["name"] == "A" else c,
    )
    return folder


@pytest.mark.parametrize("dies_at", range(1, STEPS + 1))
def test_a_kill_at_any_step_loses_no_row_and_takes_none_twice(repaired: Path, tmp_path: Path, dies_at: int) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(repaired, folder)
    home = home_in(folder)
    command = [sys.executable, "-c", DIES, str(folder), str(dies_at)]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode == -signal.SIGKILL
    for table, rows in (("usage_daily", 2), ("accounts_history", 1)):
        taken = Warehouse(home).dataset(table).rows()
        lying = len(lines_of(file_of(home, table))) if waiting(home, table) else 0
        # Never neither in the table nor in quarantine.
        assert taken + lying >= rows
    play(home)
    for table in ("usage_daily", "accounts_history"):
        Warehouse(home).dataset(table).verify()
    assert [row["usage_date"].day for row in stored(home, "usage_daily", "usage_date")] == [1, 2]
    assert [row["name"] for row in stored(home, "accounts_history", "name")] == ["A"]
    assert (waiting(home, "usage_daily"), len(waiting(home, "accounts_history"))) == ([], 1)
    assert list(home.root.glob("ingest-*/")) == []


def test_there_are_no_more_steps_than_the_kills_cover(repaired: Path, tmp_path: Path) -> None:
    shutil.copytree(repaired, tmp_path / "copy")
    command = [sys.executable, "-c", DIES, str(tmp_path / "copy"), str(STEPS + 1)]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode == 0
