"""How do the sources do, for whoever watches them every minute?

Judging reads every canonical table, so an answer is kept as long as no row came, at most a minute: what is overdue
grows older by days.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from threading import Lock

from features.settings import Home
from features.source_health import SourceReport, source_health

KEPT_FOR = timedelta(minutes=1)


class SourceBoard:
    """The health of the sources of one home. Safe to use from several threads."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = Lock()
        self._kept: tuple[int, SourceReport] | None = None

    def report(self, as_of: datetime) -> SourceReport:
        """Every source and table as known at a moment, the worst first.

        Raises:
            ConfigError: ``stewards.yaml`` cannot be used.
            DataContractError: a zone in the calendar or of an account is no IANA zone.
            IntegrityError: a stored file is not the one that was written.
        """
        # One at a time: whoever comes while it is being judged gets the same answer.
        with self._lock:
            changed = self._last_change()
            if self._kept is None or not self._still_true(self._kept, as_of, changed):
                self._kept = changed, source_health(self._home, as_of)
            return self._kept[1]

    @staticmethod
    def _still_true(kept: tuple[int, SourceReport], as_of: datetime, changed: int) -> bool:
        return kept[0] == changed and timedelta(0) <= as_of - kept[1].as_of < KEPT_FOR

    def _last_change(self) -> int:
        # A manifest is replaced by a rename, which touches its folder.
        folder = self._home.warehouse
        if not folder.exists():
            return 0
        with os.scandir(folder) as tables:
            return max((table.stat().st_mtime_ns for table in tables), default=0)
