"""Which charts are kept of a model's stated risks, and what do they show?

Input grain: one row per account and snapshot with stated risk and what became of it, final or known so far. Output:
one :class:`Chart` per question and group. Three families share the false alarms that people bear: all accounts against
what was stated, all accounts against their own record, and every phase and segment against what was stated. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta, chi2

from training.cusum import Evidence, Path, change, level, limits_for, path
from training.maturing import LEAST_KNOWN, age_when_known, known_share
from training.visible import POWER, WEEKS, Armed, periods_to_come, smallest_visible
from training.watch_parts import ALL, BEFORE, WATCHED_DAYS, Chart, Period, Visible

Floats = NDArray[np.float64]

OF_LEVEL, OF_CHANGE, OF_GROUPS = 0.25, 0.5, 0.25
"""False alarms a year, were every stated risk true: one in all. Two a year are the most that people bear; the rest is
left for a model that is a little off, as all are. Half goes to the chart that names a cause (docs/models.md)."""
EVIDENCE = level(1.3)
CHANGED = change(1.4, 0.2)
OF_GROUP = level(1.5)
"""Made to find soonest: all accounts off by 1.3 (a ratio within 0.87 to 1.14 leaves no trace), a change by 1.4 of a
model that was off by a fifth, give or take; a group has so few leavers that only half as many again can be seen."""
LEAST_EXPECTED = 5.0
"""Leavers that a group must be expected to have in the whole time for a chart."""
PERIOD_DAYS = 28
_FINAL_DAYS = 90.0
"""Where lags are not known: the window and the usual time until its labels are final."""
_SEED = 20240115


@dataclass(frozen=True, slots=True)
class Kept:
    """The charts, the groups too small for one, and the smallest change that they would find in time."""

    charts: tuple[Chart, ...]
    too_small: tuple[str, ...]
    visible: Visible | None


def keep_charts(judged: pd.DataFrame, lags: Floats, as_of: datetime) -> Kept:
    """All charts of a model; ``judged`` as in :class:`training.watch.Seen`, ``lags`` as in :mod:`training.maturing`.

    Without any final label there is no chart: what is known so far of young snapshots only adds to one.
    """
    shares = shares_known(judged, lags, as_of)
    if not any(share == 1.0 for share in shares.values()):
        return Kept((), (), None)
    groups = {name: _counted(rows, shares) for name, rows in _groups(judged)}
    groups = {name: counts for name, counts in groups.items() if counts["rows"].sum() > 0}
    small = tuple(name for name, counts in groups.items() if counts["expected"].sum() < LEAST_EXPECTED)
    large = {name: counts for name, counts in groups.items() if name not in small}
    if ALL not in large:
        return Kept((), small, None)
    whole = large.pop(ALL)
    told, visible = _whole(whole, lags)
    return Kept((*told, *_of_groups(large)), small, visible)


def shares_known(judged: pd.DataFrame, lags: Floats, as_of: datetime) -> dict[pd.Timestamp, float]:
    """The snapshots that count, four weeks apart, oldest first, and the share of their leavers that is on record.

    1 where labels are final. Windows of 30 days must not count one leaver twice; four weeks apart they share two days.
    """
    final = judged.groupby("as_of")["y_30"].apply(lambda labels: bool(labels.notna().any()))
    chosen: dict[pd.Timestamp, float] = {}
    latest: pd.Timestamp | None = None
    for moment in sorted(final.index):
        age = (pd.Timestamp(as_of) - moment).total_seconds() / 86_400.0
        share = 1.0 if final[moment] else min(known_share(lags, age, WATCHED_DAYS), 0.999)
        if share >= LEAST_KNOWN and (latest is None or moment - latest >= timedelta(days=PERIOD_DAYS)):
            chosen[moment], latest = share, moment
    return chosen


def _groups(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield ALL, rows
    for column in ("phase", "segment"):
        for name, part in rows.groupby(column):
            yield f"{column} {name}", part


def _counted(rows: pd.DataFrame, shares: dict[pd.Timestamp, float]) -> pd.DataFrame:
    share = rows["as_of"].map(shares)
    final = share.eq(1.0)
    counted = (final & rows["y_30"].notna()) | (share.notna() & ~final)
    told = pd.DataFrame(
        {
            "as_of": rows["as_of"],
            "rows": 1,
            "observed": rows["y_30"].where(final, rows["left_30"]),
            "expected": rows["risk_30"] * share,
        }
    )[counted]
    per = told.groupby("as_of").sum().reindex(pd.DatetimeIndex(list(shares)), fill_value=0)
    return per.assign(known=list(shares.values()))


def _whole(counts: pd.DataFrame, lags: Floats) -> tuple[tuple[Chart, Chart], Visible | None]:
    stated = counts["expected"].to_numpy(np.float64)
    come = periods_to_come(age_when_known(lags, WATCHED_DAYS, _FINAL_DAYS))
    monthly = float((stated / counts["known"].to_numpy(np.float64))[-13:].mean())
    ahead = np.concatenate([stated, np.full(come, monthly)])
    armed = [
        Armed(evidence, limits_for([ahead], evidence, chance=_chance(rate), seed=_SEED))
        for evidence, rate in ((EVIDENCE, OF_LEVEL), (CHANGED, OF_CHANGE))
    ]
    charts = [
        _chart(name, counts, one.evidence, one.limits[: len(stated)])
        for name, one in zip((ALL, BEFORE), armed, strict=True)
    ]
    ratio = smallest_visible(ahead, armed, come=come, seed=_SEED)
    return (charts[0], charts[1]), Visible(ratio=ratio, weeks=WEEKS, chance=POWER, monthly=monthly)


def _of_groups(groups: dict[str, pd.DataFrame]) -> Iterator[Chart]:
    if groups:
        stated = [counts["expected"].to_numpy(np.float64) for counts in groups.values()]
        limits = limits_for(stated, OF_GROUP, chance=_chance(OF_GROUPS), seed=_SEED)
        for name, counts in groups.items():
            yield _chart(name, counts, OF_GROUP, limits)


def _chance(a_year: float) -> float:
    return 1.0 - float(np.exp(-a_year * PERIOD_DAYS / 365.25))


def _chart(group: str, counts: pd.DataFrame, evidence: Evidence, limits: Floats) -> Chart:
    observed, stated = counts["observed"].to_numpy(np.float64), counts["expected"].to_numpy(np.float64)
    found = path(observed, stated, limits, evidence)
    moments = [moment.to_pydatetime() for moment in counts.index]
    opened = found.opened
    since = 0 if opened is None else found.onset(opened[1])
    expected, ratio, low, high = (_against_before if group == BEFORE else _against_stated)(observed, stated, since)
    return Chart(
        group=group,
        periods=tuple(_periods(counts, found)),
        crossed=None if opened is None else moments[opened[0]],
        onset=None if opened is None else moments[since],
        direction="" if opened is None else opened[1],
        observed=int(observed[since:].sum()),
        expected=expected,
        ratio=ratio,
        low=low,
        high=high,
    )


def _periods(counts: pd.DataFrame, found: Path) -> Iterator[Period]:
    for place, (moment, row) in enumerate(counts.iterrows()):
        yield Period(
            as_of=pd.Timestamp(str(moment)).to_pydatetime(),
            rows=int(row["rows"]),
            observed=int(row["observed"]),
            expected=float(row["expected"]),
            known=float(row["known"]),
            above=float(found.above[place]),
            below=float(found.below[place]),
        )


Ratio = tuple[float, float | None, float | None, float | None]


def _against_stated(observed: Floats, stated: Floats, since: int) -> Ratio:
    count, expected = float(observed[since:].sum()), float(stated[since:].sum())
    if not expected:
        return expected, None, None, None
    low = float(chi2.ppf(0.025, 2 * count) / 2) if count > 0 else 0.0
    high = float(chi2.ppf(0.975, 2 * (count + 1)) / 2)
    return expected, count / expected, low / expected, high / expected


def _against_before(observed: Floats, stated: Floats, since: int) -> Ratio:
    # Exact: given their sum, one of two Poisson counts is binomial (Clopper and Pearson).
    after, before = float(observed[since:].sum()), float(observed[:since].sum())
    later, earlier = float(stated[since:].sum()), float(stated[:since].sum())
    if not (before and later and earlier):
        return later, None, None, None
    odds = earlier / later
    low = float(beta.ppf(0.025, after, before + 1)) if after else 0.0
    high = float(beta.ppf(0.975, after + 1, before))
    expected = later * before / earlier
    return expected, after / expected, odds * low / (1 - low), odds * high / (1 - high)
