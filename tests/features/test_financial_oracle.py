"""Are the features of money what plain Python finds, row by row, in what was known?"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tests.features.made_up_money import money_rows
from tests.features.made_up_rows import (
    ACCOUNTS,
    COMPANY,
    FIRST,
    Row,
    known_events,
    known_states,
    share,
    shrunk,
    text_table,
)
from tests.features.view_case import view_rows

Tables = dict[str, list[Row]]


class Known:
    """What was known of money at one moment, whole portfolio."""

    def __init__(self, tables: Tables, as_of: datetime) -> None:
        self.today = as_of.date()
        self.as_of = as_of
        self.payments = known_events(tables["payments"], "payment_id", as_of)
        self.has_payments = any(
            max(row["available_at"], row["event_at"]) > as_of - timedelta(days=182) - timedelta(days=7)
            for row in self.payments
        )
        self.credits = known_events(tables["credit_notes"], "credit_note_id", as_of)
        self.notices = known_events(tables["contract_events"], "contract_event_id", as_of)
        self.invoices = [self.dated(row) for row in known_states(tables["invoices_history"], "invoice_id", as_of)]

    def dated(self, row: Row) -> Row:
        """The invoice with the day it fell due and its days late."""
        failed = [
            each["event_at"].date()
            for each in self.payments
            if each["invoice_id"] == row["invoice_id"] and each["status"] == "failed"
        ]
        late_after = row["due_on"] or (min(failed) if failed else None)
        end = (row.get("paid_at") or row["valid_from"]).date() if row["status"] == "paid" else self.today
        past_due = (end - late_after).days if late_after else 0
        days_late = max(past_due, 0)
        owes = row["status"] in ("open", "paid", "uncollectible")
        return {
            **row,
            "due": late_after or row["issued_on"],
            "days_late": days_late,
            "past_due": past_due,
            "owes": owes,
        }

    def since(self, day: date, weeks: int) -> bool:
        return self.today - timedelta(weeks=weeks) <= day < self.today

    def is_settlement(self, note: Row) -> bool:
        return any(
            abs((note["event_at"].date() - row["event_at"].date()).days) <= 30
            for row in self.notices
            if row["account_id"] == note["account_id"]
        )


def faded(own: list[Row], known: Known) -> float | None:
    """The mean days past due, older invoices weighing less, drawn to the portfolio's by one invoice of today."""
    due = [row for row in known.invoices if row["owes"] and row["due"] < known.today]
    weight, days = weighed(own, known.today)
    weight_of_all, days_of_all = weighed(due, known.today)
    return shrunk(days, weight, share(days_of_all, weight_of_all), 1.0) if own else None


def weighed(invoices: list[Row], today: date) -> tuple[float, float]:
    weights = [round(0.5 ** ((today - row["due"]).days / 196), 3) for row in invoices]
    days = [min(max(row["past_due"], -30), 45) for row in invoices]
    return sum(weights), sum(each * day for each, day in zip(weights, days, strict=True))


def expected_features(known: Known, account: str) -> dict[str, float | None]:
    mine = [row for row in known.invoices if row["account_id"] == account]
    due = [row for row in known.invoices if row["owes"] and known.since(row["due"], 52)]
    own_due = [row for row in due if row["account_id"] == account]
    ever = [row for row in mine if row["owes"] and row["due"] < known.today]
    ever.sort(key=lambda row: row["invoice_id"])
    ever.sort(key=lambda row: row["due"], reverse=True)
    late = [row["days_late"] for row in ever]
    change = sum(late[:2]) / 2 - sum(late[2:6]) / len(late[2:6]) if len(late) >= 4 else None
    overdue = [row for row in mine if row["status"] in ("open", "uncollectible") and row["days_late"] > 0]
    issued = [row for row in mine if row["owes"] and known.since(row["issued_on"], 52)]
    notes = [
        row["amount_minor"]
        for row in known.credits
        if row["account_id"] == account
        and row["reason"] == "product_unsatisfactory"
        and row["status"] == "issued"
        and known.since(row["event_at"].date(), 52)
        and not known.is_settlement(row)
    ]
    paid = [row for row in known.payments if row["account_id"] == account]
    failed = {
        row["invoice_id"] for row in paid if row["status"] == "failed" and known.since(row["event_at"].date(), 26)
    }
    disputed = [row for row in paid if row["status"] == "disputed" and known.since(row["event_at"].date(), 52)]
    ours = sum(row["days_late"] > 0 for row in own_due)
    prior = share(sum(row["days_late"] > 0 for row in due), len(due))
    return {
        "days_late_w52": share(
            sum(row["amount_due_minor"] * row["days_late"] for row in own_due),
            sum(row["amount_due_minor"] for row in own_due),
        ),
        "days_past_due_last4": share(sum(row["past_due"] for row in ever[:4]), len(ever[:4])),
        "days_past_due_ewm28": faded(ever, known),
        "days_late_change": change,
        "invoices_late_share_w52": shrunk(ours, len(own_due), prior, 4) if own_due else None,
        "open_overdue_ratio": sum(row["amount_due_minor"] for row in overdue) / 1_000_000 if mine else None,
        "dunning_stage": max((row.get("attempt_count") or 0 for row in mine if row["status"] == "open"), default=0)
        if mine
        else None,
        "quality_credit_ratio_w52": share(sum(notes), sum(row["amount_due_minor"] for row in issued)),
        "failed_payments_w26": len(failed) if known.has_payments else None,
        "payment_disputes_w52": len(disputed) if known.has_payments else None,
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_every_feature_is_what_plain_python_finds(seed: int) -> None:
    tables = money_rows(seed)
    as_ofs = [f"{(FIRST + timedelta(weeks=week)).date()}" for week in (9, 23, 37, 50, 60)]
    case = {name: text_table(rows) for name, rows in (COMPANY | tables).items()}
    found: list[dict[str, Any]] = view_rows("financial", case, as_of=as_ofs)
    assert len(found) == len(ACCOUNTS) * len(as_ofs)
    for row in found:
        expected = expected_features(Known(tables, row["as_of"]), row["account_id"])
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, abs=1e-9), (row["account_id"], row["as_of"].date(), name)
