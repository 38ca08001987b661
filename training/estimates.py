"""How does a metric become a number with an interval, or an honest null with its reason?

Input: the rows a metric speaks about, their outcome (label or true probability) and a score. Output: :class:`Estimate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import LEAST_CLUSTERS, percentile_interval
from training.evaluation_parts import Estimate
from training.judged import Judged, Mask
from training.metrics import Floats, Ranking, average_precision, roc_auc


@dataclass(frozen=True, slots=True)
class Drawn:
    """A metric on the sample and on every redraw of its accounts. ``reason`` is filled when there is no value."""

    value: float
    replicates: Floats
    reason: str = ""

    def minus(self, other: Drawn) -> Drawn:
        """The paired difference: both were drawn on the same accounts."""
        if self.reason or other.reason:
            return undefined(self.reason or other.reason)
        return Drawn(self.value - other.value, self.replicates - other.replicates)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Both ranking metrics of one score."""

    auc: Drawn
    ap: Drawn


class Question:
    """Some judged rows and what happened in them; asks metrics of any score about these rows.

    ``outcome`` has one value per judged row: a label, or with ``graded_by_truth`` a true probability. A ``refusal``
    says why nothing may be stated about these rows; every estimate is null then.
    """

    def __init__(
        self, judged: Judged, mask: Mask, outcome: Floats, *, graded_by_truth: bool = False, refusal: str = ""
    ) -> None:
        self.judged = judged
        self.mask = mask
        self.rows: NDArray[np.intp] = np.flatnonzero(mask)
        self.outcome = outcome[self.rows]
        self._whole = outcome
        self._graded_by_truth = graded_by_truth
        self._refusal = refusal

    def among(self, mask: Mask, *, refusal: str = "") -> Question:
        """The same question about fewer rows; what it refuses stays refused."""
        return Question(
            self.judged,
            self.mask & mask,
            self._whole,
            graded_by_truth=self._graded_by_truth,
            refusal=self._refusal or refusal,
        )

    def ranked(self, score: Floats) -> Ranked:
        """AUC and AP of a score (one value per judged row)."""
        values = score[self.rows]
        refusal = self._refusal or self._no_scores(values) or self._one_class()
        if refusal:
            return Ranked(undefined(refusal), undefined(refusal))
        ranking = Ranking(values)

        def both(weights: Floats) -> Floats:
            levels = ranking.levels(weights * self.outcome, weights * (1 - self.outcome))
            return np.stack([roc_auc(levels), average_precision(levels)], axis=-1)

        point = both(np.ones((1, len(values))))[0]
        drawn = self.judged.draws.replicate(self.rows, both)
        return Ranked(Drawn(float(point[0]), drawn[:, 0]), Drawn(float(point[1]), drawn[:, 1]))

    def summed(self, terms: Floats, metric: Callable[[Floats], Floats]) -> Drawn:
        """A metric of weighted sums of ``terms`` (these rows, k): ``metric`` maps (draws, k) to (draws,)."""
        refusal = self._refusal or ("" if len(self.rows) else "no rows") or self._no_scores(terms)
        if refusal:
            return undefined(refusal)
        value = float(metric(terms.sum(axis=0, keepdims=True))[0])
        reason = "" if np.isfinite(value) else "nothing to divide by in these rows"
        return Drawn(value, metric(self.judged.draws.sums(self.rows, terms)), reason)

    def estimate(self, drawn: Drawn) -> Estimate:
        """The number with its interval and what it rests on; null with a reason where it does not exist."""
        few = self.judged.draws.clusters(self.rows) < LEAST_CLUSTERS
        interval = None if drawn.reason or few else percentile_interval(drawn.replicates)
        silent = "" if interval or drawn.reason else "too few accounts for an interval"
        low, high = interval or (None, None)
        positives = float(self.outcome.sum())
        return Estimate(
            value=None if drawn.reason else drawn.value,
            low=low,
            high=high,
            rows=len(self.rows),
            positives=positives,
            outcomes=None if self._graded_by_truth else self.outcomes,
            base_rate=positives / len(self.rows) if len(self.rows) else None,
            reason=drawn.reason or silent,
        )

    @property
    def outcomes(self) -> int:
        """Distinct accounts with a positive label."""
        return int(self.judged.rows["account_id"].iloc[self.rows[self.outcome > 0]].nunique())

    def _no_scores(self, values: Floats) -> str:
        missing = int(np.isnan(values if values.ndim == 1 else values.sum(axis=1)).sum())
        return f"{missing} of {len(values)} scores are missing" if missing else ""

    def _one_class(self) -> str:
        if not len(self.rows):
            return "no rows"
        if self.outcome.sum() <= 0:
            return f"no leaver among {len(self.rows)} rows"
        return "" if (1 - self.outcome).sum() > 0 else f"no stayer among {len(self.rows)} rows"


def undefined(reason: str) -> Drawn:
    """No number, and why."""
    return Drawn(float("nan"), np.empty(0), reason)
