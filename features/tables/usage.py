"""Who used what, when? Events where the source has them, day totals where it has only days."""

from __future__ import annotations

from datetime import timedelta

from features.tables.accounts import ACCOUNT
from features.tables.columns import Role, Table, day, integer, moment, number, text

FEATURE_FAMILIES = "core collab review export automation asset_mgmt admin ai other"

USAGE_EVENTS = Table(
    name="usage_events",
    grain="one row per action of a user",
    role=Role.EVENT,
    key=("event_id",),
    event_at_from="client_at",
    lag=timedelta(hours=1),
    columns=(
        text("event_id", "the action; used to drop duplicates"),
        ACCOUNT,
        text("user_key", "salted hash of the user", null=True),
        text("seat_id", "the seat", null=True),
        text("session_id", "the session", null=True),
        text("product_sku", "product"),
        text("product_version", "version of the product", null=True),
        text("feature_code", "feature of the product"),
        text("feature_family", "family of the feature", choices=FEATURE_FAMILIES),
        text("action", "what was done"),
        text("project_key", "the project worked on", null=True),
        text("asset_key", "the asset worked on", null=True),
        number("duration_s", "how long it took", unit="seconds", null=True, low=0),
        integer("tokens", "tokens spent", unit="tokens", null=True, minimum=0),
        moment("client_at", "the client's clock, which may be wrong", null=True),
        moment("server_received_at", "the server's clock", null=True),
        text("platform", "operating system", null=True),
    ),
)

USAGE_DAILY = Table(
    name="usage_daily",
    grain="one row per account, user, product, feature and day",
    role=Role.EVENT,
    key=("account_id", "user_key", "product_sku", "feature_code", "usage_date"),
    event_at_from="usage_date",
    lag=timedelta(hours=6),
    precision="day",
    columns=(
        ACCOUNT,
        text("user_key", "salted hash of the user; null = total of the account", null=True),
        text("product_sku", "product"),
        text("feature_code", "family of the feature used", choices=FEATURE_FAMILIES, null=True),
        day("usage_date", "the day, in tz"),
        text("tz", "IANA zone of the day", null=True),
        integer("sessions", "sessions", unit="sessions", null=True, minimum=0),
        number("active_minutes", "time in the tool", unit="minutes", null=True, low=0),
        integer("events", "actions", unit="actions", null=True, minimum=0),
        integer("tokens", "tokens spent", unit="tokens", null=True, minimum=0),
    ),
)

TABLES = (USAGE_EVENTS, USAGE_DAILY)
