"""Which accounts need a person first?

Grain in: the newest ledger entry per account. Grain out: one :class:`Portfolio` for the page: totals, value at risk by
phase and band, and one page of rows, most value at risk (risk of leaving within 90 days x annual value) first.

Amounts of different currencies are never added or compared: sums are in the currency that most of the chosen accounts
use, and accounts billed in others stand after those. Where notice was given, nothing is at risk any more: such accounts
stand last, most annual value first, and count in no sum of value at risk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from features.vocabulary import Band, Phase
from serving.access.teams import EVERYBODY, Teams
from serving.explain import Reason
from serving.leads_priority import LeadsPriority
from serving.ledger import Entry
from serving.pages.charts import Bar, stacked
from serving.pages.priority import LEADS_FIRST, SecondOrder, second_order
from serving.pages.reading import PortfolioReader, Standing
from serving.pages.words import PHASE_NAMES

PAGE_SIZE = 50
"""As many rows as a person scans at one go."""

MISSING = "-"
"""How a choice names accounts that have no owner, segment or currency."""

BANDS_AT_RISK = (Band.RED, Band.AMBER, Band.GREEN, Band.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader chose to see; empty words take all, "-" takes what has none. ``page`` counts from 1.

    ``order`` is empty for most value at risk first, or the word for the leads' order. ``teams`` are the reader's: what
    is not theirs is in no list, sum or count.
    """

    owner: str = ""
    phase: str = ""
    segment: str = ""
    band: str = ""
    currency: str = ""
    order: str = ""
    page: int = 1
    teams: Teams = EVERYBODY

    def asked(self) -> dict[str, str]:
        """The filters that are set, by name."""
        filters = {name: getattr(self, name) for name in ("owner", "phase", "segment", "band", "currency")}
        return {name: value for name, value in filters.items() if value}

    def takes(self, entry: Entry) -> bool:
        """Does an entry belong to the choice?"""
        found = traits(entry)
        return all(found[name] == wanted for name, wanted in self.asked().items())


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table. ``change`` is health against four weeks before, None where there was no score."""

    entry: Entry
    reason: Reason | None
    change: float | None


@dataclass(frozen=True, slots=True)
class PhaseLine:
    """The value at risk in one phase: its accounts, amounts per band and in all, and their bars."""

    phase: Phase
    accounts: int
    amounts: Sequence[float]
    total: float
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Sums:
    """What the chosen accounts add up to, in ``currency`` only; accounts that count in no sum are counted apart."""

    currency: str
    value: float
    value_at_risk: float
    phases: Sequence[PhaseLine]
    other_currencies: int
    without_value: int


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Everything the portfolio page shows; ``found`` is what accounts can be chosen by, whatever the choice."""

    as_of: datetime
    compared_on: datetime | None
    new_model: bool
    model_versions: Sequence[str]
    choice: Choice
    everyone: int
    accounts: int
    bands: Mapping[Band, int]
    sums: Sums
    lines: Sequence[Line]
    pages: int
    found: Mapping[str, Sequence[str]]
    second: SecondOrder | None = None

    @property
    def first_row(self) -> int:
        """The number of the first row shown, from 1."""
        return (self.choice.page - 1) * PAGE_SIZE + 1


def traits(entry: Entry) -> dict[str, str]:
    """What an entry can be chosen by."""
    return {
        "owner": entry.facts.csm_owner_id or MISSING,
        "phase": str(entry.score.phase),
        "segment": entry.facts.segment or MISSING,
        "band": str(entry.score.band),
        "currency": entry.facts.currency or MISSING,
    }


def portfolio_of(reader: PortfolioReader, choice: Choice, leads: LeadsPriority | None = None) -> Portfolio | None:
    """The portfolio at the newest batch of scores; None when nothing was ever scored. ``leads`` know a second order.

    Raises:
        ServiceUnavailable: the ledger does not answer.
    """
    standing = reader.standing()
    if standing is None:
        return None
    standing = standing.within(choice.teams)
    chosen = [entry for entry in standing.entries if choice.takes(entry)]
    currencies = _currencies(chosen)
    second = second_order(leads, standing.as_of, asked=choice.order == LEADS_FIRST)
    ordered = sorted(chosen, key=lambda entry: _rank(entry, currencies))
    if second and second.used:
        ordered = sorted(chosen, key=second.rank)
    pages = max(1, -(-len(ordered) // PAGE_SIZE))
    page = min(max(1, choice.page), pages)
    shown = ordered[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return Portfolio(
        as_of=standing.as_of,
        compared_on=standing.compared_on,
        new_model=_model_changed(standing, shown),
        model_versions=sorted({entry.score.model_version for entry in standing.entries}),
        choice=replace(choice, page=page),
        everyone=len(standing.entries),
        accounts=len(chosen),
        bands=Counter(entry.score.band for entry in chosen),
        sums=_sums(chosen, currencies[0] if currencies else ""),
        lines=_lines(reader, standing, shown),
        pages=pages,
        found=_found(standing.entries),
        second=second,
    )


def value_at_risk(entry: Entry) -> float | None:
    """Risk of leaving within 90 days x annual value; None where no value is known or notice was given."""
    if entry.facts.annual_value is None or entry.score.band is Band.LOST_PENDING:
        return None
    return entry.value_at_risk


def _currencies(entries: Sequence[Entry]) -> list[str]:
    """Most used first; only those in which a value is known."""
    uses = Counter(entry.facts.currency or "" for entry in entries if entry.facts.annual_value is not None)
    return sorted(uses, key=lambda currency: (-uses[currency], currency))


def _rank(entry: Entry, currencies: Sequence[str]) -> tuple[bool, int, float, float, str]:
    value, lost = entry.facts.annual_value, entry.score.band is Band.LOST_PENDING
    place = currencies.index(entry.facts.currency or "") if value is not None else len(currencies)
    amount = (value or 0.0) if lost else entry.value_at_risk
    return lost, place, -amount, -entry.score.risk[90], entry.account_id


def _sums(entries: Sequence[Entry], currency: str) -> Sums:
    valued = [entry for entry in entries if entry.facts.annual_value is not None]
    counted = [entry for entry in valued if (entry.facts.currency or "") == currency]
    return Sums(
        currency=currency,
        value=sum(entry.facts.annual_value or 0.0 for entry in counted),
        value_at_risk=sum(value_at_risk(entry) or 0.0 for entry in counted),
        phases=_by_phase(counted),
        other_currencies=len(valued) - len(counted),
        without_value=len(entries) - len(valued),
    )


def _by_phase(entries: Sequence[Entry]) -> list[PhaseLine]:
    kept = [entry for entry in entries if entry.score.band in BANDS_AT_RISK]
    amounts = {phase: [0.0] * len(BANDS_AT_RISK) for phase in PHASE_NAMES}
    for entry in kept:
        amounts[entry.score.phase][BANDS_AT_RISK.index(entry.score.band)] += entry.value_at_risk
    longest = max(sum(row) for row in amounts.values())
    accounts = Counter(entry.score.phase for entry in kept)
    return [
        PhaseLine(phase, accounts[phase], row, sum(row), stacked(row, longest))
        for phase, row in amounts.items()
        if accounts[phase]
    ]


def _lines(reader: PortfolioReader, standing: Standing, shown: Sequence[Entry]) -> list[Line]:
    explanations = reader.explanations(shown)
    return [
        Line(
            entry=entry,
            reason=next(iter(explanations[entry.entry_id].lowers), None),
            change=entry.score.health - earlier.health if (earlier := standing.earlier.get(entry.account_id)) else None,
        )
        for entry in shown
    ]


def _model_changed(standing: Standing, shown: Sequence[Entry]) -> bool:
    pairs = ((entry, standing.earlier.get(entry.account_id)) for entry in shown)
    return any(earlier and earlier.model_version != entry.score.model_version for entry, earlier in pairs)


def _found(entries: Sequence[Entry]) -> dict[str, list[str]]:
    found = [traits(entry) for entry in entries]
    return {name: sorted({one[name] for one in found}) for name in ("owner", "segment", "currency")}
