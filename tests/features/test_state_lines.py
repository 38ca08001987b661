"""Is a line to the state under the same laws as every other way to it?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from features import state
from features.errors import ServiceUnavailable, StorageFull
from features.settings import Home
from features.state import lines_of, open_state
from features.state_lines import StateLines, as_writer, worded

TABLE = "CREATE TABLE IF NOT EXISTS heard (word TEXT PRIMARY KEY)"
ADD, COUNT = "INSERT INTO heard VALUES (?)", "SELECT COUNT(*) FROM heard"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path)


@pytest.fixture
def lines(home: Home) -> Iterator[StateLines]:
    made = made_lines(home)
    yield made
    made.close()


def made_lines(home: Home) -> StateLines:
    engine = open_state(home, what="the words that were heard")
    engine.connect().close()
    made = lines_of(engine, what="the words that were heard")
    assert made is not None
    with made.lent() as line:
        line.execute(TABLE)
    return made


def heard(lines: StateLines) -> int:
    with lines.lent() as line:
        return int(line.execute(COUNT).fetchone()[0])


def hear(lines: StateLines, word: str) -> None:
    with lines.lent() as line, as_writer(line):
        line.execute(ADD, (word,))


def test_what_is_written_is_there_for_every_other_way(home: Home, lines: StateLines) -> None:
    hear(lines, "one")
    with open_state(home).connect() as connection:
        assert connection.exec_driver_sql(COUNT).scalar() == 1
    assert heard(lines) == 1


def test_a_line_keeps_the_laws_of_the_state(lines: StateLines) -> None:
    # Law: a commit that returned is on the disk, references hold, and a writer waits for another one.
    with lines.lent() as line:
        told = {name: line.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "foreign_keys")}
        assert told == {"synchronous": 2, "foreign_keys": 1}
        assert line.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert line.execute("PRAGMA busy_timeout").fetchone()[0] == 5000


def test_a_transaction_that_is_left_by_an_error_leaves_nothing(lines: StateLines) -> None:
    def broken() -> None:
        with lines.lent() as line, as_writer(line):
            line.execute(ADD, ("half",))
            raise LookupError

    with pytest.raises(LookupError):
        broken()
    assert heard(lines) == 0
    hear(lines, "whole")
    assert heard(lines) == 1


def test_a_line_is_kept_for_the_next_use_and_lent_to_one_at_a_time(lines: StateLines) -> None:
    with lines.lent() as first:
        pass
    with lines.lent() as again, lines.lent() as other:
        assert again is first
        assert other is not first


def test_another_file_in_its_place_is_read_and_not_the_one_before(home: Home, lines: StateLines) -> None:
    hear(lines, "one")
    other = Home(root=home.root / "other")
    made_lines(other).close()
    # As a restore does it: with what SQLite keeps beside the file, which would else be read into the other one.
    for suffix in ("", "-wal", "-shm"):
        home.state.with_name(home.state.name + suffix).rename(home.root / f"before.db{suffix}")
    other.state.rename(home.state)
    assert heard(lines) == 0


def test_a_file_that_is_gone_is_told_and_not_made_anew(home: Home, lines: StateLines) -> None:
    home.state.rename(home.root / "before.db")
    with pytest.raises(ServiceUnavailable, match="the words that were heard does not answer"):
        heard(lines)
    assert not home.state.exists()
    (home.root / "before.db").rename(home.state)
    assert heard(lines) == 0


def test_a_writer_that_holds_the_file_too_long_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "BUSY_SECONDS", 0.05)
    lines = made_lines(home)
    with sqlite3.connect(home.state) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            hear(lines, "late")
    hear(lines, "in time")
    assert heard(lines) == 1
    lines.close()


def test_a_full_disk_is_told_as_such(lines: StateLines) -> None:
    with lines.lent() as line:
        pages = line.execute("PRAGMA page_count").fetchone()[0]
        line.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageFull):
        hear(lines, "x" * 100_000)
    assert heard(lines) == 0


def test_a_defect_of_ours_stays_one(lines: StateLines) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"), lines.lent() as line:
        line.execute("SELECT * FROM nowhere")


def test_many_threads_write_one_after_the_other(lines: StateLines) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: hear(lines, str(number)), range(64)))
    assert heard(lines) == 64


def test_a_statement_is_put_into_words_once_with_its_values_in_order() -> None:
    table = sa.table("heard", sa.column("word"), sa.column("often"))
    asked = sa.select(table.c.often).where(table.c.word == sa.bindparam("one"), table.c.often > sa.bindparam("least"))
    words, names = worded(asked)
    assert words.count("?") == 2
    assert names == ("one", "least")
    assert worded(sa.insert(table), ["often"]) == ("INSERT INTO heard (often) VALUES (?)", ("often",))
