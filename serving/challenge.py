"""Who answers, and who scores along unseen? The live model, and what was started beside it.

One object per process: the live model, the watch of the challenger, the shadow. A route asks :meth:`answering` once and
hands what it told to :meth:`told`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from features.settings import Home
from serving.canary import Answering
from serving.challenger import ChallengerWatch
from serving.clock import Clock
from serving.live import LiveModel, Opener
from serving.metrics import ServiceMetrics
from serving.request_log import Tell
from serving.scorer import ScoredAccount
from serving.shadow import Shadow


class Challenge:
    """The live model and its challenger of one process. Safe to use from several threads; touches no disk at first."""

    def __init__(
        self, home: Home, live: LiveModel, opener: Opener, *, metrics: ServiceMetrics, clock: Clock, tell: Tell
    ) -> None:
        self._live = live
        self._metrics = metrics
        self._tell = tell
        self.watch = ChallengerWatch(home, live, opener, tell=tell)
        self.shadow = Shadow(home, count=metrics.shadowed, clock=clock, tell=tell)

    def answering(self) -> Answering:
        """Who answers now: taken once per answer.

        Raises:
            ServiceUnavailable: no model is live, or the feature store does not answer.
        """
        live, beside = self._live.require(), self.watch.now
        canary = beside.canary_beside(live.bundle.version) if beside else None
        if beside is None or canary is None:
            return Answering(live)
        return Answering(live, canary, beside.started.share or 0.0, self._canary_failed)

    def told(self, answering: Answering, answers: Sequence[ScoredAccount]) -> None:
        """Count what a canary told; let a shadow score what the live model told. Never waits."""
        scored = [answer.assessment for answer in answers if answer.assessment is not None]
        if answering.canary_version is not None:
            of_canary = sum(one.score.model_version == answering.canary_version for one in scored)
            self._metrics.canary("answered", of_canary)
            return
        beside = self.watch.now
        shadow = beside.shadow_beside(answering.live.bundle.version) if beside else None
        if shadow is not None:
            self.shadow.offer(scored, live=answering.live, shadow=shadow)

    def start(self, every: timedelta) -> None:
        """Begin to follow the log of challengers."""
        self.watch.start(every)

    def close(self) -> None:
        """End what runs."""
        self.watch.close()
        self.shadow.close()

    def _canary_failed(self, failure: Exception, count: int) -> None:
        self._metrics.canary("failed", count)
        self._tell("canary failed", {"found": type(failure).__name__, "accounts": count})
