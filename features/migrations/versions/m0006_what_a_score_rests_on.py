"""Which files stood behind a model version when it scored, and reasons that were told later than their score."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from features.migrations.columns import blob, text, whole
from features.migrations.taking_over import take_over
from features.state_laws import append_only, lay_down

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables: one row per version and content of its files; one row per entry whose reasons came later."""
    connection, tables = op.get_bind(), sa.MetaData()
    sa.Table("score_ledger", tables, whole("id", key=True))
    sa.Table(
        "score_ledger_models",
        tables,
        *(text(name, key=True) for name in ("model_version", "bundle_hash")),
        text("first_scored_at"),
    )
    sa.Table(
        "score_ledger_reasons",
        tables,
        whole("entry_id", to="score_ledger.id", key=True),
        blob("explanation"),
    )
    take_over(connection, tables)
    lay_down(
        connection,
        *append_only("score_ledger_models", "the score ledger"),
        *append_only("score_ledger_reasons", "the score ledger"),
    )


def downgrade() -> None:
    """Leave everything: a version before this one does not see the tables."""
