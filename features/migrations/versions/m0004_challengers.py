"""Which version ran beside the live one, and what a shadow would have said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from features.migrations.columns import double, number, text, whole
from features.migrations.taking_over import take_over
from features.state_laws import append_only, lay_down

revision = "0004"
down_revision = "0003"

_KEY = ("account_id", "as_of", "served_version", "shadow_version", "features_hash")


def upgrade() -> None:
    """Make the tables: one row per start and stop; one row per account scored by both versions."""
    connection, tables = op.get_bind(), sa.MetaData()
    sa.Table(
        "challenger_log",
        tables,
        number("id"),
        *(text(name) for name in ("at", "who", "why", "action", "mode", "version")),
        double("share", null=True),
        text("champion"),
        whole("promotions"),
    )
    sa.Table(
        "shadow_scores",
        tables,
        number("id"),
        *(text(name) for name in _KEY),
        *(double(f"served_{part}") for part in ("health", "risk")),
        text("served_band"),
        *(double(f"shadow_{part}") for part in ("health", "risk")),
        text("shadow_band"),
        double("annual_value", null=True),
        text("currency", null=True),
        whole("rows_at_once"),
        double("served_ms", null=True),
        double("shadow_ms"),
        text("told_at"),
        sa.UniqueConstraint(*_KEY),
    )
    take_over(connection, tables)
    lay_down(connection, *append_only("challenger_log", "the log of challengers"))
    lay_down(connection, *append_only("shadow_scores", "the record of shadow scores"))


def downgrade() -> None:
    """Leave everything: a version before this one does not see the tables."""
