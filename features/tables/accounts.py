"""Who are the accounts, and what did they sign? Accounts, aliases, contracts, lines and seats."""

from __future__ import annotations

from datetime import timedelta

from features.tables.columns import Role, Table, day, flag, integer, moment, number, text

VALID_FROM = moment("valid_from", "from when this state holds")
VALID_TO = moment("valid_to", "when the next state began, as the source says it; never read by a feature", null=True)
ACCOUNT = text("account_id", "the vendor's account: the contract-owning entity")

ACCOUNTS_HISTORY = Table(
    name="accounts_history",
    grain="one row per account and state",
    role=Role.HISTORY,
    key=("account_id", "valid_from"),
    event_at_from="valid_from",
    columns=(
        ACCOUNT,
        VALID_FROM,
        VALID_TO,
        text("name", "name for people; never a feature", null=True),
        text("parent_account_id", "the account that owns this one", null=True),
        text("segment", "line of business", choices="studio broadcaster agency other"),
        text("subsegment", "finer line of business", null=True),
        text("country", "ISO-3166 alpha-2 country of the head office", null=True),
        text("hq_tz", "IANA zone of the head office"),
        integer("employees", "head count", unit="people", null=True, minimum=0),
        day("created_on", "when the account was first known to the vendor", null=True),
        text("csm_owner_id", "customer-success manager in charge", null=True),
        text("am_owner_id", "account manager in charge", null=True),
        text("exec_sponsor_id", "sponsor on the vendor's side", null=True),
        text("tier", "service tier", null=True),
        flag("is_internal", "an account of the vendor itself", null=True),
        flag("is_test", "a test account", null=True),
        text("acquired_by_account_id", "the account that bought this one", null=True),
        flag("consent_pm_data", "may production data be read?", null=True),
    ),
)

ACCOUNT_ALIASES = Table(
    name="account_aliases",
    grain="one row per source key of an account",
    role=Role.HISTORY,
    key=("source_account_key", "valid_from"),
    event_at_from="valid_from",
    columns=(
        text("source_account_key", "the account's id in the source system"),
        ACCOUNT,
        text("match_rule", "how the match was made", choices="explicit domain manual merge"),
        number("confidence", "trust in the match", low=0, high=1),
        VALID_FROM,
        VALID_TO,
    ),
)

CONTRACTS_HISTORY = Table(
    name="contracts_history",
    grain="one row per contract and state (a renewal is a new state)",
    role=Role.HISTORY,
    key=("contract_id", "valid_from"),
    event_at_from="valid_from",
    lag=timedelta(days=1),
    columns=(
        text("contract_id", "the contract"),
        VALID_FROM,
        VALID_TO,
        ACCOUNT,
        day("signed_on", "signature", null=True),
        day("start_on", "first day of the term"),
        day(
            "end_on", "last day of the term; null = evergreen, a decision is possible in each billing cycle", null=True
        ),
        integer("term_months", "length of the term", unit="months", null=True, minimum=0),
        flag("auto_renew", "does it renew by itself?", null=True),
        integer("notice_period_days", "notice needed before the end; null = none", unit="days", null=True, minimum=0),
        text("action_at_term_end", "what happens at the end", choices="renew evergreen cancel renew_once", null=True),
        text("billing_interval", "how often it is invoiced", null=True),
        text("currency", "ISO-4217"),
        integer("tcv_minor", "total contract value", unit="minor units", null=True),
        integer("acv_minor", "annual contract value", unit="minor units"),
        number("discount_pct", "discount on list", unit="share 0-1", null=True, low=0, high=1),
        integer("payment_terms_days", "days to pay", unit="days", null=True, minimum=0),
        number("price_cap_pct", "cap on price increases", unit="share 0-1", null=True),
        text("product_family", "what is sold", null=True),
        flag("pilot", "a trial contract", null=True),
    ),
)

CONTRACT_EVENTS = Table(
    name="contract_events",
    grain="one row per thing that happened to a contract; the source of labels, never of an account's own features",
    role=Role.EVENT,
    key=("contract_event_id",),
    event_at_from="effective_on",
    lag=timedelta(days=5),
    columns=(
        text("contract_event_id", "the event"),
        text("contract_id", "the contract"),
        ACCOUNT,
        text(
            "type",
            "what happened",
            choices="signed renewed expanded contracted notice_given notice_withdrawn cancelled expired "
            "terminated_nonpayment merged_into paused resumed",
        ),
        day("effective_on", "when it takes effect (event_at is when it was decided)"),
        integer("arr_delta_minor", "change of annual value", unit="minor units", null=True),
        integer("seats_delta", "change of seats", unit="seats", null=True),
        text("reason_code", "stated reason", null=True),
        text("reason_text_id", "free text of the reason", null=True),
        text("initiated_by", "who began it", choices="customer vendor system", null=True),
    ),
)

SUBSCRIPTION_LINES_HISTORY = Table(
    name="subscription_lines_history",
    grain="one row per contract line and state",
    role=Role.HISTORY,
    key=("line_id", "valid_from"),
    event_at_from="valid_from",
    lag=timedelta(days=1),
    columns=(
        text("line_id", "the line"),
        VALID_FROM,
        VALID_TO,
        text("contract_id", "the contract"),
        text("product_sku", "product"),
        integer("quantity", "seats or tokens bought", unit="seats", minimum=0),
        integer("unit_amount_minor", "price per unit and interval", unit="minor units", null=True),
        text("interval", "billing interval", null=True),
        text("usage_type", "how it is counted", choices="licensed metered token", null=True),
        text("status", "state of the line", choices="trialing active past_due paused ended", null=True),
    ),
)

SEAT_ASSIGNMENTS_HISTORY = Table(
    name="seat_assignments_history",
    grain="one row per seat and state",
    role=Role.HISTORY,
    key=("seat_id", "valid_from"),
    event_at_from="valid_from",
    lag=timedelta(days=1),
    columns=(
        text("seat_id", "the seat"),
        VALID_FROM,
        VALID_TO,
        ACCOUNT,
        text("product_sku", "product", null=True),
        text("user_key", "salted hash of the user"),
        text("role", "what the user does", choices="creator reviewer admin producer freelancer unknown"),
        moment("assigned_at", "when the user got the seat"),
        moment("revoked_at", "when the seat was taken back", null=True),
        text("identity_type", "kind of identity", null=True),
    ),
)

TABLES = (
    ACCOUNTS_HISTORY,
    ACCOUNT_ALIASES,
    CONTRACTS_HISTORY,
    CONTRACT_EVENTS,
    SUBSCRIPTION_LINES_HISTORY,
    SEAT_ASSIGNMENTS_HISTORY,
)
