"""Which keys are there, what may they do, and what was done with them?

Two tables in the state database: ``api_keys`` (one row per key; a row is added, revoked once, and marked when used) and
``access_log`` (one row per request that a key was needed for, and per key made or revoked), which can be added to only:
triggers refuse everything else. No row holds a key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from features import audit_log
from features.audit_log import Deed, What
from features.errors import UsageError
from features.settings import Home
from features.state import has_state
from serving.access.rules import AccessScope
from serving.access.state_door import StateDoor
from serving.access.tables import KEY_BOUNDS
from serving.access.teams import EVERYBODY, Teams
from serving.access.tokens import Fingerprint, new_token, prefix_of

_METADATA = sa.MetaData()
_KEYS = sa.Table(
    "api_keys",
    _METADATA,
    sa.Column("prefix", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("scopes", sa.String, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.String, nullable=False),
    sa.Column("revoked_at", sa.String),
    sa.Column("last_used_at", sa.String),
    info={"changes": "a key is revoked once, and marked when it was used"},
)
_LOG = sa.Table(
    "access_log",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("what", sa.String, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("request_id", sa.String),
)
LONGEST_NAME = 80
NOBODY = "-"
"""Who is written where no key was given, or one that is not ours."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key as it is kept; ``last_used_at`` is None before its first use.

    ``mark`` tells most wrong keys without the work of the fingerprint; None for keys from before there were marks.
    """

    prefix: str
    name: str
    scopes: frozenset[AccessScope]
    fingerprint: Fingerprint
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    teams: Teams = EVERYBODY
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class AccessLine:
    """One line of the log: a key's prefix (or who was at the command line), the route's pattern, the HTTP status.

    ``export``: rows were taken away, which the audit log shall know, too.
    """

    at: datetime
    who: str
    what: str
    status: int | None = None
    request_id: str | None = None
    export: bool = False


class KeyStore:
    """The keys of one home. Safe to use from several threads; reading a home without state makes none."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._state = StateDoor(home, what="the store of keys")

    def create(
        self, name: str, scopes: Sequence[AccessScope], *, who: str, at: datetime, teams: Teams = EVERYBODY
    ) -> tuple[Key, str]:
        """Make a key; it and its secret text, which is kept nowhere. ``teams``: whose accounts it shows.

        Raises:
            UsageError: no scope, or a name that is empty, too long or not printable.
        """
        if not scopes or not 0 < len(name.strip()) <= LONGEST_NAME or not name.isprintable():
            raise UsageError(
                "this key cannot be made",
                expected=f"a printable name of at most {LONGEST_NAME} characters and at least one scope",
                found=f"a name of {len(name)} characters, {len(scopes)} scopes",
                todo="run `pulse keys create --name NAME --scope SCOPE`",
            )
        token = new_token()
        prefix, kept = str(prefix_of(token)), Fingerprint.of(token)
        key = Key(prefix, name.strip(), frozenset(scopes), kept, at, None, None, teams, kept.mark_of(token))
        with self._state.writing() as connection:
            connection.execute(sa.insert(_KEYS).values(_row(key)))
            bounds = {"prefix": prefix, "teams": teams.text(), "mark": key.mark}
            connection.execute(sa.insert(KEY_BOUNDS).values(bounds))
            connection.execute(sa.insert(_LOG).values(_line(AccessLine(at, who, f"key {prefix} made"))))
            after = {"scopes": sorted(scopes), "teams": teams.terms()}
            audit_log.write(connection, Deed(at, who, What.KEY_MADE, prefix, None, after))
        return key, token

    def revoke(self, prefix: str, *, who: str, at: datetime) -> Key:
        """Let a key open nothing any more; it stays in the list.

        Raises:
            UsageError: there is no such key, or it is revoked already.
        """
        open_key = (_KEYS.c.prefix == prefix) & _KEYS.c.revoked_at.is_(None)
        if has_state(self._home):
            with self._state.writing() as connection:
                done = connection.execute(sa.update(_KEYS).where(open_key).values(revoked_at=at.isoformat()))
                if done.rowcount:
                    connection.execute(sa.insert(_LOG).values(_line(AccessLine(at, who, f"key {prefix} revoked"))))
                    found = connection.execute(_every().where(_KEYS.c.prefix == prefix)).mappings().one()
                    before = {"scopes": json.loads(found["scopes"])}
                    audit_log.write(connection, Deed(at, who, What.KEY_REVOKED, prefix, before, None))
                    return _key(dict(found))
        raise UsageError(
            "there is no key to revoke",
            expected="the prefix of a key that is not revoked yet",
            found="none with this prefix",
            todo="run `pulse keys list`",
        )

    def every_key(self) -> tuple[Key, ...]:
        """Every key that was ever made, oldest first, revoked ones included."""
        with self._state.reading() as connection:
            if connection is None:
                return ()
            rows = connection.execute(_every().order_by(_KEYS.c.created_at, _KEYS.c.prefix)).mappings()
            return tuple(_key(dict(row)) for row in rows)

    def usable(self) -> bool:
        """Is there a key that opens anything?"""
        return any(key.revoked_at is None for key in self.every_key())

    def write(self, lines: Sequence[AccessLine]) -> None:
        """Add lines to the log and mark the keys that were used, all or nothing."""
        used = {line.who: line.at.isoformat() for line in lines if line.who != NOBODY}
        with self._state.writing() as connection:
            connection.execute(sa.insert(_LOG), [_line(line) for line in lines])
            for line in lines:
                if line.export:
                    with audit_log.within_request(line.request_id):
                        audit_log.write(connection, Deed(line.at, line.who, What.EXPORT, line.what))
            for prefix, at in used.items():
                connection.execute(sa.update(_KEYS).where(_KEYS.c.prefix == prefix).values(last_used_at=at))

    def lines(self, limit: int) -> tuple[AccessLine, ...]:
        """The newest lines of the log, newest first."""
        with self._state.reading() as connection:
            if connection is None:
                return ()
            rows = connection.execute(sa.select(_LOG).order_by(_LOG.c.id.desc()).limit(limit)).mappings()
            return tuple(
                AccessLine(datetime.fromisoformat(row["at"]), row["who"], row["what"], row["status"], row["request_id"])
                for row in rows
            )

    def close(self) -> None:
        """Give the database back."""
        self._state.close()


def _every() -> sa.Select[Any]:
    return sa.select(_KEYS, KEY_BOUNDS.c.teams, KEY_BOUNDS.c.mark).outerjoin(
        KEY_BOUNDS, KEY_BOUNDS.c.prefix == _KEYS.c.prefix
    )


def _row(key: Key) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": json.dumps(sorted(key.scopes)),
        "salt": key.fingerprint.salt,
        "hash": key.fingerprint.hash,
        "created_at": key.created_at.isoformat(),
    }


def _key(row: Mapping[str, Any]) -> Key:
    return Key(
        prefix=row["prefix"],
        name=row["name"],
        scopes=frozenset(AccessScope(scope) for scope in json.loads(row["scopes"])),
        fingerprint=Fingerprint(row["salt"], row["hash"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        revoked_at=_moment(row["revoked_at"]),
        last_used_at=_moment(row["last_used_at"]),
        teams=Teams.read(row["teams"]) if row["teams"] else EVERYBODY,
        mark=row["mark"],
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _line(line: AccessLine) -> dict[str, Any]:
    return {
        "at": line.at.isoformat(),
        "who": line.who,
        "what": line.what,
        "status": line.status,
        "request_id": line.request_id,
    }
