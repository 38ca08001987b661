"""How does a request reach our state in the time that SQLite takes to answer, and not in ten times that?

To put a statement together and to take a connection from a pool costs many times what one row costs. Whoever asks the
same thing with every request has its words ready (:func:`worded`) and asks over a line: a connection to the SQLite file
that is kept from one use to the next, under the laws of :mod:`features.state`. A server has no lines: there the way to
it costs more than the words.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.dialects import sqlite

_MOST_IDLE = 8
_File = tuple[int, int]


class StateLines:
    """The lines to one SQLite file. Safe to use from several threads; a line is lent to one at a time.

    ``ready`` makes a connection keep the laws, ``explained`` says what a failure means; None where it is our defect.
    """

    def __init__(
        self,
        path: Path,
        *,
        ready: Callable[[sqlite3.Connection], None],
        explained: Callable[[BaseException], Exception | None],
    ) -> None:
        self._path = str(path)
        self._address = f"{path.absolute().as_uri()}?mode=rw"
        self._ready = ready
        self._explained = explained
        self._idle: list[tuple[_File | None, sqlite3.Connection]] = []
        self._lock = Lock()

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """A line to read with; each statement is by itself. :func:`as_writer` makes it a writer's.

        Raises:
            ServiceUnavailable: the file cannot be opened, or another writer holds it for too long.
            StorageFull: its disk is full.
        """
        try:
            # A file that is gone, restored or replaced must not be read on from the one before.
            file = self._file_now()
            line = self._left_idle(file) or self._opened()
            try:
                yield line
            except BaseException:
                line.close()
                raise
        except sqlite3.Error as failure:
            explained = self._explained(failure)
            if explained is None:
                raise
            raise explained from failure
        self._give_back(file, line)

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, line in idle:
            line.close()

    def _left_idle(self, file: _File | None) -> sqlite3.Connection | None:
        with self._lock:
            while self._idle:
                kept, line = self._idle.pop()
                if kept == file:
                    return line
                line.close()
        return None

    def _give_back(self, file: _File | None, line: sqlite3.Connection) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append((file, line))
                return
        line.close()

    def _opened(self) -> sqlite3.Connection:
        # Never a new file: one without tables would be asked in vain for good.
        line = sqlite3.connect(self._address, uri=True, isolation_level=None, check_same_thread=False)
        try:
            self._ready(line)
        except BaseException:
            line.close()
            raise
        return line

    def _file_now(self) -> _File | None:
        try:
            told = os.stat(self._path)  # noqa: PTH116  a third of the time of Path.stat, with every request
        except FileNotFoundError:
            return None
        return told.st_dev, told.st_ino


@contextmanager
def as_writer(line: sqlite3.Connection) -> Iterator[None]:
    """One transaction, the only writer from its beginning; on disk when it is left in peace, else it leaves nothing."""
    line.execute("BEGIN IMMEDIATE")
    yield
    # Left by an error it is not reached: the line is closed then, and what was begun is gone with it.
    line.execute("COMMIT")


def worded(statement: ClauseElement, columns: Sequence[str] | None = None) -> tuple[str, tuple[str, ...]]:
    """A statement in SQLite's words, and the names of its values in their order; ``columns`` are those of an insert."""
    asked: dict[str, Any] = {} if columns is None else {"column_keys": list(columns)}
    compiled: Any = statement.compile(dialect=sqlite.dialect(paramstyle="qmark"), **asked)
    return str(compiled), tuple(compiled.positiontup or ())
