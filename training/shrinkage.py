"""How far is a thin account's estimate drawn to what is usual in its segment?

Input grain: one row per account and ``as_of``, one column per interval ahead. Output grain: the same. In each interval,
on the log-odds, ``weight * own + (1 - weight) * usual`` (domain 4.7.3). What is usual depends on the segment, the
interval and whether a decision falls in it, never on how the account fares: so whatever betters an account's own
estimate betters the drawn one, in every interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from training.calibrate import Calibration
from training.columns import Rows, Words, coded, doubles_in, or_nothing
from training.config import TrainingConfig
from training.periods import TIMING_INPUTS, Floats

Codes = npt.NDArray[np.int64]
Table = list[list[float | None]]

SOURCES = 6
"""Kinds of source that can be present; the catalogue's ``sources_present`` counts them."""

TIMINGS = ("quiet", "due", "evergreen")
"""No decision falls in the interval, at least one does, or the contract has no end."""

_EVERYBODY = ""
_DECISIONS, _EVERGREEN = TIMING_INPUTS.index("decisions_in_interval"), TIMING_INPUTS.index("is_evergreen")
_LEAST_CHANCE = 1e-12


def full_data_weeks(rows: Rows) -> Floats:
    """Usable weeks, times the share of sources that are present: 52 weeks from 3 of 6 sources count as 26.

    A missing number is no data, hence 0.
    """
    weeks = doubles_in(rows, "usable_weeks") * (doubles_in(rows, "sources_present") / SOURCES)
    return np.maximum(or_nothing(weeks), 0.0)


def own_weight(weeks: Floats, half_weight_weeks: float) -> Floats:
    """Weight 0-1 of the account's own estimate: ``n / (n + n0)``; 1 for everyone when n0 is 0."""
    if half_weight_weeks == 0:
        return np.ones_like(weeks)
    return weeks / (weeks + half_weight_weeks)


def pull(own: Floats, usual: Floats, weight: Floats) -> Floats:
    """What is added to own log-odds (n) or (n, intervals); nothing where it is not known what is usual (NaN)."""
    aside = (1.0 - weight) if own.ndim == 1 else (1.0 - weight)[:, np.newaxis]
    return np.where(np.isnan(usual), 0.0, aside * (usual - own))


def timing_codes(timing: Floats) -> Codes:
    """Place in :data:`TIMINGS` of rows with the columns :data:`training.periods.TIMING_INPUTS`."""
    return np.where(timing[:, _EVERGREEN] > 0, 2, np.where(timing[:, _DECISIONS] >= 1, 1, 0)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Ahead:
    """Which interval ahead each row speaks about, and its place in :data:`TIMINGS` there."""

    interval: Codes
    timing: Codes

    @classmethod
    def joined(cls, parts: Sequence[Ahead]) -> Ahead:
        """Several, one after the other."""
        return cls(np.concatenate([one.interval for one in parts]), np.concatenate([one.timing for one in parts]))

    def take(self, mask: npt.NDArray[np.bool_]) -> Ahead:
        """Some of the rows."""
        return Ahead(self.interval[mask], self.timing[mask])


@dataclass(frozen=True)
class UsualLevels:
    """Mean log-odds of a portfolio by interval and timing, shape (intervals, timings), per segment and of all ("").

    Null where the portfolio held no such row. A segment without a number of its own stands at everybody's; an interval
    without one at everybody's over all intervals; else nothing is known.
    """

    tables: dict[str, Table]

    @classmethod
    def of(cls, segments: Sequence[object], ahead: Ahead, logits: Floats, *, weight: Floats) -> UsualLevels:
        """The means over periods, each with its segment (None: of no segment), its place in time and its weight."""
        shape = (int(ahead.interval.max(initial=0)) + 1, len(TIMINGS))
        names = pd.Series(list(segments), dtype=object).fillna(_EVERYBODY).astype(str).to_numpy()
        chosen = {name: names == name for name in sorted({*names} - {_EVERYBODY})}
        chosen[_EVERYBODY] = np.ones(len(names), dtype=bool)
        cell = ahead.interval * shape[1] + ahead.timing
        return cls({name: _means(cell[mask], logits[mask], weight[mask], shape) for name, mask in chosen.items()})

    def at(self, segments: Sequence[object], ahead: Ahead) -> Floats:
        """What is usual for rows of these segments there; NaN: not known."""
        places = {name: place for place, name in enumerate(self.tables)}
        codes, names = coded(np.array(segments, dtype=object))
        # The last one is for a row without a segment, whose code is -1.
        tables = np.array([*(places.get(str(name), places[_EVERYBODY]) for name in names), places[_EVERYBODY]])
        usual: Floats = self._filled[tables[codes], ahead.interval, ahead.timing]
        return usual

    @cached_property
    def _filled(self) -> Floats:
        tables = np.array(list(self.tables.values()), dtype=np.float64)
        everybody = tables[list(self.tables).index(_EVERYBODY)]
        held = ~np.isnan(everybody)
        counts = held.sum(axis=0)
        ever = np.where(counts > 0, np.where(held, everybody, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)
        fallback = np.where(held, everybody, ever)
        return np.where(np.isnan(tables), fallback, tables)


def _means(cell: Codes, logits: Floats, weight: Floats, shape: tuple[int, int]) -> Table:
    total = np.bincount(cell, weights=weight, minlength=shape[0] * shape[1])
    summed = np.bincount(cell, weights=weight * logits, minlength=shape[0] * shape[1])
    means = [float(part / held) if held > 0 else None for part, held in zip(summed, total, strict=True)]
    return [means[start : start + shape[1]] for start in range(0, len(means), shape[1])]


def segment_level(levels: Mapping[str, float], overall: float, segments: Words | pd.Series[str]) -> Floats:
    """The reference log-odds of each row's segment; the portfolio's for a segment that it did not hold."""
    codes, names = coded(np.asarray(segments, dtype=object))
    # The last one is for a row without a segment, whose code is -1.
    return np.array([*(levels.get(name, overall) for name in names), overall], dtype=np.float64)[codes]


def choose_half_weight_weeks(out_of_fold: pd.DataFrame, calibration: Calibration, config: TrainingConfig) -> float:
    """The candidate n0 with the least weighted log-loss on out-of-fold periods; the smallest of equals.

    What is usual is the mean over each fold's own held-out accounts: features, no labels.
    """
    interval = out_of_fold["interval"].to_numpy(np.int64)
    margin, y, weight = (out_of_fold[name].to_numpy(np.float64) for name in ("margin", "y", "weight"))
    own = calibration.logits(margin, interval, calibration.offsets(out_of_fold))
    ahead = Ahead(interval, out_of_fold["timing"].to_numpy(np.int64))
    usual = np.empty(len(own))
    for fold in np.unique(out_of_fold["fold"]):
        inside = (out_of_fold["fold"] == fold).to_numpy()
        segments = out_of_fold.loc[inside, "segment"]
        there = ahead.take(inside)
        levels = UsualLevels.of(segments.tolist(), there, own[inside], weight=weight[inside])
        usual[inside] = levels.at(segments.tolist(), there)
    data = full_data_weeks(out_of_fold)

    def loss(weeks: float) -> float:
        chance = expit(own + pull(own, usual, own_weight(data, weeks)))
        chance = np.clip(chance, _LEAST_CHANCE, 1 - _LEAST_CHANCE)
        return float(-(weight * (y * np.log(chance) + (1 - y) * np.log1p(-chance))).sum())

    return min(sorted(config.shrinkage_candidates_weeks), key=loss)
