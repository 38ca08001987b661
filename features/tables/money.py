"""What was invoiced, paid, disputed and credited?"""

from __future__ import annotations

from datetime import timedelta

from features.tables.accounts import ACCOUNT, VALID_FROM, VALID_TO
from features.tables.columns import Role, Table, day, integer, moment, number, text

CURRENCY = text("currency", "ISO-4217")

INVOICES_HISTORY = Table(
    name="invoices_history",
    grain="one row per invoice and state",
    role=Role.HISTORY,
    key=("invoice_id", "valid_from"),
    event_at_from="valid_from",
    lag=timedelta(days=1),
    columns=(
        text("invoice_id", "the invoice"),
        VALID_FROM,
        VALID_TO,
        ACCOUNT,
        text("contract_id", "the contract", null=True),
        text("number", "printed number", null=True),
        day("issued_on", "issue"),
        day("due_on", "due; null for automatic collection", null=True),
        integer("amount_due_minor", "amount", unit="minor units"),
        integer("amount_paid_minor", "paid so far", unit="minor units", null=True),
        integer("amount_remaining_minor", "still open", unit="minor units", null=True),
        CURRENCY,
        text("status", "state", choices="draft open paid void uncollectible"),
        moment("finalized_at", "finalised", null=True),
        moment("paid_at", "paid in full", null=True),
        moment("voided_at", "voided", null=True),
        moment("marked_uncollectible_at", "given up", null=True),
        text("collection", "how it is collected", choices="auto_charge send_invoice", null=True),
        text("billing_reason", "why it was issued", null=True),
        day("period_start", "first day billed", null=True),
        day("period_end", "last day billed", null=True),
        integer("attempt_count", "attempts to collect", unit="attempts", null=True, minimum=0),
        text("dunning_status", "state of dunning", null=True),
    ),
)

PAYMENTS = Table(
    name="payments",
    grain="one row per attempt to pay",
    role=Role.EVENT,
    key=("payment_id",),
    event_at_from="attempted_at",
    lag=timedelta(days=1),
    columns=(
        text("payment_id", "the attempt"),
        moment("attempted_at", "when"),
        text("invoice_id", "the invoice", null=True),
        ACCOUNT,
        integer("amount_minor", "amount", unit="minor units"),
        CURRENCY,
        text("status", "outcome", choices="pending succeeded failed refunded disputed"),
        text("failure_code", "why it failed", null=True),
        text("method", "means of payment", null=True),
    ),
)

CREDIT_NOTES = Table(
    name="credit_notes",
    grain="one row per credit note",
    role=Role.EVENT,
    key=("credit_note_id",),
    event_at_from="issued_at",
    lag=timedelta(days=1),
    columns=(
        text("credit_note_id", "the note"),
        moment("issued_at", "issue"),
        text("invoice_id", "the invoice"),
        ACCOUNT,
        integer("amount_minor", "amount", unit="minor units"),
        text("reason", "why", choices="duplicate fraudulent order_change product_unsatisfactory other", null=True),
        text("status", "state", null=True),
        moment("voided_at", "voided", null=True),
    ),
)

FX_RATES = Table(
    name="fx_rates",
    grain="one row per currency and day",
    role=Role.REFERENCE,
    key=("currency", "rate_on"),
    event_at_from="rate_on",
    precision="day",
    columns=(CURRENCY, day("rate_on", "day"), number("to_reporting", "units of the reporting currency", low=0)),
)

TABLES = (INVOICES_HISTORY, PAYMENTS, CREDIT_NOTES, FX_RATES)
