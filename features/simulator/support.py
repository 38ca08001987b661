"""Which tickets are opened, how are they solved, and how are they rated?

Grain out: canonical rows of `tickets_history` (states open, solved, reopened) and the ratings of solved tickets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.company import Company
from features.simulator.seats import SeatPlan
from features.simulator.timeline import Floats, Ints, sigmoid
from features.simulator.voice import CSAT, Asked, write_asked
from features.simulator.world import ACTIVE
from features.simulator.writer import CanonicalWriter, Coded, ids, micros

_PRIORITIES = ("low", "normal", "high", "urgent")
_TYPES = ("question", "problem", "incident")
_MEDIAN_HOURS = np.asarray((40.0, 24.0, 12.0, 6.0))
_REOPENED_SHARE = 0.06


@dataclass(frozen=True, slots=True)
class Tickets:
    """Tickets by account and week; days with the time of day, ``priority`` a position in the priorities."""

    account: Ints
    week: Ints
    opened: Floats
    solved: Floats
    reopened: Floats
    solved_again: Floats
    priority: Ints
    type: Ints
    reply_hours: Floats


def write_tickets(writer: CanonicalWriter, company: Company, plan: SeatPlan) -> None:
    """Draw and write tickets and their ratings."""
    tickets = _draw_tickets(company, plan)
    gone = np.minimum(company.decisions.gone_from[tickets.account], company.time.end_day)
    everyone = np.arange(len(tickets.account))
    _write_state(writer, company, tickets, everyone, "open", since=tickets.opened, reopens=0)
    solved = np.flatnonzero(tickets.solved < gone)
    _write_state(writer, company, tickets, solved, "solved", since=tickets.solved, reopens=0)
    again = np.flatnonzero(tickets.reopened < gone)
    _write_state(writer, company, tickets, again, "open", since=tickets.reopened, reopens=1)
    finally_solved = np.flatnonzero(tickets.solved_again < gone)
    _write_state(writer, company, tickets, finally_solved, "solved", since=tickets.solved_again, reopens=1)
    write_asked(writer, company, CSAT, _rate(company, tickets, solved))


def _draw_tickets(company: Company, plan: SeatPlan) -> Tickets:
    law, time = company.world.voice, company.time
    rng = company.streams.named("tickets/count")
    weeks = slice(0, time.weeks)
    h, active = company.latent.h[:, weeks], company.campaigns.phase[:, weeks] == ACTIVE
    rate = law.tickets_per_seat * plan.weekly * np.exp(law.tickets_loading * h) * (1 + law.tickets_active * active)
    number = rng.poisson(rate) * company.live
    account, week = np.nonzero(number)
    repeats = number[account, week]
    account, week = np.repeat(account, repeats), np.repeat(week, repeats)
    detail = company.streams.named("tickets/detail")
    draw, noise = detail.random((7, len(account))), detail.standard_normal((2, len(account)))
    mix = np.where(active[account, week][:, None], np.cumsum(law.urgency_active), np.cumsum(law.urgency_quiet))
    priority = np.minimum((draw[0][:, None] >= mix).sum(axis=1), 3)
    opened = time.monday(week) + np.floor(5 * draw[1]) + (8 + 10 * draw[2]) / 24
    hours = _MEDIAN_HOURS[priority] * np.exp(0.9 * noise[0])
    solved = opened + hours / 24
    reopened = np.where(draw[3] < _REOPENED_SHARE, solved + 0.5 + 3 * draw[4], np.inf)
    return Tickets(
        account=account,
        week=week,
        opened=opened,
        solved=solved,
        reopened=reopened,
        solved_again=reopened + _MEDIAN_HOURS[priority] * np.exp(0.6 * noise[1]) / 24,
        priority=priority,
        type=np.minimum((3 * draw[5]).astype(np.int64), 2),
        reply_hours=np.minimum(hours, 0.5 + 6 * draw[6]),
    )


def _write_state(  # noqa: PLR0913 - a row is told by all of these
    writer: CanonicalWriter,
    company: Company,
    tickets: Tickets,
    rows: Ints,
    status: str,
    *,
    since: Floats,
    reopens: int,
) -> None:
    account, at = tickets.account[rows], since[rows]
    opened = tickets.opened[rows]
    solved = status == "solved"
    writer.append(
        "tickets_history",
        len(rows),
        {
            "ticket_id": ids("tk", rows),
            "valid_from": micros(at),
            "account_id": Coded(account, company.accounts.ids),
            "created_at": micros(opened),
            "channel": "portal",
            "type": Coded(tickets.type[rows], _TYPES),
            "priority": Coded(tickets.priority[rows], _PRIORITIES),
            "status": status,
            "first_reply_s": np.rint(tickets.reply_hours[rows] * 3600).astype(np.int64) if solved else None,
            "full_resolution_s": np.rint((at - opened) * 86_400).astype(np.int64) if solved else None,
            "reopens": reopens,
            "solved_at": micros(at) if solved else None,
        },
    )


def _rate(company: Company, tickets: Tickets, solved: Ints) -> Asked:
    law = company.world.voice
    draw = company.streams.named("surveys/csat").random((4, len(tickets.account)))[:, solved]
    account = tickets.account[solved]
    h = company.latent.h[account, tickets.week[solved]]
    bad = draw[1] < sigmoid(law.bad_csat_intercept + law.bad_csat_loading * h)
    high = draw[2] < 0.5
    return Asked(
        number=solved,
        account=account,
        person=np.zeros(len(solved), dtype=np.int64),
        sent=tickets.solved[solved] + 1 / 24,
        answered=draw[0] < law.csat_response,
        score=np.where(bad, 1.0 + high, 4.0 + high),
        delay=0.1 + 4 * draw[3] ** 2,
        run=np.full(len(solved), -1),
    )
