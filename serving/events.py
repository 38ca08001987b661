"""What does a process hold to take rows from applications and to see them through to the features?

The journal, the keys of calls that take effect once, the accounts whose news are not online yet, and the worker. Making
it touches no disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Semaphore
from typing import TYPE_CHECKING

from features.errors import ServiceUnavailable
from features.journal import Cell, Journal, SentRows, judge_rows
from features.settings import Home
from serving.clock import Clock
from serving.idempotency import IdempotencyKeys
from serving.journal_worker import JournalWorker, Waiting
from serving.request_log import Tell

if TYPE_CHECKING:
    from features.store import FeatureStore

JUDGED_AT_ONCE = 2
"""Judging costs a sixth of a second of processor time and some memory; more at once only wait for each other."""


class Events:
    """The events of one home, as one process sees them. Safe to use from several threads."""

    def __init__(self, home: Home, *, clock: Clock, tell: Tell) -> None:
        self._home = home
        self._clock = clock
        self._tell = tell
        self._room = Semaphore(JUDGED_AT_ONCE)
        self.journal = Journal(home)
        self.keys = IdempotencyKeys(home)
        self.worker = JournalWorker(self.journal, open_store=self._open_store, clock=clock, tell=tell)
        self._waiting = Waiting(self.journal)

    def judge(self, table: str, rows: Sequence[Mapping[str, Cell]]) -> SentRows:
        """Judge rows that arrive now.

        Raises:
            IntegrityError: a stored file is not the one that was written.
        """
        # Before the wait for a place: the row arrived already.
        now = self._clock()
        with self._room:
            return judge_rows(self._home, table, rows, load_id=self.journal.new_load_id(now), now=now)

    def waiting_since(self) -> Mapping[str, datetime]:
        """Accounts with accepted rows that are not online yet, and when the oldest of these arrived.

        Empty where the journal does not answer: that is told, and scoring goes on.
        """
        try:
            return self._waiting.since()
        except ServiceUnavailable as trouble:
            self._tell("journal not read", trouble.facts())
            return {}

    def _open_store(self) -> FeatureStore:
        # Feast takes seconds to import; a service that is sent nothing does without.
        from features.store import FeatureStore  # noqa: PLC0415

        return FeatureStore(self._home)
