"""In which ways is a row broken, and what must ingest say of it?

One declaration per way: where it happens, the cell, and the rule that refuses the row. A row has one trouble at most,
so counts add up exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

_FAR = datetime(2150, 1, 1, tzinfo=UTC)
"""Long after every export, and still a year that a moment may have."""
_NEVER = date(9999, 12, 31)
_TWO_DAYS = 2 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Stain:
    """Break ``column`` of some rows of ``table`` with ``cell``; ``share`` names the field of the dirt law.

    ``back_us`` takes microseconds off a moment instead.
    """

    table: str
    column: str
    rule: str
    cell: Any = None
    share: str = "bad_cells"
    back_us: int = 0


STAINS = (
    Stain("tickets_history", "status", "choices", "wartet auf Kunde", "status_words"),
    Stain("invoices_history", "status", "choices", "partially_refunded", "status_words"),
    Stain("payments", "status", "choices", "chargeback_won", "status_words"),
    Stain("projects_history", "status_canonical", "choices", "internal", "status_words"),
    Stain("milestones_history", "status_canonical", "choices", "at risk", "status_words"),
    Stain("review_events", "type", "choices", "pencils_down", "status_words"),
    Stain("usage_daily", "product_sku", "required", None),
    Stain("payments", "currency", "required", None),
    Stain("survey_responses", "question_key", "required", None),
    Stain("usage_daily", "sessions", "minimum", -1),
    Stain("survey_responses", "score_01", "maximum", 1.7),
    Stain("usage_daily", "active_minutes", "finite", float("nan")),
    Stain("usage_daily", "tz", "zone", "Mars/Olympus_Mons"),
    Stain("seat_assignments_history", "assigned_at", "range", datetime(9999, 12, 31, tzinfo=UTC)),
    Stain("invoices_history", "due_on", "range", _NEVER),
    Stain("payments", "event_at", "future", _FAR),
    Stain("usage_daily", "event_at", "future", _FAR),
    Stain("asset_versions", "available_at", "order", back_us=_TWO_DAYS),
    Stain("survey_invitations", "status", "text", "sent\x1ftwice"),
    # Only a text file can hold these.
    Stain("tickets_history", "first_reply_s", "type", "about two hours"),
    Stain("tickets_history", "available_at", "precision", "2021-05-03 10:00:00.123456789+00:00"),
)
"""Broken cells."""

LONG_LINE = Stain("tickets_history", "", "malformed", "one cell too many")
NAIVE_TIME = Stain("tickets_history", "valid_from", "zone", share="naive_accounts")
CLOCK_SKEW = Stain("review_events", "event_at", "order", share="skewed")

REPEATED = (
    "accounts_history",
    "contracts_history",
    "contract_events",
    "subscription_lines_history",
    "seat_assignments_history",
    "usage_daily",
    "projects_history",
    "milestones_history",
    "assets",
    "asset_versions",
    "review_events",
    "account_campaigns_history",
    "invoices_history",
    "payments",
    "credit_notes",
    "tickets_history",
    "survey_invitations",
    "survey_responses",
)
"""Tables whose sources send some rows twice."""

CONTRADICTED = {
    "usage_daily": "events",
    "asset_versions": "author_key",
    "invoices_history": "amount_due_minor",
    "payments": "amount_minor",
    "tickets_history": "tags",
    "survey_responses": "score_raw",
}
"""Tables whose sources send some records twice, and the cell that differs then. Ingest takes neither."""
