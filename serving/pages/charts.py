"""Where on a chart do points, weeks and amounts stand?

Pure: numbers in, places out, in percent of the chart's own width and height. The templates draw them as SVG in the page
itself: a chart needs no script and no style of its own, takes any width while its words keep their size, and costs
microseconds (drawing it with a plotting library took 0.2 s of processor time each, and could only shrink as a picture).
Every chart has its numbers beside it in a table; no meaning rests on colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from features.vocabulary import WEEK, Phase
from serving.ledger import Entry
from serving.pages.words import AMBER_FROM, GREEN_FROM, PHASE_NAMES, day, short_day, tenths

LEAST_REACH = 6.0
"""Points at the ends of the scale at least, so that small points look small on every account's page."""

_MOST_TICKS = 4
"""As many dates as fit beside each other on a telephone."""

_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar along a row: where it begins and how long it is."""

    start: str
    length: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One score. ``told`` is what it says when pointed at."""

    x: str
    y: str
    told: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """The line between two scores; ``gap`` when weeks without a score lie between."""

    start: Dot
    end: Dot
    gap: bool


@dataclass(frozen=True, slots=True)
class Ground:
    """A stretch of time in one phase."""

    bar: Bar
    phase: Phase


@dataclass(frozen=True, slots=True)
class Tick:
    """A date on the time axis."""

    x: str
    label: str


@dataclass(frozen=True, slots=True)
class Trend:
    """Health over time: scores, the phases behind them, and where another model version began to score."""

    dots: tuple[Dot, ...]
    strokes: tuple[Stroke, ...]
    grounds: tuple[Ground, ...]
    ticks: tuple[Tick, ...]
    new_models: tuple[str, ...]
    green_from: str
    amber_from: str

    @property
    def has_gaps(self) -> bool:
        """True when weeks without a score lie between."""
        return any(stroke.gap for stroke in self.strokes)

    @property
    def phases(self) -> list[Phase]:
        """The phases that occur, in the order of a campaign."""
        seen = {ground.phase for ground in self.grounds}
        return [phase for phase in PHASE_NAMES if phase in seen]


def diverging(values: Sequence[float]) -> tuple[Bar, ...]:
    """One bar per value from the middle: to the left below zero, to the right above; all on one scale."""
    reach = max([LEAST_REACH, *(abs(value) for value in values)])
    sizes = [50 * abs(value) / reach for value in values]
    return tuple(
        Bar(_percent(50 - size if value < 0 else 50), _percent(size)) for value, size in zip(values, sizes, strict=True)
    )


def stacked(amounts: Sequence[float], longest: float) -> tuple[Bar, ...]:
    """Bars one behind the other; ``longest`` is the sum that fills the row."""
    starts = [sum(amounts[:place]) for place in range(len(amounts))]
    return tuple(
        Bar(_percent(_part(start, longest)), _percent(_part(amount, longest)))
        for start, amount in zip(starts, amounts, strict=True)
    )


def trend(told: Sequence[Entry]) -> Trend:
    """The trend of at least two scores of one account, oldest first; it ends a week after the newest."""
    first, last = told[0].as_of, told[-1].as_of + WEEK

    def across(moment: datetime) -> float:
        return 100 * ((moment - first) / (last - first))

    dots = tuple(
        Dot(_percent(across(one.as_of)), height(one.score.health), f"{day(one.as_of)}: {tenths(one.score.health)}")
        for one in told
    )
    pairs = list(pairwise(told))
    return Trend(
        dots=dots,
        strokes=tuple(
            Stroke(dots[place], dots[place + 1], gap=later.as_of - earlier.as_of > WEEK)
            for place, (earlier, later) in enumerate(pairs)
        ),
        grounds=tuple(
            Ground(Bar(_percent(across(start)), _percent(across(end) - across(start))), phase)
            for start, end, phase in _stretches(told)
        ),
        ticks=tuple(Tick(_percent(across(month)), label) for month, label in _months(first, last)),
        new_models=tuple(
            _percent(across(later.as_of))
            for earlier, later in pairs
            if earlier.score.model_version != later.score.model_version
        ),
        green_from=height(GREEN_FROM),
        amber_from=height(AMBER_FROM),
    )


def height(health: float) -> str:
    """How far from the top a health stands; 100 is at the top."""
    return _percent(100 - health)


def _stretches(told: Sequence[Entry]) -> Iterator[tuple[datetime, datetime, Phase]]:
    # A phase holds until the next score, the newest for a week; equal neighbours are one stretch, so no seam shows.
    start = told[0]
    for one in told[1:]:
        if one.score.phase is not start.score.phase:
            yield start.as_of, one.as_of, start.score.phase
            start = one
    yield start.as_of, told[-1].as_of + WEEK, start.score.phase


def _months(first: datetime, last: datetime) -> list[tuple[datetime, str]]:
    count = (last.year - first.year) * 12 + last.month - first.month
    if count <= 1:
        return [(first, short_day(first)), (last, short_day(last))]
    step = next((step for step in _MONTH_STEPS if count / step <= _MOST_TICKS), _MONTH_STEPS[-1])
    months = (first.year * 12 + first.month + offset for offset in range(count))
    starts = (first.replace(year=month // 12, month=month % 12 + 1, day=1) for month in months if month % step == 0)
    return [(start, _month_label(start, step)) for start in starts]


def _month_label(start: date, step: int) -> str:
    return f"{start:%Y}" if step >= 12 else f"{start:%b %Y}"  # noqa: PLR2004  months of a year


def _part(amount: float, whole: float) -> float:
    return 100 * amount / whole if whole > 0 else 0.0


def _percent(value: float) -> str:
    return f"{value:.2f}%"
