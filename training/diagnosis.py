"""What may have changed, and what is to be done about it?

Input: the charts of matured labels, feature drift against the same phase of last year, ramps. Output: suspicions in
words, and one step of the ladder: intercept, Platt, retrain. A step is the mildest that the evidence allows (domain
4.8). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from training.input_drift import LEAST_ROWS, FeatureDrift
from training.watch_parts import Advice, Cause, Chart, Early, Ramps, Step, Suspicion

INTERCEPT_EVENTS = 20
PLATT_EVENTS = 60
"""Leavers since the onset from which an intercept, and from which a slope too, can be fitted."""
LATE_SHARE = 0.3
"""When so many campaigns start late at once, it is the calendar that is wrong and not the customers."""
COUNTED = "core_events_per_active_seat_w4"
PEOPLE = ("active_seat_ratio_w4", "sessions_per_active_seat_w4", "active_minutes_per_seat_w4")
"""What is counted per person, and what tells that people work as before."""
COLLABORATION = "collab_par_w8"
_FELL, _STILL = -0.4, 0.2
"""In interquartile ranges: a drop that no season explains, and a move that means nothing."""
_WIDER, _NARROWER = 1.25, 0.85
_MOVED_SHARE = 0.05
"""Of a hundred features one or two stand elsewhere every year; more of them at once are a sign."""
ALL = "all accounts"


def suspicions_from(
    charts: Sequence[Chart],
    drift: Sequence[FeatureDrift],
    ramps: Ramps,
    rows: tuple[pd.DataFrame, pd.DataFrame],
) -> tuple[Suspicion, ...]:
    """Every cause that the evidence speaks for; ``rows`` are the feature rows now and a year before."""
    features = {one.feature: one for one in drift}
    found = [*_calendar(ramps), *_instrumentation(features), *_loading(*rows)]
    explained = {one.cause for one in found}
    return (*found, *_level(charts, explained), *_inputs(drift, explained))


def advice_for(charts: Sequence[Chart], found: Sequence[Suspicion], early: Early | None) -> Advice:
    """One step of the ladder."""
    if not charts:
        return Advice(step=Step.WAIT, sentence="no label is final yet: whether the model holds cannot be said")
    causes = {one.cause for one in found}
    alarmed = [chart for chart in charts if chart.crossed is not None]
    if causes & {Cause.INSTRUMENTATION, Cause.LOADING}:
        return Advice(
            step=Step.RETRAIN, sentence="features mean something else than when the model learnt: train again"
        )
    if alarmed:
        return _refit(next((chart for chart in alarmed if chart.group == ALL), alarmed[0]))
    return _before_labels(causes, early)


def _before_labels(causes: set[Cause], early: Early | None) -> Advice:
    if Cause.CALENDAR in causes:
        return Advice(
            step=Step.OWNER, sentence="propose the new dates with `pulse campaigns shift`; the model itself holds"
        )
    if early is not None and early.alarm:
        return Advice(step=Step.WAIT, sentence="more are leaving than stated, but their labels are not final yet")
    if Cause.INPUTS in causes:
        return Advice(step=Step.WAIT, sentence="inputs moved, outcomes did not yet: look again when labels are final")
    return Advice(step=Step.NOTHING, sentence="nothing points to a change")


def _refit(chart: Chart) -> Advice:
    told = f"{chart.group}: {chart.observed} left where {chart.expected:.1f} were stated since {chart.onset:%Y-%m-%d}"
    if chart.observed >= PLATT_EVENTS:
        return Advice(step=Step.PLATT, sentence=f"{told}: enough leavers to fit slope and intercept")
    if chart.observed >= INTERCEPT_EVENTS:
        return Advice(step=Step.INTERCEPT, sentence=f"{told}: enough leavers to fit the intercept")
    return Advice(step=Step.WAIT, sentence=f"{told}: fewer than {INTERCEPT_EVENTS} leavers, too few to refit anything")


def _calendar(ramps: Ramps) -> Iterator[Suspicion]:
    if ramps.late_share is not None and ramps.late_share >= LATE_SHARE:
        yield Suspicion(
            cause=Cause.CALENDAR,
            sentence=f"the calendar looks wrong: {ramps.late_share:.0%} of {ramps.accounts} accounts began "
            f"{str(ramps.campaign).replace('_', ' ')} more than a week after the day that was planned",
        )


def _instrumentation(features: dict[str, FeatureDrift]) -> Iterator[Suspicion]:
    counted = features.get(COUNTED)
    people = [features[name].shift for name in PEOPLE if name in features]
    known = [shift for shift in people if shift is not None]
    if counted is None or counted.shift is None or not known:
        return
    if counted.shift <= _FELL and all(abs(shift) <= _STILL for shift in known):
        yield Suspicion(
            cause=Cause.INSTRUMENTATION,
            sentence="fewer core actions are counted while as many people work as long as a year ago: "
            "it is the counting that changed",
        )


def _loading(now: pd.DataFrame, then: pd.DataFrame) -> Iterator[Suspicion]:
    # A signal that moves from one phase to another spreads accounts out in the one and draws them together in the
    # other.
    active, post = (_spread(now, then, phase) for phase in ("active", "post"))
    if active is None or post is None:
        return
    if post >= _WIDER and active <= _NARROWER:
        yield Suspicion(
            cause=Cause.LOADING,
            sentence="after campaigns, collaboration now tells accounts apart, and in campaigns it no longer does: "
            "what the model learnt of it holds no more",
        )


def _spread(now: pd.DataFrame, then: pd.DataFrame, phase: str) -> float | None:
    fresh, old = (rows.loc[rows["phase"] == phase, COLLABORATION].dropna() for rows in (now, then))
    if min(len(fresh), len(old)) < LEAST_ROWS:
        return None
    widths = [float(np.subtract(*np.quantile(values, [0.75, 0.25]))) for values in (fresh, old)]
    return widths[0] / widths[1] if widths[1] > 0 else None


def _level(charts: Sequence[Chart], explained: set[Cause]) -> Iterator[Suspicion]:
    whole = next((chart for chart in charts if chart.group == ALL and chart.crossed is not None), None)
    if whole is None:
        return
    told = (
        f"{whole.direction} leave than stated since about {whole.onset:%Y-%m-%d}: {_ratio(whole)} of the number stated"
    )
    if whole.direction == "more" and not explained:
        yield Suspicion(
            cause=Cause.PRICE,
            sentence=f"{told}, while use looks as it did a year ago: a price change, or another event outside of use",
        )
    else:
        yield Suspicion(cause=Cause.LEVEL, sentence=told)


def _ratio(chart: Chart) -> str:
    return "-" if chart.ratio is None else f"{chart.ratio:.2f} ({chart.low:.2f} to {chart.high:.2f})"


def _inputs(drift: Sequence[FeatureDrift], explained: set[Cause]) -> Iterator[Suspicion]:
    moved = [one for one in drift if one.drifted]
    if len(moved) >= _MOVED_SHARE * len(drift) and moved and not explained:
        parts = pd.Series([one.subcategory for one in moved]).value_counts()
        told = ", ".join(f"{count} of {part}" for part, count in parts.items())
        yield Suspicion(
            cause=Cause.INPUTS,
            sentence=f"{len(moved)} of {len(drift)} features moved since the same phases a year ago: {told}",
        )
