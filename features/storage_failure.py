"""Did a step fail because of the storage below it, and what can a person do about that?

Disks fill up, mounts turn read-only, owners differ, databases are away. Libraries tell it in a dozen ways, often
several errors deep and with the words of a row; here each becomes one failure of our family with no foreign word in it.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator

from features.errors import ConfigError, PulseError, ServiceUnavailable, StorageFull

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR})
_FULL_WORDS = ("no space left on device", "disk is full", "disk quota exceeded")
_CLOSED_WORDS = ("read-only file system", "permission denied", "readonly database", "unable to open database file")
_FOREIGN = ("duckdb", "pyarrow", "mlflow", "sqlalchemy", "sqlite3", "builtins")
"""Libraries that write files and tell the operating system's refusal in words only."""

_DEPTH = 12


def storage_failure(failure: BaseException) -> PulseError | None:
    """The failure in our words; None when it has nothing to do with where things are kept."""
    for one in _chain(failure):
        if isinstance(one, PulseError):
            return None
        kind = _kind(one)
        if kind is not None:
            return kind
    return None


def is_full(failure: BaseException) -> bool:
    """Did a step fail for want of space?"""
    return isinstance(storage_failure(failure), StorageFull)


def storage_full() -> StorageFull:
    """The refusal of a write that found no space."""
    return StorageFull(
        "there is no space left to write",
        expected="free space where the home, the state and the temporary files lie",
        found="a full disk or quota",
        todo="make space and do it again: what was written before is whole, and reading goes on",
    )


def storage_closed(where: str = "the home directory") -> ConfigError:
    """The refusal of a place that may not be written or read."""
    return ConfigError(
        f"{where} cannot be used",
        expected="a directory and files that the user who runs this may read and write",
        found="a read-only file system, a missing directory, or another owner",
        todo="correct the owner and the mount, or name another directory with --home or PULSE_HOME",
    )


def _chain(failure: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = failure
    for _ in range(_DEPTH):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _kind(failure: BaseException) -> PulseError | None:
    if isinstance(failure, OSError) and failure.errno is not None:
        if failure.errno in _FULL:
            return storage_full()
        return storage_closed(_named(failure)) if failure.errno in _CLOSED else None
    if isinstance(failure, sqlite3.OperationalError) and "locked" in str(failure):
        return ServiceUnavailable(
            "another program holds a database of the home",
            expected="a database that is free within some seconds",
            found="a lock that stays",
            todo="see that only one build, training or backup runs, and try again",
        )
    if type(failure).__module__.partition(".")[0].lstrip("_") not in _FOREIGN:
        return None
    words = str(failure).lower()
    if any(part in words for part in _FULL_WORDS):
        return storage_full()
    return storage_closed() if any(part in words for part in _CLOSED_WORDS) else None


def _named(failure: OSError) -> str:
    return str(failure.filename) if isinstance(failure.filename, str) else "the home directory"
