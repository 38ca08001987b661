"""How is a whole home kept safe while it is in use, and brought back?

A backup holds our state, the SQLite files of Feast and MLflow, the stored tables and every other file of the home: each
as of one moment, the state first, so that whatever it speaks of is among the files. It leaves out what is made again,
and what is online in Redis or PostgreSQL (``pulse build`` fills that anew). It holds keys' hashes and every secret of
the home: guard it as the home itself.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.backup_archive import Reader, Writer, archive_at, new_archive
from features.backup_files import HOME, Found, copy_database, copy_tables, found_in
from features.backup_state import require_no_state, rows_in, rows_of, state_from, state_into
from features.errors import IntegrityError, MissingStateError, StorageFull, UsageError
from features.migrations import steps
from features.progress import Progress, silent
from features.settings import Home

FORMAT = 1
STATE = "state.db"
_STAGE = ".restoring"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept, or brought back: bytes and files, rows of the stored tables and of the state's."""

    made_at: datetime
    files: int
    size: int
    tables: Mapping[str, int]
    state: Mapping[str, int]

    def lines(self, verb: str) -> list[str]:
        """The same for people."""
        return [
            f"{verb} {self.files} files, {self.size / 1e6:,.1f} MB, as of {self.made_at:%Y-%m-%d %H:%M:%S} UTC",
            f"  stored tables: {len(self.tables)} with {sum(self.tables.values()):,} rows",
            f"  state: {len(self.state)} tables with {sum(self.state.values()):,} rows",
        ]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "made_at": self.made_at,
            "files": self.files,
            "bytes": self.size,
            "tables": dict(self.tables),
            "state": dict(self.state),
        }


def back_up(home: Home, target: Path, *, now: datetime, progress: Progress = silent) -> Kept:
    """Write everything a home holds to a new folder, or to a tar file (``.tar``, ``.tar.gz``), while it is in use.

    Raises:
        MissingStateError: there is no home.
        UsageError: the target has something already, or lies in the home.
        IntegrityError: a file of the home is damaged; a backup of it would be worth nothing.
        ServiceUnavailable: its tables are being written all the time, or the state does not answer.
    """
    if not home.root.is_dir():
        raise MissingStateError(
            "there is nothing to back up",
            expected=f"a home at {home.root}",
            found="no such directory",
            todo="name the home with --home",
        )
    if target.resolve().is_relative_to(home.root):
        raise UsageError(
            "the backup cannot lie in the home",
            expected="a place outside of what is backed up, best on another disk",
            found="a place inside of it",
            todo="choose another name with --to",
        )
    with new_archive(target) as archive, TemporaryDirectory(dir=target.parent, prefix=".pulse-backup-") as scratch:
        stored = Path(scratch) / STATE
        revision = state_into(home, stored)
        state = rows_in(stored) if revision else {}
        if revision:
            archive.take(STATE, stored)
            stored.unlink()
        tables = _take_home(home, archive, Path(scratch), progress)
        made = {"format": FORMAT, "product": version("campaign-pulse"), "made_at": now.isoformat()}
        archive.close({**made, "home": str(home.root), "revision": revision, "state": state, "tables": tables})
    size = sum(one.size for one in archive.files.values())
    return Kept(now, len(archive.files), size, tables, state)


def restore(home: Home, source: Path, *, progress: Progress = silent) -> Kept:
    """Bring a backup back into an empty home (and an empty database, where ``PULSE_STATE`` names one).

    Every file is compared with its hash before anything has its place, and rows are counted afterwards.

    Raises:
        UsageError: there is no backup, or the home or the database is not empty.
        IntegrityError: the backup is damaged, or of a newer version; nothing was restored.
        StorageFull: it does not fit.
    """
    archive = archive_at(source)
    contents = archive.contents()
    _require_ours(contents)
    if home.root.exists() and any(home.root.iterdir()):
        raise UsageError(
            "the home is not empty",
            expected="a directory without anything in it, or none",
            found="something",
            todo="name another directory with --home, or move the old home away",
        )
    require_no_state(home)
    _require_room(home.prepare(), archive)
    stage = home.root / _STAGE
    stage.mkdir(mode=0o700)
    try:
        progress("restore", 0, 3)
        size = archive.unpack(stage)
        progress("restore", 1, 3)
        _move_in(home, stage, str(contents["home"]))
        progress("restore", 2, 3)
        if contents["revision"]:
            state_from(home, stage / STATE)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    _require_rows(home, contents)
    progress("restore", 3, 3)
    made_at = datetime.fromisoformat(contents["made_at"])
    return Kept(made_at, len(archive.files), size, contents["tables"], contents["state"])


def _take_home(home: Home, archive: Writer, scratch: Path, progress: Progress) -> dict[str, int]:
    found = found_in(home)
    parts = len(found.databases) + 1 + len(found.others)
    for done, name in enumerate(found.databases, start=1):
        copy = scratch / "copy.db"
        copy_database(home.root / name, copy)
        archive.take(f"{HOME}/{name}", copy)
        copy.unlink()
        progress("back up", done, parts)
    tables = copy_tables(home, found.tables, archive)
    _take_others(home, found, archive)
    progress("back up", parts, parts)
    return tables


def _take_others(home: Home, found: Found, archive: Writer) -> None:
    for name in found.others:
        try:
            archive.take(f"{HOME}/{name}", home.root / name)
        except FileNotFoundError:
            if (home.root / name).exists():
                raise
            # It was taken away since we looked: then it is no part of the home any more.


def _require_ours(contents: Mapping[str, Any]) -> None:
    known = [None, *(name for name, _ in steps())]
    if contents.get("format") != FORMAT or contents.get("revision") not in known:
        raise IntegrityError(
            "the backup is of another version of campaign-pulse",
            expected=f"format {FORMAT} and a state of version {known[-1]} or older",
            found=f"format {contents.get('format')} and state {contents.get('revision')} of {contents.get('product')}",
            todo="restore it with the version that made it, or a newer one",
        )


def _require_room(home: Home, archive: Reader) -> None:
    needed, free = sum(one.size for one in archive.files.values()), shutil.disk_usage(home.root).free
    if needed > free:
        raise StorageFull(
            "the backup does not fit",
            expected=f"{needed / 1e6:,.0f} MB of free space at {home.root}",
            found=f"{free / 1e6:,.0f} MB",
            todo="make space, or name a home on another disk",
        )


def _move_in(home: Home, stage: Path, earlier: str) -> None:
    inside = stage / HOME
    for path in inside.rglob("*") if inside.is_dir() else ():
        if path.suffix == ".db" and earlier != str(home.root):
            _point_to(path, earlier, str(home.root))
    for path in sorted(inside.iterdir()) if inside.is_dir() else ():
        path.rename(home.root / path.name)


def _point_to(path: Path, earlier: str, root: str) -> None:
    # MLflow notes where its files lie from the root of the machine on.
    before, after = Path(earlier).as_uri(), Path(root).as_uri()
    with closing(sqlite3.connect(path)) as connection, connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for column in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
                if "CHAR" in column[2].upper() or "TEXT" in column[2].upper():
                    name = column[1]
                    connection.execute(
                        f'UPDATE "{table}" SET "{name}" = ? || substr("{name}", ?) '
                        f'WHERE "{name}" = ? OR substr("{name}", 1, ?) = ?',
                        (after, len(before) + 1, before, len(before) + 1, f"{before}/"),
                    )


def _require_rows(home: Home, contents: Mapping[str, Any]) -> None:
    wanted = dict(contents["state"])
    found = {name: rows for name, rows in rows_of(home).items() if name in wanted} if wanted else {}
    if found != wanted:
        different = sorted(name for name in wanted if found.get(name) != wanted[name])
        raise IntegrityError(
            "the state did not come back whole",
            expected="the rows that were counted when the backup was made",
            found=f"other numbers in {', '.join(different)}",
            todo="please report this: it is a defect",
        )
