"""Rows that applications sent and that are on their way into the features, and the keys of calls that count once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from features.migrations.columns import blob, number, text, whole
from features.migrations.taking_over import take_over

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the four tables. Their rows go through stages and leave, so no law keeps them."""
    tables = sa.MetaData()
    _journal(tables)
    keys = sa.Table(
        "idempotency_keys",
        tables,
        text("key", key=True),
        *(text(name) for name in ("fingerprint", "claimed_by", "claimed_at")),
        whole("status", null=True),
        blob("body", null=True),
    )
    sa.Index("idempotency_keys_by_age", keys.c.claimed_at)
    take_over(op.get_bind(), tables)


def _journal(tables: sa.MetaData) -> None:
    journal = sa.Table(
        "journal",
        tables,
        number("id"),
        *(text(name) for name in ("load_id", "relation", "arrived_at", "stage")),
        blob("good", null=True),
        blob("refused", null=True),
        text("record", null=True),
        blob("known", null=True),
        sa.UniqueConstraint("load_id"),
    )
    sa.Index("journal_by_stage", journal.c.stage, journal.c.id)
    accounts = sa.Table(
        "journal_accounts",
        tables,
        text("account_id", key=True),
        whole("sending", key=True),
        text("arrived_at"),
        whole("beside"),
    )
    sa.Index("journal_accounts_by_sending", accounts.c.sending)
    rows = sa.Table(
        "journal_rows",
        tables,
        text("relation", key=True),
        *(
            sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)
            for name in ("row_hash", "recorded_us")
        ),
        whole("sending"),
    )
    sa.Index("journal_rows_by_sending", rows.c.sending)


def downgrade() -> None:
    """Leave everything: a version before this one does not see these tables."""
