"""How does what was asked get into the access log without anybody waiting for the disk?

Lines are kept in memory and written together, at most a second later, by one thread that starts with the first line. A
store that does not answer is told to the service's log and tried again; lines are given up, and counted, only when more
wait than memory should hold.
"""

from __future__ import annotations

from collections import deque
from threading import Event, Lock, Thread

from features.errors import ServiceUnavailable
from serving.access.store import AccessLine, KeyStore
from serving.request_log import Tell

EVERY_SECONDS = 1.0
MOST_WAITING = 100_000
"""Some tens of megabytes; hours of requests, should the disk be full."""


class AccessTrail:
    """Writes lines to the access log. Safe to use from several threads."""

    def __init__(self, store: KeyStore, tell: Tell) -> None:
        self._store = store
        self._tell = tell
        self._waiting: deque[AccessLine] = deque()
        self._lock, self._writing = Lock(), Lock()
        self._stop = Event()
        self._thread: Thread | None = None
        self._lost = 0

    def add(self, line: AccessLine) -> None:
        """Keep a line to be written soon."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                self._lost += 1
            self._waiting.append(line)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="pulse-access", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write what waits now; what cannot be written goes on waiting."""
        with self._writing:
            with self._lock:
                lines, lost = list(self._waiting), self._lost
                self._waiting.clear()
                self._lost = 0
            if not lines:
                return
            try:
                self._store.write(lines)
            except ServiceUnavailable as trouble:
                with self._lock:
                    self._waiting.extendleft(reversed(lines))
                    self._lost += lost
                self._tell("access log not written", {**trouble.facts(), "waiting": len(lines), "lost": lost})

    def close(self) -> None:
        """End the thread and write what waits."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * EVERY_SECONDS)
        self.flush()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self.flush()
