"""What does the page of one account say?

Grain in: the ledger's entries of one account and the explanation of the newest. Grain out: one :class:`AccountPage`. The
points shown add up to the health shown, to the last decimal, and so do the changes since the score before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from features.vocabulary import WEEK
from serving.explain import Explanation, SubcategoryPart
from serving.ledger import Entry, Ledger
from serving.pages.charts import Bar, Trend, diverging, trend

TREND_LENGTH = 52
"""A year of weekly scores: every campaign of an account once."""

_TENTHS = 10


@dataclass(frozen=True, slots=True)
class SumLine:
    """One line of the sum. ``part`` is None for what is no subcategory; ``change`` is None without a score before."""

    title: str
    points: float
    change: float | None
    bar: Bar | None = None
    part: SubcategoryPart | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What moved since the score before. ``most`` is the subcategory that moved most, None when none moved."""

    since: datetime
    a_week: bool
    before: float
    now: float
    by: float
    most: SumLine | None
    new_model: bool


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Everything the page of an account shows; ``told`` holds the scores of the trend, oldest first."""

    entry: Entry
    explanation: Explanation
    start: float
    lines: Sequence[SumLine]
    lowered: float
    raised: float
    health: float
    change: Change | None
    told: Sequence[Entry]
    trend: Trend | None


def account_page(ledger: Ledger, account_id: str) -> AccountPage | None:
    """The page of an account at its newest score; None when it was never scored.

    Raises:
        ServiceUnavailable: the ledger does not answer.
    """
    told = ledger.history(account_id, limit=TREND_LENGTH)
    if not told:
        return None
    entry, before = told[-1], told[-2] if len(told) > 1 else None
    explanation = ledger.explanation(entry.entry_id)
    terms = _terms(entry)
    shown = adding_up(terms, entry.score.health)
    moves = _moves(entry, before)
    start, lines = _sum_lines(explanation.subcategories, shown, moves)
    return AccountPage(
        entry=entry,
        explanation=explanation,
        start=start.points,
        lines=lines,
        lowered=sum(line.points for line in lines if line.points < 0),
        raised=sum(line.points for line in lines if line.points > 0),
        health=round(entry.score.health, 1),
        change=_change(entry, before, lines) if before else None,
        told=told,
        trend=trend(told) if len(told) > 1 else None,
    )


def adding_up(terms: Sequence[float], total: float) -> list[float]:
    """The terms in tenths so that they add up to ``total`` in tenths; each is less than a tenth off.

    The largest remainder method: all are rounded down, and the tenths that are missing go to those that lost most.
    The terms must add up to the total.
    """
    floors = [math.floor(term * _TENTHS) for term in terms]
    missing = round(total * _TENTHS) - sum(floors)
    losses = sorted(range(len(terms)), key=lambda place: floors[place] - terms[place] * _TENTHS)
    for place in losses[:missing]:
        floors[place] += 1
    return [floor / _TENTHS for floor in floors]


def _terms(entry: Entry) -> list[float]:
    score = entry.score
    return [score.base_points, *score.points.values(), score.shrink_adjust, score.clip_adjust]


def _moves(entry: Entry, before: Entry | None) -> list[float | None]:
    now = _terms(entry)
    if before is None:
        return [None] * len(now)
    differences = [later - earlier for later, earlier in zip(now, _terms(before), strict=True)]
    return [*adding_up(differences, entry.score.health - before.score.health)]


def _sum_lines(
    parts: Sequence[SubcategoryPart], shown: Sequence[float], moves: Sequence[float | None]
) -> tuple[SumLine, list[SumLine]]:
    """The line the sum starts from, and the others; those that are no subcategory only where they say something."""
    bars = diverging(shown[1 : 1 + len(parts)])
    subcategories = [
        SumLine(part.title, points, change, bar, part)
        for part, points, change, bar in zip(parts, shown[1:], moves[1:], bars, strict=False)
    ]
    rest = (
        SumLine("Drawn to the usual level, for want of data", shown[-2], moves[-2]),
        SumLine("Kept within 0 to 100", shown[-1], moves[-1]),
    )
    start = SumLine("An average account", shown[0], moves[0])
    return start, [*subcategories, *(line for line in rest if line.points or line.change)]


def _change(entry: Entry, before: Entry, lines: Sequence[SumLine]) -> Change:
    moved = [line for line in lines if line.part and line.change]
    return Change(
        since=before.as_of,
        a_week=entry.as_of - before.as_of == WEEK,
        before=before.score.health,
        now=entry.score.health,
        by=entry.score.health - before.score.health,
        most=max(moved, key=lambda line: abs(line.change or 0.0), default=None),
        new_model=before.score.model_version != entry.score.model_version,
    )
