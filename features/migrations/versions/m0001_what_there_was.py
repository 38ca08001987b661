"""What there was before there were steps: promotions, approvals, weights, the score ledger, keys and their log.

A home from that time has some of these tables, and may lack columns that came late; it is taken over as it is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from features.migrations.columns import blob, double, number, text, whole
from features.migrations.taking_over import take_over
from features.state_laws import Law, append_only, lay_down, never_deleted

revision = "0001"
down_revision = None

_KEY_PARTS = "prefix, name, scopes, salt, hash, created_at"
_HORIZONS = (30, 60, 90, 180)
_PARTS = ("engagement", "campaign", "output_quality", "financial", "sentiment", "market", "context")


def upgrade() -> None:
    """Make, or take over, the eight tables."""
    connection, tables = op.get_bind(), sa.MetaData()
    _models(tables)
    _ledger(tables)
    _access(tables)
    take_over(connection, tables)
    lay_down(
        connection,
        *append_only("promotions", "the promotion log"),
        *append_only("policy_weights", "the record of weights"),
        *append_only("model_approvals", "the record of approvals"),
        *append_only("score_ledger", "the score ledger"),
        *append_only("score_ledger_details", "the score ledger"),
        *append_only("score_ledger_features", "the score ledger"),
        *append_only("access_log", "the access log"),
        *never_deleted("api_keys", "a key is revoked, never deleted"),
        Law("api_keys_no_change", "api_keys", f"UPDATE OF {_KEY_PARTS}", "a key is never changed"),
        Law(
            "api_keys_no_return",
            "api_keys",
            "UPDATE OF revoked_at",
            "a key stays revoked",
            when="OLD.revoked_at IS NOT NULL",
        ),
    )


def downgrade() -> None:
    """Leave everything: versions from before the steps read these very tables."""


def _models(tables: sa.MetaData) -> None:
    sa.Table(
        "promotions",
        tables,
        number("id"),
        *(text(name) for name in ("at", "who", "why", "action")),
        text("version_from", null=True),
        *(text(name) for name in ("version_to", "verdict")),
    )
    sa.Table(
        "policy_weights",
        tables,
        number("id"),
        *(text(name) for name in ("at", "who", "why")),
        *(text(name, null=True) for name in ("weights", "backtest")),
    )
    sa.Table(
        "model_approvals",
        tables,
        number("id"),
        *(text(name) for name in ("at", "who", "role", "version")),
        text("against", null=True),
        *(text(name) for name in ("decision", "why")),
    )


def _ledger(tables: sa.MetaData) -> None:
    sa.Table(
        "score_ledger",
        tables,
        number("id"),
        *(text(name) for name in ("account_id", "as_of")),
        *(double(f"risk_{days}") for days in _HORIZONS),
        whole("interval_days", null=True),
        *(double(f"interval_{side}", null=True) for side in ("p0", "p1", "low", "high")),
        double("health"),
        *(text(name) for name in ("band", "grade", "phase")),
        double("base_points"),
        *(double(f"points_{part}") for part in _PARTS),
        *(double(f"{what}_adjust") for what in ("clip", "shrink")),
        *(text(name) for name in ("model_version", "features_hash")),
        *(text(name, null=True) for name in ("account_name", "segment", "csm_owner_id")),
        double("annual_value", null=True),
        *(text(name, null=True) for name in ("currency", "cohort_status", "decision_on", "campaigns_live")),
        double("value_at_risk"),
        text("data_watermark", null=True),
        *(text(name) for name in ("channel", "scored_at")),
        sa.UniqueConstraint("account_id", "as_of", "model_version", "features_hash"),
        sa.Index("score_ledger_by_as_of", "as_of", "account_id", "id"),
        sa.Index("score_ledger_by_channel", "channel", "as_of"),
    )
    sa.Table("score_ledger_features", tables, text("catalogue_hash", key=True), text("names"))
    sa.Table(
        "score_ledger_details",
        tables,
        whole("entry_id", to="score_ledger.id", key=True),
        blob("explanation"),
        text("catalogue_hash", to="score_ledger_features.catalogue_hash"),
        blob("features"),
    )


def _access(tables: sa.MetaData) -> None:
    sa.Table(
        "api_keys",
        tables,
        text("prefix", key=True),
        *(text(name) for name in ("name", "scopes")),
        *(blob(name) for name in ("salt", "hash")),
        text("created_at"),
        *(text(name, null=True) for name in ("revoked_at", "last_used_at")),
    )
    sa.Table(
        "access_log",
        tables,
        number("id"),
        *(text(name) for name in ("at", "who", "what")),
        whole("status", null=True),
        text("request_id", null=True),
    )
