"""How do people, their sessions and their bounds lie in the state database?

``people``: one row per person who may sign in, never deleted, because the audit log names them. ``people_sessions``:
one row per browser that is signed in; it goes when it ends. ``sign_up_links``: one row per link that sets a password
once. ``api_key_bounds``: what a key has beside its row, for keys that are bound to teams or made since there are marks.
No row holds a password, a session or a link: only hashes of them.
"""

from __future__ import annotations

import sqlalchemy as sa

from features.settings import Home
from serving.access.state_door import StateDoor

METADATA = sa.MetaData()
PEOPLE = sa.Table(
    "people",
    METADATA,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("email", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("teams", sa.String, nullable=False),
    sa.Column("password", sa.String),
    sa.Column("subject", sa.String),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("added_at", sa.String, nullable=False),
    sa.Column("disabled_at", sa.String),
    sa.Column("signed_in_at", sa.String),
    sa.Index("people_by_email", "email", unique=True),
    sa.Index("people_by_subject", "subject", unique=True),
    info={"changes": "role, teams, password and leave to come in are what they are now; the audit log has the past"},
)
SESSIONS = sa.Table(
    "people_sessions",
    METADATA,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("person_id", sa.String, nullable=False),
    sa.Column("begun_at", sa.String, nullable=False),
    sa.Column("seen_at", sa.String, nullable=False),
    sa.Index("people_sessions_by_person", "person_id"),
    info={"changes": "a session that has ended leaves nothing behind"},
)
LINKS = sa.Table(
    "sign_up_links",
    METADATA,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("person_id", sa.String, nullable=False),
    sa.Column("ends_at", sa.String, nullable=False),
    sa.Column("used_at", sa.String),
    info={"changes": "a link is used once"},
)
KEY_BOUNDS = sa.Table(
    "api_key_bounds",
    METADATA,
    sa.Column("prefix", sa.String, primary_key=True),
    sa.Column("teams", sa.String, nullable=False),
    sa.Column("mark", sa.String, nullable=False),
)


class PeopleTables(StateDoor):
    """The tables of one home."""

    def __init__(self, home: Home) -> None:
        super().__init__(home, what="the store of people")
