"""What happens on a full disk, a read-only one, or somebody else's? Nothing breaks; a person is told what to do."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from features.errors import ConfigError, StorageFull
from features.manifest import Dataset
from features.settings import Home
from features.shelf import Shelf
from features.storage_failure import storage_failure
from features.warehouse import open_engine
from pulse import app
from serving.access.rules import AccessScope
from serving.access.store import KeyStore
from serving.ledger import Ledger
from serving.ledger_tables import SCORES
from serving.problems import Problem
from tests.features.small_home import TABLES, numbers_in, put_table, small_home
from tests.features.source_case import write_accounts, write_usage
from training.promotions import log, promote

NOW = datetime(2026, 3, 2, tzinfo=UTC)
PASSED = {"passed": True}


@contextmanager
def small_disk(at: Path, *, megabytes: int) -> Iterator[Path]:
    """A file system of its own, so small that it is soon full."""
    at.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", at], check=False)
    if made.returncode:
        pytest.skip("a full disk is tested on a small file system; mounting one needs a right that is not given here")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


def fill_up(disk: Path) -> Path:
    """A file that takes all the space there is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"\0" * 4096)
        except OSError as full:
            assert full.errno == errno.ENOSPC  # noqa: PT017  it ends by this, or the test by its time limit
    return filler


def scores_in(ledger: Ledger) -> int:
    """How many scores are read from a ledger."""
    with ledger.connected() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(SCORES)) or 0)


def see_that_nothing_is_damaged(home: Home) -> None:
    """Let SQLite look through its files, and compare every stored file with its hash."""
    for path in home.root.rglob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), path
    for folder in (path.parent for path in home.root.rglob("manifest.json")):
        Dataset(folder).verify()


def run(*arguments: object) -> tuple[int, str]:
    """A command, and all that it says."""
    told = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    return told.exit_code, told.output


def test_on_a_full_disk_writers_say_so_readers_go_on_and_nothing_is_damaged(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=16) as disk:
        home = small_home(disk / "home")
        (home.root / "shelf.db").unlink()  # one of words only; the real one is made here
        news = tmp_path / "news"
        write_accounts(news)
        write_usage(news)
        # Like a service that runs: it holds the ledger, and reads through it.
        ledger, keys = Ledger(home), KeyStore(home)
        assert scores_in(ledger) == 5
        made, _ = keys.create("board", [AccessScope.SCORE_READ], who="ada", at=NOW)
        before = log(home), keys.every_key(), [numbers_in(home, name) for name in TABLES]
        filler = fill_up(disk)

        def reads() -> object:
            assert scores_in(ledger) == 5
            return log(home), keys.every_key(), [numbers_in(home, name) for name in TABLES]

        assert reads() == before
        with pytest.raises(StorageFull):
            promote(home, "77", who="ada", why="w" * 20_000, verdict=PASSED, at=NOW)
        with pytest.raises(StorageFull):
            keys.create("another" * 11, [AccessScope.SCORE_READ], who="ada" * 3_000, at=NOW)
        with pytest.raises(OSError, match="No space left") as failure:
            put_table(home, TABLES[0], 500_000)
        assert isinstance(storage_failure(failure.value), StorageFull)
        with pytest.raises(StorageFull), open_engine() as engine:
            engine.write("SELECT i, md5(i::VARCHAR) AS m FROM range(200000) t(i)", home.root / "spill.parquet")
        (home.root / "spill.parquet").unlink(missing_ok=True)
        with pytest.raises(StorageFull):
            Shelf(home).catch_up()
        for words in (("ingest", news), ("backup", "--to", disk / "kept"), ("backup", "--to", disk / "kept.tar")):
            code, said = run("--home", home.root, *words)
            assert (code, "there is no space left to write" in said) == (13, True), said
        assert not list(disk.glob("*kept*")), "half a backup"
        assert reads() == before

        filler.unlink()
        # With space again everything works, in the very process that met the full disk.
        assert promote(home, "78", who="ada", why="space again", verdict=PASSED, at=NOW).version_to == "78"
        assert keys.revoke(made.prefix, who="ada", at=NOW).revoked_at == NOW
        put_table(home, TABLES[0], 7)
        code, said = run("--home", home.root, "ingest", news)
        assert code == 0, said
        ledger.close()
        keys.close()
        see_that_nothing_is_damaged(home)


def test_a_full_disk_has_an_answer_of_its_own_over_http() -> None:
    problem = Problem.of_error(StorageFull("no space", expected="e", found="f", todo="t"))
    assert problem.document("r1") == {
        "type": "urn:campaign-pulse:problem:storage-full",
        "title": "Insufficient Storage",
        "status": 507,
        "detail": "There is no space left to write. Nothing of this call was kept; reading goes on.",
        "instance": "urn:campaign-pulse:request:r1",
        "request_id": "r1",
    }


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (OSError(28, "No space left on device", "/home/x"), StorageFull),
        (OSError(122, "Disk quota exceeded"), StorageFull),
        (PermissionError(13, "Permission denied", "/data/home"), ConfigError),
        (OSError(30, "Read-only file system", "/data/home"), ConfigError),
        (sqlite3.OperationalError("database or disk is full"), StorageFull),
        (sqlite3.OperationalError("attempt to write a readonly database"), ConfigError),
        (duckdb.IOException("Could not write file x: No space left on device"), StorageFull),
        (RuntimeError("the account said: no space left on device"), StorageFull),
        (FileNotFoundError(2, "No such file"), None),
        (ValueError("42"), None),
    ],
)
def test_what_a_library_says_about_storage_is_told_in_our_words(
    failure: Exception, kind: type[Exception] | None
) -> None:
    told = storage_failure(failure)
    assert type(told) is (kind or type(None))
    wrapped = RuntimeError("something else")
    wrapped.__cause__ = failure
    assert type(storage_failure(wrapped)) is type(told)
    if told:
        assert "account" not in f"{told} {told.facts()}"


def test_a_failure_that_has_nothing_to_do_with_storage_stays_a_defect() -> None:
    from features import console  # noqa: PLC0415  its inside

    with pytest.raises(ZeroDivisionError):
        console._answer(lambda _: 1 // 0, None)  # type: ignore[arg-type, return-value]


# Root may write everywhere by two rights of its own; it gives them up.
LIKE_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


def run_as_somebody(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command of somebody who may not write everywhere, as a process of its own."""
    order = [*LIKE_ANYBODY, sys.executable, "-m", "pulse", *map(str, arguments)]
    env = {**os.environ, "PULSE_HOME": str(folder / "home")}
    return subprocess.run(order, capture_output=True, text=True, check=False, timeout=60, cwd=folder, env=env)


@pytest.mark.parametrize("case", ["closed", "read-only", "cannot be made", "a file", "of another owner"])
def test_a_home_that_cannot_be_used_is_told_in_one_line_that_names_it(case: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    if case == "a file":
        home.write_text("no directory")
    elif case == "cannot be made":
        home = tmp_path / "closed" / "home"
        home.parent.mkdir(mode=0o555)
    else:
        home.mkdir()
        promote(Home(root=home), "1", who="a", why="b", verdict=PASSED, at=NOW)
        home.chmod({"closed": 0o000, "read-only": 0o555, "of another owner": 0o700}[case])
        if case == "of another owner":
            if os.geteuid():
                pytest.skip("only root can give a directory away")
            for path in (home, *home.iterdir()):
                os.chown(path, 65534, 65534)
    try:
        told = run_as_somebody(home.parent, "keys", "create", "--name", "x", "--scope", "score:read")
    finally:
        if home.is_dir():
            home.chmod(0o755)
    assert told.returncode in {2, 10}, told.stderr
    assert "Traceback" not in told.stderr
    first = told.stderr.splitlines()[0]
    assert first.startswith("error: ")
    assert str(home) in told.stderr
    assert len(told.stderr.splitlines()) == 4


def test_the_service_does_not_start_on_a_home_that_it_may_not_write(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    told = run_as_somebody(tmp_path, "serve", "--port", "39871")
    home.chmod(0o700)
    assert (told.returncode, told.stderr.splitlines()[0]) == (2, f"error: {home / 'tmp'} cannot be used")
    assert "Traceback" not in told.stderr


def test_the_answer_for_programs_tells_a_full_disk_too(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        home = small_home(disk / "home", rows=1)
        fill_up(disk)
        answer = tmp_path / "answer.json"
        assert run("--home", home.root, "backup", "--to", disk / "kept", "--json", answer)[0] == 13
        assert json.loads(answer.read_text())["failure"]["error"] == "StorageFull"
        # Where the answer itself has no place, that is what is told.
        code, said = run("--home", home.root, "state", "status", "--json", disk / "a" / "b.json")
        assert (code, "Traceback" in said) == (13, False), said
