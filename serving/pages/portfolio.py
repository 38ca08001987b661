"""Which accounts need a person first?

Grain in: the newest ledger entry per account. Grain out: one :class:`Portfolio` for the page: totals, value at risk by
phase and band, and one page of rows, most value at risk (risk within 90 days x annual value) first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.vocabulary import Band, Phase
from serving.ledger import Entry, Ledger

PAGE_SIZE = 50
"""As many rows as a person scans at one go."""

COMPARED_WITH = timedelta(weeks=4)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader chose to see; empty words take all. ``page`` counts from 1."""

    segment: str = ""
    phase: str = ""
    band: str = ""
    owner: str = ""
    page: int = 1

    def takes(self, entry: Entry) -> bool:
        """Does an entry belong to the choice?"""
        facts = entry.facts
        pairs = (
            (self.segment, facts.segment),
            (self.phase, str(entry.score.phase)),
            (self.band, str(entry.score.band)),
            (self.owner, facts.csm_owner_id),
        )
        return all(wanted in ("", found) for wanted, found in pairs)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table; ``change`` is health against four weeks before, None where there was no score."""

    entry: Entry
    reason: str
    change: float | None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Everything the portfolio page shows. Money is in ``currency`` only; entries in others are counted apart."""

    as_of: datetime
    model_version: str
    choice: Choice
    accounts: int
    bands: Mapping[Band, int]
    currency: str
    value: float
    value_at_risk: float
    values: Mapping[tuple[Phase, Band], float]
    other_currencies: int
    lines: Sequence[Line]
    pages: int
    segments: Sequence[str]
    owners: Sequence[str]


def portfolio_of(ledger: Ledger, choice: Choice) -> Portfolio | None:
    """The portfolio at the newest batch of scores; None when nothing was ever scored."""
    entries = ledger.latest()
    if not entries:
        return None
    chosen = [entry for entry in entries if choice.takes(entry)]
    currency = _most_used(entries)
    counted = [entry for entry in chosen if entry.facts.currency == currency]
    first = (choice.page - 1) * PAGE_SIZE
    return Portfolio(
        as_of=entries[0].as_of,
        model_version=entries[0].score.model_version,
        choice=choice,
        accounts=len(chosen),
        bands={band: sum(entry.score.band is band for entry in chosen) for band in Band},
        currency=currency,
        value=sum(entry.facts.annual_value or 0.0 for entry in counted),
        value_at_risk=sum(entry.value_at_risk for entry in counted if _can_be_kept(entry)),
        values=_by_phase_and_band(counted),
        other_currencies=len(chosen) - len(counted),
        lines=_lines(ledger, chosen[first : first + PAGE_SIZE], entries[0].as_of),
        pages=max(1, -(-len(chosen) // PAGE_SIZE)),
        segments=sorted({entry.facts.segment for entry in entries if entry.facts.segment}),
        owners=sorted({entry.facts.csm_owner_id for entry in entries if entry.facts.csm_owner_id}),
    )


def _lines(ledger: Ledger, shown: Sequence[Entry], as_of: datetime) -> list[Line]:
    explanations = ledger.explanations([entry.entry_id for entry in shown])
    before = {entry.account_id: entry.score.health for entry in ledger.latest(as_of - COMPARED_WITH)}
    return [
        Line(
            entry=entry,
            reason=explanations[entry.entry_id].lowers[0].label if explanations[entry.entry_id].lowers else "",
            change=entry.score.health - before[entry.account_id] if entry.account_id in before else None,
        )
        for entry in shown
    ]


def _by_phase_and_band(entries: Sequence[Entry]) -> dict[tuple[Phase, Band], float]:
    totals: dict[tuple[Phase, Band], float] = defaultdict(float)
    for entry in entries:
        if _can_be_kept(entry):
            totals[entry.score.phase, entry.score.band] += entry.value_at_risk
    return dict(totals)


def _can_be_kept(entry: Entry) -> bool:
    # Where notice was given the decision has fallen: its value is lost, not at risk.
    return entry.score.band is not Band.LOST_PENDING


def _most_used(entries: Sequence[Entry]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for entry in entries:
        counts[entry.facts.currency or ""] += 1
    return max(sorted(counts), key=lambda currency: counts[currency])
