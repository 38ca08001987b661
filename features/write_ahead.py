"""How does a SQLite file come to its write-ahead log while others open the same file?

SQLite waits for others in everything but this: of two that turn a new file at once, one is told at once that the file
is locked, whatever wait it asked for, since each might wait for the other. So whoever turns asks again.
"""

from __future__ import annotations

import sqlite3

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

_LONGEST_PAUSE_SECONDS = 0.05


def turn_to_write_ahead(connection: sqlite3.Connection, *, within_seconds: float) -> None:
    """Have the file behind a connection keep a write-ahead log; one that does is left as it is.

    Raises:
        sqlite3.OperationalError: others held the file for ``within_seconds``, or it cannot be written.
    """
    asking = Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_delay(within_seconds),
        wait=wait_random(0, _LONGEST_PAUSE_SECONDS),
        reraise=True,
    )
    asking(connection.execute, "PRAGMA journal_mode=WAL")


def _is_busy(error: BaseException) -> bool:
    # The low byte is the kind; the rest tells which part of SQLite was busy.
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
