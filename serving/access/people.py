"""Who may sign in, in which role, and whose accounts may they see?

Grain: one row per person. Every change is written to the audit log in the same transaction, by the person's id: the log
holds no name and no address.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from features import audit_log
from features.audit_log import Deed, What
from features.errors import UsageError
from serving.access.passwords import hashed, require_good
from serving.access.roles import PersonRole
from serving.access.sessions import hash_of
from serving.access.tables import LINKS, PEOPLE, SESSIONS, PeopleTables
from serving.access.teams import EVERYBODY, Teams

LINK_LIVES = timedelta(days=3)
"""A new colleague finds it after a weekend; an old mail opens nothing."""

_CLOCKS_APART = timedelta(days=1)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}")
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH = 8
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Person:
    """One person. ``password`` is a hash, None where it was not set (yet); ``subject`` names him at a provider.

    ``generation`` grows with every new password: what was remembered before it counts no more.
    """

    id: str
    email: str
    name: str
    role: PersonRole
    teams: Teams
    password: str | None
    subject: str | None
    generation: int
    added_at: datetime
    disabled_at: datetime | None
    signed_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody to be added. ``subject`` is who he is at the provider that vouches for him, None with a password."""

    email: str
    name: str
    role: PersonRole
    teams: Teams = EVERYBODY
    subject: str | None = None


class PeopleStore:
    """The people of one home. Raises ServiceUnavailable where the state does not answer."""

    def __init__(self, tables: PeopleTables) -> None:
        self._tables = tables

    def add(self, newcomer: Newcomer, *, who: str, at: datetime) -> Person:
        """Add a person, who cannot sign in before a password is set.

        Raises:
            UsageError: no address or name, or the address is somebody's already.
        """
        email = as_email(newcomer.email)
        if not 0 < len(newcomer.name.strip()) <= LONGEST_NAME or not newcomer.name.isprintable():
            raise _refused(f"a printable name of at most {LONGEST_NAME} characters", "another")
        person_id = "u" + "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))
        row = {
            "id": person_id,
            "email": email,
            "name": newcomer.name.strip(),
            "role": str(newcomer.role),
            "teams": newcomer.teams.text(),
            "subject": newcomer.subject,
            "generation": 0,
            "added_at": at.isoformat(),
        }
        with self._tables.writing() as connection:
            if connection.scalar(sa.select(PEOPLE.c.id).where(PEOPLE.c.email == email)) is not None:
                raise _refused("an address that nobody has here", "one that is somebody's already")
            connection.execute(sa.insert(PEOPLE).values(row))
            after = {"role": newcomer.role, "teams": newcomer.teams.terms()}
            audit_log.write(connection, Deed(at, who, What.PERSON_ADDED, person_id, None, after))
            return _one(connection, PEOPLE.c.id == person_id)

    def everyone(self) -> tuple[Person, ...]:
        """Everybody who was ever added, by address."""
        with self._tables.reading() as connection:
            if connection is None:
                return ()
            rows = connection.execute(sa.select(PEOPLE).order_by(PEOPLE.c.email)).mappings()
            return tuple(_person(row) for row in rows)

    def anybody(self) -> bool:
        """Was anybody ever added?"""
        with self._tables.reading() as connection:
            return connection is not None and connection.scalar(sa.select(PEOPLE.c.id).limit(1)) is not None

    def with_id(self, person_id: str) -> Person | None:
        """The person with an id; None where there is none."""
        return self._found(PEOPLE.c.id == person_id)

    def with_email(self, email: str) -> Person | None:
        """The person with an address; None where nobody has it."""
        return self._found(PEOPLE.c.email == email.strip().casefold())

    def with_subject(self, subject: str) -> Person | None:
        """The person a provider knows by this name; None where there is none."""
        return self._found(PEOPLE.c.subject == subject)

    def require(self, email: str) -> Person:
        """The person with an address.

        Raises:
            UsageError: nobody has it.
        """
        person = self.with_email(email)
        if person is None:
            raise UsageError(
                "there is no such person here",
                expected="the e-mail address of somebody who was added",
                found="one that nobody has",
                todo="run `pulse users list`",
            )
        return person

    def set_password(self, person: Person, password: str, *, who: str, at: datetime) -> Person:
        """Set a password; every session of the person ends.

        Raises:
            UsageError: the password is too weak.
        """
        kept = hashed(require_good(password, email=person.email))
        with self._tables.writing() as connection:
            return self._with_password(connection, person, kept, Deed(at, who, What.PASSWORD_SET, person.id))

    def rehash(self, person: Person, password: str) -> None:
        """Keep the same password under today's settings."""
        with self._tables.writing() as connection:
            connection.execute(sa.update(PEOPLE).where(PEOPLE.c.id == person.id).values(password=hashed(password)))

    def change(self, person: Person, role: PersonRole, teams: Teams, *, who: str, at: datetime) -> Person:
        """Give a person another role or other teams; counts with the next request."""
        before = {"role": person.role, "teams": person.teams.terms()}
        after = {"role": role, "teams": teams.terms()}
        if before == after:
            return person
        with self._tables.writing() as connection:
            wanted = sa.update(PEOPLE).where(PEOPLE.c.id == person.id)
            connection.execute(wanted.values(role=str(role), teams=teams.text()))
            audit_log.write(connection, Deed(at, who, What.PERSON_CHANGED, person.id, before, after))
            return _one(connection, PEOPLE.c.id == person.id)

    def vouch(self, person: Person, subject: str, *, who: str, at: datetime) -> Person:
        """Let a person be known by a provider's name for him, too."""
        with self._tables.writing() as connection:
            connection.execute(sa.update(PEOPLE).where(PEOPLE.c.id == person.id).values(subject=subject))
            audit_log.write(connection, Deed(at, who, What.PERSON_CHANGED, person.id, None, {"by": "provider"}))
            return _one(connection, PEOPLE.c.id == person.id)

    def disable(self, person: Person, *, who: str, at: datetime) -> Person:
        """Let a person in no more; every session ends."""
        return self._switched(person, Deed(at, who, What.PERSON_DISABLED, person.id), at.isoformat())

    def enable(self, person: Person, *, who: str, at: datetime) -> Person:
        """Let a person in again, with the password of before."""
        return self._switched(person, Deed(at, who, What.PERSON_ENABLED, person.id), None)

    def make_link(self, person: Person, *, who: str, at: datetime) -> str:
        """The code of a link with which the person sets a password, once, within days; shown now and never again."""
        code = secrets.token_urlsafe(32)
        ends = at + LINK_LIVES
        with self._tables.writing() as connection:
            row = {"id": hash_of(code), "person_id": person.id, "ends_at": ends.isoformat()}
            connection.execute(sa.insert(LINKS).values(row))
            after = {"ends_at": ends.isoformat()}
            audit_log.write(connection, Deed(at, who, What.SIGN_UP_LINK, person.id, None, after))
        return code

    def of_link(self, code: str, *, at: datetime) -> Person | None:
        """Whose link this is; None where it is none, was used, or is too old."""
        with self._tables.reading() as connection:
            if connection is None:
                return None
            row = connection.execute(sa.select(LINKS).where(LINKS.c.id == hash_of(code))).mappings().first()
            if row is None or row["used_at"] is not None:
                return None
            # One that lives longer than any was made while the clock was ahead; a day is granted to clocks.
            if not at < datetime.fromisoformat(row["ends_at"]) <= at + LINK_LIVES + _CLOCKS_APART:
                return None
            person = _one(connection, PEOPLE.c.id == row["person_id"])
            return None if person.disabled_at else person

    def use_link(self, code: str, person: Person, password: str, *, at: datetime) -> Person | None:
        """Set the password that the owner of a link chose; None where somebody was quicker.

        Raises:
            UsageError: the password is too weak; the link can still be used.
        """
        kept = hashed(require_good(password, email=person.email))
        with self._tables.writing() as connection:
            fresh = (LINKS.c.id == hash_of(code)) & LINKS.c.used_at.is_(None)
            if connection.execute(sa.update(LINKS).where(fresh).values(used_at=at.isoformat())).rowcount != 1:
                return None
            others = (LINKS.c.person_id == person.id) & LINKS.c.used_at.is_(None)
            connection.execute(sa.update(LINKS).where(others).values(used_at=at.isoformat()))
            return self._with_password(connection, person, kept, Deed(at, person.id, What.PASSWORD_SET, person.id))

    def _with_password(self, connection: sa.Connection, person: Person, kept: str, deed: Deed) -> Person:
        wanted = sa.update(PEOPLE).where(PEOPLE.c.id == person.id)
        connection.execute(wanted.values(password=kept, generation=PEOPLE.c.generation + 1))
        connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.person_id == person.id))
        audit_log.write(connection, deed)
        return _one(connection, PEOPLE.c.id == person.id)

    def _switched(self, person: Person, deed: Deed, disabled_at: str | None) -> Person:
        with self._tables.writing() as connection:
            connection.execute(sa.update(PEOPLE).where(PEOPLE.c.id == person.id).values(disabled_at=disabled_at))
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.person_id == person.id))
            audit_log.write(connection, deed)
            return _one(connection, PEOPLE.c.id == person.id)

    def _found(self, where: sa.ColumnElement[bool]) -> Person | None:
        with self._tables.reading() as connection:
            if connection is None:
                return None
            row = connection.execute(sa.select(PEOPLE).where(where)).mappings().first()
            return _person(row) if row else None


def as_email(text: str) -> str:
    """An e-mail address as it is kept.

    Raises:
        UsageError: it is none.
    """
    email = text.strip().casefold()
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise _refused("an e-mail address", "another text")
    return email


def _one(connection: sa.Connection, where: sa.ColumnElement[bool]) -> Person:
    return _person(connection.execute(sa.select(PEOPLE).where(where)).mappings().one())


def _person(row: sa.RowMapping) -> Person:
    return Person(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        role=PersonRole(row["role"]),
        teams=Teams.read(row["teams"]),
        password=row["password"],
        subject=row["subject"],
        generation=row["generation"],
        added_at=datetime.fromisoformat(row["added_at"]),
        disabled_at=_moment(row["disabled_at"]),
        signed_in_at=_moment(row["signed_in_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _refused(expected: str, found: str) -> UsageError:
    return UsageError("this person cannot be added", expected=expected, found=found, todo="run `pulse users list`")
