"""Did acting on alerts help, and how sure is that?

Input: rows of accounts of two arms, drawn at random, with what happened to them. Output: one :class:`Effect` per
question: the level in each arm, the relative change, its interval over redrawn clusters, and the smallest effect that
these numbers would show. Pure.

Rates are compared within strata of the risk that was seen when the first alert was raised, and put together after
Mantel and Haenszel (1959): chance differences between the arms in who was alerted then cost no power. Everybody stays
in the arm that was drawn. Who was alerted is extreme and will be less so later, in both arms: so a change against the
time before says nothing here, and only the arms are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from training.bootstrap import LEAST_CLUSTERS, ClusterDraws, percentile_interval
from training.evaluation_parts import Document, Estimate
from training.metrics import Floats

REPLICATES, SEED = 1_000, 0
LEAST_OUTCOMES = 10
"""With fewer outcomes in an arm a ratio is mostly luck, and its redraws are too coarse to say how much."""
STRATA = 3
_SEEN = 2.8
"""Standard errors between no effect and one that is seen four times in five, at 5 % two-sided: 1.96 + 0.84."""

Better = Literal["lower", "higher", "neither"]


class Effect(Document):
    """One answer. ``change`` is relative: -0.13 = 13 % less in the worked arm than in the held-out one."""

    name: str
    title: str
    unit: str = Field(description="of the two levels")
    better: Better
    worked: float | None = Field(description="level in the worked arm; null when undefined")
    held_out: float | None
    worked_accounts: int
    held_out_accounts: int
    change: Estimate
    least: float | None = Field(description="smallest relative change seen four times in five; null without interval")

    @property
    def words(self) -> str:
        """What may be said of it."""
        change = self.change
        if change.value is None:
            return f"cannot be told: {change.reason}"
        if change.low is None or change.high is None:
            return f"no interval, so nothing can be told: {change.reason}"
        if change.low <= 0 <= change.high:
            least = "" if self.least is None else f"; an effect below about {self.least:.0%} would not show here"
            return f"no difference can be told{least}"
        return "less in the worked arm" if change.value < 0 else "more in the worked arm"


def rate_change(rows: pd.DataFrame, *, name: str, title: str, better: Better) -> Effect:
    """Compare how often something happens: ``rows`` have cluster_id, worked, seen_risk, events and days, per account.

    Levels are per 100 account-years. ``seen_risk`` may be null: those accounts are a stratum of their own.
    """
    stratum = _strata(rows["seen_risk"])
    worked, events, years = (rows[column].to_numpy(float) for column in ("worked", "events", "days"))
    years = years / 365.25
    terms = []
    for each in range(int(stratum.max()) + 1 if len(rows) else 0):
        inside = stratum == each
        terms += [events * worked * inside, years * worked * inside]
        terms += [events * (1 - worked) * inside, years * (1 - worked) * inside]
    columns = np.column_stack(terms) if terms else np.zeros((0, 4))
    arms = [float(events[worked == arm].sum()) for arm in (1, 0)]
    levels = [100 * _ratio(arms[place], float(years[worked == arm].sum())) for place, arm in enumerate((1, 0))]
    return _effect(
        rows,
        columns,
        _mantel_haenszel,
        about=(name, title, "per 100 account-years", better),
        levels=levels,
        counted=rows["events"],
    )


def share_change(rows: pd.DataFrame, *, name: str, title: str, better: Better) -> Effect:
    """Compare a share: ``rows`` have cluster_id, worked, part and whole per account; the level is sum over sum."""
    worked, part, whole = (rows[column].to_numpy(float) for column in ("worked", "part", "whole"))
    columns = np.column_stack([part * worked, whole * worked, part * (1 - worked), whole * (1 - worked)])
    sums = columns.sum(axis=0)
    levels = [_ratio(sums[0], sums[1]), _ratio(sums[2], sums[3])]
    return _effect(
        rows, columns, _mantel_haenszel, about=(name, title, "share", better), levels=levels, counted=rows["whole"]
    )


def mean_change(rows: pd.DataFrame, *, name: str, title: str, better: Better) -> Effect:
    """Compare growth: ``rows`` have cluster_id, worked, before and after per account; the level is the mean growth.

    Growth is the mean of log((after + 1) / (before + 1)), so that no large account speaks for all.
    """
    worked = rows["worked"].to_numpy(float)
    growth = np.log((rows["after"].to_numpy(float) + 1) / (rows["before"].to_numpy(float) + 1))
    columns = np.column_stack([growth * worked, worked, growth * (1 - worked), 1 - worked])
    sums = columns.sum(axis=0)
    levels = [float(np.expm1(_ratio(sums[0], sums[1]))), float(np.expm1(_ratio(sums[2], sums[3])))]
    return _effect(
        rows,
        columns,
        _growth,
        about=(name, title, "growth since before", better),
        levels=levels,
        counted=rows["before"] + rows["after"],
    )


def _strata(risk: pd.Series) -> Floats:
    known = risk.astype(float)
    ranks = known.rank(method="first", pct=True)
    codes = np.minimum((ranks * STRATA).fillna(0).to_numpy(), STRATA - 1).astype(int)
    return np.where(known.isna(), STRATA, codes).astype(np.float64)


def _mantel_haenszel(sums: Floats) -> Floats:
    """Ratio of two rates less 1, from (..., 4 x strata) sums: events and time, worked then held out."""
    above = below = np.zeros(sums.shape[:-1])
    for place in range(0, sums.shape[-1], 4):
        events, time, other, other_time = (sums[..., place + turn] for turn in range(4))
        total = np.maximum(time + other_time, np.finfo(float).tiny)
        above, below = above + events * other_time / total, below + other * time / total
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = above / below - 1
    return ratio


def _growth(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        growth: Floats = np.expm1(sums[..., 0] / sums[..., 1] - sums[..., 2] / sums[..., 3])
    return growth


def _effect(
    rows: pd.DataFrame,
    columns: Floats,
    change: Callable[[Floats], Floats],
    *,
    about: tuple[str, str, str, Better],
    levels: list[float],
    counted: pd.Series,
) -> Effect:
    name, title, unit, better = about
    worked = rows["worked"].to_numpy(bool)
    outcomes = [int((counted[mask] > 0).sum()) for mask in (worked, ~worked)]
    clusters = [int(rows["cluster_id"][mask].nunique()) for mask in (worked, ~worked)]
    reason, value, ends, least = _refusal(outcomes, clusters), None, None, None
    if not reason:
        value = float(change(columns.sum(axis=0)))
        ends, least = _redrawn(rows, columns, change)
        reason = "" if ends else "too many redraws have no outcome in an arm"
    return Effect(
        name=name,
        title=title,
        unit=unit,
        better=better,
        worked=_known(levels[0]),
        held_out=_known(levels[1]),
        worked_accounts=int(worked.sum()),
        held_out_accounts=int((~worked).sum()),
        change=Estimate(
            value=_known(value),
            low=ends[0] if ends else None,
            high=ends[1] if ends else None,
            rows=len(rows),
            positives=float(counted.sum()),
            outcomes=sum(outcomes),
            base_rate=None,
            reason=reason,
        ),
        least=least,
    )


def _redrawn(
    rows: pd.DataFrame, columns: Floats, change: Callable[[Floats], Floats]
) -> tuple[tuple[float, float] | None, float | None]:
    draws = ClusterDraws.draw(rows["cluster_id"], replicates=REPLICATES, seed=SEED)
    replicates = change(draws.sums(np.arange(len(rows)), columns))
    ends = percentile_interval(replicates)
    kept = replicates[np.isfinite(replicates) & (replicates > -1)]
    return ends, float(-np.expm1(-_SEEN * np.std(np.log1p(kept)))) if ends else None


def _refusal(outcomes: list[int], clusters: list[int]) -> str:
    if min(clusters) < LEAST_CLUSTERS:
        return f"an arm has {min(clusters)} accounts; {LEAST_CLUSTERS} are needed"
    if min(outcomes) < LEAST_OUTCOMES:
        return f"an arm has {min(outcomes)} accounts with anything to count; {LEAST_OUTCOMES} are needed"
    return ""


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _known(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else value
