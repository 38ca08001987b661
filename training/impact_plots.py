"""How does the effect of acting look?

Input: an :class:`Impact`. Output: PNG pictures whose titles state the finding.
"""

from __future__ import annotations

import numpy as np

from training.acting import Impact
from training.figure import Picture
from training.impact import Effect
from training.impact_report import change_told, headline, sentence
from training.impact_trend import Trend
from training.plots import BLUE, GREY, ORANGE, as_png, blank_figure, days_of, styled


def impact_pictures(found: Impact) -> tuple[Picture, ...]:
    """The changes between the arms, and the rate over time; what has no numbers is left out."""
    known = [effect for effect in found.effects if effect.change.value is not None]
    with styled():
        drawn = [_changes(found, known)] if known else []
        if found.trend is not None and found.trend.spans:
            drawn.append(_course(found.trend))
    return tuple(drawn)


def _changes(found: Impact, effects: list[Effect]) -> Picture:
    title = headline(found)
    figure = blank_figure(title, (9, 1.9 + 0.6 * len(effects)))
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=1)
    places = np.arange(len(effects))[::-1]
    for place, effect in zip(places, effects, strict=True):
        change = effect.change
        if change.low is not None and change.high is not None:
            axes.plot([change.low, change.high], [place, place], color=BLUE, linewidth=1.8, solid_capstyle="butt")
        axes.plot([change.value or 0], [place], marker="s", markersize=7, color=BLUE)
        axes.annotate(
            f"{change.value:+.0%}", (change.value or 0, place), xytext=(0, 8), textcoords="offset points", ha="center"
        )
    axes.set_yticks(places, [effect.title for effect in effects])
    axes.set(ylim=(-0.6, len(effects) - 0.3), xlabel="worked arm against held-out arm; lines are 95% intervals")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.0%}")
    axes.grid(axis="y", visible=False)
    return Picture(
        name="changes",
        title=title,
        caption="An interval that holds 0 cannot tell an effect from luck.",
        alt=". ".join(sentence(effect) for effect in effects),
        png=as_png(figure),
    )


def _course(trend: Trend) -> Picture:
    title = trend.words.capitalize()
    figure = blank_figure(title, (9, 3.8))
    axes = figure.subplots()
    moments = days_of([span.begin for span in trend.spans])
    axes.plot(
        moments, [span.rate for span in trend.spans], color=GREY, marker="o", markersize=3.5, linewidth=0, label="left"
    )
    axes.plot(moments, [span.stated for span in trend.spans], color=BLUE, linewidth=1.8, label="trend, season and step")
    later = [place for place, span in enumerate(trend.spans) if span.begin >= trend.since]
    axes.plot(
        [moments[place] for place in later],
        [trend.spans[place].without for place in later],
        color=ORANGE,
        linestyle="--",
        linewidth=1.8,
        label="without the step",
    )
    axes.axvline(days_of([trend.since])[0], color=GREY, linestyle=":")
    axes.xaxis_date()
    axes.set(ylabel="leavers per 100 account-years", ylim=(0, 1.3 * max(span.rate for span in trend.spans)))
    axes.legend(loc="upper left", ncols=3)
    first, last = trend.spans[0], trend.spans[-1]
    return Picture(
        name="course",
        title=title,
        caption="Four weeks a point; dotted: when acting began; dashed: as trend and season alone go on.",
        alt=(
            f"{len(trend.spans)} points from {first.begin:%Y-%m-%d} ({first.rate:.1f}) to {last.begin:%Y-%m-%d} "
            f"({last.rate:.1f} leavers per 100 account-years); step {change_told(trend.change)}"
        ),
        png=as_png(figure),
    )
