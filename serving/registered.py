"""Which models are registered? Asked of the lifecycle in a process of its own, and again only when something changed.

Grain out: the document of ``pulse models``. The answer is kept while the files of the registry and the promotion log
are the same; a home without a registry has no models, and none is made for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from features.settings import Home
from training import in_child
from training.promotions import log

NOTHING: dict[str, Any] = {"live": None, "versions": [], "promotions": []}
_REGISTRY_FILES = ("mlflow.db", "mlflow.db-wal")


class RegisteredModels:
    """The registered models of one home. Safe to use from several threads."""

    def __init__(self, home: Home, *, ask: Callable[[Home], dict[str, Any]] = in_child.models) -> None:
        self._home = home
        self._ask = ask
        self._lock = Lock()
        self._kept: tuple[object, dict[str, Any]] | None = None

    def listing(self) -> dict[str, Any]:
        """Versions, newest first, with their verdicts.

        Raises:
            ServiceUnavailable: the registry does not answer.
        """
        with self._lock:
            state = (len(log(self._home)), *(_changed_at(self._home.root / name) for name in _REGISTRY_FILES))
            if self._kept is None or self._kept[0] != state:
                registry_is_there = (self._home.root / _REGISTRY_FILES[0]).exists()
                self._kept = state, (self._ask(self._home) if registry_is_there else NOTHING)
            return self._kept[1]


def _changed_at(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None
