"""Does one signal still go with another as it did in the same phases a year ago?

What a model learns of a signal holds as long as the signal tells of the same thing. When it stops to, neither its
middle nor its width need move, but it no longer goes with what it went with. Input grain: feature rows of a quarter,
several per account. Output: one :class:`Tie` per phase. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

FEWEST_ACCOUNTS = 100
"""In a phase, now and a year ago; of fewer, ranks agree or not by chance."""
LIMIT = 4.0
"""In standard errors. Sixteen made-up companies in which nothing of the kind happened, looked at every four weeks
for two years and in every phase, never came beyond 3.1; where a loading had moved, the first quarter was at 6.7."""


@dataclass(frozen=True, slots=True)
class Tie:
    """How two signals go together in one phase: rank correlations now and then, and how surely they differ."""

    phase: str
    now: float
    then: float
    deviation: float

    @property
    def changed(self) -> bool:
        """Whether the two belong together otherwise than a year ago."""
        return abs(self.deviation) >= LIMIT


def ties(now: pd.DataFrame, then: pd.DataFrame, first: str, second: str) -> Iterator[Tie]:
    """The tie of two features in each phase with enough accounts in both quarters; none where one is no column.

    An account counts once, however many of its snapshots a quarter holds: they are next to alike.
    """
    if any(name not in rows for name in (first, second) for rows in (now, then)):
        return
    for phase, rows in now.groupby("phase"):
        pairs = [_known(part, first, second) for part in (rows, then[then["phase"] == phase])]
        accounts = [int(part["account_id"].nunique()) for part in pairs]
        alike = any(part[name].nunique() < 2 for part in pairs for name in (first, second))  # noqa: PLR2004
        if alike or min(accounts) < FEWEST_ACCOUNTS:
            continue
        fresh, old = (float(part[first].corr(part[second], method="spearman")) for part in pairs)
        # Fisher's transformation: there, the error of a correlation does not depend on it.
        apart = float(np.arctanh(_inside(fresh)) - np.arctanh(_inside(old)))
        yield Tie(str(phase), fresh, old, apart / float(np.sqrt(sum(1.0 / (count - 3) for count in accounts))))


def _known(rows: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    return rows.dropna(subset=[first, second])


def _inside(correlation: float) -> float:
    return float(np.clip(correlation, -0.999, 0.999))
