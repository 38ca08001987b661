"""Does a home come back whole from a backup that was made while it was in use, and nothing from one that is damaged?"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa

from features.backup import back_up, restore
from features.backup_archive import CONTENTS
from features.errors import IntegrityError, MissingStateError, StorageFull, UsageError
from features.migrations import HEAD
from features.settings import Home
from features.state import open_state
from tests.features.online_servers import Server
from tests.features.small_home import TABLES, numbers_in, put_table, small_home
from tests.features.state_case import PRODUCTS, ROOT, contents, declared_tables, new_state, server_of
from training.promotions import log, promote

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def database() -> Iterator[Server | None]:
    with server_of("postgresql") as running:
        yield running


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder that is no SQLite file: those are compared by what they hold."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith((".db", "-wal", "-shm"))
    }


@pytest.mark.parametrize("name", ["kept", "kept.tar", "kept.tar.gz"])
def test_a_home_comes_back_whole_elsewhere(name: str, tmp_path: Path) -> None:
    home, target = small_home(tmp_path / "home"), tmp_path / name
    before = tree(home.root)
    made = back_up(home, target, now=NOW)
    assert tree(home.root) == before
    back = Home(root=tmp_path / "elsewhere")
    found = restore(back, target)
    assert found == made
    assert (dict(made.tables), made.state["promotions"]) == (dict.fromkeys(TABLES, 5), 5)
    # Nothing that is derived or passing comes back; everything else does, byte for byte.
    derived = ("kept/", "tmp/", "shelf", ".half", "build-", "ingest.lock")
    assert tree(back.root) == {path: read for path, read in before.items() if not path.startswith(derived)}
    tables = declared_tables()
    assert contents(open_state(back), tables) == contents(open_state(home), tables)
    with closing(sqlite3.connect(back.feast / "online.db")) as connection:
        assert connection.execute("SELECT number FROM online_rows").fetchall() == [(n,) for n in range(5)]
    # MLflow finds its files at the new place; what only begins alike is left alone.
    with closing(sqlite3.connect(back.root / "mlflow.db")) as connection:
        uri, other = back.mlflow_artifacts.as_uri(), home.root.as_uri()
        assert connection.execute("SELECT artifact_uri, name, at FROM runs ORDER BY at").fetchall() == [
            (f"{uri}/1/artifacts", "one", 1),
            (f"{other}-other/2", "two", 2),
            (uri, "three", 3),
        ]
    # Nobody else may read a backup or what came from it.
    assert [path for path in (target, *back.root.rglob("*")) if path.stat().st_mode & 0o077 and path.is_file()] == []


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_a_state_moves_between_products(
    source: str, target: str, database: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = dict(zip(PRODUCTS, (None, database), strict=True))
    home = small_home(new_state(servers[source], tmp_path / "home", monkeypatch).root)
    back_up(home, tmp_path / "kept.tar", now=NOW)
    tables = declared_tables()
    before = contents(open_state(home), tables)
    back = new_state(servers[target], tmp_path / "back", monkeypatch)
    restore(back, tmp_path / "kept.tar")
    assert contents(open_state(back), tables) == before
    assert back.state.exists() == (target == "sqlite")
    # Counting goes on behind what came back, and the laws hold for it.
    for version in ("901", "902"):
        promote(back, version, who="ada", why="goes on", verdict={"passed": True}, at=NOW)
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), open_state(back).begin() as connection:
        connection.exec_driver_sql("DELETE FROM promotions")


def test_a_backup_is_not_restored_over_rows_of_a_database(
    database: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = small_home(new_state(database, tmp_path / "home", monkeypatch).root)
    back_up(home, tmp_path / "kept", now=NOW)
    with pytest.raises(UsageError, match="the state is not empty"):
        restore(Home(root=tmp_path / "back"), tmp_path / "kept")
    assert not (tmp_path / "back").exists()


class Writers:
    """Three writers that never rest, each with a journal of what was acknowledged."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.promoted: list[int] = []
        self.online: list[int] = []
        self.stored: list[int] = [0]
        self._stop = threading.Event()
        self.failures: list[BaseException] = []

    def _promote(self, number: int) -> None:
        promote(self.home, str(1000 + number), who="x", why="y", verdict={"passed": True}, at=NOW)
        self.promoted.append(1000 + number)

    def _put_online(self, number: int) -> None:
        with closing(sqlite3.connect(self.home.feast / "online.db", timeout=10)) as connection, connection:
            connection.execute("INSERT INTO online_rows VALUES (?)", (1000 + number,))
        self.online.append(1000 + number)

    def _store(self, number: int) -> None:
        # A build: every table anew, one after the other.
        for name in TABLES:
            put_table(self.home, name, 5, first=number)
        self.stored.append(number)
        time.sleep(0.3)

    def _run(self, step: Callable[[int], None]) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                step(number)
            except Exception as failure:  # noqa: BLE001  told at the end
                self.failures.append(failure)
                return

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._run, args=(one,)) for one in (self._promote, self._put_online, self._store)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        assert self.failures == []


def _backed_up_under_load(times: int, tmp_path: Path) -> None:
    home = small_home(tmp_path / "home")
    writers = Writers(home)
    with writers.at_work():
        for number in range(times):
            time.sleep(0.2)
            promoted, online, stored = len(writers.promoted), len(writers.online), writers.stored[-1]
            back_up(home, tmp_path / f"kept{number}.tar", now=NOW)
            back = Home(root=tmp_path / f"back{number}")
            restore(back, tmp_path / f"kept{number}.tar")
            # All that was acknowledged before is there, and what came after it in one piece: no gap, no half.
            acknowledged = [int(one.version_to) for one in log(back)][5:]
            assert acknowledged == list(range(1001, 1001 + len(acknowledged)))
            assert len(acknowledged) >= promoted
            with closing(sqlite3.connect(back.feast / "online.db")) as connection:
                rows = [row for (row,) in connection.execute("SELECT number FROM online_rows WHERE number > 1000")]
            assert rows == list(range(1001, 1001 + len(rows)))
            assert len(rows) >= online
            held = [numbers_in(back, name)[0] for name in TABLES]
            assert stored <= min(held) <= max(held) <= min(held) + 1
    assert len(writers.promoted) > times


def test_a_backup_under_write_load_has_all_that_was_acknowledged(tmp_path: Path) -> None:
    _backed_up_under_load(2, tmp_path)


@pytest.mark.full
def test_ten_of_ten_backups_under_write_load_have_all_that_was_acknowledged(tmp_path: Path) -> None:
    _backed_up_under_load(10, tmp_path)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kept")
    back_up(small_home(root / "home"), root / "kept", now=NOW)
    back_up(Home(root=root / "home"), root / "kept.tar", now=NOW)
    return root


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _edit(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    document = json.loads((folder / CONTENTS).read_text())
    change(document)
    (folder / CONTENTS).write_text(json.dumps(document))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit of a model": lambda folder: _flip(folder / "home/bundles/1/model.txt"),
    "a bit of the state": lambda folder: _flip(folder / "state.db"),
    "a bit of a table": lambda folder: _flip(next((folder / "home/warehouse/numbers_daily").glob("*.parquet"))),
    "a shorter file": lambda folder: os.truncate(folder / "home/mlflow.db", 100),
    "a longer file": lambda folder: (folder / "home/session-secret").write_bytes(b"\x00secret, and more"),
    "a file less": lambda folder: (folder / "home/session-secret").unlink(),
    "a file more": lambda folder: (folder / "home/extra").write_text("x"),
    "no list of contents": lambda folder: (folder / CONTENTS).unlink(),
    "half a list of contents": lambda folder: os.truncate(folder / CONTENTS, 300),
    "a later format": lambda folder: _edit(folder, lambda document: document.update(format=2)),
    "a later state": lambda folder: _edit(folder, lambda document: document.update(revision="9999")),
    "a name that leads out": lambda folder: _edit(
        folder,
        lambda document: document["files"][0].update(name="home/../../out"),  # type: ignore[index]
    ),
    "a name from the root on": lambda folder: _edit(
        folder,
        lambda document: document["files"][0].update(name="/etc/pulse"),  # type: ignore[index]
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_restores_nothing(damage: str, kept: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(kept / "kept", broken)
    DAMAGES[damage](broken)
    with pytest.raises(IntegrityError):
        restore(Home(root=tmp_path / "back"), broken)
    assert not (tmp_path / "back").exists() or list((tmp_path / "back").iterdir()) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", [0.02, 0.5, 0.999])
def test_half_a_tar_file_restores_nothing(part: float, kept: Path, tmp_path: Path) -> None:
    whole = (kept / "kept.tar").read_bytes()
    (tmp_path / "half.tar").write_bytes(whole[: int(len(whole.rstrip(b"\0")) * part)])
    with pytest.raises(IntegrityError):
        restore(Home(root=tmp_path / "back"), tmp_path / "half.tar")
    assert not (tmp_path / "back").exists() or list((tmp_path / "back").iterdir()) == []


def test_a_tar_file_leads_nowhere_else(kept: Path, tmp_path: Path) -> None:
    shutil.copy(kept / "kept.tar", tmp_path / "evil.tar")
    with tarfile.open(tmp_path / "evil.tar", "a") as tar:
        for name, kind, link in (("../out", tarfile.REGTYPE, ""), ("home/way", tarfile.SYMTYPE, "/")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, BytesIO(b"x"))
    restore(Home(root=tmp_path / "back"), tmp_path / "evil.tar")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "back/way").is_symlink()


def test_only_an_empty_home_takes_a_backup(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    restore(Home(root=tmp_path / "back"), kept / "kept")
    before = tree(tmp_path / "back")
    with pytest.raises(UsageError, match="the home is not empty"):
        restore(Home(root=tmp_path / "back"), kept / "kept")
    assert tree(tmp_path / "back") == before


def test_a_backup_is_written_to_a_new_place_only(kept: Path, tmp_path: Path) -> None:
    home = Home(root=kept / "home")
    for target, reason in (
        (kept / "kept", "cannot be written there"),
        (kept / "no-folder" / "x.tar", "cannot be written there"),
        (home.root / "inside.tar", "cannot lie in the home"),
    ):
        with pytest.raises(UsageError, match=reason):
            back_up(home, target, now=NOW)
    with pytest.raises(MissingStateError):
        back_up(Home(root=tmp_path / "nothing"), tmp_path / "x", now=NOW)
    with pytest.raises(UsageError, match="no backup of this name"):
        restore(Home(root=tmp_path / "back"), tmp_path / "nothing")
    assert sorted(path.name for path in kept.iterdir()) == ["home", "kept", "kept.tar"]


def test_a_damaged_home_is_not_backed_up_as_if_it_were_sound(tmp_path: Path) -> None:
    home = small_home(tmp_path / "home")
    next((home.root / "warehouse/numbers_daily").glob("*.parquet")).unlink()
    with pytest.raises(IntegrityError):
        back_up(home, tmp_path / "kept", now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_backup_that_does_not_fit_is_refused_before_it_begins(kept: Path, tmp_path: Path) -> None:
    broken = tmp_path / "huge"
    shutil.copytree(kept / "kept", broken)
    _edit(broken, lambda document: document["files"][0].update(size=10**15))  # type: ignore[index]
    with pytest.raises(StorageFull, match="does not fit"):
        restore(Home(root=tmp_path / "back"), broken)


def test_a_backup_of_an_older_version_is_brought_to_this_one(tmp_path: Path) -> None:
    root = tmp_path / "home"
    root.mkdir()
    with closing(sqlite3.connect(root / "state.db")) as connection:
        connection.executescript((Path(__file__).parent / "state_before_steps.sql").read_text())
    (tmp_path / "kept").mkdir()
    # As an older version would have written it: its own state, and that it had no steps yet.
    made = back_up(Home(root=root), tmp_path / "new", now=NOW)
    assert json.loads((tmp_path / "new" / CONTENTS).read_text())["revision"] == HEAD
    restore(Home(root=tmp_path / "back"), tmp_path / "new")
    assert [one.version_to for one in log(Home(root=tmp_path / "back"))] == ["1", "2"]
    assert made.state["score_ledger"] == 1


_BUSY = """
import sqlite3, sys
from datetime import UTC, datetime
from pathlib import Path
from features.settings import Home
from training.promotions import promote
home = Home(root=Path(sys.argv[1]))
for number in range(1, 100_000):
    promote(home, str(number), who="x", why="y" * 3000, verdict={"passed": True}, at=datetime(2026, 1, 1, tzinfo=UTC))
    print(number, flush=True)
"""


def _copied_while_frozen(times: int, tmp_path: Path) -> None:
    # As near as a test comes to a loss of power: the writer stands still, and its files are taken as they are then.
    # What the kernel holds back from the disk is beyond it.
    home = Home(root=tmp_path / "home")
    child = subprocess.Popen([sys.executable, "-c", _BUSY, str(home.root)], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        os.set_blocking(child.stdout.fileno(), False)
        told = b""
        while not told.count(b"\n"):
            time.sleep(0.05)
            told += child.stdout.read() or b""
        for number in range(times):
            time.sleep(0.013 * (number % 7))
            os.kill(child.pid, signal.SIGSTOP)
            told += child.stdout.read() or b""
            copy = Home(root=tmp_path / f"copy{number}").prepare()
            for path in home.root.glob("state.db*"):
                shutil.copy(path, copy.root)
            os.kill(child.pid, signal.SIGCONT)
            with closing(sqlite3.connect(copy.state)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            found = [int(one.version_to) for one in log(copy)]
            assert found == list(range(1, len(found) + 1))
            assert len(found) >= told.count(b"\n")
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def test_a_state_copied_at_random_moments_opens_with_all_that_was_acknowledged(tmp_path: Path) -> None:
    _copied_while_frozen(10, tmp_path)


@pytest.mark.full
def test_a_hundred_of_a_hundred_copies_at_random_moments_open(tmp_path: Path) -> None:
    _copied_while_frozen(100, tmp_path)
