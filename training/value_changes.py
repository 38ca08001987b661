"""When did the annual value of an account fall or rise by so much that it counts?

Input grain: the moves of one account's contracts (a new value from a day on; 0 when a contract is over). Output grain:
one change per account and day that counts. Values are added up over the live contracts of an account in one currency,
so exchange rates change nothing; what a renewal replaces within the grace is no fall, and the renewal no rise. Pure.
A rise of list prices counts as growth: the contract tables do not know list prices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise

from training.target import Target


@dataclass(frozen=True, slots=True)
class Move:
    """From ``day`` on a contract is worth ``value`` a year (minor units of ``currency``); 0: it is over.

    ``decided_at`` is the first sign of it, ``known_at`` when that was known here; ``voluntary`` is False where the
    vendor ended the contract.
    """

    day: date
    contract_id: str
    value: int
    currency: str
    decided_at: datetime
    known_at: datetime
    voluntary: bool = True


@dataclass(frozen=True, slots=True)
class ValueChange:
    """The account's annual value went from ``before`` to ``after`` on ``day``, by a decision of ``decided_at``."""

    kind: Target
    day: date
    before: int
    after: int
    decided_at: datetime
    known_at: datetime
    voluntary: bool


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """From which share of the value before a fall is a contraction, and a rise an upsell; and the grace."""

    contraction_share: float
    upsell_share: float
    grace: timedelta


@dataclass(frozen=True, slots=True)
class _Day:
    day: date
    total: int
    currencies: frozenset[str]
    moves: tuple[Move, ...]


def value_changes(moves: Sequence[Move], rule: ChangeRule) -> list[ValueChange]:
    """The changes of one account that count, oldest first.

    The first value of an account is no rise, and its last fall to 0 is no contraction but a lapse: churn. A day on
    which values in more than one currency are live, before or after, gives no change: no rate is right for it.
    """
    days = list(_days(moves))
    return [change for place in range(1, len(days)) if (change := _change(days, place, rule)) is not None]


def _days(moves: Sequence[Move]) -> Iterator[_Day]:
    live: dict[str, Move] = {}
    for day, together in groupby(sorted(moves, key=lambda move: (move.day, move.known_at)), key=lambda move: move.day):
        told = tuple(together)
        live.update({move.contract_id: move for move in told})
        standing = [move for move in live.values() if move.value > 0]
        yield _Day(day, sum(move.value for move in standing), frozenset(move.currency for move in standing), told)


def _change(days: Sequence[_Day], place: int, rule: ChangeRule) -> ValueChange | None:
    before, now = days[place - 1], days[place]
    if len(before.currencies | now.currencies) > 1:
        return None
    # What is signed late stands as if it had been signed in time: the grace is looked over on both sides.
    recent = [earlier for earlier, one in pairwise(days[: place + 1]) if one.day >= now.day - rule.grace]
    had = max(one.total for one in recent)
    kept = max(one.total for one in days[place:] if one.day <= now.day + rule.grace)
    fell = before.total > now.total and 0 < kept <= (1 - rule.contraction_share) * before.total
    rose = now.total > before.total and had > 0 and now.total >= (1 + rule.upsell_share) * had
    if not fell and not rose:
        return None
    return ValueChange(
        kind=Target.CONTRACTION if fell else Target.UPSELL,
        day=now.day,
        before=before.total,
        after=now.total,
        decided_at=min(move.decided_at for move in now.moves),
        known_at=max(move.known_at for move in now.moves),
        voluntary=all(move.voluntary for move in now.moves),
    )
