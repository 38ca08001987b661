"""How are the model's log-odds turned into chances that come true?

Input grain: out-of-fold periods, each held out in later time. Output: one slope for all intervals, one intercept per
interval, and one offset per segment and per campaign phase: ``logit(lambda_k) = slope * r + intercept_k + of_segment +
of_phase``. Affine, so contributions keep adding up, and with one slope horizons cannot cross (Platt scaling, domain
4.7.1). How far segments and phases are held together is learnt from how far they differ (empirical Bayes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from features.errors import NoUsableSignal
from training.columns import Rows, Words, coded, words_in
from training.config import TrainingConfig
from training.periods import Floats

_LEAST_SLOPE = 1e-3
"""A slope this flat says that the margins order nothing."""

_LEAST_EVENTS_PER_PARAMETER = 1e-12

_MOST_PRIOR_EVENTS = 1e5
"""So many events of a prior leave an offset of nothing: groups that differ by less than chance need no more."""

_SPREAD_ROUNDS = 12

GROUPINGS = ("segment", "phase")
"""Columns whose values have offsets of their own, in this order."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """From raw log-odds to calibrated ones: ``slope * r + intercepts[k]`` for interval k, plus the row's offsets.

    ``events`` is the number of out-of-fold events it rests on. ``segments`` and ``phases`` hold the offsets in
    log-odds; a value that was not seen has none, hence 0.
    """

    slope: float
    intercepts: tuple[float, ...]
    events: int
    segments: Mapping[str, float] = field(default_factory=dict)
    phases: Mapping[str, float] = field(default_factory=dict)

    def logits(self, margins: Floats, interval: npt.NDArray[np.int64] | int, offsets: Floats | None = None) -> Floats:
        """Calibrated log-odds of leaving within the interval; the interval is one for all rows, or one per row.

        ``offsets`` come from :meth:`offsets`; without them the rows stand at no segment and no phase.
        """
        shift = np.asarray(self.intercepts, dtype=np.float64)[interval]
        logits: Floats = self.slope * margins + shift
        return logits if offsets is None else logits + offsets[:, 0] + offsets[:, 1]

    def offsets(self, rows: Rows) -> Floats:
        """Offsets in log-odds of rows with the columns :data:`GROUPINGS`: shape (n, 2)."""
        tables = (self.segments, self.phases)
        found = [_offsets(words_in(rows, name), table) for name, table in zip(GROUPINGS, tables, strict=True)]
        return np.array(found, dtype=np.float64).T


def _offsets(values: Words, table: Mapping[str, float]) -> Floats:
    codes, names = coded(values)
    # The last one is that of a missing value, whose code is -1.
    return np.array([*(table.get(str(name), 0.0) for name in names), 0.0], dtype=np.float64)[codes]


@dataclass(frozen=True, slots=True)
class Grouped:
    """Which of ``names`` each row belongs to: ``codes`` (n), -1 where it belongs to none."""

    names: tuple[str, ...]
    codes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: pd.Series[str]) -> Grouped:
        """The groups of a column, in alphabetical order; a missing value belongs to none."""
        codes, names = pd.factorize(values, sort=True)
        return cls(tuple(str(name) for name in names), codes.astype(np.int64))


@dataclass(frozen=True, slots=True)
class _Sample:
    margin: Floats
    y: Floats
    weight: Floats
    groupings: tuple[Grouped, ...]
    penalties: Floats


def calibrate(out_of_fold: pd.DataFrame, config: TrainingConfig) -> Calibration:
    """Fit the calibration on out-of-fold periods (columns account_id, margin, interval, y, weight, segment, phase).

    Sampling weights are obeyed, so chances refer to all periods, not to the kept ones. An account that leaves is an
    event of several snapshots but one piece of news, so the prior counts accounts that left. Groups that differ by no
    more than chance lets them are held together by more events than ``calibration_prior_events``, never by fewer: an
    offset learnt from noise spoils the order of accounts.

    Raises:
        NoUsableSignal: no event, or margins that do not order the outcomes.
    """
    y = out_of_fold["y"].to_numpy(np.float64)
    leavers = max(out_of_fold.loc[y > 0, "account_id"].nunique(), 1)
    repeats = max((y > 0).sum() / leavers, 1.0)
    margin, interval = out_of_fold["margin"].to_numpy(np.float64), out_of_fold["interval"].to_numpy(np.int64)
    weight = out_of_fold["weight"].to_numpy(np.float64)
    groupings = [Grouped.of(out_of_fold[name]) for name in GROUPINGS]
    prior = Prior(len(config.intervals_days), repeats * config.calibration_prior_events)

    def under(prior: Prior) -> Calibration:
        return fit_platt(margin, interval, y, weight=weight, prior=prior, groupings=groupings)

    found = under(prior)
    for _ in range(_SPREAD_ROUNDS):
        chance = expit(found.logits(margin, interval, found.offsets(out_of_fold)))
        information = [_summed(grouped, weight * chance * (1 - chance)) for grouped in groupings]
        likeliest = _likeliest_priors((found.segments, found.phases), information, prior, repeats)
        held = tuple(max(events, prior.events) for events in likeliest)
        settled = np.allclose(held, [prior.of(place) for place in range(len(held))], rtol=0.02)
        prior = replace(prior, of_groupings=held)
        found = under(prior)
        if settled:
            break
    return found


def _likeliest_priors(
    tables: Sequence[Mapping[str, float]], information: Sequence[Floats], prior: Prior, repeats: float
) -> list[float]:
    # MacKay's step for each grouping: its well-determined offsets over the sum of their squares is the precision under
    # which their spread is likeliest. An account seen leaving ``repeats`` times informs once.
    likeliest = []
    for place, (table, seen) in enumerate(zip(tables, information, strict=True)):
        determined = float((seen / (seen + max(prior.of(place), _LEAST_EVENTS_PER_PARAMETER))).sum())
        squares = sum(offset**2 for offset in table.values())
        most = repeats * _MOST_PRIOR_EVENTS
        likeliest.append(min(repeats * determined / squares, most) if squares > 0 else most)
    return likeliest


@dataclass(frozen=True, slots=True)
class Prior:
    """How many intervals there are, and how many events an intercept or offset of its own is held against.

    ``of_groupings`` says it for the offsets of each grouping; without it they are held as intercepts are.
    """

    intervals: int
    events: float
    of_groupings: tuple[float, ...] = ()

    def of(self, grouping: int) -> float:
        """The events that hold the offsets of a grouping."""
        return self.of_groupings[grouping] if self.of_groupings else self.events


def fit_platt(
    margin: Floats,
    interval: npt.NDArray[np.int64],
    y: Floats,
    *,
    weight: Floats,
    prior: Prior,
    groupings: Sequence[Grouped] = (),
) -> Calibration:
    """The penalised maximum-likelihood slope (above 0), intercepts, and offsets of up to two groupings.

    The penalty on an intercept is ``prior.events / 2 * (b_k - b)^2`` with a free common ``b``, and on an offset
    ``prior.of(g) / 2 * offset^2``: as much information as that many events carry, since for rare outcomes the
    information on an intercept is the number of events.
    """
    from scipy.optimize import minimize  # noqa: PLC0415  a third of a second; needed to fit, not to score

    events = int((y > 0).sum())
    if events == 0:
        raise _no_signal("no event")
    of_interval = Grouped(tuple(map(str, range(prior.intervals))), interval)
    held = [prior.events, *(prior.of(place) for place in range(len(groupings)))]
    sample = _Sample(margin, y, weight, (of_interval, *groupings), _penalties((of_interval, *groupings), held))
    start = np.zeros(2 + sum(len(grouped.names) for grouped in sample.groupings))
    start[0] = 1.0
    found = minimize(
        _loss_and_gradient,
        start,
        args=(sample,),
        jac=True,
        method="L-BFGS-B",
        bounds=[(_LEAST_SLOPE, None), *[(None, None)] * (len(start) - 1)],
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10},
    )
    slope, common = float(found.x[0]), float(found.x[1])
    if not slope > _LEAST_SLOPE:
        raise _no_signal("a slope of 0")
    intercepts, *offsets = _parted(found.x, sample)
    tables = [_table(grouped, part) for grouped, part in zip(groupings, offsets, strict=True)]
    return Calibration(slope, tuple(float(common + part) for part in intercepts), events, *tables)


def _loss_and_gradient(point: Floats, sample: _Sample) -> tuple[float, Floats]:
    # point = (slope, common b, b_k - b for each k, offsets of each grouping); everything is divided by the total
    # weight, for the optimiser's sake.
    parts = _parted(point, sample)
    logit = point[0] * sample.margin + point[1]
    for grouped, part in zip(sample.groupings, parts, strict=True):
        logit = logit + np.append(part, 0.0)[grouped.codes]
    total = sample.weight.sum()
    own = point[2:]
    likelihood = (sample.weight * (sample.y * logit - np.logaddexp(0.0, logit))).sum()
    loss = 0.5 * (sample.penalties * own**2).sum() - likelihood
    residual = sample.weight * (expit(logit) - sample.y)
    of_groups = [_summed(grouped, residual) for grouped in sample.groupings]
    gradient = np.concatenate(
        [[(residual * sample.margin).sum(), residual.sum()], np.concatenate(of_groups) + sample.penalties * own]
    )
    return float(loss / total), gradient / total


def _penalties(groupings: Sequence[Grouped], events: Sequence[float]) -> Floats:
    lengths = [len(grouped.names) for grouped in groupings]
    return np.repeat(np.maximum(np.array(events, dtype=np.float64), _LEAST_EVENTS_PER_PARAMETER), lengths)


def _parted(point: Floats, sample: _Sample) -> list[Floats]:
    ends = np.cumsum([2, *(len(grouped.names) for grouped in sample.groupings)])
    return [point[low:high] for low, high in pairwise(ends)]


def _summed(grouped: Grouped, amounts: Floats) -> Floats:
    # The last place collects the rows of no group.
    places = np.where(grouped.codes < 0, len(grouped.names), grouped.codes)
    sums = np.bincount(places, weights=amounts, minlength=len(grouped.names) + 1)
    return sums[: len(grouped.names)].astype(np.float64)


def _table(grouped: Grouped, offsets: Floats) -> dict[str, float]:
    return dict(zip(grouped.names, offsets.tolist(), strict=True))


def _no_signal(found: str) -> NoUsableSignal:
    return NoUsableSignal(
        "the model's order says nothing about later outcomes",
        expected="out-of-fold margins that rise with the share that left",
        found=found,
        todo="ingest more history; until then renewal dates are the best guide",
    )
