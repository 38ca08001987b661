"""Who works the journal off, so that what applications sent is in the next score?

One thread in one process of a home: the file lock that it holds falls with its process, and another process takes over.
It sleeps while the journal's bell is still. Whatever fails is told once, counted and tried again; nothing is taken out
of the journal before it is done.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import IO, TYPE_CHECKING

from features.errors import MissingStateError, PulseError
from features.journal import Backlog, Due, Journal
from features.journal_work import Busy, show, store_kept, warm_up
from serving.clock import Clock
from serving.request_log import Tell

if TYPE_CHECKING:
    from features.store import FeatureStore

LISTEN_SECONDS = 0.02
"""How long news may lie before they are noticed; a look at the bell is one call of the system."""

LOOK_SECONDS = 5.0
"""The journal itself is looked at this often: a process may have been killed between its commit and the bell."""

RETRY_SECONDS = 15.0
"""An account that could not be computed is tried again after this; others go on meanwhile."""

BUSY_SECONDS = 0.5
"""An ingest may hold the warehouse for minutes; when it is done, news must not wait much longer."""

KEPT_FOR = timedelta(days=7)
"""How long a sending that is done with stays in the journal's list."""

_END_SECONDS = 5.0
_FORGET_SECONDS = 3600.0
_AT_ONCE = 4
"""Accounts between two looks at what arrived: four take less than half longer than one; more would hold news back."""


class Waiting:
    """Which accounts have news that are not online yet? Costs a look at the bell while nothing changes."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = Lock()
        self._seen: tuple[int, float] | None = None
        self._since: dict[str, datetime] = {}

    def since(self) -> dict[str, datetime]:
        """When the oldest of the news of each such account arrived."""
        rung = _rung(self._journal.bell)
        if rung is None:
            return {}
        with self._lock:
            seen = self._seen
            if seen is None or seen[0] != rung or (self._since and monotonic() - seen[1] > LOOK_SECONDS):
                self._seen = (rung, monotonic())
                self._since = self._journal.waiting()
            return self._since


class JournalWorker:
    """Works the journal of one home off, while this process is the one that does."""

    def __init__(self, journal: Journal, *, open_store: Callable[[], FeatureStore], clock: Clock, tell: Tell) -> None:
        self._journal = journal
        self._open_store = open_store
        self._store: FeatureStore | None = None
        self._clock = clock
        self._tell = tell
        self._heard: int | None = None
        self._look_at = self._forget_at = 0.0
        self._again_at: dict[str, float] = {}
        self._trouble: str | None = None
        self._stop = Event()
        self._thread: Thread | None = None
        self._lock: IO[str] | None = None
        self.failures = 0

    def start(self) -> None:
        """Begin to work in a thread of its own."""
        self._thread = Thread(target=self._run, name="pulse-journal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; an account that is being computed is done again by whoever comes next."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=_END_SECONDS)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def work(self) -> bool:
        """Do some of what there is to do; False where nothing is, or nothing can be done now, or another process works.

        Raises nothing: a failure is told once, counted and tried again later.
        """
        self._look_at = monotonic() + LOOK_SECONDS
        try:
            return self._leads() and self._go_on()
        except Busy:
            self._look_at = monotonic() + BUSY_SECONDS
        except Exception as failure:  # noqa: BLE001  whatever it is, the journal keeps everything and the work goes on
            self._note(failure)
        return False

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._is_called():
                while self.work() and not self._stop.is_set():
                    pass
            self._stop.wait(LISTEN_SECONDS)

    def _is_called(self) -> bool:
        rung = _rung(self._journal.bell)
        heard, self._heard = self._heard, rung
        if rung is None and self._look_at:
            return False  # nothing was ever sent
        return rung != heard or monotonic() >= self._look_at

    def _leads(self) -> bool:
        if self._lock is not None:
            return True
        if self._journal.backlog() == Backlog():
            return False  # a home to which nothing was ever sent gets no file
        lock = (self._journal.home.root / "journal.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        warm_up(self._journal.home)
        return True

    def _go_on(self) -> bool:
        stored = store_kept(self._journal, now=self._clock())
        due = self._next()
        shown = self._show(due)
        if stored or shown:
            self._journal.ring()
        if monotonic() >= self._forget_at:
            self._forget_at = monotonic() + _FORGET_SECONDS
            self._journal.forget(self._clock() - KEPT_FOR)
        return bool(stored or due)

    def _next(self) -> list[Due]:
        now = monotonic()
        self._again_at = {account: at for account, at in self._again_at.items() if at > now}
        due = self._journal.due(_AT_ONCE + len(self._again_at))
        return [one for one in due if one.account_id not in self._again_at][:_AT_ONCE]

    def _show(self, due: Sequence[Due]) -> bool:
        if not due:
            return False
        if self._store is None:
            self._store = self._open_store()
        try:
            show(self._journal, self._store, due, now=self._clock())
        except MissingStateError:
            raise  # nothing is built for now: no other account could be computed either
        except Exception as failure:  # noqa: BLE001  what is wrong with one account must not stop the others
            if len(due) > 1:
                shown = [self._show([one]) for one in due]
                return any(shown)
            self._note(failure)
            self._again_at[due[0].account_id] = monotonic() + RETRY_SECONDS
            return False
        self._trouble = None
        return True

    def _note(self, failure: Exception) -> None:
        # The words of a foreign error may hold data; its kind does not.
        told = f"{failure.title}: {failure.found}" if isinstance(failure, PulseError) else type(failure).__name__
        self.failures += 1
        if told != self._trouble:
            self._tell("journal not worked off", {"found": told})
        self._trouble = told


def _rung(bell: Path) -> int | None:
    try:
        return bell.stat().st_mtime_ns
    except FileNotFoundError:
        return None
