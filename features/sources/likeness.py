"""Which canonical table does a file resemble by its name, and which column a header?

Names only: a likeness is a number from 0 (nothing in common) to 1 (the same name). Whether the cells fit is judged
elsewhere. The words below are those that exports of billing, support, survey and analytics tools use.
"""

from __future__ import annotations

import re

from features.events import Table

LEAST = 0.5
"""A likeness below this is chance."""
SAID = 0.9
"""Of a header that is one of the listed words."""
OF_TABLE = 0.8
"""Of a header that means a column only in this kind of table, such as `id`."""

_TABLE_WORDS = {
    "accounts_history": "account customer company organization organisation client tenant studio",
    "account_aliases": "alias",
    "contracts_history": "contract subscription agreement plan purchase",
    "contract_events": "cancellation churn renewal notice",
    "subscription_lines_history": "line item",
    "seat_assignments_history": "seat license licence assignment user member",
    "usage_events": "event track action click log",
    "usage_daily": "usage daily activity engagement session",
    "projects_history": "project show job",
    "milestones_history": "milestone deadline",
    "tasks_history": "task todo",
    "assets": "asset shot file",
    "asset_versions": "version",
    "review_events": "review approval annotation",
    "invoices_history": "invoice bill billing",
    "payments": "payment charge transaction",
    "credit_notes": "credit",
    "tickets_history": "ticket case issue support",
    "survey_responses": "survey response nps csat answer feedback rating",
    "survey_invitations": "invitation invite",
    "market_events": "market competitor",
    "market_indices": "index indices",
    "opportunities_history": "opportunity opportunities deal",
    "campaigns": "campaign",
    "fx_rates": "fx rate exchange",
    "holidays": "holiday",
}
_COLUMN_WORDS = {
    "account_id": "account accountid customer_id customer client_id company_id organization_id org_id tenant_id",
    "user_key": "user_id user uid email member_id",
    "respondent_key": "respondent respondent_id participant_id person contact_id email",
    "requester_key": "requester requester_id reporter contact_id",
    "product_sku": "product sku product_id product_name plan app",
    "feature_code": "feature feature_name event event_type event_name",
    "usage_date": "date day activity_date",
    "sessions": "session_count visits logins",
    "active_minutes": "minutes duration_minutes minutes_active time_spent hours",
    "events": "event_count actions count",
    "name": "company_name account_name customer_name title",
    "segment": "industry vertical line_of_business type",
    "country": "country_code billing_country",
    "hq_tz": "timezone time_zone tz",
    "employees": "employee_count headcount number_of_employees",
    "created_on": "created created_at signup_date since registered",
    "csm_owner_id": "csm owner owner_id",
    "parent_account_id": "parent parent_id",
    "valid_from": "updated_at modified_at changed_at last_modified updated created_at created opened_at date",
    "start_on": "start start_date starts_on begin begins_on current_period_start",
    "end_on": "end end_date ends_on expires expires_on expiry current_period_end",
    "signed_on": "signed signature_date",
    "term_months": "term months term_length",
    "currency": "currency_code ccy iso_currency",
    "acv_minor": "acv arr annual_value yearly_value amount price value",
    "tcv_minor": "tcv total_value contract_value",
    "quantity": "seats qty licenses licences seat_count",
    "status": "state stage",
    "priority": "severity urgency",
    "created_at": "created opened_at opened date_created",
    "solved_at": "resolved_at closed_at solved",
    "issued_at": "issued created created_at date",
    "issued_on": "date invoice_date issued created created_at",
    "due_on": "due due_date",
    "paid_at": "paid payment_date paid_on",
    "amount_due_minor": "amount amount_due total",
    "amount_paid_minor": "amount_paid paid_amount",
    "amount_remaining_minor": "amount_remaining balance outstanding",
    "amount_minor": "amount total value",
    "attempted_at": "date created created_at paid_at",
    "submitted_at": "submitted date responded_at created_at completed_at end_date",
    "score_raw": "score rating nps answer value",
    "question_key": "question question_id",
    "survey_id": "survey survey_name form_id",
    "client_at": "timestamp time event_time occurred_at created_at",
    "action": "event event_type event_name verb",
    "effective_on": "effective_date date cancelled_on end_date",
    "type": "kind category event_type",
    "assigned_at": "assigned created_at start_date",
    "revoked_at": "revoked deactivated_at end_date",
    "number": "invoice_number document_number",
    "channel": "source via origin",
    "recorded_at": "recorded written_at synced_at loaded_at",
}


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: ``createdAt``, ``Created At`` and ``created_at`` are the same two."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return tuple(word for word in re.split(r"[^a-z0-9]+", parted.lower()) if word)


def likeness_of_table(table: Table, stem: str) -> float:
    """How much a file's name says of a table: 1 when it is the table's name, 0.5 to 1 when it has a word of its."""
    if stem.lower() == table.name:
        return 1.0
    own = set(_TABLE_WORDS.get(table.name, "").split())
    found = [_singular(word) in own or word in own for word in words_of(stem)]
    # The last word of a name says what the rows are: a list of `customer_invoices` holds invoices.
    return 0.0 if not any(found) else (SAID if found[-1] else LEAST)


def likeness_of_column(table: Table, column: str, header: str) -> float:
    """How much a header's name says of a column of a table."""
    words, own = words_of(header), words_of(column)
    plain = "_".join(words)
    if plain == column:
        return 1.0
    listed = _COLUMN_WORDS.get(column, "").split()
    if plain in listed:
        # The first words say it best.
        return SAID - listed.index(plain) / 100
    if words in {("id",), ("key",), ("uuid",)} and table.key[0] == column != "account_id":
        return OF_TABLE
    if words == ("id",) and table.name == "accounts_history" and column == "account_id":
        return OF_TABLE
    shared = len(set(words) & set(own))
    return shared / len(set(words) | set(own)) if shared else 0.0


def _singular(word: str) -> str:
    return f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s")
