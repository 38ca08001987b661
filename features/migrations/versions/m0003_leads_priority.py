"""The order that the leads' weights gave each batch of scores, as it was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from features.migrations.columns import double, text, whole
from features.migrations.taking_over import take_over
from features.state_laws import append_only, lay_down

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table: one row per policy, batch and account."""
    connection, tables = op.get_bind(), sa.MetaData()
    sa.Table("score_ledger", tables, whole("id", key=True))
    sa.Table(
        "leads_priority_ledger",
        tables,
        *(whole(name, key=True) for name in ("policy_id", "batch_mark")),
        text("account_id", key=True),
        whole("entry_id", to="score_ledger.id"),
        double("policy_index"),
        *(text(name) for name in ("standings", "told_at")),
    )
    take_over(connection, tables)
    lay_down(connection, *append_only("leads_priority_ledger", "the leads' priority ledger"))


def downgrade() -> None:
    """Leave everything: a version before this one does not see the table."""
