"""What do the pages say of the leads' order? A second order beside the model's, which enters no score.

Grain in: the order of the newest batch. Grain out: one :class:`SecondOrder` for the list, one :class:`LeadsView` for an
account. Both are None where nobody handed an order in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from features.vocabulary import Subcategory
from serving.explain import TITLES
from serving.leads_priority import LeadsPriority, Measured, Policy, Priorities, PriorityPlace
from serving.ledger import Entry, Ledger
from serving.pages.words import share
from serving.wording import NOT_KNOWN

LEADS_FIRST = "leads"
"""How an address asks for the second order."""


@dataclass(frozen=True, slots=True)
class SecondOrder:
    """The leads' order of a list; ``policy`` is None when no weights are in force, ``used`` when the list stands so."""

    policy: Policy | None
    asked: bool
    places: Mapping[str, PriorityPlace] = field(default_factory=dict)

    @property
    def used(self) -> bool:
        """Does the list stand in this order?"""
        return self.asked and bool(self.places)

    def rank(self, entry: Entry) -> tuple[bool, float, str]:
        """What a list in this order is sorted by; accounts that it does not know come last."""
        place = self.places.get(entry.account_id)
        return place is None, place.index if place else 0.0, entry.account_id


@dataclass(frozen=True, slots=True)
class IndexPart:
    """What one subcategory adds to the index: its share of the weights times its standing, 0 to 100."""

    title: str
    share: float
    standing: float

    @property
    def adds(self) -> float:
        """Points of the index."""
        return self.share * self.standing


@dataclass(frozen=True, slots=True)
class LeadsView:
    """The leads' order on the page of an account; ``place`` is None when it is in no order."""

    policy: Policy | None
    as_of: datetime | None = None
    place: PriorityPlace | None = None
    parts: Sequence[IndexPart] = ()

    @property
    def rounding(self) -> float:
        """What the tenths shown leave over of the index shown."""
        shown = sum(round(part.adds, 1) for part in self.parts)
        return round(round(self.place.index, 1) - shown, 1) + 0.0 if self.place else 0.0


def second_order(leads: LeadsPriority | None, as_of: datetime, *, asked: bool) -> SecondOrder | None:
    """The leads' order of the list at an ``as_of``.

    Raises:
        ServiceUnavailable: the ledger does not answer.
    """
    if leads is None:
        return None
    order = leads.at(as_of)
    return SecondOrder(leads.policy(), asked) if order is None else SecondOrder(order.policy, asked, order.places)


def leads_view(leads: LeadsPriority | None, ledger: Ledger, account_id: str) -> LeadsView | None:
    """Where the leads' weights put an account in the newest batch. Raises as :func:`second_order`."""
    if leads is None:
        return None
    newest = ledger.newest_as_of()
    order = leads.at(newest) if newest else None
    if order is None:
        return LeadsView(leads.policy())
    place = order.places.get(account_id)
    return LeadsView(order.policy, order.as_of, place, _parts(order, place) if place else ())


def weights_told(shares: Mapping[Subcategory, float]) -> str:
    """The weights in words, heaviest first: ``Money 50 %, Engagement 25 %``."""
    weighing = sorted((part for part in shares if shares[part]), key=lambda part: -shares[part])
    return ", ".join(f"{TITLES[part]} {share(shares[part])}" for part in weighing)


def measured(found: Measured) -> str:
    """A number with its interval: ``0.71 (0.62 to 0.80)``."""
    if found.value is None:
        return NOT_KNOWN
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _parts(order: Priorities, place: PriorityPlace) -> list[IndexPart]:
    shares = order.policy.shares
    return [IndexPart(TITLES[part], shares[part], standing) for part, standing in place.standings.items()]
