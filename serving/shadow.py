"""How does another version score the live traffic without costing those who ask anything?

After an answer is made, the values it was made from are handed over: no feature is read twice, and an answer never
waits. One thread scores them with the shadow and keeps both results (:mod:`serving.shadow_scores`). What waits is
bounded; what does not fit is dropped and counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Condition, Thread

import pandas as pd

from features.settings import Home
from serving.assessment import Assessment, known_rows
from serving.clock import Clock
from serving.request_log import Tell, silent_tell
from serving.scorer import Scorer
from serving.shadow_scores import Served, ShadowScores, Timing

MOST_WAITING = 20_000
"""Accounts that wait at once: two of the largest requests, some tens of megabytes."""

_AT_ONCE = 500
"""Accounts scored in one go: a tenth of a second, so that answers get their turn of the processor in between."""

_TIMED_EVERY = 20
"""Beside every so many pieces the served version scores the same rows again: only that makes its time comparable."""

_END_SECONDS = 2.0


class Fate(StrEnum):
    """What became of an account that a shadow should score."""

    SCORED = "scored"
    DROPPED = "dropped"
    FAILED = "failed"


Count = Callable[[Fate, int], None]


@dataclass(frozen=True, slots=True)
class _Piece:
    served: tuple[Served, ...]
    live: Scorer
    shadow: Scorer


class Shadow:
    """The shadow scoring of one process. :meth:`offer` is for the thread of a request and returns at once."""

    def __init__(self, home: Home, *, count: Count, clock: Clock, tell: Tell = silent_tell) -> None:
        self.kept = ShadowScores(home)
        self._count = count
        self._clock = clock
        self._tell = tell
        self._pieces: deque[_Piece] = deque()
        self._waiting = 0
        self._done = 0
        self._changed = Condition()
        self._ended = False
        self._trouble: str | None = None
        self._thread: Thread | None = None

    @property
    def waiting(self) -> int:
        """Accounts that wait for the shadow, or are being scored."""
        return self._waiting

    def offer(self, told: Sequence[Assessment], *, live: Scorer, shadow: Scorer) -> None:
        """Hand over what the live version told, where there is room; never waits."""
        served = tuple(Served.of(one) for one in told)
        if not served:
            return
        with self._changed:
            fits = not self._ended and self._waiting + len(served) <= MOST_WAITING
            if fits:
                starts = range(0, len(served), _AT_ONCE)
                self._pieces.extend(_Piece(served[start : start + _AT_ONCE], live, shadow) for start in starts)
                self._waiting += len(served)
                self._begin()
                self._changed.notify_all()
        if not fits:
            self._count(Fate.DROPPED, len(served))

    def settle(self, seconds: float) -> bool:
        """Wait until nothing waits; False when that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting == 0, timeout=seconds)

    def close(self) -> None:
        """End the thread after the piece it is at; what waits is dropped and counted."""
        with self._changed:
            self._ended = True
            dropped = sum(len(piece.served) for piece in self._pieces)
            self._pieces.clear()
            self._waiting -= dropped
            self._changed.notify_all()
        if dropped:
            self._count(Fate.DROPPED, dropped)
        if self._thread is not None:
            self._thread.join(timeout=_END_SECONDS)

    def _begin(self) -> None:
        # Not before the first shadow: a service without one has no thread for it.
        if self._thread is None:
            self._thread = Thread(target=self._run, name="pulse-shadow", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces or self._ended)
                if self._ended:
                    return
                piece = self._pieces.popleft()
            self._attempt(piece)
            with self._changed:
                self._waiting -= len(piece.served)
                self._changed.notify_all()

    def _attempt(self, piece: _Piece) -> None:
        try:
            self._score(piece)
        except Exception as failure:  # noqa: BLE001  a shadow may fail in any way; it is counted, and told once
            told = type(failure).__name__  # its words may hold data
            if told != self._trouble:
                self._tell("shadow failed", {"found": told, "version": piece.shadow.bundle.version})
            self._trouble = told
            self._count(Fate.FAILED, len(piece.served))
            return
        self._trouble = None
        self._count(Fate.SCORED, len(piece.served))

    def _score(self, piece: _Piece) -> None:
        features = known_rows([(one.account_id, one.as_of, one.known) for one in piece.served])
        scores, shadow_ms = _timed(piece.shadow, features)
        served_ms = _timed(piece.live, features)[1] if self._done % _TIMED_EVERY == 0 else None
        self._done += 1
        self.kept.append(
            piece.served,
            scores,
            versions=(piece.live.bundle.version, piece.shadow.bundle.version),
            timing=Timing(len(piece.served), shadow_ms, served_ms),
            told_at=self._clock(),
        )


def _timed(scorer: Scorer, features: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    begun = time.perf_counter()
    scores = scorer.bundle.score(features)
    return scores, (time.perf_counter() - begun) * 1000
