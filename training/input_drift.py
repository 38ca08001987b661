"""Do the features look as they did in the same campaign phase a year ago?

Input grain: one row per account and snapshot, now and 52 weeks before. Output: one :class:`FeatureDrift` per feature.
Compared within each phase, because month against month every March would be drift. How much two years differ anyway is
measured on the years before, so a limit is no rule of thumb where there is history. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from training.evaluation_parts import Document

Floats = NDArray[np.float64]

LEAST_ROWS = 50
"""Rows of a phase on either side below which a distribution is not compared."""
USUAL_LIMIT = 0.2
"""The customary limit of the stability index, where no earlier year says what is usual."""
USUAL_TIMES = 2.0
"""With an earlier year: twice what it differed anyway, and never below half of the customary limit."""
NOISE_TIMES = 2.0
"""What chance alone gives so few accounts is allowed on top, twice."""
_BINS = 10
_TRACE = 1e-4


class FeatureDrift(Document):
    """One feature now against the same phases a year before; sums over phases, weighted by rows now."""

    feature: str
    subcategory: str
    stability_index: float | None = Field(description="null where no phase has enough rows with a value")
    usual: float | None = Field(description="the same a year earlier; null without that history")
    limit: float
    drifted: bool
    shift: float | None = Field(description="median now less median then, in interquartile ranges of then")
    spread: float | None = Field(description="interquartile range now over then; null where then it was 0")
    missing_now: float = Field(description="share of rows without a value")
    missing_then: float


def input_drift(
    now: pd.DataFrame, then: pd.DataFrame, before: pd.DataFrame | None, features: Sequence[tuple[str, str]]
) -> tuple[FeatureDrift, ...]:
    """Compare every (feature, subcategory) now with a year before, and that year with the one before it.

    Frames have ``account_id``, ``phase`` and the features; ``before`` may be None.
    """
    names = [name for name, _ in features]
    fresh, old = _year(now, names), _year(then, names)
    older = None if before is None else _year(before, names)
    return tuple(_drift(feature, place, fresh, old, older) for place, feature in enumerate(features))


def stability_index(now: pd.DataFrame, then: pd.DataFrame, name: str) -> float | None:
    """Population stability index of a feature within phases; None where no phase can be compared."""
    found = _compared(_year(now, [name]), _year(then, [name]), 0)
    return None if found is None else found[0]


@dataclass(frozen=True, slots=True)
class _Year:
    """The rows of a frame, cut into phases once for all features: values (rows x features), and whose they are."""

    values: Mapping[str, Floats]
    accounts: Mapping[str, NDArray[np.intp]]
    missing: Floats

    def of(self, phase: str, place: int) -> tuple[Floats, NDArray[np.intp]]:
        """The known values of a feature in a phase, and the numbers of their accounts."""
        if phase not in self.values:
            return np.empty(0), np.empty(0, np.intp)
        values = self.values[phase][:, place]
        known = ~np.isnan(values)
        return values[known], self.accounts[phase][known]


def _year(rows: pd.DataFrame, names: Sequence[str]) -> _Year:
    cells = rows[list(names)].to_numpy(np.float64, na_value=np.nan)
    accounts, _ = pd.factorize(rows["account_id"])
    parts = {str(phase): places for phase, places in sorted(rows.groupby("phase").indices.items())}
    return _Year(
        # By column, as they are read.
        values={phase: np.asfortranarray(cells[places]) for phase, places in parts.items()},
        accounts={phase: accounts[places] for phase, places in parts.items()},
        missing=np.isnan(cells).mean(axis=0) if len(cells) else np.zeros(len(names)),
    )


def _compared(now: _Year, then: _Year, place: int) -> tuple[float, float] | None:
    # The index, and what chance would give it: (bins - 1) * (1 / n + 1 / n), with accounts for n, because the three
    # or four rows of an account in a quarter are one piece of news.
    total, noise, weight = 0.0, 0.0, 0
    for phase in now.values:
        (fresh, theirs), (old, before) = now.of(phase, place), then.of(phase, place)
        if min(len(fresh), len(old)) >= LEAST_ROWS:
            index, bins = _index(fresh, old)
            total += len(fresh) * index
            noise += len(fresh) * (bins - 1) * (1 / len(np.unique(theirs)) + 1 / len(np.unique(before)))
            weight += len(fresh)
    return (total / weight, noise / weight) if weight else None


def _drift(feature: tuple[str, str], place: int, now: _Year, then: _Year, before: _Year | None) -> FeatureDrift:
    found, noise = _compared(now, then, place) or (None, 0.0)
    earlier = None if before is None else _compared(then, before, place)
    usual = None if earlier is None else earlier[0]
    customary = USUAL_LIMIT if usual is None else max(USUAL_LIMIT / 2, USUAL_TIMES * usual)
    limit = customary + NOISE_TIMES * noise
    shift, spread = _moves(now, then, place)
    return FeatureDrift(
        feature=feature[0],
        subcategory=feature[1],
        stability_index=found,
        usual=usual,
        limit=limit,
        drifted=found is not None and found > limit,
        shift=shift,
        spread=spread,
        missing_now=float(now.missing[place]),
        missing_then=float(then.missing[place]),
    )


def _moves(now: _Year, then: _Year, place: int) -> tuple[float | None, float | None]:
    # Per phase, then weighted by rows: a phase that is longer this year must not look like a move of the feature.
    shifts, spreads, weights = [], [], []
    for phase in now.values:
        (fresh, _), (old, _) = now.of(phase, place), then.of(phase, place)
        if min(len(fresh), len(old)) >= LEAST_ROWS:
            width = float(np.subtract(*np.quantile(old, [0.75, 0.25])))
            if width > 0:
                shifts.append((np.median(fresh) - np.median(old)) / width)
                spreads.append(np.subtract(*np.quantile(fresh, [0.75, 0.25])) / width)
                weights.append(len(fresh))
    if not weights:
        return None, None
    return float(np.average(shifts, weights=weights)), float(np.average(spreads, weights=weights))


def _index(now: Floats, then: Floats) -> tuple[float, int]:
    # Edges that repeat (many equal values) are one edge: a value of its own gets a bin of its own.
    edges = np.unique(np.quantile(then, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = []
    for values in (now, then):
        counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
        shares.append(np.maximum(counts / len(values), _TRACE))
    return float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum()), len(edges) + 1
