"""How far could a metric move if other accounts had been met?

Input: the cluster (parent account) of each judged row. Output: replicates of a metric and their percentile interval.
Whole clusters are drawn with replacement, because the rows of one account share its outcome: an interval over rows
would be far too narrow. One set of draws serves every metric of an evaluation, so that two arms are always compared on
the same redrawn accounts (paired). Source: cluster bootstrap, Field and Welsh 2007; percentile interval, Efron 1979.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.metrics import Floats

LEVEL = 0.95
"""Coverage of every interval in an evaluation."""

MAX_UNDEFINED_SHARE = 0.05
"""An interval is refused when more than this share of replicates has no value: its ends would be guessed."""

LEAST_CLUSTERS = 10
"""With fewer clusters redraws hardly differ, and the interval would claim a certainty that is not there."""

_CELLS_AT_ONCE = 2_000_000
"""Row weights held in memory at once (16 MB)."""


@dataclass(frozen=True, slots=True)
class ClusterDraws:
    """How often each cluster was drawn: ``counts`` is (replicates, clusters), ``codes`` the cluster of each row."""

    counts: Floats
    codes: NDArray[np.intp]

    @classmethod
    def draw(cls, clusters: pd.Series, *, replicates: int, seed: int) -> ClusterDraws:
        """Draw clusters with replacement; the same rows and seed give the same draws, whatever order ids sort in."""
        codes, names = pd.factorize(clusters, sort=True)
        sizes = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), replicates)
        return cls(sizes.astype(np.float64), codes.astype(np.intp))

    def clusters(self, rows: NDArray[np.intp]) -> int:
        """Distinct clusters among these rows."""
        return len(np.unique(self.codes[rows]))

    def row_weights(self, rows: NDArray[np.intp]) -> Iterator[Floats]:
        """Blocks of (some replicates, rows): how often each row counts."""
        step = max(1, _CELLS_AT_ONCE // max(1, len(rows)))
        codes = self.codes[rows]
        for start in range(0, len(self.counts), step):
            yield self.counts[start : start + step][:, codes]

    def replicate(self, rows: NDArray[np.intp], metric: Callable[[Floats], Floats]) -> Floats:
        """``metric(row weights)`` for every replicate, stacked along the first axis."""
        return np.concatenate([metric(weights) for weights in self.row_weights(rows)])

    def sums(self, rows: NDArray[np.intp], terms: Floats) -> Floats:
        """Weighted sums of ``terms`` (rows, k) in every replicate, (replicates, k); clusters are summed first."""
        per_cluster = np.zeros((self.counts.shape[1], terms.shape[1]))
        np.add.at(per_cluster, self.codes[rows], terms)
        summed: Floats = self.counts @ per_cluster
        return summed


def percentile_interval(replicates: Floats) -> tuple[float, float] | None:
    """The middle 95 % of replicates; ``None`` when too many of them have no value."""
    known = replicates[np.isfinite(replicates)]
    if len(known) < (1 - MAX_UNDEFINED_SHARE) * len(replicates) or not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
