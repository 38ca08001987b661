"""Is a killed ingest harmless: each table as it was or as it should be, and whole after the next run?"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from features.settings import Home
from features.warehouse import Warehouse
from tests.features.source_case import (
    ACCOUNTS_ROWS,
    USAGE_ROWS,
    home_in,
    refusals,
    stored,
    take_in,
    write_accounts,
    write_usage,
)

TABLES = ("accounts_history", "usage_daily")
ROOT = Path(__file__).parents[2]

# The child kills itself just before its n-th rename: between any two renames nothing else changes what readers see.
DIES_AT_RENAME = """
import os, signal, sys
from pathlib import Path
from tests.features.source_case import home_in, take_in
left = int(sys.argv[2])
def watch(event, arguments):
    global left
    if event == "os.rename":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
folder = Path(sys.argv[1])
take_in(home_in(folder), folder / "in")
"""
RENAMES = 7  # the record of the load; per table: quarantine, rows, manifest


def hashes(home: Home, table: str) -> set[int]:
    return {row["row_hash"] for row in stored(home, table, "row_hash")}


def write_second_export(folder: Path) -> None:
    write_usage(folder, *USAGE_ROWS, "a3,u1,studio,core,2024-01-05,1,1", "a3,u1,studio,core,2024-01-06,-1,1")
    write_accounts(folder, *ACCOUNTS_ROWS, "a3,2023-03-01T00:00:00Z,Cedar,studio,UTC", "a4,,Dune,studio,UTC")


def run_child(folder: Path, dies_at: int) -> int:
    command = [sys.executable, "-c", DIES_AT_RENAME, str(folder), str(dies_at)]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode


@pytest.mark.parametrize("dies_at", range(1, RENAMES + 1))
def test_a_kill_before_any_rename_leaves_old_or_new_tables_and_the_next_run_completes(
    tmp_path: Path, dies_at: int
) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    write_usage(folder)
    write_accounts(folder)
    take_in(home, folder)
    old = {table: hashes(home, table) for table in TABLES}
    write_second_export(folder)
    whole = home_in(tmp_path / "whole")
    take_in(whole, folder)
    new = {table: hashes(whole, table) for table in TABLES}

    assert run_child(tmp_path, dies_at) == -signal.SIGKILL
    for table in TABLES:
        Warehouse(home).dataset(table).verify()
        assert hashes(home, table) in (old[table], new[table])

    take_in(home, folder)
    for table in TABLES:
        Warehouse(home).dataset(table).verify()
        assert hashes(home, table) == new[table]
        assert set(refusals(home, table)) == set(refusals(whole, table))
        named = {path.name for path in Warehouse(home).dataset(table).files()}
        assert {path.name for path in (home.warehouse / table).iterdir()} == {*named, "manifest.json"}
    assert list(home.root.glob("ingest-*/")) == []


def test_there_are_no_more_renames_than_the_kills_cover(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_second_export(folder)
    assert run_child(tmp_path, RENAMES + 1) == 0


def test_a_kill_in_the_middle_of_reading_leaves_everything_as_it_was(tmp_path: Path) -> None:
    home, folder = home_in(tmp_path), tmp_path / "in"
    write_usage(folder)
    take_in(home, folder)
    rows = [f"a1,u{number},s,core,2024-01-01,1,1" for number in range(400_000)]
    write_usage(folder, *rows)
    before = {path: path.read_bytes() for path in home.warehouse.rglob("*") if path.is_file()}
    child = subprocess.Popen([sys.executable, "-c", DIES_AT_RENAME, str(tmp_path), "0"], cwd=ROOT)
    while not list(home.root.glob("ingest-*/*/*.parquet")):
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    assert child.wait(timeout=60) == -signal.SIGKILL
    assert {path: path.read_bytes() for path in home.warehouse.rglob("*") if path.is_file()} == before
    assert take_in(home, folder).new == len(rows)
