"""Is Feast's registry a sound file with something in it?

SQLite opens an empty or a truncated file without a word; a registry that opens as "no features" must be refused.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from features.errors import IntegrityError, MissingStateError

_HEADER = b"SQLite format 3\x00"


def require_registry(path: Path) -> None:
    """Refuse to go on without a registry.

    Raises:
        MissingStateError: there is no file, or it is empty.
        IntegrityError: it is no sound SQLite database.
    """
    if not path.exists() or path.stat().st_size == 0:
        raise MissingStateError(
            "the feature registry is empty",
            expected=f"the registered features in {path}",
            found="an empty file" if path.exists() else "no file",
            todo="run `pulse build`",
        )
    require_sound_file(path)


def require_sound_file(path: Path) -> None:
    """Refuse a file that SQLite finds damaged anywhere; an empty or missing file passes.

    Raises:
        IntegrityError: garbage, a truncated file or a broken page.
    """
    if not path.exists():
        return
    found = _complaint(path)
    if found:
        raise damaged_registry(path, found)


def damaged_registry(path: Path, found: str) -> IntegrityError:
    """The refusal of a registry that is not as it was written."""
    return IntegrityError(
        "the feature registry is damaged",
        expected=f"a sound SQLite file at {path}",
        found=found,
        todo="restore it from a backup, or delete it and run `pulse build`: it is made again from the catalogue",
    )


def _complaint(path: Path) -> str:
    with path.open("rb") as stream:
        begins = stream.read(len(_HEADER))
    # SQLite takes a file that is shorter than its header for an empty database.
    if begins and begins != _HEADER:
        return "a file that is none"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            answer = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as cause:
        return str(cause)
    return "" if answer == "ok" else "an integrity check that fails"
