"""Does the live model still hold?

Input grain: one row per account and snapshot that the model did not learn from, with stated risks and what became of
them; and feature rows of the last quarter, of the same weeks a year before, and of the year before that. Output: one
:class:`Watch`. Pure: no disk, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from scipy.stats import chi2, poisson

from training.cusum import cusum, limit_for
from training.diagnosis import advice_for, suspicions_from
from training.input_drift import input_drift
from training.metrics import Floats
from training.watch_parts import Chart, Early, Period, PhaseScores, Ramps, Watch

WATCHED_DAYS = 30
"""The shortest horizon: its labels are final first."""
FALSE_ALARMS_A_YEAR = 0.5
"""All charts of a model together, were every stated risk true: one false alarm in two years. Two a year are the most
that people bear before they stop looking; the rest is left for a model that is a little off, as all are."""
LEAST_EXPECTED = 5.0
"""Leavers that a group must be expected to have in the whole time for a chart."""
LATE_DAYS = 7.0
FEWEST_RAMPS = 20
"""Accounts in a campaign; of fewer, a third begin late by chance."""
_CLEARLY = 0.01
_SEED = 20240115
ALL = "all accounts"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a watch looks at.

    ``judged`` has account_id, as_of, phase, segment, risk_30, y_30 (null = not final), left_30 (known by now to have
    decided within 30 days). ``now``, ``then`` and ``before`` have phase, health, band and the features. ``starts`` are
    the campaigns planned to begin in the last quarter, as :func:`features.campaign_starts.campaign_starts` tells them.
    """

    judged: pd.DataFrame
    now: pd.DataFrame
    then: pd.DataFrame
    before: pd.DataFrame | None
    starts: pd.DataFrame


def watch(seen: Seen, features: Sequence[tuple[str, str]], *, model_version: str, as_of: datetime) -> Watch:
    """Look at everything; ``features`` are (name, subcategory) of the model."""
    charts, small = _charts(seen.judged)
    drift = input_drift(seen.now, seen.then, seen.before, features)
    ramps = _ramps(seen.starts)
    early = _early(seen.judged)
    found = suspicions_from(charts, drift, ramps, (seen.now, seen.then))
    return Watch(
        model_version=model_version,
        as_of=as_of,
        charts=charts,
        too_small=small,
        early=early,
        scores=tuple(_scores(seen.now, seen.then)),
        features=drift,
        ramps=ramps,
        suspicions=found,
        advice=advice_for(charts, found, early),
    )


def _charts(judged: pd.DataFrame) -> tuple[tuple[Chart, ...], tuple[str, ...]]:
    final = judged[judged["y_30"].notna()]
    final = final[final["as_of"].isin(_apart(final["as_of"]))]
    groups = [(name, rows) for name, rows in _groups(final) if len(rows)]
    large = [(name, _counted(rows)) for name, rows in groups if rows["risk_30"].sum() >= LEAST_EXPECTED]
    small = tuple(name for name, rows in groups if rows["risk_30"].sum() < LEAST_EXPECTED)
    if not large:
        return (), small
    years = max((final["as_of"].max() - final["as_of"].min()).days / 365.25, 0.25)
    chance = 1.0 - float(np.exp(-FALSE_ALARMS_A_YEAR * years))
    limit = limit_for([counts["expected"].to_numpy() for _, counts in large], false_alarms=chance, seed=_SEED)
    return tuple(_chart(name, counts, limit) for name, counts in large), small


def _groups(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield ALL, rows
    for column in ("phase", "segment"):
        for name, part in rows.groupby(column):
            yield f"{column} {name}", part


def _apart(as_ofs: pd.Series) -> list[pd.Timestamp]:
    # Windows of 30 days must not count one leaver twice; four weeks apart they share two days at most.
    chosen: list[pd.Timestamp] = []
    for moment in sorted(as_ofs.unique()):
        if not chosen or moment - chosen[-1] >= timedelta(days=28):
            chosen.append(moment)
    return chosen


def _counted(rows: pd.DataFrame) -> pd.DataFrame:
    per = rows.groupby("as_of", sort=True)
    return pd.DataFrame({"rows": per.size(), "observed": per["y_30"].sum(), "expected": per["risk_30"].sum()})


def _chart(group: str, counts: pd.DataFrame, limit: float) -> Chart:
    observed, expected = counts["observed"].to_numpy(np.float64), counts["expected"].to_numpy(np.float64)
    paths = cusum(observed, expected, limit)
    moments = [moment.to_pydatetime() for moment in counts.index]
    since = paths.onset or 0
    total, stated = float(observed[since:].sum()), float(expected[since:].sum())
    low, high = _poisson_interval(total)
    direction = "" if paths.crossed is None else "more" if paths.crossed == paths.crossed_above else "fewer"
    return Chart(
        group=group,
        periods=tuple(_periods(counts, paths.above, paths.below)),
        limit=limit,
        crossed=None if paths.crossed is None else moments[paths.crossed],
        onset=None if paths.onset is None else moments[paths.onset],
        direction=direction,
        observed=int(total),
        expected=stated,
        ratio=total / stated if stated else None,
        low=low / stated if stated else None,
        high=high / stated if stated else None,
    )


def _periods(counts: pd.DataFrame, above: Floats, below: Floats) -> Iterator[Period]:
    for place, (moment, row) in enumerate(counts.iterrows()):
        yield Period(
            as_of=pd.Timestamp(str(moment)).to_pydatetime(),
            rows=int(row["rows"]),
            observed=int(row["observed"]),
            expected=float(row["expected"]),
            above=float(above[place]),
            below=float(below[place]),
        )


def _poisson_interval(count: float) -> tuple[float, float]:
    low = float(chi2.ppf(0.025, 2 * count) / 2) if count > 0 else 0.0
    return low, float(chi2.ppf(0.975, 2 * (count + 1)) / 2)


def _early(judged: pd.DataFrame) -> Early | None:
    open_rows = judged[judged["y_30"].isna()]
    open_rows = open_rows[open_rows["as_of"].isin(_apart(open_rows["as_of"]))]
    if open_rows.empty:
        return None
    known, stated = int(open_rows["left_30"].sum()), float(open_rows["risk_30"].sum())
    clear = bool(known > 0 and poisson.sf(known - 1, stated) < _CLEARLY)
    return Early(snapshots=int(open_rows["as_of"].nunique()), known=known, stated=stated, alarm=clear)


def _scores(now: pd.DataFrame, then: pd.DataFrame) -> Iterator[PhaseScores]:
    for phase, rows in now.groupby("phase"):
        old = then[then["phase"] == phase]
        yield PhaseScores(
            phase=str(phase),
            rows=len(rows),
            rows_then=len(old),
            health=float(rows["health"].mean()),
            health_then=float(old["health"].mean()) if len(old) else None,
            red_share=float((rows["band"] == "red").mean()),
            red_share_then=float((old["band"] == "red").mean()) if len(old) else None,
        )


def _ramps(starts: pd.DataFrame) -> Ramps:
    """The campaign that most of its accounts began late; where use was not measured, the calendar's word counts."""
    late = (starts["risen_days"].fillna(starts["moved_days"]) > LATE_DAYS).groupby(starts["campaign_id"])
    shares = late.mean()[late.size() >= FEWEST_RAMPS]
    if shares.empty:
        return Ramps(campaign=None, accounts=0, late_share=None)
    worst = str(shares.idxmax())
    return Ramps(campaign=worst, accounts=int(late.size()[worst]), late_share=float(shares[worst]))
