"""Do words, drawn places and colours keep what they promise?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.vocabulary import WEEK, Band, Phase
from serving.assessment import Facts
from serving.ledger import Channel, Entry
from serving.pages import charts, words
from serving.pages.charts import Bar, Dot, Ground, Stroke, Tick
from tests.serving.pages_case import MONDAY, assessment
from training.config import ScoreScale

STYLE = Path(words.__file__).parent / "static" / "pulse.css"
SHAPES = Path(words.__file__).parent / "templates" / "_shapes.html"


def entry(weeks_before: float, health: float = 60.0, **score: Any) -> Entry:
    told = assessment(as_of=MONDAY - weeks_before * WEEK, health=health, **score)
    facts = Facts(None, None, None, None, None, None, None, None)
    return Entry(1, "a", told.as_of, told.score, facts, 0.0, "d", None, Channel.BATCH, told.as_of)


def number(percent: str) -> float:
    return float(percent.removesuffix("%"))


def test_the_bands_begin_where_training_lets_them_begin() -> None:
    assert (ScoreScale().amber_from, ScoreScale().green_from) == (words.AMBER_FROM, words.GREEN_FROM)


@given(health=st.floats(0, 100))
def test_a_health_is_shown_to_a_tenth_and_always_in_its_own_band(health: float) -> None:
    shown = words.tenths(health)
    assert abs(shown - health) < 0.1
    assert f"{shown:.1f}" == str(shown)
    for edge in (words.AMBER_FROM, words.GREEN_FROM):
        assert (shown >= edge) == (health >= edge)


def test_words_exist_for_every_band_phase_and_grade() -> None:
    assert set(words.BAND_NAMES) == set(words.BAND_MEANINGS) == set(Band)
    assert set(words.PHASE_NAMES) == set(words.PHASE_ADVICE) == set(Phase)
    assert set(words.GRADE_WORDS) == set("ABCD")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (words.money(12_400.4, "USD"), "USD\xa012,400"),
        (words.money(0.0, "EUR"), "EUR\xa00"),
        (words.money(5.0, None), "5"),
        (words.money(None, "USD"), "not known"),
        (words.points(-4.25), "\u22124.2"),
        (words.points(4.0), "+4.0"),
        (words.points(-0.04), "0.0"),
        (words.whole_change(-7.2), "\u22127"),
        (words.whole_change(-0.5), "0"),
        (words.whole_change(0.51), "+1"),
        (words.share(0.25), "25\xa0%"),
        (words.share(0.0994), "9.9\xa0%"),
        (words.share(0.0996), "10\xa0%"),
        (words.share(0.0098), "1.0\xa0%"),
        (words.share(0.0004), "under\xa00.1\xa0%"),
        (words.share(0.0), "0.0\xa0%"),
        (words.share(1.0), "100\xa0%"),
        (words.typeset("-3 of -12 %"), "\u22123 of \u221212\xa0%"),
        (words.typeset("2024-04-15, acc-1, 2-3, well-known"), "2024-04-15, acc-1, 2-3, well-known"),
        (words.counted(1, "account"), "1\xa0account"),
        (words.counted(1_200, "score"), "1,200\xa0scores"),
        (words.listed([]), ""),
        (words.listed("abcd"), "a, b, c, d"),
        (words.listed("abcde", most=2), "a, b and 3 more"),
        (words.day(date(2024, 4, 5)), "5\xa0April\xa02024"),
        (words.short_day(date(2024, 4, 5)), "5\xa0Apr\xa02024"),
        (words.segment_name("vfx"), "vfx"),
    ],
)
def test_words_are_written_so(written: str, expected: str) -> None:
    assert written == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [(-1, "passed"), (0, "today"), (1, "tomorrow"), (2, "in 2 days"), (13, "in 13 days"), (14, "in 2 weeks")],
)
def test_how_far_a_decision_is_is_told_in_days_and_then_in_weeks(days: int, expected: str) -> None:
    today = date(2024, 2, 28)
    assert words.until(today + timedelta(days=days), today).replace("\xa0", " ") == expected


@given(values=st.lists(st.floats(-60, 60), min_size=1, max_size=9))
def test_bars_are_as_long_as_their_values_and_on_their_side(values: list[float]) -> None:
    reach = max(charts.LEAST_REACH, *(abs(value) for value in values))
    for value, bar in zip(values, charts.diverging(values), strict=True):
        start, length = number(bar.start), number(bar.length)
        assert abs(length - 50 * abs(value) / reach) <= 0.006
        assert abs((start + length if value < 0 else start) - 50) <= 0.011


@given(amounts=st.lists(st.floats(0, 1e9), min_size=1, max_size=4), more=st.floats(1, 3))
def test_stacked_bars_follow_each_other_and_share_one_scale(amounts: list[float], more: float) -> None:
    longest = sum(amounts) * more
    bars = charts.stacked(amounts, longest)
    for earlier, later in pairwise(bars):
        assert abs(number(earlier.start) + number(earlier.length) - number(later.start)) <= 0.016
    for amount, bar in zip(amounts, bars, strict=True):
        assert abs(number(bar.length) - (100 * amount / longest if longest else 0)) <= 0.006


def test_a_trend_has_scores_phases_dates_and_model_changes_in_their_places() -> None:
    told = [
        entry(3, 80.0, phase=Phase.PRE, model_version="1"),
        entry(2, 64.98, phase=Phase.ACTIVE, model_version="1"),
        entry(0, 30.0, phase=Phase.ACTIVE, model_version="2"),
    ]
    drawn = charts.trend(told)
    first, second, third = drawn.dots
    assert drawn.dots == (
        Dot("0.00%", "20.00%", "25\xa0March\xa02024: 80.0"),
        Dot("25.00%", "35.02%", "1\xa0April\xa02024: 64.9"),
        Dot("75.00%", "70.00%", "15\xa0April\xa02024: 30.0"),
    )
    assert drawn.strokes == (Stroke(first, second, gap=False), Stroke(second, third, gap=True))
    assert drawn.grounds == (
        Ground(Bar("0.00%", "25.00%"), Phase.PRE),
        Ground(Bar("25.00%", "75.00%"), Phase.ACTIVE),
    )
    assert (drawn.phases, drawn.new_models, drawn.has_gaps) == ([Phase.PRE, Phase.ACTIVE], ("75.00%",), True)
    assert (drawn.green_from, drawn.amber_from) == ("35.00%", "55.00%")
    assert drawn.ticks == (Tick("0.00%", "25\xa0Mar\xa02024"), Tick("100.00%", "22\xa0Apr\xa02024"))


@pytest.mark.parametrize("weeks", [1, 2, 5, 9, 13, 26, 30, 52, 60, 120, 400])
def test_a_time_axis_has_few_dates_evenly_spread(weeks: int) -> None:
    ticks = charts.trend([entry(weeks), entry(0)]).ticks
    places = [number(tick.x) for tick in ticks]
    assert 1 <= len(ticks) <= 4
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] <= 100
    gaps = [later - earlier for earlier, later in pairwise(places)]
    assert not gaps or max(gaps) <= 1.3 * min(gaps)


def test_phases_lie_side_by_side_over_the_whole_trend() -> None:
    phases = list(Phase)
    told = [entry(40 - week, phase=phases[week * 7 // 11 % 5]) for week in range(41)]
    grounds = charts.trend(told).grounds
    assert (grounds[0].bar.start, number(grounds[-1].bar.start) + number(grounds[-1].bar.length)) == ("0.00%", 100)
    for earlier, later in pairwise(grounds):
        assert abs(number(earlier.bar.start) + number(earlier.bar.length) - number(later.bar.start)) <= 0.011
        assert earlier.phase is not later.phase


def test_text_stands_out_from_its_ground_as_wcag_asks() -> None:
    pairs = dict(_text_on_ground())
    assert len(pairs) > 12
    assert {rule: round(_contrast(*found), 2) for rule, found in pairs.items() if _contrast(*found) < 4.5} == {}


def test_shapes_that_mean_something_stand_out_from_white() -> None:
    colours = _variables()
    drawn = {name: colours[name] for name in ("red", "amber", "green", "grey", "lowers", "raises", "link", "ink")}
    assert {name: colour for name, colour in drawn.items() if _contrast(colour, "#ffffff") < 3} == {}


def test_the_line_of_the_trend_stands_out_from_every_ground_it_crosses() -> None:
    grounds = re.findall(r"#[0-9a-f]{6}", SHAPES.read_text().partition('"pre"')[2].partition("%}")[0])
    grounds += re.findall(r'id="(?:pre|post)-.*?fill="(#[0-9a-f]{6})".*?fill="(#[0-9a-f]{6})"', SHAPES.read_text())[0]
    assert len(grounds) >= 4
    assert min(_contrast(_variables()["ink"], ground) for ground in grounds) >= 3


def test_the_colours_of_the_shapes_are_those_of_the_style_sheet() -> None:
    fills = dict(re.findall(r'"(\w+)": "(#[0-9a-f]{6})"', SHAPES.read_text()))
    colours = _variables()
    assert (fills["red"], fills["green"]) == (colours["red"], colours["green"])
    assert f'fill="{colours["amber"]}"' in SHAPES.read_text()
    assert f'fill="{colours["grey"]}"' in SHAPES.read_text()


def _variables() -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", STYLE.read_text()))


def _text_on_ground() -> Iterator[tuple[str, tuple[str, str]]]:
    """Every colour of text the style sheet gives, on the ground of its rule and on both grounds of the page."""
    colours = _variables()

    def value(block: str, name: str) -> str | None:
        found = re.search(rf"(?:^|[;{{ ]){name}: (?:var\(--([a-z-]+)\)|(#[0-9a-f]{{6}}))", block)
        return (colours[found[1]] if found[1] else found[2]) if found else None

    for selector, block in re.findall(r"([^{}]+)\{([^{}]*)\}", STYLE.read_text()):
        text = value(block, "color") or (value(block, "fill") if "text" in selector else None)
        if text:
            own = value(block, "background")
            for ground in [own] if own else [colours["paper"], colours["ground"]]:
                yield f"{selector.strip()} on {ground}", (text, ground)


def _contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2: (L1 + 0.05) / (L2 + 0.05) of the relative luminances."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
