"""Who sits on which seat, from which week to which?

Grain out: one spell per seat and user, in whole weeks, ordered by account. The first seats of an account belong to its
champions, then come its freelancers, then everybody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from features.simulator.company import Company
from features.simulator.contracts import PRODUCTS
from features.simulator.seats import SeatPlan
from features.simulator.timeline import Floats, Ints
from features.simulator.writer import CanonicalWriter, Coded, ids, micros

ROLES = ("producer", "freelancer", "creator", "reviewer", "admin")
CHAMPION, FREELANCER = 0, 1
_ROLE_OF_REST = np.asarray((2, 2, 2, 2, 3, 3, 4))
_MAX_SPELLS = 60
"""Spells of one seat; more than the longest simulated time can hold."""


@dataclass(frozen=True, slots=True)
class Seats:
    """Every seat ever contracted: ``opens`` and ``closes`` are the weeks in which it is contracted."""

    account: Ints
    number: Ints
    role: Ints
    propensity: Floats
    opens: Ints
    closes: Ints


@dataclass(frozen=True, slots=True)
class Spells:
    """``first`` to ``after`` (excluded) are whole weeks; ``first`` may be negative. ``bounds[i]`` opens account i."""

    account: Ints
    seat: Ints
    first: Ints
    after: Ints
    keys: list[str]
    bounds: Ints


def draw_seat_list(company: Company, plan: SeatPlan) -> Seats:
    """One row per seat, with a role and a propensity to be the one who works."""
    rng = company.streams.named("users/seats")
    peak = plan.weekly.max(axis=1)
    account = np.repeat(np.arange(len(peak)), peak)
    number = np.arange(len(account)) - np.repeat(np.cumsum(peak) - peak, peak)
    law = company.world.seats
    champions = rng.integers(law.champions[0], law.champions[1] + 1, len(peak))
    role = _ROLE_OF_REST[rng.integers(0, len(_ROLE_OF_REST), len(account))]
    role = np.where(rng.random(len(account)) < law.freelancer_share, FREELANCER, role)
    role = np.where(number < champions[account], CHAMPION, role)
    spread = np.exp(0.5 * rng.standard_normal(len(account)))
    opens, closes = _contracted(company, plan, account, number)
    return Seats(
        account=account,
        number=number,
        role=role,
        propensity=spread * np.where(role == CHAMPION, 4.0, 1.0),
        opens=opens,
        closes=closes,
    )


def _contracted(company: Company, plan: SeatPlan, account: Ints, number: Ints) -> tuple[Ints, Ints]:
    opens, closes = np.empty_like(account), np.empty_like(account)
    begin = np.searchsorted(account, np.arange(len(plan.weekly) + 1))
    first_week = company.time.first_week_from(company.accounts.first_start)
    for who, weekly in enumerate(plan.weekly):
        rows = slice(begin[who], begin[who + 1])
        held = weekly[None, :] > number[rows, None]
        opens[rows] = np.where(held[:, 0], first_week[who], np.maximum(first_week[who], held.argmax(axis=1)))
        closes[rows] = held.shape[1] - held[:, ::-1].argmax(axis=1)
    gone = np.where(company.decisions.leaves, (company.decisions.gone_from - company.time.first_day) // 7, NEVER_CLOSES)
    # A seat that is held to the last week stays held.
    closes = np.where(closes == plan.weekly.shape[1], NEVER_CLOSES, closes)
    return opens, np.minimum(closes, gone[account])


NEVER_CLOSES = 10_000


def draw_spells(company: Company, seats: Seats) -> Spells:
    """Fill every seat with one user after the other until the simulated time ends or the seat closes."""
    rng = company.streams.named("users/spells")
    law = company.world.seats
    count = len(seats.account)
    late = rng.random(count) < law.late_assigned_share
    wait = np.where(late, rng.integers(8, 61, count), np.floor(rng.exponential(1.5, count)))
    free_from = seats.opens + np.where(seats.number == 0, 0, wait).astype(np.int64)
    limit = np.minimum(seats.closes, company.time.weeks)
    parts = []
    for _ in range(_MAX_SPELLS):
        open_seats = np.flatnonzero(free_from < limit)
        if not len(open_seats):
            break
        stay, gap = _stay_and_gap(company, rng, seats.role[open_seats])
        first = free_from[open_seats]
        after = np.minimum(first + stay, seats.closes[open_seats])
        # Spells that were over before the simulated time began left no trace.
        seen = after > 0
        parts.append(np.stack([open_seats, first, after])[:, seen])
        free_from[open_seats] = first + stay + gap
    seat, first, after = np.concatenate(parts, axis=1)
    order = np.lexsort((first, seat))
    seat, first, after = seat[order], first[order], after[order]
    account = seats.account[seat]
    return Spells(
        account=account,
        seat=seat,
        first=first,
        after=after,
        keys=_keys(company.streams.seed, seat, first),
        bounds=np.searchsorted(account, np.arange(len(company.accounts) + 1)),
    )


def _stay_and_gap(company: Company, rng: np.random.Generator, role: Ints) -> tuple[Ints, Ints]:
    law = company.world.seats
    shortest, longest = law.freelance_weeks
    per_year = np.where(role == CHAMPION, law.champion_leaves_per_year, law.user_leaves_per_year)
    stay = np.where(
        role == FREELANCER,
        rng.integers(shortest, longest + 1, len(role)),
        2 + np.floor(rng.exponential(52 / per_year)),
    )
    gap = np.where(role == CHAMPION, rng.integers(4, 13, len(role)), rng.integers(1, 7, len(role)))
    return stay.astype(np.int64), gap


def _keys(seed: int, seat: Ints, first: Ints) -> list[str]:
    salt = f"user-{seed}".encode()
    return [
        blake2b(b"%d/%d" % (place, week), key=salt, digest_size=6).hexdigest()
        for place, week in zip(seat.tolist(), first.tolist(), strict=True)
    ]


def write_seats(writer: CanonicalWriter, company: Company, seats: Seats, spells: Spells) -> None:
    """Write `seat_assignments_history`: a state when a user gets a seat, one when it is taken back."""
    begin = company.time.monday(spells.first) + 9 / 24
    end = company.time.monday(spells.after) + 7 / 24
    for revoked in (False, True):
        rows = np.flatnonzero(spells.after < company.time.weeks) if revoked else np.arange(len(spells.seat))
        seat = spells.seat[rows]
        writer.append(
            "seat_assignments_history",
            len(rows),
            {
                "seat_id": ids("st", seat),
                "valid_from": micros((end if revoked else begin)[rows]),
                "account_id": Coded(spells.account[rows], company.accounts.ids),
                "product_sku": Coded(company.accounts.segment[spells.account[rows]], PRODUCTS),
                "user_key": Coded(rows, spells.keys),
                "role": Coded(seats.role[seat], ROLES),
                "assigned_at": micros(begin[rows]),
                "revoked_at": micros(end[rows]) if revoked else None,
                "identity_type": "named",
            },
        )
