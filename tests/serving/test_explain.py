from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue import FEATURES, MODEL_FEATURES, TIMING_FEATURES, feature_named
from features.vocabulary import Subcategory
from serving.explain import REASONS_SHOWN, Besides, Effect, Explanation, Grounds, Reason, explain, strength

NAMES = (*MODEL_FEATURES, *TIMING_FEATURES)


def features_with(**known: Any) -> dict[str, Any]:
    return {feature.name: None if feature.is_text else math.nan for feature in FEATURES} | known


def explained(
    features: dict[str, Any], points: dict[str, float], expected: dict[str, float], **parts: float
) -> Explanation:
    totals = {part: parts.get(str(part), 0.0) for part in Subcategory}
    return explain(features, dict.fromkeys(NAMES, 0.0) | points, dict.fromkeys(NAMES, math.nan) | expected, totals)


def test_a_reason_says_what_was_seen_what_is_usual_and_what_it_does_to_the_estimate() -> None:
    told = explained(
        features_with(active_seat_ratio_w4=0.22, weeks_since_wrap=7.0),
        {"active_seat_ratio_w4": -4.21, "weeks_since_wrap": 1.06},
        {"active_seat_ratio_w4": 0.37, "weeks_since_wrap": 12.0},
    )
    assert told.lowers == (
        Reason(
            feature="active_seat_ratio_w4",
            subcategory=Subcategory.ENGAGEMENT,
            label="Seats in use",
            sentence="22 % of the contracted seats were used in the last 4 weeks; accounts like this use 37 %. "
            "This lowers the estimate by 4.2 points.",
            actual="22 %",
            expected="37 %",
            points=-4.21,
            effect=Effect.LOWERS,
        ),
    )
    (raises,) = told.raises
    assert raises.sentence == (
        "The last campaign wrapped 7 weeks ago; with accounts like this 12 weeks. "
        "This raises the estimate by 1.1 points."
    )


def test_at_most_three_reasons_are_told_each_way_strongest_first() -> None:
    free = [name for name in MODEL_FEATURES if feature_named(name).direction == 0][:5]
    assert len(free) > REASONS_SHOWN
    points = {name: float(place - 10) for place, name in enumerate(free)}
    told = explained(features_with(**dict.fromkeys(free, 1.0)), points, dict.fromkeys(free, 5.0))
    assert [reason.feature for reason in told.lowers] == free[:REASONS_SHOWN]
    assert told.raises == ()


def test_equal_points_always_give_the_same_order() -> None:
    free = [name for name in MODEL_FEATURES if feature_named(name).direction == 0][:5]
    known, usual = features_with(**dict.fromkeys(free, 1.0)), dict.fromkeys(free, 5.0)
    one = explained(known, dict.fromkeys(free, -2.0), usual)
    other = explained(known, dict.fromkeys(reversed(free), -2.0), usual)
    assert one.lowers == other.lowers


@pytest.mark.parametrize(
    ("actual", "points", "expected"),
    [
        (0.45, -3.0, 0.37),  # better than usual, and yet it lowers: points count against the whole portfolio
        (0.20, +3.0, 0.37),  # worse than usual, and yet it raises
        (0.3701, -3.0, 0.3702),  # no difference that can be seen
        (math.nan, -3.0, 0.37),  # nothing was seen
        (0.20, -3.0, math.nan),  # nobody knows what is usual
        (0.20, -0.04, 0.37),  # would be written as 0.0 points
    ],
)
def test_a_reason_that_would_contradict_or_say_nothing_is_left_out(
    actual: float, points: float, expected: float
) -> None:
    name = "active_seat_ratio_w4"
    told = explained(features_with(**{name: actual}), {name: points}, {name: expected}, engagement=points)
    assert told.lowers == told.raises == ()
    assert told.subcategories[0].points == points


@pytest.mark.parametrize("name", TIMING_FEATURES)
def test_the_day_of_the_decision_is_no_reason_because_health_is_told_as_if_it_fell_today(name: str) -> None:
    told = explained(features_with(**{name: 1.0}), {name: -9.0}, {name: 200.0}, context=-9.0)
    assert told.lowers == ()
    assert told.subcategories[-1].points == -9.0


@given(
    st.fixed_dictionaries({name: st.floats(-3, 3) for name in MODEL_FEATURES[:20]}),
    st.fixed_dictionaries({name: st.floats(-9, 9) for name in MODEL_FEATURES[:20]}),
    st.fixed_dictionaries({name: st.floats(-3, 3) for name in MODEL_FEATURES[:20]}),
)
def test_no_reason_ever_contradicts_its_value(
    values: dict[str, float], points: dict[str, float], expected: dict[str, float]
) -> None:
    told = explained(features_with(**values), points, expected)
    assert len(told.lowers) <= REASONS_SHOWN
    assert len(told.raises) <= REASONS_SHOWN
    for reason in (*told.lowers, *told.raises):
        direction = feature_named(reason.feature).direction
        worse = (values[reason.feature] - expected[reason.feature]) * direction > 0
        assert reason.points == points[reason.feature]
        assert (reason.effect is Effect.LOWERS) == (reason.points < 0)
        assert reason.actual != reason.expected
        if direction:
            assert worse == (reason.effect is Effect.LOWERS)


def test_a_subcategory_says_how_much_it_moves_and_what_is_not_known() -> None:
    market = [feature for feature in FEATURES if feature.subcategory is Subcategory.MARKET]
    known = features_with(**{feature.name: 1.0 for feature in market[2:]})
    parts = {part.subcategory: part for part in explained(known, {}, {}, engagement=-5.5, market=0.4).subcategories}
    assert list(parts) == list(Subcategory)
    assert parts[Subcategory.MARKET].words == "hardly moves the estimate"
    assert parts[Subcategory.MARKET].gaps == tuple(feature.label for feature in market[:2])
    assert parts[Subcategory.ENGAGEMENT].words == "no basis: nothing is known here"
    assert parts[Subcategory.ENGAGEMENT].points == -5.5


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (-14.0, "strongly lowers the estimate"),
        (12.0, "strongly raises the estimate"),
        (-11.9, "clearly lowers the estimate"),
        (3.9, "slightly raises the estimate"),
        (-0.9, "hardly moves the estimate"),
    ],
)
def test_points_have_words(points: float, words: str) -> None:
    assert strength(points) == words


def test_no_sentence_speaks_of_causes() -> None:
    causal = re.compile(r"\b(cause[sd]?|because|due to|leads? to|makes?)\b", re.IGNORECASE)
    assert [feature.name for feature in FEATURES if causal.search(feature.sentence)] == []


GROUNDS = Grounds(("40 weeks of data from 3 of 6 sources",), 0.8)


def with_offsets(features: dict[str, Any], **offsets: float) -> Explanation:
    zero, nothing = dict.fromkeys(NAMES, 0.0), dict.fromkeys(NAMES, math.nan)
    totals = dict.fromkeys(Subcategory, 0.0)
    return explain(features, zero, nothing, totals, besides=Besides(offsets, GROUNDS))


def test_an_offset_of_the_calibration_is_a_reason_in_words_of_its_own_part() -> None:
    told = with_offsets(features_with(segment="agency", phase="post"), segment=-3.24, phase=1.06)
    assert told.lowers == (
        Reason(
            feature="segment",
            subcategory=Subcategory.CONTEXT,
            label="Segment",
            sentence="Accounts of the segment agency leave more often than the rest of their figures says. "
            "This lowers the estimate by 3.2 points.",
            actual="agency",
            expected="any",
            points=-3.24,
            effect=Effect.LOWERS,
        ),
    )
    (raises,) = told.raises
    assert (raises.subcategory, raises.sentence) == (
        Subcategory.CAMPAIGN,
        (
            "Accounts in the phase post leave less often than the rest of their figures says. "
            "This raises the estimate by 1.1 points."
        ),
    )
    assert told.grounds == GROUNDS


def test_an_offset_that_shows_nothing_or_of_an_unknown_segment_is_no_reason() -> None:
    assert with_offsets(features_with(segment="agency"), segment=0.04).raises == ()
    assert with_offsets(features_with(segment=None), segment=-9.0).lowers == ()
