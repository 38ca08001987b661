"""Does each source still tell what it used to: recently, of the same accounts, at the rate that is to be expected?

Grain in: :mod:`features.source_arrivals`. Grain out: one :class:`SourceHealth` per ``source_system`` and canonical
table with any row known at ``as_of``. Every expectation is the source's own history; a row known later changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from features.errors import MissingStateError
from features.settings import Home
from features.source_arrivals import LOOK_BACK_WEEKS, WINDOW_WEEKS, Company, Delivery, read_arrivals
from features.source_rates import FEWEST_ROWS, FEWEST_WEEKS, JUDGED_WEEKS, Rate, quantile, rate_of
from features.stewards import stewards_of
from features.vocabulary import WEEK, require_utc
from features.warehouse import Engine, Warehouse

USUAL_GAP = 0.95
"""The usual gap is the one that 95 of 100 gaps between days of arrival did not exceed, in the two years to the last."""

FEWEST_GAPS = 8
"""Fewer gaps show no habit: a table that was loaded once or twice is not judged by its age."""

LATE, SILENT = 1.5, 4.0
"""Ages in usual gaps. Of a source whose rows come at random, one in 90 is late by chance at any moment; none is silent
by chance (one in 160,000)."""

INCOMPLETE = 0.5
"""A source that tells of less than half of the accounts it used to tell of has lost a part of the company."""

FEWEST_ACCOUNTS = 20
"""Of fewer accounts that it used to tell of, half may be quiet by chance."""

COMPARED_WINDOWS = 6


class State(StrEnum):
    """``silent`` and ``late``: too old. ``flooding`` and ``thin``: out of measure. ``unknown``: too little history."""

    SILENT = "silent"
    LATE = "late"
    FLOODING = "flooding"
    THIN = "thin"
    UNKNOWN = "unknown"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source and table. Ages and gaps in days, shares from 0 to 1; None where there is nothing to tell it from."""

    source_system: str
    table: str
    state: State
    sentence: str
    steward: str | None
    newest_event_at: datetime
    newest_available_at: datetime
    age_days: int
    usual_gap_days: int | None
    rate: Rate
    share_told: float | None
    share_told_before: float | None
    complete_until: datetime | None
    heartbeat_ok: bool | None

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "source_system": self.source_system,
            "table": self.table,
            "state": str(self.state),
            "sentence": self.sentence,
            "steward": self.steward,
            "newest_event_at": self.newest_event_at.isoformat(),
            "newest_available_at": self.newest_available_at.isoformat(),
            "age_days": self.age_days,
            "usual_gap_days": self.usual_gap_days,
            "rows_4_weeks": self.rate.rows,
            "expected_rows_4_weeks": self.rate.expected,
            "fewest_rows_4_weeks": self.rate.low,
            "most_rows_4_weeks": self.rate.high,
            "compared_with": self.rate.compared_with,
            "share_told_8_weeks": self.share_told,
            "share_told_before": self.share_told_before,
            "complete_until": self.complete_until.isoformat() if self.complete_until else None,
            "heartbeat_ok": self.heartbeat_ok,
        }


@dataclass(frozen=True, slots=True)
class SourceReport:
    """Every source and table at one moment, the worst first."""

    as_of: datetime
    sources: tuple[SourceHealth, ...]

    def lines(self) -> list[str]:
        """For people: a sentence per source and table, and who keeps it."""
        if not self.sources:
            return [f"on {self.as_of.date()} no row of any source was known: run `pulse ingest DIR`"]
        counts = {state: sum(each.state is state for each in self.sources) for state in State}
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        lines = [f"{len(self.sources)} source tables as known on {self.as_of.date()}: {told}"]
        for each in self.sources:
            lines.append(f"{each.state:<9} {each.source_system} / {each.table}")
            lines.append(f"          {each.sentence}")
            lines.append(f"          steward: {each.steward or 'nobody; name one in stewards.yaml in the home'}")
        return lines

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {"as_of": self.as_of.isoformat(), "sources": [each.document() for each in self.sources]}

    def failure(self) -> MissingStateError | None:
        """For whoever must not go on without fresh data: a failure while any source is late or silent, or none told."""
        overdue = sum(each.state in (State.LATE, State.SILENT) for each in self.sources)
        if self.sources and not overdue:
            return None
        return MissingStateError(
            "sources do not tell what they should",
            expected="rows of every source within its usual gap",
            found=f"{overdue} of {len(self.sources)} source tables late or silent" if overdue else "no row at all",
            todo="ask the stewards for the missing exports and load them with `pulse ingest DIR`",
        )


def source_health(home: Home, as_of: datetime) -> SourceReport:
    """The health of every source of a home as it was known at a moment; a home without rows has none.

    Raises:
        ConfigError: ``stewards.yaml`` cannot be used.
        DataContractError: a zone in the calendar or of an account is no IANA zone.
    """
    moment, stewards, warehouse = require_utc(as_of), stewards_of(home), Warehouse(home)
    if not warehouse.loaded_tables():
        return SourceReport(moment, ())
    with TemporaryDirectory(dir=home.root, prefix="sources-") as scratch, warehouse.engine() as engine:
        return health_in(engine, moment, Path(scratch), stewards=stewards)


def health_in(engine: Engine, as_of: datetime, scratch: Path, *, stewards: Mapping[str, str]) -> SourceReport:
    """The same from an engine in which every canonical table has its name."""
    company, deliveries = read_arrivals(engine, as_of, scratch)
    judged = [_judged(each, company, stewards.get(each.source_system)) for each in deliveries]
    worst_first = sorted(judged, key=lambda each: (list(State).index(each.state), each.source_system, each.table))
    return SourceReport(as_of, tuple(worst_first))


def _judged(delivery: Delivery, company: Company, steward: str | None) -> SourceHealth:
    beat = delivery.heartbeat
    age, gap = (company.as_of.date() - delivery.days[-1]).days, _usual_gap(delivery.days)
    rate, shares = rate_of(delivery, company), _shares(delivery, company)
    state, sentence = _state(age, gap, rate, shares, beat_ok=beat.ok if beat else None)
    return SourceHealth(
        source_system=delivery.source_system,
        table=delivery.table,
        state=state,
        sentence=sentence,
        steward=steward or (beat.steward if beat else None),
        newest_event_at=delivery.newest_event_at,
        newest_available_at=delivery.newest_available_at,
        age_days=age,
        usual_gap_days=gap,
        rate=rate,
        share_told=shares[0],
        share_told_before=shares[1],
        complete_until=beat.complete_until if beat else None,
        heartbeat_ok=beat.ok if beat else None,
    )


def _usual_gap(days: tuple[date, ...]) -> int | None:
    begin = days[-1] - timedelta(weeks=LOOK_BACK_WEEKS)
    recent = [day for day in days if day >= begin]
    gaps = [(later - earlier).days for earlier, later in pairwise(recent)]
    return quantile(gaps, USUAL_GAP) if len(gaps) >= FEWEST_GAPS else None


def _shares(delivery: Delivery, company: Company) -> tuple[float | None, float | None]:
    if delivery.accounts is None or not company.at_risk:
        return None, None
    shares = {back: count / company.at_risk for back, count in delivery.accounts.items()}
    weeks = (company.closed_at - min(delivery.rows)) // WEEK if delivery.rows else 0
    whole = min(weeks // WINDOW_WEEKS, COMPARED_WINDOWS + 1)
    before = [shares.get(back, 0.0) for back in range(1, whole)]
    enough = before and median(before) * company.at_risk >= FEWEST_ACCOUNTS
    return shares.get(0, 0.0), median(before) if enough else None


def _state(
    age: int, gap: int | None, rate: Rate, shares: tuple[float | None, float | None], *, beat_ok: bool | None
) -> tuple[State, str]:
    share, before = shares
    came = f"the last rows came {_counted(age, 'day')} ago"
    if gap is not None:
        came += f", usually at most {_counted(gap, 'day')} pass"
    told = f"{_counted(rate.rows, 'row')} in {JUDGED_WEEKS} weeks {_compared(rate)}"
    # Days are whole, so a day more than usual may be an hour.
    if gap is not None and age > max(LATE * gap, gap + 1):
        return (State.SILENT if age > SILENT * gap else State.LATE), f"{came}; {told}"
    if beat_ok is False:
        return State.LATE, f"its own heartbeat says that it is not well; {came}; {told}"
    if rate.is_flooding or rate.is_thin:
        return (State.FLOODING if rate.is_flooding else State.THIN), f"{told}; {came}"
    if share is not None and before is not None and share < INCOMPLETE * before:
        lost = f"it told of {share:.0%} of the accounts at risk in {WINDOW_WEEKS} weeks, before of {before:.0%}"
        return State.THIN, f"{lost}; {told}; {came}"
    if gap is None:
        return State.UNKNOWN, f"it came too seldom to know its usual gap; {came}; {told}"
    return State.OK, f"{came}; {told}"


def _compared(rate: Rate) -> str:
    if rate.expected is None:
        return f"and nothing to expect them from: {rate.compared_with} are fewer than {FEWEST_WEEKS}"
    judged = "" if rate.is_judged else f", under {FEWEST_ROWS} and so not judged"
    return f"where {rate.expected:,.0f} were expected from {rate.compared_with}{judged}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
