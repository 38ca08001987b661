"""Was just this asked before, and what was said?

What is said of an account follows from its stored features and the model alone, so it is kept under the digest of the
features, per model: who asks again before anything changed is told the same without it being computed. The features
are read each time; how fresh they are is judged each time, by whoever asks.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from serving.assessment import Assessment

MOST_KEPT = 2_000
"""Some 20 MB; those who were asked for longest ago go first."""


class KeptAnswers:
    """The assessments of one model, with their reasons. Safe to use from several threads."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: OrderedDict[bytes, Assessment] = OrderedDict()

    def of(self, digest: bytes) -> Assessment | None:
        """What was said of these features; None when nothing was, or when it is not kept any more."""
        with self._lock:
            told = self._kept.get(digest)
            if told is not None:
                self._kept.move_to_end(digest)
            return told

    def keep(self, digest: bytes, told: Assessment) -> None:
        """Remember what was said."""
        with self._lock:
            self._kept[digest] = told
            self._kept.move_to_end(digest)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
