"""How do points, trends and values at risk look?

Pure: numbers in, one SVG text out, drawn on the server, so that a page needs no script. Every chart has a table with
the same numbers beside it on its page; the SVG itself is hidden from screen readers in favour of that table. No meaning
rests on colour alone, and the colours are told apart by people who do not see red and green alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import altair as alt
import vl_convert

from features.vocabulary import Band, Phase
from serving.explain import SubcategoryPart
from serving.pages.words import BAND_WORDS, PHASE_WORDS

LOWERS, RAISES, INK, QUIET = "#b35806", "#2166ac", "#1f2933", "#52606d"
BAND_COLOURS = {
    Band.RED: "#b2182b",
    Band.AMBER: "#e08214",
    Band.GREEN: "#1b7837",
    Band.UNKNOWN: "#878787",
    Band.LOST_PENDING: "#4d4d4d",
}
PHASE_COLOURS = {
    Phase.PRE: "#abd9e9",
    Phase.ACTIVE: "#fdae61",
    Phase.POST: "#c2a5cf",
    Phase.OFF: "#e4e7eb",
    Phase.NONE: "#f5f7fa",
}
GREEN_FROM, AMBER_FROM = 65, 45
_WIDTH = 560
_ROW = 30


def points_chart(parts: Sequence[SubcategoryPart]) -> str:
    """Bars to the left (lowers health) and to the right (raises it), one per subcategory, with their points."""
    rows = [{"part": part.title, "points": round(part.points, 1)} for part in parts]
    reach = max(8.0, *(abs(part.points) for part in parts)) * 1.25
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("part:N", sort=None, title=None, axis=alt.Axis(labelLimit=200, ticks=False, domain=False)),
        x=alt.X(
            "points:Q", title="points of health against an average account", scale=alt.Scale(domain=[-reach, reach])
        ),
    )
    bars = base.mark_bar(height=16).encode(
        color=alt.condition("datum.points < 0", alt.value(LOWERS), alt.value(RAISES)),
    )
    numbers = base.encode(text=alt.Text("points:Q", format="+.1f"))
    left = numbers.mark_text(align="right", dx=-5, fontSize=13, color=INK).transform_filter("datum.points < 0")
    right = numbers.mark_text(align="left", dx=5, fontSize=13, color=INK).transform_filter("datum.points >= 0")
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=QUIET).encode(x="zero:Q")
    return _svg(alt.layer(bars, left, right, zero), height=_ROW * len(rows))


def trend_chart(told: Sequence[tuple[datetime, float, Phase]]) -> str:
    """Health week by week over the phases of the account; dashed lines part green, amber and red."""
    rows = [
        {
            "from": moment.date().isoformat(),
            "to": (told[place + 1][0] if place + 1 < len(told) else moment).date().isoformat(),
            "health": round(health, 1),
            "phase": PHASE_WORDS[phase],
        }
        for place, (moment, health, phase) in enumerate(told)
    ]
    source = alt.Data(values=rows)
    time = alt.X("from:T", title=None, axis=alt.Axis(format="%-d %b %y", labelAngle=0, tickCount=6))
    shade = (
        alt.Chart(source)
        .mark_rect(opacity=0.55)
        .encode(x=time, x2="to:T", color=_legend("phase", {PHASE_WORDS[p]: c for p, c in PHASE_COLOURS.items()}, rows))
    )
    height = alt.Y("health:Q", title="health (100 = healthy)", scale=alt.Scale(domain=[0, 100]))
    line = (
        alt.Chart(source)
        .mark_line(color=INK, strokeWidth=2.5, point=alt.OverlayMarkDef(color=INK, size=28))
        .encode(x=time, y=height)
    )
    edges = [{"edge": GREEN_FROM, "word": "green from 65"}, {"edge": AMBER_FROM, "word": "red under 45"}]
    rules = alt.Chart(alt.Data(values=edges)).mark_rule(color=QUIET, strokeDash=[5, 4]).encode(y="edge:Q")
    words = (
        alt.Chart(alt.Data(values=edges))
        .mark_text(align="left", dx=4, dy=-6, color=QUIET, fontSize=11)
        .encode(y="edge:Q", x=alt.value(0), text="word:N")
    )
    return _svg(alt.layer(shade, rules, words, line), height=220)


def value_chart(values: Mapping[tuple[Phase, Band], float], currency: str) -> str:
    """Annual value at risk by phase, stacked by band."""
    rows = [
        {"phase": PHASE_WORDS[phase], "band": BAND_WORDS[band], "value": value, "order": list(Band).index(band)}
        for phase in Phase
        for band in Band
        if (value := values.get((phase, band), 0.0)) > 0
    ]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(height=18)
        .encode(
            y=alt.Y("phase:N", sort=[PHASE_WORDS[phase] for phase in Phase], title=None, axis=alt.Axis(labelLimit=220)),
            x=alt.X(
                "value:Q", title=f"{currency} a year at risk within 90 days", axis=alt.Axis(format="~s", tickCount=6)
            ),
            color=_legend("band", {BAND_WORDS[band]: colour for band, colour in BAND_COLOURS.items()}, rows),
            order="order:Q",
        )
    )
    return _svg(chart, height=_ROW * len({row["phase"] for row in rows}))


def _legend(name: str, colours: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Any:
    seen = [word for word in colours if any(row[name] == word for row in rows)]
    scale = alt.Scale(domain=seen, range=[colours[word] for word in seen])
    legend = alt.Legend(title=None, orient="bottom", labelLimit=260, columns=3)
    return alt.Color(f"{name}:N", scale=scale, legend=legend)


def _svg(chart: Any, *, height: int) -> str:
    styled = (
        chart.properties(width=_WIDTH, height=height, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=13, titleFontSize=13, titleFontWeight="normal", labelColor=INK, titleColor=QUIET)
        .configure_axisX(gridColor="#e4e7eb", domain=False)
        .configure_axisY(gridColor="#e4e7eb")
        .configure_legend(labelFontSize=13, labelColor=INK)
    )
    drawn: str = vl_convert.vegalite_to_svg(styled.to_dict())
    return drawn.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
