"""Does the live model still hold?

Input grain: one row per account and snapshot that the model did not learn from, with stated risks and what became of
them; and feature rows of the last quarter, of the same weeks a year before, and of the year before that. Output: one
:class:`Watch`. Pure: no disk, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
from scipy.stats import poisson

from training.charts import PERIOD_DAYS, keep_charts
from training.diagnosis import advice_for, suspicions_from
from training.input_drift import input_drift
from training.metrics import Floats
from training.watch_parts import (
    ALARM,
    ALL,
    BEFORE,
    SUSPICION,
    Chart,
    Early,
    Finding,
    PhaseScores,
    Ramps,
    Suspicion,
    Watch,
)

LATE_DAYS = 7.0
FEWEST_RAMPS = 20
"""Accounts in a campaign; of fewer, a third begin late by chance."""
_CLEARLY = 0.01


@dataclass(frozen=True, slots=True)
class Seen:
    """What a watch looks at.

    ``judged`` has account_id, as_of, phase, segment, risk_30, y_30 (null = not final), left_30 (known by now to have
    decided within 30 days). ``now``, ``then`` and ``before`` have phase, health, band and the features. ``starts`` are
    the campaigns planned to begin in the last quarter, as :func:`features.campaign_starts.campaign_starts` tells them.
    ``lags`` are the days from each decision that is long final to its record, as :mod:`training.maturing` asks.
    """

    judged: pd.DataFrame
    now: pd.DataFrame
    then: pd.DataFrame
    before: pd.DataFrame | None
    starts: pd.DataFrame
    lags: Floats


def watch(seen: Seen, features: Sequence[tuple[str, str]], *, model_version: str, as_of: datetime) -> Watch:
    """Look at everything; ``features`` are (name, subcategory) of the model."""
    kept = keep_charts(seen.judged, seen.lags, as_of)
    drift = input_drift(seen.now, seen.then, seen.before, features)
    ramps = _ramps(seen.starts)
    early = _early(seen.judged, kept.charts)
    found = suspicions_from(kept.charts, drift, ramps, (seen.now, seen.then))
    return Watch(
        model_version=model_version,
        as_of=as_of,
        charts=kept.charts,
        too_small=kept.too_small,
        visible=kept.visible,
        early=early,
        scores=tuple(_scores(seen.now, seen.then)),
        features=drift,
        ramps=ramps,
        suspicions=found,
        advice=advice_for(kept.charts, found, early),
        findings=tuple(Finding(name=name, since=as_of) for name in _findings(kept.charts, found, early)),
    )


def _findings(charts: Sequence[Chart], found: Sequence[Suspicion], early: Early | None) -> Iterator[str]:
    if not charts:
        yield "no final labels"
    alarmed = [chart for chart in charts if chart.crossed is not None]
    # The two charts of all accounts tell of one thing, and a group that moves as all accounts do is part of it.
    everywhere = sorted({chart.direction for chart in alarmed if chart.group in (ALL, BEFORE)})
    yield from (f"{ALARM}{ALL}: {direction}" for direction in everywhere)
    for chart in alarmed:
        if chart.group not in (ALL, BEFORE) and chart.direction not in everywhere:
            yield f"{ALARM}{chart.group}: {chart.direction}"
    yield from (f"{SUSPICION}{one.cause}" for one in found)
    if early is not None and early.alarm:
        yield "early leavers"


def _early(judged: pd.DataFrame, charts: Sequence[Chart]) -> Early | None:
    charted = [pd.Timestamp(period.as_of) for period in charts[0].periods] if charts else []
    young = judged.groupby("as_of")["y_30"].transform(lambda labels: labels.isna().all())
    apart = timedelta(days=PERIOD_DAYS)
    chosen: list[pd.Timestamp] = []
    for moment in sorted(judged.loc[young, "as_of"].unique()):
        if all(moment - other >= apart for other in (*charted[-1:], *chosen[-1:])):
            chosen.append(moment)
    open_rows = judged[young & judged["as_of"].isin(chosen)]
    if open_rows.empty:
        return None
    known, stated = int(open_rows["left_30"].sum()), float(open_rows["risk_30"].sum())
    clear = bool(known > 0 and poisson.sf(known - 1, stated) < _CLEARLY)
    return Early(snapshots=len(chosen), known=known, stated=stated, alarm=clear)


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
