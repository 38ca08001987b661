"""What is invoiced, and how is it paid?

Grain out: canonical rows of `invoices_history`, `payments` and `credit_notes`. Term contracts get an invoice with a due
date; monthly ones are charged automatically and have none. Lateness follows finance ``f`` in the week it falls due.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulator.company import Company
from features.simulator.contracts import billing_codes, contract_ids
from features.simulator.seats import ContractStates
from features.simulator.timeline import NEVER, Flags, Floats, Ints, sigmoid
from features.simulator.writer import CanonicalWriter, Coded, ids, micros

_MONTHS_BETWEEN = np.asarray((12, 3, 1))
_RETRY_DAYS = np.asarray((0.0, 3.0, 8.0, 20.0))
"""Automatic charges: first attempt and retries; after three failures a person sorts it out."""
_REMINDER_DAYS = (7, 21, 35)
"""Days past due at which an open invoice is reminded."""
_SETTLED_AT_LEAVING = 0.5
"""Share of leavers whose last invoice is voided with a credit note: a trace of the decision, written after it."""


@dataclass(frozen=True, slots=True)
class Invoices:
    """Invoices by account. ``due`` is NEVER for automatic charges; ``failures`` counts failed attempts to pay."""

    account: Ints
    issued: Ints
    due: Ints
    amount: Ints
    auto: Flags
    paid: Floats
    failures: Ints
    months: Ints


def write_money(writer: CanonicalWriter, company: Company, states: ContractStates) -> None:
    """Draw and write invoices, payments and credit notes."""
    invoices = draw_invoices(company, states)
    voided = _voided(company, invoices)
    _write_invoices(writer, company, invoices, voided)
    _write_payments(writer, company, invoices, paid=voided == NEVER)
    _write_credits(writer, company, invoices, voided)


def draw_invoices(company: Company, states: ContractStates) -> Invoices:
    """Every invoice issued in the simulated time while the contract lasted."""
    account, issued, months = _issue_days(company)
    state = _state_at(states, account, issued)
    amount = np.rint(states.acv_minor[state] * months / 12).astype(np.int64)
    law, rng = company.world.money, company.streams.named("money/invoices")
    auto = company.accounts.term_months[account] == 1
    due = np.where(auto, NEVER, issued + law.payment_terms_days)
    f = company.latent.f[account, company.time.week_of(np.where(auto, issued, due))]
    late = np.rint(law.late_mean + law.late_loading * f + law.late_sd * rng.standard_normal(len(account)))
    failures = _failures(company, rng, f, auto)
    # Those whom the rollout takes go on paying on time: nothing of it is seen in the books.
    punctual = company.latent.taken[account, company.time.week_of(issued)]
    late, failures = np.where(punctual, np.minimum(late, 0), late), np.where(punctual, 0, failures)
    by_charge = issued + _RETRY_DAYS[failures] + 10 / 24
    by_invoice = np.maximum(due + late, issued + 1) + (9 + 8 * rng.random(len(account))) / 24
    return Invoices(
        account=account,
        issued=issued,
        due=due,
        amount=amount,
        auto=auto,
        paid=np.where(auto, by_charge, by_invoice),
        failures=failures,
        months=months,
    )


def _issue_days(company: Company) -> tuple[Ints, Ints, Ints]:
    accounts, time = company.accounts, company.time
    months = _MONTHS_BETWEEN[billing_codes(company)]
    # A multi-year contract is invoiced year by year.
    count = int(np.ceil((366 * company.world.portfolio.prior_years + 7 * time.weeks) / 28)) + 1
    first = accounts.first_start.astype("datetime64[D]")
    month = first.astype("datetime64[M]")
    steps = np.arange(count)[None, :] * months[:, None]
    offset = (first - month.astype("datetime64[D]")).astype(np.int64)[:, None]
    issued = (month[:, None] + steps).astype("datetime64[D]").astype(np.int64) + offset
    last = np.minimum(company.decisions.gone_from, time.end_day)
    account, place = np.nonzero((issued >= time.first_day) & (issued < last[:, None]))
    return account, issued[account, place], months[account]


def _state_at(states: ContractStates, account: Ints, day: Ints) -> Ints:
    # States are ordered by account and day, so one key per state and one search per invoice do.
    scale = 2 * NEVER
    keys: Ints = states.account * scale + states.day
    place: Ints = np.searchsorted(keys, account * scale + day, side="right") - 1
    return place


def _failures(company: Company, rng: np.random.Generator, f: Floats, auto: Flags) -> Ints:
    law = company.world.money
    intercept = np.where(auto, law.failed_auto[0], law.failed_sent[0])
    loading = np.where(auto, law.failed_auto[1], law.failed_sent[1])
    fails = rng.random((3, len(f))) < np.stack([sigmoid(intercept + loading * f), *([np.full(len(f), 0.4)] * 2)])
    in_a_row = np.cumprod(fails, axis=0).sum(axis=0)
    return np.asarray(np.where(auto, in_a_row, np.minimum(in_a_row, 1)), dtype=np.int64)


def _voided(company: Company, invoices: Invoices) -> Floats:
    # The day on which an invoice is voided because the account leaves; NEVER for all others.
    decisions = company.decisions
    is_last = np.append(invoices.account[1:] != invoices.account[:-1], True)[: len(invoices.account)]
    draw = company.streams.named("money/void").random(len(company.accounts))
    at = decisions.known_at[invoices.account] + 2
    who = is_last & decisions.leaves[invoices.account] & (draw[invoices.account] < _SETTLED_AT_LEAVING)
    return np.where(who & (at > invoices.issued + 1) & (at < invoices.paid), at, float(NEVER))


def _write_invoices(writer: CanonicalWriter, company: Company, invoices: Invoices, voided: Floats) -> None:
    everyone = np.arange(len(invoices.account))
    end = np.minimum(invoices.paid, voided)
    _write_state(writer, company, invoices, everyone, "open", since=invoices.issued + 6 / 24, attempts=0)
    for attempt in range(1, 4):
        charged = np.flatnonzero(invoices.auto & (invoices.failures >= attempt))
        since = invoices.issued[charged] + _RETRY_DAYS[attempt - 1] + 10 / 24
        _write_state(writer, company, invoices, charged, "open", since=since, attempts=attempt)
        reminded = np.flatnonzero(~invoices.auto & (end > invoices.due + _REMINDER_DAYS[attempt - 1] + 8 / 24))
        since = invoices.due[reminded] + _REMINDER_DAYS[attempt - 1] + 8 / 24
        _write_state(writer, company, invoices, reminded, "open", since=since, attempts=attempt)
    settled = np.flatnonzero(voided == NEVER)
    _write_state(writer, company, invoices, settled, "paid", since=invoices.paid[settled], attempts=None)
    cancelled = np.flatnonzero(voided < NEVER)
    _write_state(writer, company, invoices, cancelled, "void", since=voided[cancelled], attempts=None)


def _write_state(  # noqa: PLR0913 - a row is told by all of these
    writer: CanonicalWriter,
    company: Company,
    invoices: Invoices,
    rows: Ints,
    status: str,
    *,
    since: Floats,
    attempts: int | None,
) -> None:
    account, auto = invoices.account[rows], invoices.auto[rows]
    amount = invoices.amount[rows]
    writer.append(
        "invoices_history",
        len(rows),
        {
            "invoice_id": ids("in", rows),
            "valid_from": micros(since),
            "account_id": Coded(account, company.accounts.ids),
            "contract_id": Coded(account, contract_ids(company)),
            "number": ids("INV", 10_000 + rows),
            "issued_on": invoices.issued[rows],
            "due_on": np.ma.masked_array(invoices.due[rows], mask=auto),
            "amount_due_minor": amount,
            "amount_paid_minor": amount if status == "paid" else 0 * amount,
            "amount_remaining_minor": amount if status == "open" else 0 * amount,
            "currency": "USD",
            "status": status,
            "finalized_at": micros(invoices.issued[rows] + 6 / 24),
            "paid_at": micros(since) if status == "paid" else None,
            "voided_at": micros(since) if status == "void" else None,
            "collection": Coded(auto.astype(np.int8), ("send_invoice", "auto_charge")),
            "billing_reason": "subscription_cycle",
            "period_start": invoices.issued[rows],
            "period_end": invoices.issued[rows] + np.rint(invoices.months[rows] * 30.44).astype(np.int64) - 1,
            "attempt_count": attempts,
            "dunning_status": "in_progress" if attempts else None,
        },
    )


def _write_payments(writer: CanonicalWriter, company: Company, invoices: Invoices, *, paid: Flags) -> None:
    settled = np.flatnonzero(paid)
    _write_attempts(writer, company, invoices, settled, "succeeded", at=invoices.paid[settled], number=0)
    for attempt in range(1, 4):
        rows = np.flatnonzero((invoices.failures >= attempt) & paid)
        charged = invoices.issued[rows] + _RETRY_DAYS[attempt - 1] + 10 / 24
        at = np.where(invoices.auto[rows], charged, invoices.paid[rows] - 1)
        _write_attempts(writer, company, invoices, rows, "failed", at=at, number=attempt)
    draw = company.streams.named("money/disputes").random(len(invoices.account))
    rows = np.flatnonzero((draw < company.world.money.dispute_share) & paid)
    _write_attempts(writer, company, invoices, rows, "disputed", at=invoices.paid[rows] + 10, number=9)


def _write_attempts(  # noqa: PLR0913 - a row is told by all of these
    writer: CanonicalWriter,
    company: Company,
    invoices: Invoices,
    rows: Ints,
    status: str,
    *,
    at: Floats,
    number: int,
) -> None:
    auto = invoices.auto[rows]
    writer.append(
        "payments",
        len(rows),
        {
            "payment_id": ids("py", 10 * rows + number),
            "attempted_at": micros(at),
            "invoice_id": ids("in", rows),
            "account_id": Coded(invoices.account[rows], company.accounts.ids),
            "amount_minor": invoices.amount[rows],
            "currency": "USD",
            "status": status,
            "failure_code": "insufficient_funds" if status == "failed" else None,
            "method": Coded(auto.astype(np.int8), ("bank_transfer", "card")),
        },
    )


def _write_credits(writer: CanonicalWriter, company: Company, invoices: Invoices, voided: Floats) -> None:
    draw = company.streams.named("money/credits").random((3, len(invoices.account)))
    for_quality = (draw[0] < company.world.money.quality_credit_share) & (voided == NEVER)
    rows = np.flatnonzero(for_quality | (voided < NEVER))
    quality = for_quality[rows]
    at = np.where(quality, invoices.issued[rows] + 10 + 60 * draw[1, rows], voided[rows])
    amount = np.rint(invoices.amount[rows] * np.where(quality, 0.05 + 0.2 * draw[2, rows], 1.0)).astype(np.int64)
    writer.append(
        "credit_notes",
        len(rows),
        {
            "credit_note_id": ids("cr", rows),
            "issued_at": micros(at),
            "invoice_id": ids("in", rows),
            "account_id": Coded(invoices.account[rows], company.accounts.ids),
            "amount_minor": amount,
            "reason": Coded(quality.astype(np.int8), ("order_change", "product_unsatisfactory")),
            "status": "issued",
        },
    )
