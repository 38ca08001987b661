"""How does profit depend on the share of leavers that a contact saves?

Input: an :class:`Evaluation`. Output: one PNG picture whose title states the finding.
"""

from __future__ import annotations

from typing import Any

from training.evaluation import CHAMPION, Evaluation
from training.figure import Picture
from training.findings import arm_name, number
from training.plots import BLUE, GREY, as_png, blank_figure, percent_axis, styled
from training.profit_parts import ProfitCurve

_LINES = {CHAMPION: (BLUE, "-"), "timing_only": ("#D55E00", "--"), "logistic": ("#009E73", "-.")}


def profit_picture(evaluation: Evaluation) -> Picture | None:
    """Profit of one list over the share of saved leavers; None where it was not computed."""
    profit = evaluation.profit
    if profit is None or any(point.profit.value is None for point in profit.curves[CHAMPION].points):
        return None
    title = profit_finding(profit.curves[CHAMPION])
    with styled():
        figure = blank_figure(title, (8, 4.2))
        axes = figure.subplots()
        for name, curve in profit.curves.items():
            if name in _LINES:
                _draw(axes, name, curve)
        axes.axhline(0, color=GREY, linewidth=1)
        axes.set(xlabel="share of contacted leavers that is saved", ylabel="profit of one list")
        percent_axis(axes.xaxis)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.legend(loc="upper left")
        png = as_png(figure)
    told = [f"{one.save_probability:.0%}: {number(one.profit.value, 0)}" for one in profit.curves[CHAMPION].points]
    return Picture(
        name="profit",
        title=title,
        caption="The shaded band is this model's 95% interval. Below 0 a list costs more than it brings.",
        alt=f"Profit of one list by the share of leavers saved, this model. {'; '.join(told)}.",
        png=png,
    )


def profit_finding(curve: ProfitCurve) -> str:
    """From which saved share on the list surely pays."""
    if curve.break_even is None:
        return "No share of saved leavers up to one half makes the list surely profitable"
    return f"The list surely pays from {curve.break_even:.0%} of contacted leavers saved"


def _draw(axes: Any, name: str, curve: ProfitCurve) -> None:
    color, line = _LINES[name]
    known = [one for one in curve.points if one.profit.value is not None]
    shares = [one.save_probability for one in known]
    axes.plot(shares, [one.profit.value for one in known], line, color=color, linewidth=2, label=arm_name(name))
    if name == CHAMPION:
        ends = [(one.profit.low, one.profit.high) for one in known]
        low, high = ([pair[side] if pair[side] is not None else float("nan") for pair in ends] for side in (0, 1))
        axes.fill_between(shares, low, high, color=color, alpha=0.15, linewidth=0)
