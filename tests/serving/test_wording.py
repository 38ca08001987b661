from __future__ import annotations

import math

import pytest

from features.catalogue import FEATURES, Style
from serving.wording import NOT_KNOWN, signed_points, written, written_range, written_share


@pytest.mark.parametrize(
    ("value", "style", "words"),
    [
        (0.37, Style.SHARE, "37 %"),
        (0.004, Style.SHARE, "0.4 %"),
        (0.0, Style.SHARE, "0 %"),
        (1.0, Style.SHARE, "100 %"),
        (-0.0001, Style.SHARE, "0.0 %"),
        (0.1234, Style.NUMBER, "0.12"),
        (0.5, Style.NUMBER, "0.5"),
        (-0.25, Style.NUMBER, "-0.25"),
        (12.34, Style.NUMBER, "12.3"),
        (1234.5, Style.NUMBER, "1,234"),
        (100.0, Style.NUMBER, "100"),
        (0.0, Style.NUMBER, "0"),
        (-0.0, Style.NUMBER, "0"),
        (3.0, Style.COUNT, "3"),
        (2.5, Style.COUNT, "2.5"),
        (12000.0, Style.COUNT, "12,000"),
        (1.0, Style.DAYS, "1 day"),
        (12.0, Style.DAYS, "12 days"),
        (0.0, Style.DAYS, "0 days"),
        (0.96, Style.HOURS, "1.0 hours"),
        (5.5, Style.HOURS, "5.5 hours"),
        (1.0, Style.WEEKS, "1 week"),
        (52.0, Style.WEEKS, "52 weeks"),
        (12.0, Style.MONTHS, "12 months"),
        (90.0, Style.MINUTES, "90 minutes"),
        (math.log(1.12), Style.LOG_RATIO, "+12 %"),
        (math.log(0.7), Style.LOG_RATIO, "-30 %"),
        (0.0, Style.LOG_RATIO, "0 %"),
        (-0.001, Style.LOG_RATIO, "0 %"),
        (-50.0, Style.LOG_CHANGE, "-100 %"),
        (math.log(15), Style.LOG_CHANGE, "+1,400 %"),
        (math.log(46_912.5), Style.LOG_AMOUNT, "46,912"),
        (0.0, Style.LOG_AMOUNT, "1.0"),
        (math.log(7.25), Style.LOG_AMOUNT, "7.2"),
        (800.0, Style.LOG_CHANGE, "more than +99,900 %"),
        (1.0, Style.YES_NO, "yes"),
        (0.0, Style.YES_NO, "no"),
        (0.5, Style.YES_NO, "half of them"),
        ("post", Style.TEXT, "post"),
    ],
)
def test_a_value_is_written_in_its_style(value: float | str, style: Style, words: str) -> None:
    assert written(value, style) == words


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize("value", [None, math.nan])
def test_a_missing_value_is_never_written_as_a_number(value: float | None, style: Style) -> None:
    assert written(value, style) == NOT_KNOWN


@pytest.mark.parametrize("style", [style for style in Style if style is not Style.TEXT])
@pytest.mark.parametrize("value", [5e-324, -1e300, 1e300, 709.8, -0.0])
def test_no_finite_number_is_too_odd_to_be_written(value: float, style: Style) -> None:
    words = written(value, style)
    assert words
    assert not words.startswith("-0 ")
    assert "inf" not in words
    assert "nan" not in words


def test_every_style_of_the_catalogue_can_be_written() -> None:
    assert {feature.style for feature in FEATURES} <= set(Style)
    for feature in FEATURES:
        assert written("word" if feature.is_text else 1.0, feature.style)


def test_points_and_shares_have_their_signs_and_decimals() -> None:
    assert [signed_points(points) for points in (4.25, -11.04, 0.04, -0.04)] == ["+4.2", "-11.0", "0.0", "0.0"]
    assert [written_share(share) for share in (0.19, 0.0032)] == ["19 %", "0.3 %"]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.03, 0.09, "between 3 % and 9 %"),
        (0.039, 0.081, "between 3 % and 9 %"),  # outwards: the words promise no more than the numbers
        (0.07, 0.29, "between 7 % and 29 %"),  # 0.07 * 100 is a hair above 7, 0.29 * 100 a hair below 29
        (0.0034, 0.0071, "between 0.3 % and 0.8 %"),
        (0.0, 0.018, "under 2 %"),
        (0.0004, 0.018, "under 2 %"),
        (0.0, 0.0049, "under 0.5 %"),
        (0.996, 1.0, "between 99 % and 100 %"),
        (0.2, 0.2, "between 20 % and 20 %"),
        (0.0, 1.0, "anywhere between 0 % and 100 %"),
    ],
)
def test_a_range_in_words_never_promises_more_than_its_numbers(low: float, high: float, words: str) -> None:
    assert written_range(low, high) == words
