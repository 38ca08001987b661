"""What does the page of one account say?

Grain in: the ledger's entries of one account and the explanation of the newest. Grain out: one :class:`AccountPage`.
The points shown add up to the health shown, and the changes to its change: each is rounded by itself to a tenth, and
what the rounding leaves over stands in a line of its own. Why the score moved is not worked out here: a teller of
changes, which may ask models, is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from features.vocabulary import WEEK
from serving.assessment import Score
from serving.change import Change as WholeChange
from serving.change import ChangePart
from serving.change_words import BASES, title_of, words_of
from serving.explain import LEAST_POINTS, LIMITED_DATA, Explanation, SubcategoryPart
from serving.ledger import Entry, Ledger
from serving.pages.charts import Bar, Trend, diverging, trend
from serving.pages.words import tenths
from serving.wording import written_share

TREND_LENGTH = 52
"""A year of weekly scores: every campaign of an account once."""

_TITLES_BEFORE = ["An average account"]
_TITLES_AFTER = [LIMITED_DATA, "Kept within 0 to 100", "Rounding"]


@dataclass(frozen=True, slots=True)
class SumLine:
    """One line of the sum. ``part`` is None for what is no subcategory; ``change`` is None without a score before.

    ``note`` says in words how a line that is no subcategory came about, where there is more to say than its title.
    """

    title: str
    points: float
    change: float | None
    bar: Bar | None = None
    part: SubcategoryPart | None = None
    note: str = ""


ChangeTeller = Callable[[Entry, Entry], WholeChange]
"""Tells why health moved from an entry to a later one; must not keep a reader waiting."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One part of a change: its title, its points, and what it means."""

    title: str
    points: float
    words: str


@dataclass(frozen=True, slots=True)
class Change:
    """What moved since the score before. ``most`` is the subcategory that moved most, None when none moved.

    ``parts`` are those that can be seen at a tenth of a point, strongest first; ``basis`` says what they were found
    from. Both are empty where nobody can tell.
    """

    since: datetime
    a_week: bool
    before: Score
    by: float
    most: SumLine | None
    new_model: bool
    parts: Sequence[Moved] = ()
    basis: str = ""


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Everything the page of an account shows; ``told`` holds the scores of the trend, oldest first."""

    entry: Entry
    explanation: Explanation
    start: SumLine
    lines: Sequence[SumLine]
    lowered: float
    raised: float
    change: Change | None
    told: Sequence[Entry]
    trend: Trend | None


def account_page(ledger: Ledger, account_id: str, tell: ChangeTeller | None = None) -> AccountPage | None:
    """The page of an account at its newest score; None when it was never scored.

    ``tell`` says why the score moved since the one before; without it the page shows that it did.

    Raises:
        ServiceUnavailable: the ledger does not answer.
    """
    told = ledger.history(account_id, limit=TREND_LENGTH)
    if not told:
        return None
    entry, before = told[-1], told[-2] if len(told) > 1 else None
    explanation = ledger.explanation(entry.entry_id)
    start, lines = _sum_lines(explanation, entry, before)
    return AccountPage(
        entry=entry,
        explanation=explanation,
        start=start,
        lines=lines,
        lowered=sum(line.points for line in lines if line.points < 0),
        raised=sum(line.points for line in lines if line.points > 0),
        change=_change(entry, before, lines, tell) if before else None,
        told=told,
        trend=trend(told) if len(told) > 1 else None,
    )


def _sum_lines(explanation: Explanation, entry: Entry, before: Entry | None) -> tuple[SumLine, list[SumLine]]:
    """The line the sum starts from, and the others; those that are no subcategory only where they say something."""
    parts = explanation.subcategories
    now, then = _terms(entry), _terms(before) if before else None
    points = [*_rounded(now), _left_over(now, tenths(entry.score.health))]
    changes: list[float | None] = [None] * len(points)
    if before and then:
        moves = [later - earlier for later, earlier in zip(now, then, strict=True)]
        changes = [*_rounded(moves), _left_over(moves, round(entry.score.health - before.score.health, 1))]
    bars = diverging(points[1 : 1 + len(parts)])
    first, *rest = zip(_TITLES_BEFORE + [part.title for part in parts] + _TITLES_AFTER, points, changes, strict=True)
    lines = [SumLine(*told, bar, part) for told, bar, part in zip(rest, bars, parts, strict=False)]
    notes = [_weighing(explanation), "", ""]
    besides = zip(rest[len(parts) :], notes, strict=True)
    lines += [SumLine(*told, note=note) for told, note in besides if told[1] or told[2]]
    return SumLine(*first), lines


def _weighing(explanation: Explanation) -> str:
    if explanation.grounds is None:
        return ""
    own = written_share(explanation.grounds.own_weight)
    return f"the account's own data weigh {own}, what is usual in its segment the rest"


def _terms(entry: Entry) -> list[float]:
    score = entry.score
    return [score.base_points, *score.points.values(), score.shrink_adjust, score.clip_adjust]


def _rounded(terms: Sequence[float]) -> list[float]:
    return [round(term, 1) + 0.0 for term in terms]  # + 0.0 makes a zero of -0.0


def _left_over(terms: Sequence[float], total: float) -> float:
    return round(total - sum(_rounded(terms)), 1) + 0.0


def _change(entry: Entry, before: Entry, lines: Sequence[SumLine], tell: ChangeTeller | None) -> Change:
    moved = [line for line in lines if line.part and line.change]
    whole = tell(before, entry) if tell else None
    return Change(
        since=before.as_of,
        a_week=entry.as_of - before.as_of == WEEK,
        before=before.score,
        by=entry.score.health - before.score.health,
        most=max(moved, key=lambda line: abs(line.change or 0.0), default=None),
        new_model=before.score.model_version != entry.score.model_version,
        parts=_moved(whole) if whole else (),
        basis=BASES[whole.basis] if whole else "",
    )


def _moved(whole: WholeChange) -> tuple[Moved, ...]:
    seen = [part for part in whole.parts if abs(part.points) >= LEAST_POINTS]

    def strength(part: ChangePart) -> tuple[float, str]:
        return -abs(part.points), title_of(part)

    return tuple(Moved(title_of(part), part.points, words_of(part, whole)) for part in sorted(seen, key=strength))
