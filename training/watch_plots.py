"""How does a watch over a model look?

Input: a :class:`Watch`. Output: PNG pictures whose titles state the finding.
"""

from __future__ import annotations

from training.figure import Picture
from training.plots import BLUE, GREY, ORANGE, as_png, blank_figure, days_of, styled
from training.watch_parts import Chart, Watch

_SHOWN = 12
_LONGEST_BAR = 4


def watch_pictures(found: Watch, labels: dict[str, str]) -> tuple[Picture, ...]:
    """Leavers stated and counted, the charts' paths, and the features that moved furthest.

    What has no numbers is left out. ``labels`` name features in the words of a customer-success manager.
    """
    with styled():
        drawn = [_counts(found.charts[0]), _paths(found)] if found.charts else []
        if any(one.stability_index is not None for one in found.features):
            drawn.append(_features(found, labels))
    return tuple(drawn)


def _counts(chart: Chart) -> Picture:
    moments = _moments(chart)
    title = (
        f"Of {chart.group}, as many left as was stated"
        if chart.crossed is None
        else f"Of {chart.group}, {chart.direction} left than stated since about {chart.onset:%Y-%m-%d}"
    )
    figure = blank_figure(title, (8, 3.2))
    axes = figure.subplots()
    axes.bar(moments, [period.observed for period in chart.periods], width=16, color=BLUE, label="left within 30 days")
    stated = [period.expected for period in chart.periods]
    axes.plot(moments, stated, color=ORANGE, marker="o", markersize=4, linewidth=1.8, label="stated")
    if chart.crossed is not None:
        axes.axvline(days_of([chart.crossed])[0], color=GREY, linestyle=":", label="alarm")
    axes.xaxis_date()
    highest = max(max(period.observed, period.expected) for period in chart.periods)
    axes.set(ylabel="accounts", ylim=(0, 1.25 * max(highest, 1)))
    axes.legend(loc="upper left", ncols=3)
    alt = "; ".join(f"{p.as_of:%Y-%m-%d}: {p.observed} left, {p.expected:.1f} stated" for p in chart.periods)
    caption = (
        "One bar for each snapshot. Where labels are not final yet, those known so far stand against the part of what "
        "was stated that is usually known by then."
    )
    return Picture(name="counts", title=title, caption=caption, alt=alt, png=as_png(figure))


def _paths(found: Watch) -> Picture:
    alarmed = len(found.alarmed)
    title = f"{alarmed} of {len(found.charts)} charts have an open alarm" if alarmed else "No chart has an open alarm"
    figure = blank_figure(title, (8, 3.4))
    axes = figure.subplots()
    for chart in found.charts:
        moments = _moments(chart)
        loud = chart.crossed is not None
        width, label = (2.0, chart.group) if loud else (0.8, None)
        above, below = [period.above for period in chart.periods], [-period.below for period in chart.periods]
        axes.plot(moments, above, color=ORANGE if loud else GREY, linewidth=width, label=label)
        axes.plot(moments, below, color=BLUE if loud else GREY, linewidth=width)
    for level in (1.0, -1.0):
        axes.axhline(level, color=GREY, linestyle="--", linewidth=1)
    axes.xaxis_date()
    reach = 1.3 * max(1.0, _highest(found))
    axes.set(ylabel="fewer left   |   more left", ylim=(-reach, reach))
    if alarmed:
        axes.legend(loc="upper left")
    names = ", ".join(chart.group for chart in found.alarmed) or "none"
    caption = (
        "Evidence that adds up over time, a line for each chart, in multiples of its limit (dashed). A model whose "
        "every risk is true crosses one of the limits about once a year."
    )
    alt = f"Charts with an open alarm: {names}."
    return Picture(name="paths", title=title, caption=caption, alt=alt, png=as_png(figure))


def _moments(chart: Chart) -> list[float]:
    return days_of([period.as_of for period in chart.periods])


def _highest(found: Watch) -> float:
    return max(max(period.above, period.below) for chart in found.charts for period in chart.periods)


def _features(found: Watch, labels: dict[str, str]) -> Picture:
    known = [one for one in found.features if one.stability_index is not None]
    shown = sorted(known, key=lambda one: -(one.stability_index or 0.0) / one.limit)[:_SHOWN][::-1]
    count = len(found.drifted)
    title = (
        f"{count} of {len(found.features)} features stand elsewhere than in the same phases a year ago"
        if count
        else "The features stand where they stood in the same phases a year ago"
    )
    figure = blank_figure(title, (8, 1.2 + 0.32 * len(shown)))
    axes = figure.subplots()
    ratio = [min((one.stability_index or 0.0) / one.limit, _LONGEST_BAR) for one in shown]
    colors = [ORANGE if one.drifted else BLUE for one in shown]
    axes.barh([labels.get(one.feature, one.feature) for one in shown], ratio, color=colors)
    axes.axvline(1.0, color=GREY, linestyle="--", linewidth=1)
    axes.set(xlabel="difference, in multiples of its limit")
    axes.grid(visible=False, axis="y")
    told = "; ".join(f"{labels.get(one.feature, one.feature)} {one.stability_index:.2f}" for one in reversed(shown))
    caption = f"The twelve that moved furthest, each against its own limit. Bars end at {_LONGEST_BAR} times the limit."
    alt = f"Stability index: {told}."
    return Picture(name="features", title=title, caption=caption, alt=alt, png=as_png(figure))
