"""How does a replay trial look?

Input: a :class:`Pilot`. Output: PNG pictures whose titles state the finding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.evaluation import CHAMPION
from training.evaluation_parts import Estimate
from training.figure import Picture
from training.findings import arm_name, with_interval
from training.pilot_parts import RENEWAL_DATE, Pilot
from training.plots import BLUE, GREY, as_png, blank_figure, percent_axis, styled

ORDER = (CHAMPION, "health", "timing_only", RENEWAL_DATE)
"""This model first, the simplest policy last."""
_LINES = {
    CHAMPION: (BLUE, "-"),
    "health": ("#56B4E9", "--"),
    "timing_only": ("#D55E00", "-."),
    RENEWAL_DATE: (GREY, ":"),
}
_EARLY_DAYS = 56


def pilot_pictures(pilot: Pilot) -> tuple[Picture, ...]:
    """How early, and how often right; nothing to draw where nobody left in time."""
    if not pilot.leavers:
        return ()
    with styled():
        return _leads(pilot), _shares(pilot)


def early_finding(pilot: Pilot) -> str:
    """Early detection of this model against the renewal-date rule and against timing alone, in one sentence."""
    told = {name: _percent(pilot.policies[name].early_before_decision) for name in pilot.policies}
    return (
        f"8 weeks before they decided, this model had alerted {told[CHAMPION]} of the leavers, "
        f"timing alone {told['timing_only']}, the renewal-date rule {told[RENEWAL_DATE]}"
    )


def _percent(estimate: Estimate) -> str:
    return "an unknown share" if estimate.value is None else f"{estimate.value:.0%}"


def _leads(pilot: Pilot) -> Picture:
    title = early_finding(pilot)
    figure = blank_figure(title, (8, 4.4))
    axes = figure.subplots()
    for name in _present(pilot):
        color, line = _LINES[name]
        axes.step(
            pilot.lead_curve_days, pilot.lead_curves[name], line, where="post", color=color, lw=2, label=arm_name(name)
        )
    axes.axvline(_EARLY_DAYS, color=GREY, linewidth=1)
    axes.annotate("8 weeks", (_EARLY_DAYS, 1.0), xytext=(4, -2), textcoords="offset points", va="top", fontsize=9.5)
    axes.set(xlim=(180, 0), ylim=(0, 1.02), xlabel="days before the decision", ylabel="leavers alerted by then")
    percent_axis(axes.yaxis)
    axes.legend(loc="upper left")
    place = int(np.searchsorted(pilot.lead_curve_days, _EARLY_DAYS))
    told = [f"{arm_name(name)} {pilot.lead_curves[name][place]:.0%}" for name in _present(pilot)]
    return Picture(
        name="leads",
        title=title,
        caption="Time runs to the right, towards the decision at 0. Only alerts at most 26 weeks before count.",
        alt=f"Share of leavers alerted by the days left. With 8 weeks left: {'; '.join(told)}.",
        png=as_png(figure),
    )


def _shares(pilot: Pilot) -> Picture:
    measures = {
        "precision": "alerts that were right",
        "recall": "leavers alerted at all",
        "early_before_decision": "leavers alerted 8 weeks before they decided",
        "early_before_end": "leavers alerted 13 weeks before their last day",
    }
    title = f"Every policy raised about {pilot.alerts_per_four_weeks:.0f} new alerts in four weeks"
    figure = blank_figure(title, (8.6, 5.2))
    axes = figure.subplots()
    names = _present(pilot)
    for number, name in enumerate(names):
        offset = 0.27 - 0.18 * number
        _marks(axes, name, [getattr(pilot.policies[name], measure) for measure in measures], offset)
    places = np.arange(len(measures), dtype=np.float64)[::-1]
    axes.set_yticks(places, list(measures.values()))
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(measures) - 0.4), xlabel="share; lines are 95% intervals")
    percent_axis(axes.xaxis)
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside lower left", ncols=len(names))
    told = [f"{arm_name(name)}: right {with_interval(pilot.policies[name].precision)}" for name in names]
    return Picture(
        name="shares",
        title=title,
        caption="The same accounts, the same weeks, the same number of alerts: only the choice differs.",
        alt=f"Shares by policy. {'; '.join(told)}.",
        png=as_png(figure),
    )


def _marks(axes: Any, name: str, estimates: list[Estimate], offset: float) -> None:
    color, _ = _LINES[name]
    known = [(len(estimates) - 1 - n + offset, e) for n, e in enumerate(estimates) if e.value is not None]
    for place, e in known:
        if e.low is not None and e.high is not None:
            axes.plot([e.low, e.high], [place, place], color=color, linewidth=1.6)
    axes.plot([e.value for _, e in known], [place for place, _ in known], "o", color=color, label=arm_name(name))


def _present(pilot: Pilot) -> list[str]:
    return [name for name in ORDER if name in pilot.policies]
