"""The parts of a change against a model that can be followed by hand, and the words of each part, whole."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.vocabulary import Phase, Subcategory
from serving.change import CALENDAR_FEATURES, Basis, Cause, Change, change
from serving.change_words import BASES, CAUSE_TITLES, MEANINGS, PHASES, moved_words, words_of
from tests.serving.change_case import Linear, kept

FEATURES = ("active_seat_ratio_w4", "usage_par_w4", "open_overdue_ratio", "nps_last", "weeks_since_wrap")
OLD = Linear("1", dict(zip(FEATURES, (10.0, 5.0, -20.0, 1.0, -0.5), strict=True)), gap=-2.0)
NEW = Linear("2", dict(zip(FEATURES, (20.0, 5.0, -10.0, 2.0, -1.0), strict=True)), gap=-4.0, base=63.0)
THEN = dict(zip(FEATURES, (0.8, 0.1, 0.0, 8.0, 4.0), strict=True))
NOW = dict(zip(FEATURES, (0.5, 0.1, 0.2, math.nan, 6.0), strict=True))


def parts(told: Change) -> dict[str, float]:
    """The parts that are not zero, to a billionth."""
    named = {str(part.subcategory or part.cause): part.points for part in told.parts}
    return {name: round(points, 9) for name, points in named.items() if abs(points) > 1e-9}


def test_one_model_by_hand() -> None:
    # Seats 0.8 -> 0.5 at 10 points; overdue 0 -> 0.2 at -20; the score of 8 goes missing (-2 instead of 8); two weeks
    # more since the wrap at -0.5 each. Usage stays.
    told = change(kept(OLD, THEN), kept(OLD, NOW, weeks=1))
    assert told.basis is Basis.ONE_MODEL
    assert parts(told) == {"engagement": -3.0, "financial": -4.0, "missing_data": -10.0, "calendar": -1.0}
    assert told.by == pytest.approx(-18.0)


def test_two_models_by_hand() -> None:
    # Under the new model the same moves weigh -6, -2, -20 (from 16 to -4) and -2; each part is the mean of both. The
    # level of an average account and the weights on the same data are the model's part: what is left of the whole.
    told = change(kept(OLD, THEN), kept(NEW, NOW, weeks=1))
    found = parts(told)
    model = found.pop("model")
    assert found == {"engagement": -4.5, "financial": -3.0, "missing_data": -15.0, "calendar": -1.5}
    on_then = NEW.told(THEN)["health"] - OLD.told(THEN)["health"]
    on_now = NEW.told(NOW)["health"] - OLD.told(NOW)["health"]
    assert model == pytest.approx((on_then + on_now) / 2)
    assert told.by == pytest.approx(sum(found.values()) + model)


def test_limits_and_thin_data_are_parts_of_their_own() -> None:
    shy = Linear("1", {"active_seat_ratio_w4": 100.0}, shrink=0.25)
    told = change(kept(shy, {"active_seat_ratio_w4": 0.2}), kept(shy, {"active_seat_ratio_w4": 0.8}, weeks=1))
    # 0.2 -> 0.8 is 60 points, a quarter of them taken back; 60 + 80 - 20 = 120 is kept at 100.
    assert parts(told) == {"engagement": 60.0, "thin_data": -15.0, "limits": -20.0}
    assert told.by == pytest.approx(25.0)


_VALUE = st.one_of(st.floats(-3, 3), st.just(math.nan))
_VALUES = st.tuples(*(_VALUE for _ in FEATURES)).map(lambda values: dict(zip(FEATURES, values, strict=True)))
_MODEL = st.builds(
    Linear,
    st.sampled_from("12"),
    st.tuples(*(st.floats(-30, 30) for _ in FEATURES)).map(lambda w: dict(zip(FEATURES, w, strict=True))),
    gap=st.floats(-20, 20),
    shrink=st.floats(0, 0.9),
    base=st.floats(20, 90),
)


@given(old=_MODEL, new=_MODEL, then=_VALUES, now=_VALUES)
def test_whatever_moves_the_parts_add_up_and_stand_where_they_belong(
    old: Linear, new: Linear, then: dict[str, float], now: dict[str, float]
) -> None:
    if old.version == new.version:
        new = old
    told = change(kept(old, then), kept(new, now, weeks=1))
    assert sum(part.points for part in told.parts) == pytest.approx(told.by, abs=1e-6)
    assert abs(told.parts[-1].points) < 1e-6
    seen = {one.feature: (part.cause, part.subcategory) for part in told.parts for one in part.moved}
    for name in FEATURES:
        cause, subcategory = seen[name]
        if name in CALENDAR_FEATURES:
            assert cause is Cause.CALENDAR
        elif math.isnan(then[name]) != math.isnan(now[name]):
            assert cause is Cause.MISSING_DATA
        else:
            assert (cause, subcategory is not None) == (Cause.DATA, True)


@given(values=_VALUES, model=_MODEL)
def test_nothing_moves_when_neither_data_nor_model_do(values: dict[str, float], model: Linear) -> None:
    assert parts(change(kept(model, values), kept(model, values, weeks=1))) == {}


@given(then=_VALUES, now=_VALUES)
def test_a_change_told_backwards_is_the_same_with_the_other_sign(then: dict[str, float], now: dict[str, float]) -> None:
    # No order of the two models is preferred, so neither is a direction of time.
    forth = parts(change(kept(OLD, then), kept(NEW, now, weeks=1)))
    back = parts(change(kept(NEW, now), kept(OLD, then, weeks=1)))
    for name in forth | back:
        assert forth.get(name, 0.0) == pytest.approx(-back.get(name, 0.0), abs=1e-6)


def test_a_feature_of_one_model_only_moves_by_half() -> None:
    wider = Linear("2", {**OLD.weights, "stickiness_w4": 10.0}, gap=OLD.gap)
    then, now = {**THEN, "stickiness_w4": 0.1}, {**THEN, "stickiness_w4": 0.5}
    told = change(kept(OLD, then), kept(wider, now, weeks=1))
    # Half of the new model's 4 points; that it counts the feature at all is the model's.
    assert parts(told) == {"engagement": 2.0, "model": 3.0}


def test_every_part_is_told_in_words() -> None:
    told = change(kept(OLD, THEN, phase=Phase.ACTIVE), kept(NEW, NOW, weeks=1, phase=Phase.POST))
    assert [words_of(part, told) for part in told.parts] == [
        (
            "How much, and by how many, the product is used: this lowered the estimate by 4.5 points. "
            "Most moved: Seats in use went from 80 % to 50 %."
        ),
        "How the campaigns of the account went: this hardly moved the estimate.",
        "How work flowed: revisions, approvals, deliveries: this hardly moved the estimate.",
        (
            "Payments, and whether the contract grows: this lowered the estimate by 3.0 points. "
            "Most moved: Overdue now went from 0 % to 20 %."
        ),
        "What people there said and asked of support: this hardly moved the estimate.",
        "What competitors and the segment did: this hardly moved the estimate.",
        "Size, age and kind of the account: this hardly moved the estimate.",
        (
            "Time went on in the account's campaigns (a campaign running, then just after a campaign): "
            "this lowered the estimate by 1.5 points. Most moved: Time since last wrap went from 4 weeks to 6 weeks."
        ),
        (
            "Values became known that were not, or stopped being known: this lowered the estimate by 15.0 points. "
            "Most moved: Last recommendation score went from 8 to not known."
        ),
        (
            "Model version 2 took over from version 1 and weighs the same data anew: "
            "this raised the estimate by 11.0 points."
        ),
        (
            "The less data an account has, the more it is drawn to what is usual in its segment: "
            "this hardly moved the estimate."
        ),
        "Health is kept within 0 to 100: this hardly moved the estimate.",
        "What computing with so many digits leaves over: this hardly moved the estimate.",
    ]


def test_one_model_is_said_to_have_given_both_scores() -> None:
    told = change(kept(OLD, THEN), kept(OLD, NOW, weeks=1))
    (model,) = [part for part in told.parts if part.cause is Cause.MODEL]
    assert words_of(model, told) == "Model version 1 gave both scores: this hardly moved the estimate."


def test_every_word_that_can_be_needed_is_there() -> None:
    assert set(MEANINGS) == set(Subcategory)
    assert set(PHASES) == set(Phase)
    assert set(BASES) == set(Basis)
    assert set(CAUSE_TITLES) == set(Cause) - {Cause.DATA, Cause.DATA_OR_MODEL}


def test_an_offset_of_the_phase_moves_with_the_calendar_and_that_of_the_segment_with_the_data() -> None:
    # What the calibration adds for a phase is no reason of the account's own: its campaigns went on.
    model = Linear(
        "1", {"active_seat_ratio_w4": 10.0}, offsets={"active": 1.5, "post": -2.5, "studio": 1.0, "agency": -3.0}
    )
    then: Any = {"active_seat_ratio_w4": 0.5, "phase": "active", "segment": "studio"}
    told = change(kept(model, then), kept(model, then | {"phase": "post", "segment": "agency"}, weeks=1))
    found = {(part.cause, part.subcategory): part for part in told.parts if part.points}
    assert {place: part.points for place, part in found.items()} == {
        (Cause.CALENDAR, None): -4.0,
        (Cause.DATA, Subcategory.CONTEXT): -4.0,
    }
    (segment,) = moved_words(found[Cause.DATA, Subcategory.CONTEXT])
    assert (segment.label, segment.before, segment.after) == ("Segment", "studio", "agency")
    assert told.by == pytest.approx(-8.0)
