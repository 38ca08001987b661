"""Does the shelf hold, for each account, exactly the rows that the warehouse holds of it, whatever happened before?"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features import shelf as shelf_module
from features.errors import IntegrityError, ServiceUnavailable
from features.events import TABLES
from features.settings import Home
from features.shelf import Shelf, shelf_key
from features.warehouse import Warehouse
from tests.features.made_up_rows import ACCOUNTS, FIRST, Row
from tests.features.push_case import load, stored_tables
from tests.features.test_point_in_time import everything

END = datetime(2030, 1, 1, tzinfo=UTC)
OWNED = {
    "subscription_lines_history": ("contract_id", "contracts_history"),
    "milestones_history": ("project_id", "projects_history"),
    "tasks_history": ("project_id", "projects_history"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A loaded warehouse without a shelf."""
    home = Home(root=tmp_path_factory.mktemp("shelf") / "home").prepare()
    for name, rows in everything(4).items():
        load(home, name, rows, "first")
    return home


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    shutil.copytree(made.root, tmp_path / "home")
    return Home(root=tmp_path / "home")


def canonical(rows: pa.Table) -> list[str]:
    return sorted(repr(row) for row in rows.to_pylist())


def expected(home: Home, account: str, until: datetime) -> dict[str, list[str]]:
    """The plain reading: all stored rows, filtered."""
    tables = {
        name: rows.filter(pc.less_equal(rows.column("available_at"), pa.scalar(until)))
        for name, rows in stored_tables(home).items()
    }
    found = {}
    for name, rows in tables.items():
        if name in OWNED:
            key, owner = OWNED[name]
            mine = [row[key] for row in tables[owner].to_pylist() if row["account_id"] == account]
            kept = [row for row in rows.to_pylist() if row[key] in mine]
        elif shelf_key(TABLES[name]) is None:
            kept = rows.to_pylist()
        else:
            kept = [row for row in rows.to_pylist() if row["account_id"] == account]
        if kept:
            found[name] = sorted(repr(row) for row in kept)
    return found


def read(home: Home, account: str, until: datetime = END) -> dict[str, list[str]]:
    shelf = Shelf(home)
    shelf.catch_up()
    return {name: canonical(rows) for name, rows in shelf.rows_of(account, until).items()}


def tickets(number: int) -> Sequence[Row]:
    at = FIRST + timedelta(days=number)
    cells = {"created_at": at, "channel": "portal", "type": "incident", "priority": "low", "status": "open"}
    return [
        {"ticket_id": f"t{number}-{name}", "valid_from": at, "account_id": name, "available_at": at, **cells}
        for name in ACCOUNTS
    ]


@pytest.mark.parametrize("until", [END, FIRST + timedelta(weeks=20, hours=5), FIRST - timedelta(weeks=100)])
def test_an_account_has_its_rows_and_the_common_ones_and_no_others(home: Home, until: datetime) -> None:
    for account in (*ACCOUNTS, "nobody"):
        assert read(home, account, until) == expected(home, account, until)


def test_every_table_of_an_account_says_how_it_is_found() -> None:
    whole = {name for name, table in TABLES.items() if shelf_key(table) is None}
    assert whole == {
        "account_aliases",
        "campaigns",
        "campaign_instances_history",
        "market_events",
        "market_indices",
        "holidays",
        "fx_rates",
        "source_heartbeats",
    }
    names = list(TABLES)
    assert all(names.index(owner) < names.index(name) for name, (_, owner) in OWNED.items())


@pytest.mark.parametrize("few", [0, 50_000])
def test_neither_small_pieces_nor_the_way_of_sorting_change_anything(
    home: Home, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(shelf_module, "PIECE", 3)
    monkeypatch.setattr(shelf_module, "_FEW", few)
    assert read(home, "a2") == expected(home, "a2", END)


def test_later_loads_are_taken_in_and_sorted_together_in_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_module, "_LOOSE", 3)
    read(home, "a1")
    for number in range(5):
        load(home, "tickets_history", tickets(number), f"later-{number}")
        assert read(home, "a1")["tickets_history"] == expected(home, "a1", END)["tickets_history"]
    with closing(sqlite3.connect(home.root / "shelf.db")) as connection:
        query = "SELECT COUNT(*), SUM(rows) FROM pieces WHERE relation = 'tickets_history'"
        pieces, rows = connection.execute(query).fetchone()
    assert pieces <= 3
    assert rows == Warehouse(home).dataset("tickets_history").rows()


def test_a_table_whose_files_were_replaced_is_read_anew(home: Home) -> None:
    read(home, "a1")
    load(home, "tickets_history", tickets(1), "first")
    assert read(home, "a1") == expected(home, "a1", END)
    assert len(read(home, "a1")["tickets_history"]) == 1


def test_catching_up_twice_or_on_a_deleted_shelf_ends_the_same(home: Home) -> None:
    first = read(home, "a3")
    assert read(home, "a3") == first
    (home.root / "shelf.db").unlink()
    assert read(home, "a3") == first


def test_a_run_that_fails_half_way_leaves_whole_tables(home: Home) -> None:
    def fail(stage: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Shelf(home).catch_up(progress=fail)
    assert read(home, "a1") == expected(home, "a1", END)


def test_a_damaged_shelf_is_refused_by_name(home: Home) -> None:
    read(home, "a1")
    with closing(sqlite3.connect(home.root / "shelf.db")) as connection, connection:
        connection.execute("UPDATE pieces SET content = X'00FF00FF'")
    with pytest.raises(IntegrityError, match="delete the file"):
        Shelf(home).rows_of("a1", END)
    (home.root / "shelf.db").write_bytes(b"garbage" * 2000)
    with pytest.raises(IntegrityError, match="delete the file"):
        read(home, "a1")


def test_a_second_writer_is_told_to_come_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_module, "BUSY_SECONDS", 0.01)
    read(home, "a1")
    load(home, "tickets_history", tickets(1), "second")
    with closing(sqlite3.connect(home.root / "shelf.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceUnavailable, match="cannot be read"):
            Shelf(home).catch_up()
        other.execute("ROLLBACK")
    assert read(home, "a1") == expected(home, "a1", END)
