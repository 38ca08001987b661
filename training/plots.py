"""How does an evaluation look?

Input: an :class:`Evaluation`, or the health points of many accounts. Output: PNG pictures whose titles state the
finding. The only file that speaks to matplotlib and shap; their global settings are put back after each call.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from training.evaluation import CHAMPION, HEALTH, Evaluation
from training.evaluation_parts import Estimate, GroupEvaluation, ReliabilityBin
from training.figure import Picture
from training.findings import (
    arm_name,
    calibration_finding,
    captured,
    gains_finding,
    in_order,
    phase_finding,
    skill_finding,
    with_interval,
)
from training.metrics import Floats

BLUE, _LIGHT_BLUE, ORANGE, _GREEN, GREY = "#0072B2", "#9CC3DD", "#D55E00", "#009E73", "#595959"
"""Okabe and Ito's colours, told apart by colour-blind readers; lines differ in dashes, too."""

_STYLE = {
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
_DPI = 150
_TITLE_CHARACTERS_PER_INCH = 9.8
_ARM_LINES = {CHAMPION: (BLUE, "-"), "timing_only": (ORANGE, "--"), "logistic": (_GREEN, "-.")}
_RATES = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
_RATIOS = (0.33, 0.5, 0.67, 1, 1.5, 2, 3)
_PERCENT = FuncFormatter(lambda value, _: f"{value:.0%}")

Rows = Literal["pooled", "window"]


def evaluation_pictures(evaluation: Evaluation) -> tuple[Picture, ...]:
    """Every plot that the evaluation holds the numbers for; one without numbers is left out."""
    with styled():
        pictures = (_auc(evaluation), _gains(evaluation), _reliability(evaluation), _phases(evaluation))
    return tuple(picture for picture in pictures if picture is not None)


def _auc(evaluation: Evaluation) -> Picture:
    names = [name for name in (CHAMPION, *sorted(evaluation.deltas, reverse=True), HEALTH) if name in evaluation.arms]
    far = [evaluation.arms[name].auc_pooled for name in names]
    near = [evaluation.arms[name].auc_window for name in names]
    figure = blank_figure(skill_finding(evaluation), (8, 1.9 + 0.7 * len(names)))
    axes = figure.subplots()
    places = np.arange(len(names), dtype=np.float64)[::-1]
    _bars_from_coin(axes, places + 0.18, far, color=_LIGHT_BLUE, label="all accounts")
    due = f"decision due in {evaluation.plan.headline_days} days"
    _bars_from_coin(axes, places - 0.18, near, color=BLUE, label=due)
    axes.axvline(0.5, color=GREY, linewidth=1)
    axes.set_yticks(places, [arm_name(name) for name in names])
    axes.set(
        xlim=(min(0.45, *_known_lows(far + near)), 1),
        xlabel="AUC (0.5 = a coin, 1 = perfect order); lines are 95% intervals",
    )
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside lower left", ncols=2)
    rows = zip(names, far, near, strict=True)
    told = [f"{arm_name(name)}: all {with_interval(a)}, due {with_interval(b)}" for name, a, b in rows]
    return Picture(
        name="auc",
        title=skill_finding(evaluation),
        caption="Dark bars are the number that measures insight. Light bars also reward knowing when contracts end.",
        alt=f"Bars of AUC by way of ranking. {'; '.join(told)}.",
        png=as_png(figure),
    )


def _known_lows(estimates: Sequence[Estimate]) -> list[float]:
    return [e.low - 0.02 for e in estimates if e.low is not None] or [0.45]


def _bars_from_coin(axes: Any, places: Floats, estimates: Sequence[Estimate], *, color: str, label: str) -> None:
    known = [(place, e) for place, e in zip(places, estimates, strict=True) if e.value is not None]
    axes.barh([p for p, _ in known], [(e.value or 0) - 0.5 for _, e in known], 0.32, left=0.5, color=color, label=label)
    for place, e in known:
        for color_, width in (("white", 4), ("black", 1.3)):
            axes.plot([e.low, e.high], [place, place], color=color_, linewidth=width, solid_capstyle="butt")
        end = max(e.value or 0.5, e.high or 0.5, 0.5)
        axes.annotate(
            f"{e.value:.2f}", (end, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9.5
        )


def _gains(evaluation: Evaluation) -> Picture | None:
    arms = [name for name in _ARM_LINES if evaluation.gains.get(name)]
    if CHAMPION not in arms:
        return None
    figure = blank_figure(gains_finding(evaluation), (8.6, 4.2))
    everyone, due = figure.subplots(1, 2, sharey=True)
    _gains_panel(everyone, evaluation, arms, "pooled")
    _gains_panel(due, evaluation, arms, "window")
    everyone.set(title="all accounts", ylabel="share of leavers reached")
    due.set_title(f"decision due in {evaluation.plan.headline_days} days")
    due.legend(loc="lower right")
    told = [f"{arm_name(name)} {captured(evaluation, name)}" for name in arms]
    return Picture(
        name="gains",
        title=gains_finding(evaluation),
        caption="The left panel is steep for whatever knows contract dates; the right one shows what is known beyond.",
        alt=f"Cumulative gains. Leavers in the riskiest fifth of accounts that are due: {'; '.join(told)}.",
        png=as_png(figure),
    )


def _gains_panel(axes: Any, evaluation: Evaluation, arms: Sequence[str], rows: Rows) -> None:
    for name in arms:
        curve = evaluation.gains[name].get(rows)
        if curve is not None:
            color, line = _ARM_LINES[name]
            axes.plot(curve.shares, curve.captured, line, color=color, linewidth=2, label=arm_name(name))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="by chance")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="share of accounts called, riskiest first")
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.yaxis.set_major_formatter(_PERCENT)


def _reliability(evaluation: Evaluation) -> Picture | None:
    bins = evaluation.headline.reliability
    if not bins:
        return None
    title = calibration_finding(evaluation.headline.calibration.ratio)
    figure = blank_figure(title, (8, 5))
    axes = figure.subplots()
    top = 1.1 * max(max(b.mean_risk, b.observed_rate, b.high or 0) for b in bins)
    axes.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle="--", label="stated = observed")
    _draw_bins(axes, bins)
    axes.set_xscale("function", functions=(_root, np.square))
    axes.set_yscale("function", functions=(_root, np.square))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([rate for rate in _RATES if rate <= top])
        axis.set_major_formatter(_PERCENT)
    stated = f"stated {evaluation.plan.headline_days}-day risk (mean of the bin)"
    axes.set(xlim=(0, top), ylim=(0, top), xlabel=stated, ylabel="share that left")
    axes.legend(loc="upper left")
    told = [f"stated {b.mean_risk:.1%}, left {b.observed_rate:.1%} of {b.rows} rows" for b in bins]
    return Picture(
        name="reliability",
        title=title,
        caption="On the dashed line as many left as was stated. Bins hold at least 20 expected leavers where there are "
        "enough; bars are 95% intervals over redrawn accounts; both scales are stretched near zero.",
        alt=f"Reliability curve with {len(bins)} bins. {'; '.join(told)}.",
        png=as_png(figure),
    )


def _draw_bins(axes: Any, bins: Sequence[ReliabilityBin]) -> None:
    for b in bins:
        if b.low is not None and b.high is not None:
            axes.plot([b.mean_risk, b.mean_risk], [b.low, b.high], color=BLUE, linewidth=1.5)
    stated, came = [b.mean_risk for b in bins], [b.observed_rate for b in bins]
    axes.plot(stated, came, "o", color=BLUE, markersize=6, clip_on=False, label="accounts, in bins of stated risk")


def _root(values: Floats) -> Floats:
    return np.sqrt(np.clip(values, 0, None))


def _phases(evaluation: Evaluation) -> Picture | None:
    phases = evaluation.phases
    names = in_order(phases)
    if not names:
        return None
    figure = blank_figure(phase_finding(phases), (8, 1.7 + 0.55 * len(names)))
    axes = figure.subplots()
    axes.axvspan(0.67, 1.5, color="#E8F1F7", zorder=0)
    axes.axvline(1, color=GREY, linewidth=1, linestyle="--")
    places = list(range(len(names)))[::-1]
    for place, name in zip(places, names, strict=True):
        _draw_ratio(axes, place, phases[name])
    axes.set_xscale("log")
    axes.set(xlim=(_RATIOS[0], _RATIOS[-1]), ylim=(-0.6, len(names) - 0.4))
    axes.set_xlabel("observed / expected leavers, with 95% interval")
    axes.set_xticks(_RATIOS, [f"{ratio:g}" for ratio in _RATIOS])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(places, [f"{name}\n{phases[name].positives} of {phases[name].rows} rows" for name in names])
    axes.grid(axis="y", visible=False)
    told = [f"{name} {with_interval(phases[name].calibration.ratio)}" for name in names]
    return Picture(
        name="phases",
        title=phase_finding(phases),
        caption="The gate accepts the shaded band (0.67 to 1.5), and beyond it only what chance explains.",
        alt=f"Observed over expected leavers by phase. {'; '.join(told)}.",
        png=as_png(figure),
    )


def _draw_ratio(axes: Any, place: float, group: GroupEvaluation) -> None:
    ratio = group.calibration.ratio
    if ratio.value is None:
        axes.annotate(group.note or ratio.reason, (1.03, place), va="center", color=GREY, fontsize=9.5)
        return
    ends = [_RATIOS[0] / 2 if end is None else max(end, _RATIOS[0] / 2) for end in (ratio.low, ratio.high)]
    axes.plot(ends, [place, place], color=BLUE, linewidth=2)
    axes.plot(max(ratio.value, _RATIOS[0]), place, "o", color=BLUE, markersize=7, clip_on=False)


def days_of(moments: Sequence[datetime]) -> list[float]:
    """Moments as places on an axis of days; the axis is told by ``axes.xaxis_date()``."""
    return [float(date2num(moment)) for moment in moments]


def percent_axis(axis: Any) -> None:
    """Write an axis of shares in percent."""
    axis.set_major_formatter(_PERCENT)


def styled() -> AbstractContextManager[None]:
    """Our style while pictures are drawn; what was set before is put back."""
    return mpl.rc_context(_STYLE)


def blank_figure(title: str, size: tuple[float, float]) -> Figure:
    """A figure of that size in inches with its title in place; to be used inside :func:`styled`."""
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    lines = textwrap.wrap(title, int(size[0] * _TITLE_CHARACTERS_PER_INCH))
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=12, fontweight="bold")
    return figure


def as_png(figure: Figure) -> bytes:
    """The drawn figure as PNG, without the date or the name of the tool."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
