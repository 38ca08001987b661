"""Which model answers right now, and how does another one take its place without a request noticing?

The promotion log is read every second. A version that was promoted is checked in a child process first (hashes, golden
rows: a damaged model file kills the process that loads it), then loaded here, then swapped in by one assignment. A
version that fails is refused once with its reason and the one before goes on answering. Nothing here can end the
service: without a model it stays up and says that it is not ready.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING

from features.errors import IntegrityError, MissingStateError, PulseError, ServiceUnavailable
from features.settings import Home
from serving.request_log import Tell, silent_tell
from serving.scorer import PROBE, Scorer
from training.model import load_bundle, prove_in_child
from training.promotions import Champion, current, log

if TYPE_CHECKING:
    from features.store import FeatureStore

CHECK_TIMEOUT = timedelta(seconds=20)
"""Loading and scoring twenty rows takes two seconds; a check that hangs must not hold back the next promotion."""

_RETRY_AFTER_POLLS = 60
"""A refused version is tried again after a minute: the check may have failed for want of memory, not of truth."""

_END_SECONDS = 2.0
"""How long the end of the service waits for the watch: a look at two databases, not a proof."""

Opener = Callable[[Champion], Scorer]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A promoted version that may not answer, and why."""

    version: str
    reason: str


def scorer_of(home: Home) -> Opener:
    """How a version becomes a scorer: the feature store answers, a child proves the bundle, then it is loaded."""
    stores: list[FeatureStore] = []

    def open_version(champion: Champion) -> Scorer:
        # Feast takes seconds to import; here it happens beside the first requests, not before the port is open.
        from features.store import FeatureStore  # noqa: PLC0415

        if not stores:
            store = FeatureStore(home)
            _require_answer(store)
            stores.append(store)
        prove_in_child(champion.folder, timeout=CHECK_TIMEOUT)
        bundle = load_bundle(champion.folder)
        if bundle.version != champion.version:
            raise _another(champion, bundle.version)
        bundle.warm()  # seconds in the first model of a process: before it is ready, not in somebody's request
        return Scorer(bundle, stores[0], home)

    return open_version


def _require_answer(store: FeatureStore) -> None:
    try:
        store.online([PROBE])
    except IntegrityError as damage:
        # Says nothing about the model: it must not be refused for it, and is tried again at the next look.
        raise ServiceUnavailable(damage.title, expected=damage.expected, found=damage.found, todo=damage.todo) from None


class LiveModel:
    """The model that answers. Readers take :attr:`scorer` once per answer; one thread keeps it up to date."""

    def __init__(self, home: Home, *, opener: Opener | None = None, tell: Tell = silent_tell) -> None:
        self._home = home
        self._open = opener or scorer_of(home)
        self._tell = tell
        self._scorer: Scorer | None = None
        self._reads_features = False
        self._refused: dict[str, tuple[Refusal, int]] = {}
        self._trouble: str | None = None
        self._polls = 0
        self._stop = Event()
        self._thread: Thread | None = None

    @property
    def scorer(self) -> Scorer | None:
        """The live scorer; None while there is none."""
        return self._scorer

    @property
    def ready(self) -> bool:
        """True when a model is live and the feature store answered when it was last asked. Never waits."""
        return self._scorer is not None and self._reads_features

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Promoted versions that may not answer."""
        return tuple(refusal for refusal, _ in list(self._refused.values()))

    def require(self) -> Scorer:
        """The live scorer.

        Raises:
            ServiceUnavailable: no model is live, or the feature store does not answer.
        """
        scorer = self._scorer
        if scorer is None or not self._reads_features:
            raise ServiceUnavailable(
                "no model can answer now",
                expected="a promoted model that passed its checks, and a feature store that answers",
                found="no live model" if scorer is None else "a feature store that does not answer",
                todo="ask again in some seconds; see `/readyz`, `pulse models` and the log of the service",
            )
        return scorer

    def refresh(self) -> None:
        """Read the promotion log once and follow it; see whether the feature store answers.

        Raises nothing: a failure is told once and tried again at the next call.
        """
        self._polls += 1
        trouble = self._attempt(self._follow)
        scorer = self._scorer
        if scorer is not None:
            asleep = self._attempt(scorer.require_features)
            self._reads_features = asleep is None
            trouble = trouble or asleep
        if trouble is not None and trouble != self._trouble:
            self._tell("trouble", {"found": trouble})
        self._trouble = trouble

    def start(self, every: timedelta) -> None:
        """Begin to refresh in a thread of its own."""
        self._thread = Thread(target=self._run, args=(every.total_seconds(),), name="pulse-live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread. A proof that runs is not waited for: it changes nothing and ends by itself."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=_END_SECONDS)

    def _run(self, seconds: float) -> None:
        while not self._stop.is_set():
            self.refresh()
            self._stop.wait(seconds)

    def _attempt(self, step: Callable[[], None]) -> str | None:
        try:
            step()
        except Exception as failure:  # noqa: BLE001  whatever it is, the watch must go on and tell it
            return _told(failure)
        return None

    def _follow(self) -> None:
        champion = current(self._home)
        if champion is None or (self._scorer is not None and self._scorer.bundle.version == champion.version):
            return
        for candidate in self._candidates(champion):
            if self._took_over(candidate):
                return

    def _candidates(self, champion: Champion) -> list[Champion]:
        # While a model answers, only the promoted one may replace it; at the start, an earlier one is better than none.
        if self._scorer is not None:
            return [champion]
        earlier = dict.fromkeys(promotion.version_to for promotion in reversed(log(self._home)))
        return [Champion(version=version, folder=self._home.bundles / version) for version in earlier]

    def _took_over(self, candidate: Champion) -> bool:
        refused = self._refused.get(candidate.version)
        if refused is not None and self._polls - refused[1] < _RETRY_AFTER_POLLS:
            return False
        try:
            self._scorer = self._open(candidate)
        except (MissingStateError, ServiceUnavailable):
            raise  # the feature store is not there: that says nothing about this model
        except Exception as failure:  # noqa: BLE001  a bundle can be damaged in any way; the old model goes on
            refusal = Refusal(candidate.version, _told(failure))
            self._refused[candidate.version] = (refusal, self._polls)
            if refused is None or refused[0] != refusal:
                self._tell("model refused", {"version": refusal.version, "reason": refusal.reason})
            return False
        self._refused.pop(candidate.version, None)
        self._tell("model live", {"version": candidate.version, "group_values": self._scorer.bundle.group_values})
        return True


def _told(failure: Exception) -> str:
    # The words of a foreign error may hold data; its kind does not.
    return f"{failure.title}: {failure.found}" if isinstance(failure, PulseError) else type(failure).__name__


def _another(champion: Champion, version: str) -> IntegrityError:
    return IntegrityError(
        f"the folder of version {champion.version} holds another model",
        expected=f"the bundle of version {champion.version}",
        found=f"the bundle of version {version}",
        todo="restore the folder from a backup, or run `pulse rollback`",
    )
