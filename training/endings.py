"""When did the customer behind a contract decide to end it, and when was an account left without any contract?

Input grain: the terms and the events of one contract, or the stretches of one account. Output grain: one stretch per
term, or one lapse per account. Pure: what was known, and until when, is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

FULL_CHURN = "full_churn"
CANCELLATION = "cancellation"
NONPAYMENT = "terminated_nonpayment"

_KIND_OF_EVENT = {
    "notice_given": FULL_CHURN,
    "expired": FULL_CHURN,
    "cancelled": CANCELLATION,
    "terminated_nonpayment": NONPAYMENT,
}
_UNDOING = {"notice_withdrawn", "signed", "renewed"}
_GOES_ON_ELSEWHERE = "merged_into"


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a contract, first and last day included; ``end_on`` is None for an evergreen contract."""

    start_on: date
    end_on: date | None


@dataclass(frozen=True, slots=True)
class ContractEvent:
    """Something that happened to a contract: decided at ``event_at``, in force from ``effective_on``."""

    type: str
    event_at: datetime
    effective_on: date
    available_at: datetime


@dataclass(frozen=True, slots=True)
class Ending:
    """How a term came to its last day.

    ``stated_at`` is when somebody's word for it became known here, and None where the term just ran out: then the
    last day counts as the decision.
    """

    last_day: date
    decided_at: datetime
    stated_at: datetime | None
    kind: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A term as it was really lived; no ``ending`` while none is in sight."""

    start_on: date
    ending: Ending | None


@dataclass(frozen=True, slots=True)
class Lapse:
    """An account's last coverage ran out, or will: the decision, its effect, and when it could be known."""

    decided_at: datetime
    effective_at: datetime
    known_at: datetime
    kind: str


def stretches_of(terms: Sequence[Term], events: Iterable[ContractEvent], grace: timedelta) -> list[Stretch]:
    """The terms of one contract, each cut by the term that replaced it and by the decision to end it.

    A contract that was merged into another one never ends here: its customer goes on elsewhere.
    """
    happened = sorted(events, key=lambda event: (event.event_at, event.available_at, event.type))
    ordered = sorted(terms, key=lambda term: term.start_on)
    lived = [_cut(term, follower) for term, follower in zip(ordered, [*ordered[1:], None], strict=True)]
    stretches = [
        _stretch(term, [e for e in happened if e.type in _UNDOING or _owner(e, lived) == term], grace) for term in lived
    ]
    if stretches and any(event.type == _GOES_ON_ELSEWHERE for event in happened):
        stretches[-1] = Stretch(stretches[-1].start_on, None)
    return stretches


def first_lapse(contracts: Sequence[Sequence[Stretch]], *, grace: timedelta, heard_until: datetime) -> Lapse | None:
    """The first time that no contract of an account was live for longer than the grace.

    ``heard_until`` is the moment up to which a renewal would have been heard of: silence means leaving only until then.

    The account has decided when the last of the contracts that made up its coverage is decided: until then something
    was still to be won. An account that came back later is a new customer; only the first lapse is told.
    """
    block = _first_block([stretch for contract in contracts for stretch in contract], grace)
    last_of_each = [max((s for s in contract if s in block), key=_start, default=None) for contract in contracts]
    closing = [stretch.ending for stretch in last_of_each if stretch is not None]
    endings = [ending for ending in closing if ending is not None and _certain(ending, grace, heard_until)]
    if not endings or len(endings) < len(closing):
        return None
    deciding = max(endings, key=lambda ending: (ending.decided_at, ending.last_day))
    return Lapse(
        decided_at=deciding.decided_at,
        effective_at=midnight(max(ending.last_day for ending in endings)),
        known_at=max(ending.stated_at or ending.decided_at + grace for ending in endings),
        kind=deciding.kind,
    )


def midnight(day: date) -> datetime:
    """The first moment of a day, in UTC."""
    return datetime.combine(day, time(), tzinfo=UTC)


def _start(stretch: Stretch) -> date:
    return stretch.start_on


def _cut(term: Term, follower: Term | None) -> Term:
    if follower is None or (term.end_on is not None and term.end_on < follower.start_on):
        return term
    return Term(term.start_on, max(term.start_on, follower.start_on - timedelta(days=1)))


def _owner(event: ContractEvent, terms: Sequence[Term]) -> Term | None:
    # Something in force from the first day of a term speaks about the term before it.
    begun = [term for term in terms if term.start_on < event.effective_on]
    return begun[-1] if begun else next((term for term in terms if term.start_on == event.effective_on), None)


def _stretch(term: Term, events: Sequence[ContractEvent], grace: timedelta) -> Stretch:
    said = _standing(term, events, grace)
    if said is not None:
        last = said.effective_on if term.end_on is None else min(term.end_on, said.effective_on)
        decided_at = min(said.event_at, midnight(last))
        return Stretch(term.start_on, Ending(last, decided_at, said.available_at, _KIND_OF_EVENT[said.type]))
    if term.end_on is None:
        return Stretch(term.start_on, None)
    return Stretch(term.start_on, Ending(term.end_on, midnight(term.end_on), None, FULL_CHURN))


def _standing(term: Term, events: Sequence[ContractEvent], grace: timedelta) -> ContractEvent | None:
    # The earliest statement decides; what follows (a notice, then its expiry) only carries it out. A notice that was
    # taken back, or answered by a signature before the lapse, ends nothing.
    standing: list[ContractEvent] = []
    for event in events:
        if event.type in _KIND_OF_EVENT:
            standing.append(event)
        elif event.type in _UNDOING:
            standing = [said for said in standing if event.event_at - _last_chance(said, term) > grace]
    return standing[0] if standing else None


def _last_chance(said: ContractEvent, term: Term) -> datetime:
    return midnight(said.effective_on if term.end_on is None else max(term.end_on, said.effective_on))


def _certain(ending: Ending, grace: timedelta, heard_until: datetime) -> bool:
    return ending.stated_at is not None or heard_until - ending.decided_at >= grace


def _first_block(stretches: Sequence[Stretch], grace: timedelta) -> list[Stretch]:
    # Stretches that follow each other without a gap longer than the grace.
    block: list[Stretch] = []
    reach: date | None = None
    for stretch in sorted(stretches, key=_start):
        if reach is not None and stretch.start_on - reach > grace:
            break
        block.append(stretch)
        if stretch.ending is None:
            break
        reach = stretch.ending.last_day if reach is None else max(reach, stretch.ending.last_day)
    return block
