"""How does an ablation look?

Input: an :class:`Ablation`. Output: one picture: what is lost without each part, what each can do alone, and how years
that were left out are ranked, each with its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.ablation_parts import Ablation
from training.ablation_words import brief, part_name
from training.evaluation_parts import Estimate
from training.figure import Picture
from training.findings import with_interval
from training.plots import BLUE, GREY, as_png, blank_figure, styled

_COIN = 0.5


def ablation_picture(found: Ablation) -> Picture:
    """One panel per question that was asked."""
    panels = _panels(found)
    rows = max(len(lines) for _, lines, _ in panels)
    title = brief(found)[0]
    with styled():
        figure = blank_figure(title, (4.0 * len(panels) + 1.5, 2.0 + 0.45 * rows))
        for axes, (label, lines, middle) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
            _panel(axes, label, lines, middle)
        png = as_png(figure)
    told = "; ".join(
        f"{label}: " + ", ".join(f"{name} {with_interval(estimate, 3)}" for name, estimate in lines)
        for label, lines, _ in panels
    )
    return Picture(
        name="ablation",
        title=title,
        caption="Lines are 95% intervals over redrawn accounts. Left of 0 nothing is lost; at 0.5 a coin does as well.",
        alt=f"Points with intervals. {told}.",
        png=png,
    )


def _panels(found: Ablation) -> list[tuple[str, list[tuple[str, Estimate]], float]]:
    lost = [(part_name(name), arm.lead.auc_window) for name, arm in found.without.items()]
    alone = [(part_name(name), arm.ranking.auc_window) for name, arm in found.alone.items()]
    years = [(name, season.auc_window) for name, season in found.seasons.items()]
    panels = [
        ("AUC lost without it", lost, 0.0),
        ("AUC with nothing else", alone, _COIN),
        ("AUC, year unseen", years, _COIN),
    ]
    return [panel for panel in panels if panel[1]]


def _panel(axes: Any, label: str, lines: Sequence[tuple[str, Estimate]], middle: float) -> None:
    axes.axvline(middle, color=GREY, linewidth=1)
    places = np.arange(len(lines))[::-1]
    for place, (_, estimate) in zip(places, lines, strict=True):
        if estimate.value is None:
            axes.annotate("not known", (middle, place), fontsize=8.5, color=GREY)
            continue
        if estimate.low is not None and estimate.high is not None:
            axes.plot([estimate.low, estimate.high], [place, place], color=BLUE, linewidth=1.6, solid_capstyle="butt")
        axes.plot([estimate.value], [place], marker="s", markersize=6, color=BLUE)
    axes.set_yticks(places, [name for name, _ in lines])
    axes.set_ylim(-0.7, len(lines) - 0.3)
    axes.set_xlabel(label)
    axes.grid(axis="y", visible=False)
