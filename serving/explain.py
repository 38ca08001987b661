"""Why is this account's health what it is, in words a customer-success manager can check?

Grain in: one account at one ``as_of``: its features, the points of each feature on the health scale, and what accounts
of the same phase and segment usually show. Grain out: one :class:`Explanation`. Pure.

A reason says what was seen, what is usual, and that it lowers or raises the *estimate*; it never says "causes". One
whose words would contradict its effect (a value better than usual that lowers the estimate, because points are counted
against the whole reference portfolio) or that shows no difference is left to the sum of its subcategory.
So is timing: health is told as if the decision fell today, so the day it really falls on is no reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from operator import itemgetter
from typing import Any

from features.catalogue import FEATURES, Feature, Style, Use, feature_named
from features.vocabulary import Subcategory
from serving.wording import NOT_KNOWN, is_known, signed_points, written

HEALTH_SCALE = "0 to 100; 100 = healthy. Twelve points less stand for double the odds of leaving at a decision today."
REASONS_SHOWN = 3
"""A manager can act on three; more is a list nobody reads."""

LEAST_POINTS = 0.05
"""Smaller points would be written as 0.0 and explain nothing."""

_STEPS = ((12.0, "strongly"), (4.0, "clearly"), (1.0, "slightly"))
"""Twelve points double (or halve) the odds of leaving; four change them by a quarter; under one nobody would notice."""

TITLES: dict[Subcategory, str] = {
    Subcategory.ENGAGEMENT: "Engagement",
    Subcategory.CAMPAIGN: "Campaigns",
    Subcategory.OUTPUT_QUALITY: "Output and quality",
    Subcategory.FINANCIAL: "Money",
    Subcategory.SENTIMENT: "Mood and support",
    Subcategory.MARKET: "Market",
    Subcategory.CONTEXT: "Context",
}


_USED = {
    part: tuple((one.name, one.label) for one in FEATURES if one.subcategory is part and one.use is Use.MODEL)
    for part in Subcategory
}
"""Names and labels."""

_Worded = Callable[[str, float], "Reason | None"]

_BY_STRENGTH = itemgetter(0, 1)

_OFFSETS = {
    "segment": (Subcategory.CONTEXT, "Segment", "Accounts of the segment {actual}"),
    "phase": (Subcategory.CAMPAIGN, "Campaign phase", "Accounts in the phase {actual}"),
}
"""Subcategory, label and words for each offset of the calibration."""


LIMITED_DATA = "Limited data: drawn to what is usual in the segment"
"""The component of health that is no subcategory's. Every account has one: nobody's data are without limit."""


class Effect(StrEnum):
    """What a reason does to the estimate of health."""

    LOWERS = "lowers"
    RAISES = "raises"


@dataclass(frozen=True, slots=True)
class Reason:
    """One feature that moves the estimate. ``points`` are on the health scale (negative = lowers)."""

    feature: str
    subcategory: Subcategory
    label: str
    sentence: str
    actual: str
    expected: str
    points: float
    effect: Effect


@dataclass(frozen=True, slots=True)
class SubcategoryPart:
    """What one subcategory adds to the health score; ``gaps`` are the labels of features without a value."""

    subcategory: Subcategory
    title: str
    points: float
    words: str
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a score rests on.

    ``grade_reasons``: the amount of data, then what keeps the grade from the next better one. ``own_weight``: share 0-1
    of the estimate that is the account's own; the rest is what is usual in its segment.
    """

    grade_reasons: tuple[str, ...]
    own_weight: float


@dataclass(frozen=True, slots=True)
class Besides:
    """What is told beside features: points of the calibration's offsets, by the feature that chooses the offset."""

    offsets: Mapping[str, float]
    grounds: Grounds


@dataclass(frozen=True, slots=True)
class Explanation:
    """The strongest reasons in both directions and every subcategory's part; strongest first.

    ``grounds`` is None in what was told before there were any.
    """

    lowers: tuple[Reason, ...]
    raises: tuple[Reason, ...]
    subcategories: tuple[SubcategoryPart, ...]
    grounds: Grounds | None = None


UNTOLD = Explanation((), (), ())
"""Of a score whose reasons nobody asked for."""


def explain(
    features: Mapping[str, Any],
    points: Mapping[str, float],
    expected: Mapping[str, float],
    subcategory_points: Mapping[Subcategory, float],
    *,
    besides: Besides | None = None,
) -> Explanation:
    """Explain one account.

    ``features`` has every catalogue feature, ``points`` and ``expected`` every model feature; ``subcategory_points``
    are the scored ``points_*``, which stay the truth where single reasons are left out.
    """

    def of_features(name: str, amount: float) -> Reason | None:
        return _reason(name, amount, features, expected)

    def of_offsets(name: str, amount: float) -> Reason | None:
        return _offset_reason(name, amount, features)

    offsets = besides.offsets if besides else {}
    moving: list[tuple[str, float, _Worded]] = [(name, float(amount), of_features) for name, amount in points.items()]
    moving += [(name, float(amount), of_offsets) for name, amount in offsets.items()]
    return Explanation(
        lowers=_strongest([one for one in moving if one[1] <= -LEAST_POINTS]),
        raises=_strongest([one for one in moving if one[1] >= LEAST_POINTS]),
        subcategories=tuple(_part(part, subcategory_points[part], features) for part in Subcategory),
        grounds=besides.grounds if besides else None,
    )


def strength(points: float) -> str:
    """The points of a subcategory in words, for example "clearly lowers the estimate"."""
    effect = Effect.LOWERS if points < 0 else Effect.RAISES
    for least, word in _STEPS:
        if abs(points) >= least:
            return f"{word} {effect} the estimate"
    return "hardly moves the estimate"


def _reason(name: str, amount: float, features: Mapping[str, Any], expected: Mapping[str, float]) -> Reason | None:
    feature = feature_named(name)
    if feature.use is not Use.MODEL:
        return None
    actual, usual = features[name], expected.get(name)
    actual_text, usual_text = written(actual, feature.style), written(usual, feature.style)
    if NOT_KNOWN in (actual_text, usual_text) or actual_text == usual_text:
        return None
    effect = Effect.LOWERS if amount < 0 else Effect.RAISES
    if _contradicts(feature, float(actual), float(usual or 0.0), effect):
        return None
    told = feature.sentence.format(actual=actual_text, expected=usual_text)
    return Reason(
        feature=name,
        subcategory=feature.subcategory,
        label=feature.label,
        sentence=f"{told} {_moves(effect, amount)}",
        actual=actual_text,
        expected=usual_text,
        points=amount,
        effect=effect,
    )


def _offset_reason(name: str, amount: float, features: Mapping[str, Any]) -> Reason | None:
    actual = written(features[name], Style.TEXT)
    if actual == NOT_KNOWN:
        return None
    effect, often = (Effect.LOWERS, "more") if amount < 0 else (Effect.RAISES, "less")
    subcategory, label, who = _OFFSETS[name]
    told = f"{who.format(actual=actual)} leave {often} often than the rest of their figures says."
    return Reason(
        feature=name,
        subcategory=subcategory,
        label=label,
        sentence=f"{told} {_moves(effect, amount)}",
        actual=actual,
        expected="any",
        points=amount,
        effect=effect,
    )


def _moves(effect: Effect, amount: float) -> str:
    return f"This {effect} the estimate by {signed_points(abs(amount)).lstrip('+')} points."


def _contradicts(feature: Feature, actual: float, usual: float, effect: Effect) -> bool:
    if feature.direction == 0:
        return False
    worse = (actual - usual) * feature.direction > 0
    return worse is not (effect is Effect.LOWERS)


def _strongest(moving: Iterable[tuple[str, float, _Worded]]) -> tuple[Reason, ...]:
    # All of one direction. Equal points are ordered by name, so the same score always gives the same words. Put into
    # words from the strongest on and no further than is shown: of a hundred features six are told.
    ranked = sorted([(-abs(amount), name, amount, worded) for name, amount, worded in moving], key=_BY_STRENGTH)
    told = (reason for _, name, amount, worded in ranked if (reason := worded(name, amount)) is not None)
    return tuple(islice(told, REASONS_SHOWN))


def _part(part: Subcategory, points: float, features: Mapping[str, Any]) -> SubcategoryPart:
    used = _USED[part]
    gaps = tuple([label for name, label in used if not is_known(features[name])])
    words = "no basis: nothing is known here" if used and len(gaps) == len(used) else strength(points)
    return SubcategoryPart(subcategory=part, title=TITLES[part], points=points, words=words, gaps=gaps)
