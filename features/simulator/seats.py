"""How many seats and at what price does each account hold, and since when?

Grain out: ``weekly`` seats per account and week, and one row per account and contract state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.company import Company
from features.simulator.timeline import Floats, Ints, sigmoid
from features.simulator.world import ACTIVE

SIGNED, RENEWED, RESIZED = 0, 1, 2
_QUARTER = 13


@dataclass(frozen=True, slots=True)
class ContractStates:
    """States in the order of account and day; ``cause`` says what began the state, ``term`` counts terms from 0."""

    account: Ints
    day: Ints
    cause: Ints
    term: Ints
    seats: Ints
    price: Floats
    discount: Floats

    @property
    def acv_minor(self) -> Ints:
        """Annual value in cents."""
        return np.rint(self.seats * self.price * (1 - self.discount) * 100).astype(np.int64)


@dataclass(frozen=True, slots=True)
class SeatPlan:
    """Seats in each simulated week, and the states of the contracts behind them."""

    weekly: Ints
    states: ContractStates


def draw_seats(company: Company) -> SeatPlan:
    """Walk through the weeks: renewals resize and reprice, quarters may sell more seats; nothing moves after notice."""
    walk = _Walk(company)
    for week in range(company.time.weeks):
        renewed = walk.renew(week)
        walk.upsell(week, already=renewed)
        walk.weekly[:, week] = walk.seats
    return SeatPlan(weekly=walk.weekly, states=walk.states())


class _Walk:
    def __init__(self, company: Company) -> None:
        self.company = company
        accounts = company.accounts
        rng = company.streams.named("seats/price")
        self.seats = accounts.seats.copy()
        self.price = np.asarray(company.world.portfolio.price_per_seat)[accounts.segment]
        self.discount = np.round(np.clip(0.04 + 0.05 * rng.standard_normal(len(accounts)), 0, 0.4), 3)
        self.term = np.zeros(len(accounts), dtype=np.int64)
        self.weekly = np.empty((len(accounts), company.time.weeks), dtype=np.int64)
        self.rows: list[tuple[Ints | Floats, ...]] = []
        self._first_states()

    def _first_states(self) -> None:
        # Terms from before the simulated time repeat the first state: no history is made up for them.
        everyone = np.arange(len(self.seats))
        self._note(everyone, self.company.accounts.first_start, SIGNED)
        starts = self.company.terms.starts
        for term in range(1, starts.shape[1]):
            earlier = np.flatnonzero(starts[:, term] < self.company.time.first_day)
            self.term[earlier] = term
            self._note(earlier, starts[earlier, term], RENEWED)

    def renew(self, week: int) -> Ints:
        """Begin the next term of every account whose term starts in this week and that has not decided to leave."""
        company = self.company
        monday = int(company.time.monday(week))
        upcoming = company.terms.starts[np.arange(len(self.seats)), self.term + 1]
        due = np.flatnonzero((upcoming >= monday) & (upcoming < monday + 7) & (company.decisions.week >= week))
        due = due[company.decisions.gone_from[due] > upcoming[due]]
        law, h = company.world.seats, company.latent.h[due, week]
        draw = company.streams.named("seats/renewal", week).standard_normal((3, len(self.seats)))[:, due]
        size = law.renewal_drift + law.renewal_loading * h + law.renewal_sd * draw[0]
        self.seats[due] = np.maximum(3, np.rint(self.seats[due] * np.exp(size)))
        # A yearly rise of about 3 %; the unhappy bargain for a little more discount.
        self.price[due] = np.round(self.price[due] * (1 + np.maximum(0, 0.03 + 0.02 * draw[1])), 2)
        self.discount[due] = np.round(np.clip(self.discount[due] - 0.006 * h + 0.02 * draw[2], 0, 0.5), 3)
        self.term[due] += 1
        self._note(due, upcoming[due], RENEWED)
        return due

    def upsell(self, week: int, *, already: Ints) -> None:
        """Once a quarter an account may buy more seats, more likely when healthy or short of seats in a campaign."""
        company = self.company
        law = company.world.seats
        asked = (np.arange(len(self.seats)) + week) % _QUARTER == 0
        asked &= company.live[:, week] & (company.decisions.week > week)
        asked[already] = False
        # A state says since when it holds: nobody signs and buys more on one day.
        asked &= company.accounts.first_start < company.time.monday(week)
        recent = company.campaigns.phase[:, max(0, week - _QUARTER) : week + 1]
        short = (recent == ACTIVE).any(axis=1)
        chance = sigmoid(
            law.upsell_intercept + law.upsell_loading * company.latent.h[:, week] + law.upsell_peak * short
        )
        draw = company.streams.named("seats/upsell", week).random((2, len(self.seats)))
        buys = np.flatnonzero(asked & (draw[0] < chance))
        self.seats[buys] += np.maximum(1, np.rint(self.seats[buys] * (0.1 + 0.2 * draw[1, buys]))).astype(np.int64)
        self._note(buys, np.full(len(buys), int(company.time.monday(week))), RESIZED)

    def _note(self, who: Ints, day: Ints, cause: int) -> None:
        self.rows.append(
            (who, day, np.full(len(who), cause), self.term[who], self.seats[who], self.price[who], self.discount[who])
        )

    def states(self) -> ContractStates:
        """All noted states, ordered by account and day."""
        account, day, cause, term, seats, price, discount = (
            np.concatenate(part) for part in zip(*self.rows, strict=True)
        )
        order = np.lexsort((day, account))
        return ContractStates(
            account=account[order],
            day=day[order],
            cause=cause[order],
            term=term[order],
            seats=seats[order],
            price=price[order],
            discount=discount[order],
        )
