"""Which browser is signed in as whom, and for how long yet?

Grain: one row per signed-in browser, under the hash of 256 random bits that only its cookie holds. A session ends when
nobody used it for a while, at the latest after a working day, when its owner signs out, and when his password, or his
leave to come in, changes. Each sign-in makes a new one: what was in the browser before is worth nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from features import audit_log
from features.audit_log import Deed, What
from serving.access.tables import PEOPLE, SESSIONS, PeopleTables

SEEN_EVERY = timedelta(minutes=1)
"""How exactly the last use is kept: a page is no reason to write to the disk each time."""


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long a session lives: unused, and in all."""

    idle: timedelta
    longest: timedelta


class SessionStore:
    """The sessions of one home. Raises ServiceUnavailable where the state does not answer."""

    def __init__(self, tables: PeopleTables, rules: SessionRules) -> None:
        self._tables = tables
        self._rules = rules

    def begin(self, person_id: str, *, how: str, at: datetime, instead_of: str | None = None) -> str:
        """A new session's token, for the cookie; ``instead_of`` is what the browser had before, ended now.

        ``how`` says how the person was known: by password, by a provider.
        """
        token = secrets.token_urlsafe(32)
        with self._tables.writing() as connection:
            if instead_of is not None:
                connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.id == hash_of(instead_of)))
            too_old = (SESSIONS.c.begun_at <= _text(at - self._rules.longest)) | (
                SESSIONS.c.seen_at <= _text(at - self._rules.idle)
            )
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.person_id == person_id, too_old))
            row = {"id": hash_of(token), "person_id": person_id, "begun_at": _text(at), "seen_at": _text(at)}
            connection.execute(sa.insert(SESSIONS).values(row))
            connection.execute(sa.update(PEOPLE).where(PEOPLE.c.id == person_id).values(signed_in_at=_text(at)))
            audit_log.write(connection, Deed(at, person_id, What.SIGN_IN, person_id, None, {"by": how}))
        return token

    def owner(self, token: str, *, at: datetime) -> str | None:
        """Whose session this is (a person's id), marked as used; None when it is none, or has ended."""
        wanted = SESSIONS.c.id == hash_of(token)
        with self._tables.reading() as connection:
            row = connection.execute(sa.select(SESSIONS).where(wanted)).mappings().first() if connection else None
        if row is None:
            return None
        begun, seen = datetime.fromisoformat(row["begun_at"]), datetime.fromisoformat(row["seen_at"])
        # Of a session that seems to begin or to be used later than now the clock was ahead: it may not last till then.
        if abs(at - begun) >= self._rules.longest or abs(at - seen) >= self._rules.idle:
            with self._tables.writing() as writer:
                writer.execute(sa.delete(SESSIONS).where(wanted))
            return None
        if at - seen >= SEEN_EVERY:
            with self._tables.writing() as writer:
                writer.execute(sa.update(SESSIONS).where(wanted).values(seen_at=_text(at)))
        return str(row["person_id"])

    def end(self, token: str, *, at: datetime) -> None:
        """End a session; nothing happens when it has ended."""
        wanted = SESSIONS.c.id == hash_of(token)
        with self._tables.writing() as connection:
            owner = connection.scalar(sa.select(SESSIONS.c.person_id).where(wanted))
            if owner is not None:
                connection.execute(sa.delete(SESSIONS).where(wanted))
                audit_log.write(connection, Deed(at, owner, What.SIGN_OUT, owner))


def hash_of(token: str) -> str:
    """What is kept of 256 random bits: a hash that need not be slow, for nobody guesses them."""
    return hashlib.sha256(token.encode()).hexdigest()


def _text(moment: datetime) -> str:
    return moment.isoformat()
