"""How does a store of this room speak to the state: opened when it is first asked, and anew when its file is gone?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import sqlalchemy as sa

from features.settings import Home
from features.state import has_state, open_state, writing


class StateDoor:
    """The state of one home for one store. Safe to use from several threads; touches no disk before it is asked.

    ``what`` names the store where the state does not answer: "the store of keys".
    """

    def __init__(self, home: Home, *, what: str) -> None:
        self._home = home
        self._what = what
        self._lock = Lock()
        self._opened: sa.Engine | None = None

    @contextmanager
    def reading(self) -> Iterator[sa.Connection | None]:
        """A connection to read with; None where there is no state yet (and none is made).

        Raises:
            ServiceUnavailable: the state does not answer.
        """
        if not has_state(self._home):
            yield None
            return
        with self._engine().connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A connection in a transaction that is the only writer; raises as above."""
        with writing(self._engine()) as connection:
            yield connection

    def close(self) -> None:
        """Give the database back."""
        with self._lock:
            if self._opened is not None:
                self._opened.dispose()
                self._opened = None

    def _engine(self) -> sa.Engine:
        with self._lock:
            # A file that is gone is made anew, tables and all.
            if self._opened is None or not has_state(self._home):
                self._opened = open_state(self._home, what=self._what)
            return self._opened
