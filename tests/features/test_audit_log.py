"""The record of who changed what: nothing can be edited, deleted or slipped in without being found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from features import audit_log
from features.audit_log import EMPTY, Deed, What
from features.errors import IntegrityError
from features.settings import Home
from tests.walk_case import pulse

NOON = datetime(2024, 4, 15, 12, tzinfo=UTC)
ROWS = 40
SLIPPED_IN = """
    INSERT INTO audit_log SELECT 41, at, who, what, subject, before, after, request_id, previous, hash
    FROM audit_log WHERE seq = 40"""
COLUMNS = ("at", "who", "what", "subject", "before", "after", "request_id", "previous", "hash")


def deed(number: int) -> Deed:
    before, after = {"role": "success"}, {"role": "admin", "number": number}
    return Deed(NOON + timedelta(minutes=number), f"u{number}", What.PERSON_CHANGED, f"u{number}", before, after)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A state with a record of forty deeds, as bytes."""
    home = Home(root=tmp_path_factory.mktemp("audit"))
    for number in range(ROWS):
        with audit_log.within_request(f"r-{number}" if number % 2 else None):
            audit_log.append(home, deed(number))
    return _checkpointed(home.state)


def _checkpointed(path: Path) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.read_bytes()


@pytest.fixture
def home(written: bytes, tmp_path: Path) -> Home:
    (tmp_path / "state.db").write_bytes(written)
    return Home(root=tmp_path)


@pytest.fixture
def forger(home: Home) -> Iterator[sqlite3.Connection]:
    """Somebody who can write the database and has taken the triggers away."""
    connection = sqlite3.connect(home.state, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("CREATE TABLE kept AS SELECT * FROM audit_log")
    yield connection
    connection.close()


def test_what_was_done_is_read_as_it_was_written_newest_first(home: Home) -> None:
    newest, before, *_ = audit_log.read(home, 5)
    assert (newest.seq, newest.deed, newest.request_id) == (ROWS, deed(ROWS - 1), f"r-{ROWS - 1}")
    assert (before.seq, before.request_id) == (ROWS - 1, None)
    assert audit_log.verify(home) == audit_log.Verified(ROWS, newest.hash)


def test_a_home_in_which_nothing_was_done_has_an_empty_record_and_stays_empty(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home")
    assert (audit_log.verify(home), audit_log.read(home, 5)) == (audit_log.Verified(0, EMPTY), ())
    assert not home.root.exists()


def test_every_edit_and_every_deletion_of_a_row_is_found_100_of_100(home: Home, forger: sqlite3.Connection) -> None:
    draw = Random(1)  # noqa: S311  the same forgeries each time
    found = 0
    for attempt in range(100):
        row, column = draw.randint(1, ROWS), draw.choice(COLUMNS)
        forger.execute("BEGIN")
        if attempt % 2:
            forger.execute("DELETE FROM audit_log WHERE seq = ?", (row,))
        else:
            forger.execute(f"UPDATE audit_log SET {column} = 'x' || coalesce({column}, '') WHERE seq = ?", (row,))
        forger.execute("COMMIT")
        with pytest.raises(IntegrityError, match="the audit log was changed"):
            audit_log.verify(home)
        found += 1
        _restore(forger)
    assert found == 100
    assert audit_log.verify(home).rows == ROWS


def _restore(forger: sqlite3.Connection) -> None:
    forger.execute("DELETE FROM audit_log")
    forger.execute("INSERT INTO audit_log SELECT * FROM kept")


@pytest.mark.parametrize(
    "forgery",
    [
        "DELETE FROM audit_log WHERE seq > 30",
        "DELETE FROM audit_log",
        "UPDATE audit_log SET seq = seq + 100 WHERE seq = 40",
        "UPDATE audit_log SET seq = CASE seq WHEN 3 THEN -4 ELSE -3 END WHERE seq IN (3, 4)",
        SLIPPED_IN,
        "UPDATE audit_log_head SET seq = 39",
        "UPDATE audit_log_head SET hash = 'x'",
        "DELETE FROM audit_log_head",
        "DROP TABLE audit_log",
        "DROP TABLE audit_log_head",
    ],
)
def test_cutting_swapping_and_slipping_in_are_found(home: Home, forger: sqlite3.Connection, forgery: str) -> None:
    forger.execute(forgery)
    with pytest.raises(IntegrityError, match="the audit log was changed"):
        audit_log.verify(home)


def test_a_record_made_anew_from_a_cut_is_found_by_a_hash_that_was_noted(
    home: Home, forger: sqlite3.Connection
) -> None:
    # Whoever takes the end off and moves the mark as well leaves a whole chain: only what was noted elsewhere tells.
    noted = audit_log.verify(home).head
    forger.execute("DELETE FROM audit_log WHERE seq > 30")
    forger.execute("UPDATE audit_log_head SET seq = 30, hash = (SELECT hash FROM audit_log WHERE seq = 30)")
    assert audit_log.verify(home).rows == 30
    with pytest.raises(IntegrityError, match="none of which has the hash that was noted"):
        audit_log.verify(home, head=noted)


def test_a_noted_hash_stays_in_the_record_when_more_is_done(home: Home) -> None:
    noted = audit_log.verify(home).head
    audit_log.append(home, deed(ROWS))
    assert audit_log.verify(home, head=noted).rows == ROWS + 1


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET who = 'x'", "DELETE FROM audit_log"])
def test_the_database_itself_refuses_to_change_a_row(home: Home, statement: str) -> None:
    connection = sqlite3.connect(home.state)
    with pytest.raises(sqlite3.IntegrityError, match="the audit log is append-only"):
        connection.execute(statement)
    connection.close()


def test_writers_at_the_same_time_make_one_chain(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    audit_log.append(home, deed(0))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: audit_log.append(home, deed(number)), range(1, 21)))
    assert audit_log.verify(home).rows == 21


def test_the_command_line_tells_the_record_and_its_newest_hash(home: Home) -> None:
    told = pulse("audit-log", "verify", home=home.root)
    head = audit_log.verify(home).head
    assert told.stdout == f"40 rows, each as it was written\nnewest hash: {head}\n"
    assert told.document == {"rows": 40, "head": head}
    (line,) = pulse("audit-log", "show", "--limit", "1", home=home.root).stdout.splitlines()
    assert line.split("  ")[-1] == '{"role": "success"} -> {"number": 39, "role": "admin"}'
    wrong = pulse("audit-log", "verify", "--head", "0" * 64, home=home.root)
    assert (wrong.code, wrong.document["failure"]["error"]) == (7, "IntegrityError")


def test_a_home_without_a_record_is_told_as_such(tmp_path: Path) -> None:
    assert pulse("audit-log", "show", home=tmp_path / "home").stdout == "nothing was done yet\n"


def test_a_row_that_makes_no_sense_is_told_and_not_shown(home: Home, forger: sqlite3.Connection) -> None:
    forger.execute("UPDATE audit_log SET what = 'nothing of the kind' WHERE seq = 40")
    with pytest.raises(IntegrityError, match="row 40 cannot be read"):
        audit_log.read(home, 1)


def test_promotions_rollbacks_approvals_and_weights_stand_in_the_record_with_before_and_after(tmp_path: Path) -> None:
    from training import governance, promotions  # noqa: PLC0415
    from training.governance import Approval, Governance  # noqa: PLC0415
    from training.roles import Decision, Role  # noqa: PLC0415

    home, passed = Home(root=tmp_path), {"passed": True, "gates": []}
    with audit_log.within_request("r-1"):
        promotions.promote(home, "1", who="key abc (bot)", why="first", verdict=passed, at=NOON)
    governance.record(home, Approval(NOON, "bo", Role.FINANCE, "2", "1", Decision.APPROVE, "read it"), Governance())
    promotions.promote(home, "2", who="ada", why="better", verdict=passed, at=NOON)
    promotions.rollback(home, who="ada", why="worse", at=NOON)
    told = [
        (one.deed.who, one.deed.what, one.deed.before, one.deed.after, one.request_id)
        for one in audit_log.read(home, 9)
    ]
    assert told[::-1] == [
        ("key abc (bot)", "promote", {"version": None}, {"version": "1", "why": "first"}, "r-1"),
        (
            "bo",
            "approval",
            {"approved by": []},
            {"role": "finance", "decision": "approve", "against": "1", "why": "read it"},
            None,
        ),
        ("ada", "promote", {"version": "1"}, {"version": "2", "why": "better"}, None),
        ("ada", "rollback", {"version": "2"}, {"version": "1", "why": "worse"}, None),
    ]
    assert audit_log.verify(home).rows == 4
