"""Which model that once scored can still be asked?

Grain: one answer per model version. The live model is at hand; another version is proved in a child process (a damaged
file kills the process that loads it) and then kept for the next question. A version whose files are gone or altered is
told as such, never guessed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock

from features.errors import IntegrityError
from features.settings import Home
from serving.live import LiveModel
from training.model import Bundle, load_bundle, prove_in_child

PROOF_TIMEOUT = timedelta(seconds=20)
"""A proof takes two seconds; it must end before the answer limit of the service does."""

MOST_KEPT = 3
"""Versions held beside the live one: a model takes some tens of megabytes."""

BundleOpener = Callable[[Path], Bundle]


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A version and its model; ``bundle`` is None when it cannot be asked, and ``trouble`` says why in words."""

    version: str
    bundle: Bundle | None
    trouble: str = ""


def proven_bundle(folder: Path) -> Bundle:
    """Load a bundle after a process of its own has proved it; raises :class:`IntegrityError`."""
    prove_in_child(folder, timeout=PROOF_TIMEOUT)
    return load_bundle(folder)


class KeptModels:
    """The models of one home by version. Safe to use from several threads; touches no disk before it is asked."""

    def __init__(self, home: Home, live: LiveModel, *, opener: BundleOpener = proven_bundle) -> None:
        self._home = home
        self._live = live
        self._open = opener
        self._lock = Lock()
        self._kept: OrderedDict[str, Bundle] = OrderedDict()

    def at_hand(self, version: str) -> KeptModel:
        """The model of a version if it is loaded already: for those who cannot wait seconds for its proof."""
        bundle = self._answering(version) or self._kept.get(version)
        return KeptModel(version, bundle, "" if bundle else f"model version {version} is not loaded")

    def of(self, version: str) -> KeptModel:
        """The model of a version, or why it cannot be asked."""
        if (live := self._answering(version)) is not None:
            return KeptModel(version, live)
        with self._lock:
            if version not in self._kept:
                folder = self._home.bundles / version
                if not folder.is_dir():
                    return KeptModel(version, None, f"the files of model version {version} are no longer here")
                try:
                    bundle = self._open(folder)
                except IntegrityError:
                    return KeptModel(version, None, f"the files of model version {version} can no longer be used")
                self._kept[version] = bundle
            self._kept.move_to_end(version)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return KeptModel(version, self._kept[version])

    def _answering(self, version: str) -> Bundle | None:
        scorer = self._live.scorer
        return scorer.bundle if scorer is not None and scorer.bundle.version == version else None
