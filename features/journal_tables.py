"""How do rows that applications sent lie in the state database until they are online?

Grain: ``journal``: one row per sending; ``journal_accounts``: one per sending and account that is not online yet;
``journal_rows``: one per accepted row that is not in the warehouse yet. What is done leaves the last two, and the
contents leave the first, so they hold the backlog and nothing else.
"""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa

METADATA = sa.MetaData()
NEVER_RECORDED = -(2**63)
"""Stands for "the source does not say when" in a key; no moment of a row lies there."""


class Stage(StrEnum):
    """How far a sending is: acknowledged; its rows in the warehouse; every account of it computed anew."""

    KEPT = "kept"
    STORED = "stored"
    SHOWN = "shown"


SENDINGS = sa.Table(
    "journal",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("load_id", sa.String, nullable=False, unique=True),
    sa.Column("relation", sa.String, nullable=False),
    sa.Column("arrived_at", sa.String, nullable=False),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("good", sa.LargeBinary),
    sa.Column("refused", sa.LargeBinary),
    sa.Column("record", sa.String),
    sa.Column("known", sa.LargeBinary),
    sa.Index("journal_by_stage", "stage", "id"),
    info={"changes": "a sending goes through its stages, gives up its contents, and is forgotten after some days"},
)
ACCOUNTS = sa.Table(
    "journal_accounts",
    METADATA,
    sa.Column("account_id", sa.String, primary_key=True),
    sa.Column("sending", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("arrived_at", sa.String, nullable=False),
    sa.Column("beside", sa.Integer, nullable=False),
    sa.Index("journal_accounts_by_sending", "sending"),
    info={"changes": "holds what waits; what is done leaves it"},
)
"""``beside``: how many accounts the sending has; the accounts of small ones come online first."""

ROWS = sa.Table(
    "journal_rows",
    METADATA,
    sa.Column("relation", sa.String, primary_key=True),
    sa.Column("row_hash", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("recorded_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sending", sa.Integer, nullable=False),
    sa.Index("journal_rows_by_sending", "sending"),
    info={"changes": "holds what waits; what is done leaves it"},
)
