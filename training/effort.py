"""How is a training carried out: by how many processes, how long, from where, on which machines?

None of it is a belief about models (those are in ``training/config.py``), and nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from training.periods import Floats


class Cluster(Protocol):
    """Other machines that can fit a booster together."""

    def boosted(
        self, rows: pd.DataFrame, params: Mapping[str, Any], rounds: int, *, offsets: Floats | None = None
    ) -> tuple[str, str]:
        """The native text of a booster fitted on person-periods, and a note of how that was done.

        Boosting starts from ``offsets`` (log-odds per row), which are no part of the text.
        """


@dataclass(frozen=True, slots=True)
class Effort:
    """What a training may use.

    ``studies`` is the folder in which searches are kept (none: only in memory); ``resume`` goes on with the kept search
    of the same data and settings. ``workers`` are processes that share the granted cores. ``limit`` is wall time for
    the search, after which it ends with what it has, but never before one trial is finished. ``cluster`` makes the
    final fit (none: this machine).
    """

    studies: Path | None = None
    resume: bool = False
    workers: int = 1
    limit: timedelta | None = None
    cluster: Cluster | None = None


ALONE = Effort()
"""The default: one process, in memory, as long as it takes."""
