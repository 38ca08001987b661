"""How is the portfolio read page by page in the leads' order?

Grain in: a portfolio and its :class:`Priorities`. Grain out: one page of entries, lowest policy index first; accounts
without one (told after the batch, or leaving already) come last, by account id. Pages are stable: a reader goes on in
the order that he began with.
"""

from __future__ import annotations

from features.errors import UsageError
from serving.entries import Entry, Place, PriorityReading, Selection
from serving.leads_priority import LeadsPriority, Priorities
from serving.ledger import Ledger

UNRANKED = 101.0
"""Stands for "no index", after every index."""


def began(leads: LeadsPriority, place: Place) -> tuple[Priorities, PriorityReading]:
    """The order to read a portfolio in, and its beginning.

    Raises:
        UsageError: no weights are in force, or no batch was scored.
    """
    order = leads.at(place.as_of)
    if order is None:
        raise _no_order("none")
    return order, PriorityReading(place, order.policy.policy_id, order.batch_mark)


def resumed(leads: LeadsPriority, reading: PriorityReading) -> Priorities:
    """The order that a reader began with.

    Raises:
        UsageError: other weights are in force since, or none.
    """
    order = leads.at(reading.place.as_of, batch_mark=reading.batch_mark)
    if order is None or order.policy.policy_id != reading.policy_id:
        raise _no_order("others, or none, since this list was begun")
    return order


def page(
    ledger: Ledger, order: Priorities, reading: PriorityReading, selection: Selection, *, limit: int
) -> tuple[list[Entry], PriorityReading | None]:
    """The next entries from a place, and the place after them (None at the end)."""
    chosen = [entry for entry in ledger.portfolio(reading.place) if selection.takes(entry)]
    found = sorted(((_rank(entry, order), entry) for entry in chosen), key=lambda one: one[0])
    seen = (reading.policy_index or 0.0, reading.account_id)
    begun = reading.policy_index is not None
    left = [one for one in found if not begun or one[0] > seen]
    shown = [entry for _, entry in left[:limit]]
    if len(left) <= limit:
        return shown, None
    index, account_id = left[limit - 1][0]
    return shown, PriorityReading(reading.place, reading.policy_id, reading.batch_mark, index, account_id)


def _rank(entry: Entry, order: Priorities) -> tuple[float, str]:
    place = order.places.get(entry.account_id)
    return (place.index if place else UNRANKED), entry.account_id


def _no_order(found: str) -> UsageError:
    return UsageError(
        "there is no order by the leads' weights",
        expected="weights in force, and a batch of scores that they order",
        found=found,
        todo="ask for the order value_at_risk, or put weights in force with `pulse weights activate`",
    )
