"""How does a comparison look?

Input: a comparison. Output: one forest plot per way of grading: a line for each arm compared with and each slice, its
interval, and the effect asked for on both sides of 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.experiment import METRICS, SLICES, Comparison, Metric
from training.experiment_words import Slices, gain_told, signed
from training.figure import Picture
from training.plots import BLUE, GREY, as_png, blank_figure, styled

_LIGHT = "#E8EEF3"


def forest(comparison: Comparison, *, truth: bool = False) -> Picture:
    """Gains of the first arm over every other, per metric and slice; with ``truth`` graded with true chances."""
    slices = comparison.truth if truth else comparison.slices
    if slices is None:
        raise ValueError("this comparison was not graded with true chances")
    others = list(comparison.arms)[1:]
    lines = [(name, other) for other in others for name in slices]
    finding = comparison.findings[1 if truth else 0].split(". ")[0]
    with styled():
        figure = blank_figure(finding, (11.5, 2.2 + 0.42 * len(lines)))
        for axes, metric in zip(figure.subplots(1, len(METRICS), sharey=True), METRICS, strict=True):
            _panel(axes, comparison, slices, metric, lines)
        figure.axes[0].set_yticks(
            np.arange(len(lines))[::-1], [f"{comparison.arms[other].title}\n{SLICES[name]}" for name, other in lines]
        )
        png = as_png(figure)
    told = [
        f"{comparison.arms[other].title}, {SLICES[name]}: {gain_told(slices[name].contrasts[other]['ap'], 'ap')}"
        for name, other in lines
    ]
    how = "true chances" if truth else "outcomes"
    return Picture(
        name="forest_truth" if truth else "forest",
        title=finding,
        caption=f"Gain of {comparison.arms[comparison.first_arm].title} over each other arm, graded with {how}; "
        "right of 0 is better. Lines are 95% intervals over redrawn accounts; the band is the effect asked for.",
        alt=f"Forest plot of gains. {'; '.join(told)}.",
        png=png,
    )


def _panel(axes: Any, comparison: Comparison, slices: Slices, metric: Metric, lines: list[tuple[Any, str]]) -> None:
    effect = comparison.plan.effect(metric)
    axes.axvspan(-effect, effect, color=_LIGHT, linewidth=0)
    axes.axvline(0, color=GREY, linewidth=1)
    for place, (name, other) in zip(np.arange(len(lines))[::-1], lines, strict=True):
        gain = slices[name].contrasts[other][metric].gain
        if gain.value is None:
            continue
        if gain.low is not None and gain.high is not None:
            axes.plot([gain.low, gain.high], [place, place], color=BLUE, linewidth=1.6, solid_capstyle="butt")
        axes.plot([gain.value], [place], marker="s", markersize=6, color=BLUE)
        axes.annotate(
            signed(gain.value, metric),
            (gain.value, place),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
        )
    axes.set_xlabel(f"gain in {METRICS[metric]}")
    axes.set_ylim(-0.7, len(lines) - 0.3)
    axes.grid(axis="y", visible=False)
