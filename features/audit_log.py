"""Who changed what here, from what to what, and can anybody have edited the record since?

Grain: one row per deed: a sign-in, a key, a role, a promotion, an approval, an export. Each row holds the hash of the
row before, so that an edit, a deletion or a row put in between breaks the chain; the newest hash also stands in a table
of its own, so that the last rows cannot be cut off either. Rows are written in the transaction of the deed itself:
there is no deed without its row. Whoever can write the whole database can build a new chain: note the newest hash that
:func:`verify` tells somewhere else, and give it back as ``head``. Rows name people and keys by their ids.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from features.errors import IntegrityError
from features.settings import Home
from features.state import has_state, open_state, writing

_TABLES = sa.MetaData()
_ROWS = sa.Table(
    "audit_log",
    _TABLES,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    *(sa.Column(name, sa.String, nullable=False) for name in ("at", "who", "what", "subject")),
    *(sa.Column(name, sa.String) for name in ("before", "after", "request_id")),
    *(sa.Column(name, sa.String, nullable=False) for name in ("previous", "hash")),
)
_HEAD = sa.Table(
    "audit_log_head",
    _TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    info={"changes": "its one row follows the newest row of the log"},
)
_ONLY = 1
EMPTY = hashlib.sha256(b"campaign-pulse audit log").hexdigest()
"""What the first row holds as the hash of the row before."""

_REQUEST: ContextVar[str | None] = ContextVar("audit_request", default=None)


class What(StrEnum):
    """The kinds of deed that are written down."""

    SIGN_IN = "sign-in"
    SIGN_IN_BLOCKED = "sign-in blocked"
    SIGN_OUT = "sign-out"
    KEY_MADE = "key made"
    KEY_REVOKED = "key revoked"
    PERSON_ADDED = "person added"
    PERSON_CHANGED = "person changed"
    PERSON_DISABLED = "person disabled"
    PERSON_ENABLED = "person enabled"
    PASSWORD_SET = "password set"  # noqa: S105  the name of a deed
    SIGN_UP_LINK = "sign-up link made"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    CHALLENGER = "challenger"
    APPROVAL = "approval"
    WEIGHTS = "weights"
    EXPORT = "export"


@dataclass(frozen=True, slots=True)
class Deed:
    """One deed. ``subject`` is what it was done to (a key's prefix, a person's id, a version).

    ``before`` and ``after`` are what changed, None where there is nothing to tell. No account's data.
    """

    at: datetime
    who: str
    what: What
    subject: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One row as it was kept; ``request_id`` is None for what was done on the command line."""

    seq: int
    deed: Deed
    request_id: str | None
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A record without a gap: how many rows, and the hash of the newest."""

    rows: int
    head: str


@contextmanager
def within_request(request_id: str | None) -> Iterator[None]:
    """Let every deed in here be written with the id of the HTTP request that brought it about."""
    token = _REQUEST.set(request_id)
    try:
        yield
    finally:
        _REQUEST.reset(token)


def write(connection: sa.Connection, deed: Deed) -> str:
    """Add a row in the transaction of a caller, and return its hash. Writers wait for each other."""
    # The update comes first: it takes the lock, so that no two rows can follow the same one.
    connection.execute(sa.update(_HEAD).where(_HEAD.c.id == _ONLY).values(seq=_HEAD.c.seq + 1))
    seq, previous = connection.execute(sa.select(_HEAD.c.seq, _HEAD.c.hash)).one()
    row = {
        "seq": seq,
        "at": deed.at.isoformat(),
        "who": deed.who,
        "what": str(deed.what),
        "subject": deed.subject,
        "before": _text(deed.before),
        "after": _text(deed.after),
        "request_id": _REQUEST.get(),
        "previous": previous,
    }
    made = _hash_of(row)
    connection.execute(sa.insert(_ROWS).values(**row, hash=made))
    connection.execute(sa.update(_HEAD).where(_HEAD.c.id == _ONLY).values(hash=made))
    return made


def append(home: Home, deed: Deed) -> str:
    """Add a row by itself, where the deed changes nothing in the state."""
    with writing(open_state(home, what="the audit log")) as connection:
        return write(connection, deed)


def read(home: Home, limit: int) -> tuple[Line, ...]:
    """The newest rows, newest first; empty where nothing was ever done (and nothing is made)."""
    with _reading(home) as connection:
        if connection is None:
            return ()
        rows = connection.execute(sa.select(_ROWS).order_by(_ROWS.c.seq.desc()).limit(limit)).mappings()
        return tuple(_line(row) for row in rows)


def verify(home: Home, *, head: str | None = None) -> Verified:
    """See that no row was edited, deleted or put in between; with ``head``, that a row known from before is there.

    Raises:
        IntegrityError: the chain is broken; the message names the first row at which it is.
    """
    seen, previous, known = 0, EMPTY, head in (None, EMPTY)
    with _reading(home) as connection:
        rows = () if connection is None else connection.execute(sa.select(_ROWS).order_by(_ROWS.c.seq)).mappings()
        for row in rows:
            if row["seq"] != seen + 1 or row["previous"] != previous or row["hash"] != _hash_of(row):
                raise _broken(f"row {seen + 1} is not the one that was written, or is gone")
            seen, previous = row["seq"], row["hash"]
            known = known or previous == head
        kept = (0, EMPTY) if connection is None else connection.execute(sa.select(_HEAD.c.seq, _HEAD.c.hash)).first()
    if kept is None or tuple(kept) != (seen, previous):
        raise _broken(f"the record ends after row {seen}, and its newest row is not the one noted as such")
    if not known:
        raise _broken(f"a record of {seen} rows, none of which has the hash that was noted")
    return Verified(seen, previous)


@contextmanager
def _reading(home: Home) -> Iterator[sa.Connection | None]:
    # None where no deed was ever written; reading makes nothing.
    if not has_state(home):
        yield None
        return
    with open_state(home).connect() as connection:
        found = sa.inspect(connection)
        begun = [found.has_table(table.name) for table in (_ROWS, _HEAD)]
        if any(begun) and not all(begun):
            raise _broken("one of its two tables is gone")
        yield connection if all(begun) else None


def _hash_of(row: sa.RowMapping | Mapping[str, Any]) -> str:
    parts: Sequence[Any] = [row[column.name] for column in _ROWS.columns if column.name != "hash"]
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()


def _text(facts: Mapping[str, Any] | None) -> str | None:
    return None if facts is None else json.dumps(dict(facts), sort_keys=True, default=str)


def _facts(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else dict(json.loads(text))


def _line(row: sa.RowMapping) -> Line:
    try:
        deed = Deed(
            at=datetime.fromisoformat(row["at"]),
            who=row["who"],
            what=What(row["what"]),
            subject=row["subject"],
            before=_facts(row["before"]),
            after=_facts(row["after"]),
        )
    except (ValueError, TypeError) as cause:
        raise _broken(f"row {row['seq']} cannot be read") from cause
    return Line(row["seq"], deed, row["request_id"], row["hash"])


def _broken(found: str) -> IntegrityError:
    return IntegrityError(
        "the audit log was changed",
        expected="every row as it was written, none missing",
        found=found,
        todo="compare with a backup of the state, and find out who can write the database",
    )
