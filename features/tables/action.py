"""What did we do, and what came of it? Alerts, interventions, opportunities, outcomes and source heartbeats."""

from __future__ import annotations

from features.tables.accounts import ACCOUNT, VALID_FROM, VALID_TO
from features.tables.columns import Role, Table, day, flag, integer, moment, number, text

ALERTS = Table(
    name="alerts",
    grain="one row per alert",
    role=Role.EVENT,
    key=("alert_id",),
    event_at_from="created_at",
    columns=(
        text("alert_id", "the alert"),
        text("episode_id", "the episode it belongs to"),
        ACCOUNT,
        text("rule_id", "the rule that opened it"),
        text("model_version", "the model that scored", null=True),
        text("band", "band", null=True),
        number("health", "health, 100 = healthy", null=True),
        number("risk_90", "risk within 90 days", null=True, low=0, high=1),
        text("subcategory_driver", "most negative subcategory", null=True),
        text("phase", "phase", null=True),
        moment("created_at", "opened"),
        text("owner_id", "who owns it", null=True),
        text("delegate_id", "who stands in", null=True),
        moment("due_at", "due", null=True),
        text("state", "state", choices="open ack in_progress done snoozed dismissed shed"),
        text("external_refs", "ids in other systems", null=True),
    ),
)

INTERVENTIONS = Table(
    name="interventions",
    grain="one row per thing done for an account",
    role=Role.EVENT,
    key=("intervention_id",),
    event_at_from="started_at",
    columns=(
        text("intervention_id", "the intervention"),
        text("alert_id", "the alert", null=True),
        ACCOUNT,
        text("playbook_id", "the playbook"),
        text(
            "kind",
            "kind",
            choices="call training exec_review commercial_offer payment_plan onboarding technical_fix "
            "campaign_debrief other",
        ),
        flag("proactive", "begun before the customer asked and more than 30 days before the decision", null=True),
        moment("started_at", "begun"),
        moment("ended_at", "ended", null=True),
        text("actor_id", "who did it", null=True),
        integer("cost_minor", "cost", unit="minor units", null=True, minimum=0),
        text("customer_response", "what the customer said", null=True),
        text("assigned_arm", "arm of a trial", null=True),
    ),
)

OPPORTUNITIES_HISTORY = Table(
    name="opportunities_history",
    grain="one row per sales opportunity and state",
    role=Role.HISTORY,
    key=("opportunity_id", "valid_from"),
    event_at_from="valid_from",
    columns=(
        text("opportunity_id", "the opportunity"),
        VALID_FROM,
        VALID_TO,
        ACCOUNT,
        text("type", "kind", choices="new renewal upsell cross_sell downsell"),
        integer("amount_minor", "amount", unit="minor units", null=True),
        text("stage", "stage", null=True),
        day("expected_close_on", "expected close", null=True),
        flag("is_closed", "closed?", null=True),
        flag("is_won", "won?", null=True),
    ),
)

OUTCOMES_LEDGER = Table(
    name="outcomes_ledger",
    grain="one row per outcome of a contract",
    role=Role.EVENT,
    key=("outcome_event_id",),
    event_at_from="effective_at",
    columns=(
        text("outcome_event_id", "the outcome"),
        ACCOUNT,
        text("contract_id", "the contract"),
        text("kind", "kind of outcome"),
        moment("notice_at", "notice", null=True),
        moment("effective_at", "effect"),
        integer("arr_lost_minor", "annual value lost", unit="minor units", null=True),
        integer("seats_lost", "seats lost", unit="seats", null=True),
        flag("voluntary", "did the customer decide?", null=True),
        text("reason", "reason", null=True),
        text("label_version", "which definition of the label", null=True),
    ),
)

SOURCE_HEARTBEATS = Table(
    name="source_heartbeats",
    grain="one row per source table and watermark",
    role=Role.EVENT,
    key=("heartbeat_id",),
    event_at_from="watermark_at",
    columns=(
        text("heartbeat_id", "the heartbeat"),
        text("table_name", "the table"),
        moment("watermark_at", "complete up to here"),
        integer("rows", "rows delivered", unit="rows", null=True, minimum=0),
        integer("expected_rows_lo", "fewest rows expected", unit="rows", null=True),
        integer("expected_rows_hi", "most rows expected", unit="rows", null=True),
        text("steward_id", "who keeps the source", null=True),
        flag("ok", "healthy?", null=True),
    ),
)

TABLES = (ALERTS, INTERVENTIONS, OPPORTUNITIES_HISTORY, OUTCOMES_LEDGER, SOURCE_HEARTBEATS)
