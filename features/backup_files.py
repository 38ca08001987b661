"""Which files make up a home, and how is each copied while others go on writing?

A stored table is what its manifest names, and all tables are copied as they were at one moment. A SQLite file is copied
by SQLite, as of one moment. Every other file is replaced whole by whoever writes it, or only grows. What is derived
(:data:`DERIVED`) is left out: it is made again.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from features.backup_archive import Writer
from features.errors import IntegrityError, ServiceUnavailable
from features.manifest import MANIFEST, Dataset
from features.settings import Home

HOME = "home"
"""Where the files of the home lie in a backup."""

DERIVED = ("kept", "shelf.db", "tmp", "bentoml", "demo-company")
"""Made again by the next build, push, start of the service, or demo."""

_PASSING = ("build-", "shelf-", ".")
"""Names of folders and files of a step that is at work."""

_BESIDE = ("-wal", "-shm", "-journal")
_SQLITE = b"SQLite format 3\x00"
_LOCK = ".lock"
ROUNDS = 5
"""So often tables that were written meanwhile are copied again; a load commits its tables within a second."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a home holds, as names below it: stored tables, SQLite files, other files."""

    tables: tuple[str, ...]
    databases: tuple[str, ...]
    others: tuple[str, ...]


def found_in(home: Home) -> Found:
    """Look through a home; our own state is not among it, for it may lie elsewhere."""
    tables: list[str] = []
    databases: list[str] = []
    others: list[str] = []
    for folder, names in _folders(home.root):
        below = folder.relative_to(home.root)
        if _is_table(folder):
            tables.append(str(below))
            continue
        for name in names:
            path = folder / name
            if path == home.state or name.endswith((*_BESIDE, _LOCK)) or not path.is_file():
                continue
            (databases if _is_database(path) else others).append(str(below / name))
    return Found(tuple(sorted(tables)), tuple(sorted(databases)), tuple(sorted(others)))


def copy_tables(home: Home, names: tuple[str, ...], archive: Writer) -> dict[str, int]:
    """Copy stored tables as they were together at one moment, and return the rows of each.

    Raises:
        ServiceUnavailable: they are written again and again; a backup of halves would be none.
        IntegrityError: a file is not the one that was written.
    """
    copied: dict[str, bytes] = {}
    rows: dict[str, int] = {}
    for _ in range(ROUNDS):
        changed = [name for name in names if _manifest(home.root / name) != copied.get(name)]
        if not changed:
            return rows
        for name in changed:
            one = _copied_table(home.root / name, name, archive)
            if one is not None:
                copied[name], rows[name] = one
    raise ServiceUnavailable(
        "the tables of the home are being written all the time",
        expected=f"a moment without a load or a build in {ROUNDS} looks",
        found="other tables at each look",
        todo="run the backup when the load or the build is done",
    )


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file as it is at one moment, while others write it; the copy is one sound file.

    Raises:
        IntegrityError: it is damaged.
    """
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30.0)) as reading:
        with closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
        target.chmod(0o600)
    require_sound(target, source)


def require_sound(path: Path, named: Path) -> None:
    """Let SQLite look through a whole file.

    Raises:
        IntegrityError: it finds a fault.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as cause:
        found = type(cause).__name__
    if found != "ok":
        raise IntegrityError(
            f"{named.name} is damaged",
            expected="a SQLite file that passes its integrity check",
            found="one that does not",
            todo="restore the last good backup, or delete the file if it is one that is made again",
        )


def _copied_table(folder: Path, name: str, archive: Writer) -> tuple[bytes, int] | None:
    for attempt in range(ROUNDS):
        manifest = _manifest(folder)
        dataset = Dataset(folder)
        archive.forget(f"{HOME}/{name}")
        try:
            for path in (*dataset.files(), folder / MANIFEST):
                archive.take(f"{HOME}/{name}/{path.name}", path)
        except (IntegrityError, FileNotFoundError):
            # A commit took the file away under our hands: then the manifest is another one by now.
            if attempt + 1 < ROUNDS and _manifest(folder) != manifest:
                continue
            raise
        if _manifest(folder) == manifest:
            return manifest, dataset.rows()
    return None


def _manifest(folder: Path) -> bytes:
    return (folder / MANIFEST).read_bytes()


def _folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        at_top = Path(folder) == root
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = [name for name in below if not _is_left_out(name, at_top=at_top)]
        yield Path(folder), [name for name in names if not _is_left_out(name, at_top=at_top)]


def _is_left_out(name: str, *, at_top: bool) -> bool:
    if name.startswith("."):
        return True
    return at_top and (name in DERIVED or name.startswith(_PASSING))


def _is_table(folder: Path) -> bool:
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return isinstance(files, list) and all({"name", "sha256", "rows", "size"} <= set(one) for one in files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_database(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_SQLITE)) == _SQLITE
