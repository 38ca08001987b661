"""Made-up invoices, payments, credit notes and notices."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from tests.features.made_up_rows import ACCOUNTS, Row, event, moment, state


def money_rows(seed: int) -> dict[str, list[Row]]:
    """Tables of money by name."""
    random = Random(seed)  # noqa: S311 - made-up rows are no secret
    invoices: list[Row] = []
    payments: list[Row] = []
    credits_given: list[Row] = []
    for number in range(30):
        _add_invoice(random, f"i{number}", random.choice(ACCOUNTS), invoices, payments)
    for number in range(12):
        cells = {"account_id": random.choice(ACCOUNTS), "invoice_id": f"i{random.randrange(30)}"}
        credits_given += event(
            random,
            moment(random),
            {"amount_minor": (10, 20)},
            credit_note_id=f"k{number}",
            amount_minor=random.randrange(1, 500),
            reason=random.choice(("product_unsatisfactory", "product_unsatisfactory", "order_change")),
            status=random.choice(("issued", "issued", "void")),
            **cells,
        )
    notices: list[Row] = []
    for number, account in enumerate(ACCOUNTS[:2]):
        kind = random.choice(("notice_given", "cancelled"))
        at = moment(random, within=timedelta(weeks=50))
        cells = {"contract_id": f"c-{account}", "account_id": account, "effective_on": "2026-12-31"}
        notices += event(random, at, {}, contract_event_id=f"e{number}", type=kind, **cells)[:1]
    return {
        "invoices_history": invoices,
        "payments": payments,
        "credit_notes": credits_given,
        "contract_events": notices,
    }


def _add_invoice(random: Random, invoice: str, account: str, invoices: list[Row], payments: list[Row]) -> None:
    at = moment(random, within=timedelta(weeks=55))
    automatic = random.random() < 0.4
    cells = {
        "invoice_id": invoice,
        "account_id": account,
        "issued_on": at.date(),
        "due_on": None if automatic else (at + timedelta(days=20)).date(),
        "amount_due_minor": random.randrange(100, 9000),
        "currency": "USD",
    }
    rows = [state(random, at, status=random.choice(("draft", "open", "open")), attempt_count=0, **cells)]
    for attempt in range(1, random.randrange(1, 5)):
        tried = moment(random, after=at, within=timedelta(days=14))
        ending = {"invoice_id": invoice, "account_id": account, "amount_minor": 1, "currency": "USD"}
        outcome = random.choice(("failed", "failed", "disputed", "succeeded"))
        payments += event(
            random,
            tried,
            {"status": ("failed", "disputed")},
            payment_id=f"{invoice}-{attempt}",
            status=outcome,
            **ending,
        )
        at = moment(random, after=at, within=timedelta(days=12))
        rows.append(state(random, at, status="open", attempt_count=attempt, **cells))
    at = moment(random, after=at, within=timedelta(days=30))
    status = random.choice(("paid", "paid", "paid", "void", "uncollectible", "open"))
    paid_at = at if status == "paid" and random.random() < 0.5 else None
    rows.append(state(random, at, status=status, paid_at=paid_at, **cells))
    if random.random() < 0.1:
        rows.append({**rows[-1], "available_at": rows[-1]["available_at"] + timedelta(days=20), "op": "delete"})
    invoices += rows
