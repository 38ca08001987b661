"""People who sign in, their sessions and links, what keys are bound to, and the audit log with its newest hash."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

from features.migrations.columns import double, number, text, whole
from features.migrations.taking_over import take_over
from features.state_laws import append_only, lay_down, never_deleted

revision = "0002"
down_revision = "0001"

_BEGINNING = hashlib.sha256(b"campaign-pulse audit log").hexdigest()


def upgrade() -> None:
    """Make the seven tables, and begin the chain of the audit log."""
    connection, tables = op.get_bind(), sa.MetaData()
    head = _audit(tables)
    _people(tables)
    take_over(connection, tables)
    lay_down(
        connection,
        *append_only("audit_log", "the audit log"),
        *never_deleted("audit_log_head", "the audit log has one end"),
        *never_deleted("people", "a person is disabled, never deleted"),
        *append_only("api_key_bounds", "the record of what keys are bound to"),
    )
    if connection.scalar(sa.select(head.c.id)) is None:
        connection.execute(sa.insert(head).values(id=1, seq=0, hash=_BEGINNING))


def downgrade() -> None:
    """Leave everything: a version before this one does not see these tables."""


def _audit(tables: sa.MetaData) -> sa.Table:
    sa.Table(
        "audit_log",
        tables,
        whole("seq", key=True),
        *(text(name) for name in ("at", "who", "what", "subject")),
        *(text(name, null=True) for name in ("before", "after", "request_id")),
        *(text(name) for name in ("previous", "hash")),
    )
    return sa.Table("audit_log_head", tables, whole("id", key=True), whole("seq"), text("hash"))


def _people(tables: sa.MetaData) -> None:
    people = sa.Table(
        "people",
        tables,
        text("id", key=True),
        *(text(name) for name in ("email", "name", "role", "teams")),
        *(text(name, null=True) for name in ("password", "subject")),
        whole("generation"),
        text("added_at"),
        *(text(name, null=True) for name in ("disabled_at", "signed_in_at")),
    )
    sa.Index("people_by_email", people.c.email, unique=True)
    sa.Index("people_by_subject", people.c.subject, unique=True)
    sessions = sa.Table(
        "people_sessions",
        tables,
        text("id", key=True),
        *(text(name) for name in ("person_id", "begun_at", "seen_at")),
    )
    sa.Index("people_sessions_by_person", sessions.c.person_id)
    sa.Table(
        "sign_up_links", tables, text("id", key=True), text("person_id"), text("ends_at"), text("used_at", null=True)
    )
    sa.Table("api_key_bounds", tables, text("prefix", key=True), text("teams"), text("mark"))
    taken = sa.Table("taken", tables, number("id"), text("name"), double("at"))
    sa.Index("taken_by_name", taken.c.name, taken.c.at)
