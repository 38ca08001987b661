"""Ledgers for the tests of the pages: one account as wanted, or a whole made-up portfolio over half a year.

Scores are hand-made: points are drawn, and health, bands and risks follow from them as the law of the score says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from features.catalogue import FEATURES, MODEL_FEATURES, TIMING_FEATURES, Style, Use, features_of
from features.settings import Home
from features.vocabulary import HORIZONS_DAYS, WEEK, Band, Phase, Subcategory
from serving.assessment import NUMBERS, WORDS, Assessment, Facts, KnownFeatures, RiskRange, Score
from serving.explain import Explanation, Grounds, explain
from serving.ledger import Channel, Ledger

MONDAY = datetime(2024, 4, 15, tzinfo=UTC)
"""The newest scores; the week before is MONDAY - WEEK."""

_WEEKLY = (Phase.OFF,) * 7 + (Phase.PRE,) * 4 + (Phase.ACTIVE,) * 5 + (Phase.POST,) * 6
_FIRST = ("Northlight", "Copper Kettle", "Blue Heron", "Saltmarsh", "Paper Moon", "Tall Pine", "Harbour", "Quiet River",
          "Second Sun", "Iron Fern", "Lantern", "Meridian Row", "Wild Thyme", "Old Mill", "Glasshouse")  # fmt: skip
_LAST = {"studio": ("Pictures", "Animation", "Films"), "broadcaster": ("Television", "Sports Network", "Broadcasting"),
         "agency": ("Creative", "Design Partners", "& Daughters")}  # fmt: skip
_PLACES = ("", "II", "III", "East", "West", "North", "South")
_PRICE = {"studio": 48_000, "broadcaster": 90_000, "agency": 21_000}
_USUAL = {Style.SHARE: 0.42, Style.NUMBER: 3.2, Style.COUNT: 6.0, Style.LOG_RATIO: -0.05, Style.LOG_CHANGE: -0.05}
_STEP = {Style.SHARE: 0.4, Style.LOG_RATIO: 0.8, Style.LOG_CHANGE: 0.8}


NOTHING_KNOWN: dict[str, Any] = dict.fromkeys(
    ("account_name", "segment", "csm_owner_id", "annual_value", "currency", "decision_on")
)


@lru_cache(maxsize=1)
def known() -> KnownFeatures:
    """Features of which nothing is known; pages do not read them."""
    return KnownFeatures.of(dict.fromkeys(NUMBERS, math.nan) | dict.fromkeys(WORDS))


def explained(points: Mapping[Subcategory, float], unknown: Sequence[str] = ()) -> Explanation:
    """What the service would say about these points: each subcategory's are shared by three of its features."""
    values: dict[str, Any] = {feature.name: None if feature.is_text else 1.0 for feature in FEATURES}
    amounts = dict.fromkeys((*MODEL_FEATURES, *TIMING_FEATURES), 0.0)
    expected = dict.fromkeys(amounts, 1.0)
    for part, amount in points.items():
        used = [
            one for one in features_of(part) if one.use is Use.MODEL and one.direction and one.style is not Style.YES_NO
        ]
        for feature, portion in zip(used, (0.55, 0.3, 0.15), strict=False):
            usual = _USUAL.get(feature.style, 9.0)
            worse = feature.direction * math.copysign(min(1.0, abs(amount) / 15), -amount)
            amounts[feature.name], expected[feature.name] = amount * portion, usual
            values[feature.name] = usual + worse * _STEP.get(feature.style, 3.0)
    return explain(values | dict.fromkeys(unknown, math.nan), amounts, expected, points)


def assessment(
    account_id: str = "acc-1",
    *,
    as_of: datetime = MONDAY,
    points: Any = None,
    base: float = 60.0,
    grounds: Grounds | None = None,
    **changes: Any,
) -> Assessment:
    """One account. ``points`` by subcategory; anything of its score or facts can be changed by name."""
    told = dict.fromkeys(Subcategory, 0.0) | (points or {})
    score, facts = _score(told, base=base), _facts()
    for name, value in changes.items():
        if name in Score.__slots__:
            score = replace(score, **{name: value})
        else:
            facts = replace(facts, **{name: value})
    return Assessment(account_id, as_of, score, replace(explained(told), grounds=grounds), facts, known())


def saying(text: str) -> dict[str, Any]:
    """Everything of an account that is free text, with this text."""
    return dict.fromkeys(("account_name", "segment", "csm_owner_id", "currency", "campaigns_live"), text)


def filled(home: Home, *assessments: Assessment) -> Ledger:
    """A ledger with these, told as one batch."""
    ledger = Ledger(home)
    ledger.append(assessments, channel=Channel.BATCH, scored_at=MONDAY + timedelta(hours=6))
    return ledger


def portfolio_ledger(home: Home, *, accounts: int = 300, weeks: int = 30, seed: int = 5) -> Ledger:
    """A whole portfolio with plausible values, ending at MONDAY; the weeks before share one explanation."""
    draw, ledger = np.random.default_rng(seed), Ledger(home)
    people = [_person(draw, number) for number in range(accounts)]
    state = draw.normal(0, 1, (accounts, len(Subcategory)))
    for week in range(weeks):
        state = 0.94 * state + 0.34 * draw.normal(0, 1, state.shape)
        as_of = MONDAY - (weeks - 1 - week) * WEEK
        told = [
            _weekly(person, state[place], as_of, newest=week == weeks - 1)
            for place, person in enumerate(people)
            if week >= person["joins"] * weeks
        ]
        ledger.append(told, channel=Channel.BATCH, scored_at=as_of + timedelta(hours=6))
    return ledger


def _score(points: Mapping[Subcategory, float], *, base: float = 60.0, timing: float = 0.35) -> Score:
    wanted = base + sum(points.values())
    health = min(100.0, max(0.0, wanted))
    odds = math.exp(-(health - 60) / 12 * math.log(2)) * 0.12 / 0.88
    risk = {days: 1 - (1 - timing * odds / (1 + odds)) ** (days / 90) for days in HORIZONS_DAYS}
    band = Band.GREEN if health >= 65 else Band.AMBER if health >= 45 else Band.RED
    return Score(
        risk=risk,
        range=RiskRange(
            days=90, p0=risk[90] * 0.9, p1=risk[90] * 1.1, low=risk[90] * 0.6, high=min(1.0, risk[90] * 1.6)
        ),
        health=health,
        band=band,
        grade="A",
        phase=Phase.OFF,
        base_points=base,
        points=dict(points),
        clip_adjust=health - wanted,
        shrink_adjust=0.0,
        model_version="3",
    )


def _facts() -> Facts:
    return Facts(
        account_name="Paper Moon Films",
        segment="studio",
        csm_owner_id="csm-ada",
        annual_value=48_000.0,
        currency="USD",
        cohort_status="at_risk",
        decision_on=date(2024, 6, 3),
        campaigns_live=None,
    )


def _person(draw: np.random.Generator, number: int) -> dict[str, Any]:
    segment = ("studio", "agency", "broadcaster")[number % 3]
    return {
        "account_id": f"acc-{number:04d}",
        "segment": segment,
        "name": f"{_FIRST[number % 15]} {_LAST[segment][number // 15 % 3]} {_PLACES[number // 45 % 7]}".strip(),
        "owner": None if number % 40 == 7 else f"csm-{('ada', 'bo', 'chen', 'dara', 'eli', 'fay')[number % 6]}",
        "value": None if number % 90 == 11 else round(_PRICE[segment] * float(draw.lognormal(0, 0.8)), -2),
        "currency": "EUR" if number % 25 == 3 else "USD",
        "days": int(draw.integers(3, 340)),
        "monthly": number % 12 == 5,
        "start": int(draw.integers(0, len(_WEEKLY))),
        "campaigns": number % 9 != 4,
        "grade": "D" if number % 60 == 13 else ("A", "A", "B", "C")[number % 4],
        "joins": 0.95 if number % 50 == 9 else 0.0,
        "notice": number % 45 == 20,
        "levels": draw.normal(0, 3, len(Subcategory)),
    }  # fmt: skip


def _weekly(person: Mapping[str, Any], state: Any, as_of: datetime, *, newest: bool) -> Assessment:
    reach = np.array([5.0, 4.5, 3.0, 2.6, 3.4, 1.2, 0.9])
    points = {
        part: float(value)
        for part, value in zip(Subcategory, state * reach + person["levels"] * reach / 5, strict=True)
    }
    week = (as_of - MONDAY) // WEEK + person["start"]
    phase = _WEEKLY[week % len(_WEEKLY)] if person["campaigns"] else Phase.NONE
    due = MONDAY.date() + timedelta(days=person["days"])
    near = 1.0 if 0 < (due - as_of.date()).days < 90 else 0.12
    score = replace(_score(points, base=61.5, timing=near), phase=phase, grade=person["grade"])
    if person["grade"] == "D":
        score = replace(score, band=Band.UNKNOWN)
    if person["notice"] and as_of > MONDAY - 3 * WEEK:
        score = replace(score, band=Band.LOST_PENDING)
    facts = Facts(
        account_name=person["name"],
        segment=person["segment"],
        csm_owner_id=person["owner"],
        annual_value=person["value"],
        currency=person["currency"],
        cohort_status="at_risk",
        decision_on=None if person["monthly"] else due,
        campaigns_live={Phase.ACTIVE: "Award season (active)", Phase.PRE: "Spring launch (pre)"}.get(phase),
    )
    explanation = explained(points) if newest else _ANY
    return Assessment(person["account_id"], as_of, score, explanation, facts, known())


_ANY = explained(dict.fromkeys(Subcategory, 0.0))
