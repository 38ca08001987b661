"""What may have changed, and what is to be done about it?

Input: the charts of matured labels, feature drift against the same phase of last year, ramps. Output: suspicions in
words, and one step of the ladder: intercept, Platt, retrain. A step is the mildest that the evidence allows (domain
4.8). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from training.input_drift import FeatureDrift
from training.ties import ties
from training.watch_parts import ALL, BEFORE, Advice, Cause, Chart, Early, Ramps, Step, Suspicion

INTERCEPT_EVENTS = 20
PLATT_EVENTS = 60
"""Leavers since the onset from which an intercept, and from which a slope too, can be fitted."""
LATE_SHARE = 0.3
"""When so many campaigns start late at once, it is the calendar that is wrong and not the customers."""
COUNTED = "core_events_per_active_seat_w4"
PEOPLE = ("active_seat_ratio_w4", "sessions_per_active_seat_w4", "active_minutes_per_seat_w4")
"""What is counted per person, and what tells that people work as before."""
COLLABORATION, USE = "collab_par_w8", "active_seats_par_w13"
"""What tells of how an account works together, and what it goes with as long as it does."""
_FELL, _STILL = -0.4, 0.2
"""In interquartile ranges: a drop that no season explains, and a move that means nothing."""
_MOVED_SHARE = 0.05
"""Of a hundred features one or two stand elsewhere every year; more of them at once are a sign."""
PRICE = "price_per_seat_change"
"""What tells of a rise in the records themselves: a seat that costs more than before the last renewal."""


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
    return (*found, *_level(charts, features.get(PRICE), explained), *_inputs(drift, explained))


def advice_for(charts: Sequence[Chart], found: Sequence[Suspicion], early: Early | None) -> Advice:
    """One step of the ladder."""
    if not charts:
        return Advice(step=Step.WAIT, sentence="no label is final yet: whether the model holds cannot be said")
    causes = {one.cause for one in found}
    alarmed = [chart for chart in charts if chart.crossed is not None]
    whole = [chart for name in (BEFORE, ALL) for chart in alarmed if chart.group == name]
    if causes & {Cause.INSTRUMENTATION, Cause.LOADING}:
        return Advice(
            step=Step.RETRAIN, sentence="features mean something else than when the model learnt: train again"
        )
    if whole:
        return _refit(whole)
    return _without_a_line(causes, alarmed, early)


def _without_a_line(causes: set[Cause], alarmed: Sequence[Chart], early: Early | None) -> Advice:
    if Cause.CALENDAR in causes:
        return Advice(
            step=Step.OWNER, sentence="propose the new dates with `pulse campaigns shift`; the model itself holds"
        )
    if early is not None and early.alarm:
        return Advice(step=Step.WAIT, sentence="more are leaving than stated, but their labels are not final yet")
    if alarmed:
        return _of_group(alarmed[0])
    if causes:
        return Advice(step=Step.WAIT, sentence="inputs moved, outcomes did not yet: look again when labels are final")
    return Advice(step=Step.NOTHING, sentence="nothing points to a change")


def _refit(alarmed: Sequence[Chart]) -> Advice:
    # A change is put right from its onset on; where too few have left since, the level's alarm may reach further back.
    chart = next((one for one in alarmed if one.final_leavers >= INTERCEPT_EVENTS), alarmed[0])
    left = chart.final_leavers
    if left >= PLATT_EVENTS:
        step, why = Step.PLATT, "enough to fit slope and intercept"
    elif left >= INTERCEPT_EVENTS:
        step, why = Step.INTERCEPT, "enough to fit the intercept"
    else:
        step, why = Step.WAIT, f"fewer than {INTERCEPT_EVENTS}, too few to refit anything: look again in four weeks"
    told = f"{_counts(chart)}; {left} of them are final, {why}"
    return Advice(step=step, sentence=told, since=chart.onset)


def _of_group(chart: Chart) -> Advice:
    # One line for everybody would move those, too, whose risks come true: the gates would refuse it, and rightly.
    told = (
        f"{_counts(chart)}, while all accounts together do as stated: a new line for everybody would not put it right"
    )
    if chart.final_leavers >= PLATT_EVENTS:
        return Advice(step=Step.RETRAIN, sentence=f"{told}; enough have left to learn from: train again")
    return Advice(step=Step.WAIT, sentence=f"{told}; look at these accounts, and train again when more is final")


def _counts(chart: Chart) -> str:
    asked = "were to be expected by the record before" if chart.group == BEFORE else "were stated"
    group = ALL if chart.group == BEFORE else chart.group
    return f"{group}: {chart.observed} left where {chart.expected:.1f} {asked} since {chart.onset:%Y-%m-%d}"


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
    changed = [one for one in ties(now, then, COLLABORATION, USE) if one.changed]
    if changed:
        most = max(changed, key=lambda one: abs(one.deviation))
        how = "less" if abs(most.now) < abs(most.then) else "otherwise"
        yield Suspicion(
            cause=Cause.LOADING,
            sentence=f"in phase {most.phase}, collaboration goes with use {how} than a year ago (rank correlation "
            f"{most.now:.2f}, was {most.then:.2f}): what the model learnt of it holds no more",
        )


def _level(charts: Sequence[Chart], price: FeatureDrift | None, explained: set[Cause]) -> Iterator[Suspicion]:
    by_name = {chart.group: chart for chart in charts}
    changed, whole = by_name.get(BEFORE), by_name.get(ALL)
    dearer = price is not None and price.drifted and (price.shift or 0.0) > 0
    more = changed is not None and changed.direction == "more"
    if changed is not None and more and not explained:
        yield Suspicion(cause=Cause.PRICE, sentence=_dearer(changed, told_in_prices=dearer))
    elif dearer and not explained and whole is not None and (whole.ratio or 0.0) > 1.0:
        yield Suspicion(
            cause=Cause.PRICE,
            sentence=f"seats cost more than in the same phases a year ago, and {_ratio(whole)} of the number stated "
            "left: too few to be sure, but in the direction of a price change",
        )
    elif changed is not None and changed.crossed is not None:
        yield Suspicion(cause=Cause.LEVEL, sentence=_as_told(changed, "of what was usual before"))
    elif whole is not None and whole.crossed is not None:
        yield Suspicion(cause=Cause.LEVEL, sentence=_as_told(whole, "of the number stated"))


def _dearer(changed: Chart, *, told_in_prices: bool) -> str:
    told = _as_told(changed, "of what was usual before")
    if told_in_prices:
        return f"{told}, and seats cost more than a year ago: a price change"
    return f"{told}, while use looks as it did a year ago: a price change, or another event outside of use"


def _as_told(chart: Chart, of: str) -> str:
    return f"{chart.direction} leave since about {chart.onset:%Y-%m-%d}: {_ratio(chart)} {of}"


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
