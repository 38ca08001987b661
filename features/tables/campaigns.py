"""Which campaigns are there, when do they run as far as was known, and who takes part? All bitemporal."""

from __future__ import annotations

from datetime import timedelta

from features.tables.accounts import ACCOUNT
from features.tables.columns import Role, Table, day, integer, moment, number, text

KNOWN_FROM = moment("known_from", "from when this was believed")

CAMPAIGNS = Table(
    name="campaigns",
    grain="one row per kind of campaign",
    role=Role.REFERENCE,
    key=("campaign_id", "known_from"),
    event_at_from="known_from",
    lag=timedelta(0),
    columns=(
        text("campaign_id", "the campaign, for example march_madness"),
        KNOWN_FROM,
        text("name", "name for people"),
        text("family", "family", choices="sports awards season holiday upfront election custom"),
        text("region", "region", null=True),
        integer("default_pre_days", "length of the pre phase", unit="days", minimum=0),
        integer("default_post_days", "length of the post phase", unit="days", minimum=0),
        number("importance", "weight for the vendor", low=0, high=1, null=True),
        text("owner", "who keeps it", null=True),
    ),
)

CAMPAIGN_INSTANCES_HISTORY = Table(
    name="campaign_instances_history",
    grain="one row per campaign instance and belief about it",
    role=Role.HISTORY,
    key=("campaign_instance_id", "known_from"),
    event_at_from="known_from",
    lag=timedelta(0),
    columns=(
        text("campaign_instance_id", "the instance, for example march_madness_2025"),
        KNOWN_FROM,
        moment("known_to", "until when it was believed; never read by a feature", null=True),
        text("campaign_id", "the campaign"),
        text("label", "name for people"),
        day("active_start_local", "first active day"),
        day("active_end_local", "last active day, included"),
        text("tz_policy", "whose midnight counts", choices="account_local event_tz"),
        text("event_tz", "IANA zone of the event", null=True),
        integer("pre_days", "overrides the campaign's default", unit="days", null=True, minimum=0),
        integer("post_days", "overrides the campaign's default", unit="days", null=True, minimum=0),
        text("status", "state", choices="tentative confirmed moved cancelled"),
        text("source", "who said so", null=True),
    ),
)

ACCOUNT_CAMPAIGNS_HISTORY = Table(
    name="account_campaigns_history",
    grain="one row per account, campaign instance and belief",
    role=Role.HISTORY,
    key=("account_id", "campaign_instance_id", "known_from"),
    event_at_from="known_from",
    lag=timedelta(0),
    columns=(
        ACCOUNT,
        text("campaign_instance_id", "the instance"),
        KNOWN_FROM,
        text("participation", "how we know", choices="declared inferred prior declined"),
        number("confidence", "trust", low=0, high=1),
        text("role", "role", choices="rights_holder sponsor_agency promo_studio vendor unknown", null=True),
        number("expected_volume", "expected work", null=True),
        day("own_active_start_local", "the account's own first active day", null=True),
        day("own_active_end_local", "the account's own last active day", null=True),
        text("evidence_ids", "why we believe it", null=True),
    ),
)

TABLES = (CAMPAIGNS, CAMPAIGN_INSTANCES_HISTORY, ACCOUNT_CAMPAIGNS_HISTORY)
