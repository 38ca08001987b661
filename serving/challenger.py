"""Which version runs beside the live one in this process, and is it fit to?

The log of challengers is read every second. A version that was started is proved in a child process and loaded beside
the live one, as a promotion would be; one that fails is refused once with its reason, and the live model answers alone.
Nothing here can hold back the live model or end the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread

from features.errors import PulseError
from features.settings import Home
from serving.live import LiveModel, Opener, Refusal
from serving.request_log import Tell, silent_tell
from serving.scorer import Scorer
from training.challengers import ChallengerChange, Mode, running
from training.promotions import Champion

_END_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Beside:
    """A challenger that is loaded: how it was started, and its scorer."""

    started: ChallengerChange
    scorer: Scorer

    def canary_beside(self, champion: str) -> Scorer | None:
        """The scorer that takes a share beside this live version; None unless it was started as that."""
        fits = self.started.mode is Mode.CANARY and self.started.champion == champion
        return self.scorer if fits else None

    def shadow_beside(self, champion: str) -> Scorer | None:
        """The scorer that repeats what this live version answers; None unless it was started as that."""
        fits = self.started.mode is Mode.SHADOW and self.started.champion == champion
        return self.scorer if fits else None


class ChallengerWatch:
    """The challenger of one process. Readers take :attr:`now` once per answer; one thread keeps it up to date."""

    def __init__(self, home: Home, live: LiveModel, opener: Opener, *, tell: Tell = silent_tell) -> None:
        self._home = home
        self._live = live
        self._open = opener
        self._tell = tell
        self._beside: Beside | None = None
        self._wanted: ChallengerChange | None = None
        self._refusal: tuple[ChallengerChange, Refusal] | None = None
        self._trouble: str | None = None
        self._stop = Event()
        self._thread: Thread | None = None

    @property
    def now(self) -> Beside | None:
        """The challenger that is loaded; None while there is none."""
        return self._beside

    @property
    def wanted(self) -> ChallengerChange | None:
        """The start that holds by the log as it was last read, loaded or not."""
        return self._wanted

    @property
    def refusal(self) -> Refusal | None:
        """Why the version that was started does not run; None when it does, is being loaded, or none was started."""
        return self._refusal[1] if self._refusal and self._refusal[0] == self._wanted else None

    def refresh(self) -> None:
        """Read the log once and follow it; raises nothing: a failure is told once and tried again at the next call."""
        try:
            self._wanted = running(self._home)
        except Exception as failure:  # noqa: BLE001  whatever it is, the watch must go on and tell it
            told = _words(failure)
            if told != self._trouble:
                self._tell("challenger not read", {"found": told})
            self._trouble = told
            return
        self._trouble = None
        self._follow(self._wanted)

    def start(self, every: timedelta) -> None:
        """Begin to refresh in a thread of its own: a proof takes seconds, and the live model's comes first."""
        self._thread = Thread(target=self._run, args=(every.total_seconds(),), name="pulse-challenger", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; a proof that runs is not waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=_END_SECONDS)

    def _run(self, seconds: float) -> None:
        while not self._stop.is_set():
            self.refresh()
            self._stop.wait(seconds)

    def _follow(self, wanted: ChallengerChange | None) -> None:
        there = self._beside
        if there is not None and (wanted is None or wanted.version != there.started.version):
            self._beside = None
            self._tell("challenger ended", {"version": there.started.version, "mode": there.started.mode})
            there = None
        if wanted is None or self._live.scorer is None or (there is not None and there.started == wanted):
            return
        if self._refusal is not None and self._refusal[0] == wanted:
            return
        scorer = there.scorer if there is not None else self._opened(wanted)
        if scorer is not None:
            self._beside = Beside(wanted, scorer)
            self._tell("challenger runs", {"version": wanted.version, "mode": wanted.mode, "share": wanted.share})

    def _opened(self, wanted: ChallengerChange) -> Scorer | None:
        try:
            return self._open(Champion(version=wanted.version, folder=wanted.folder(self._home)))
        except Exception as failure:  # noqa: BLE001  a bundle can be damaged in any way; the live model goes on
            refusal = Refusal(wanted.version, _words(failure))
            self._refusal = wanted, refusal
            self._tell("challenger refused", {"version": refusal.version, "reason": refusal.reason})
            return None


def _words(failure: Exception) -> str:
    # The words of a foreign error may hold data; its kind does not.
    return f"{failure.title}: {failure.found}" if isinstance(failure, PulseError) else type(failure).__name__
