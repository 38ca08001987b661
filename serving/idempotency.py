"""How does a call that is sent twice take effect once?

A client puts a key of its own on a call. The key is claimed before the work begins, and the answer is written down in
the same transaction as the effect; the same call with the same key is then answered with the very same bytes, for 24
hours. A claim of a process that was killed left no effect behind and is taken over. Grain: one row per caller, route
and key.
"""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from features.settings import Home
from features.state import open_state, writing
from serving.problems import Problem, Refused

KEPT_FOR = timedelta(hours=24)
LEASE = timedelta(minutes=2)
"""Longer than any answer may take; only needed where it cannot be told whether the process that claimed a key lives."""

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
RUNNING = "A call with this key is being worked on. Send it again in a moment."
ANOTHER = "This key was used for a call with another body. Use a new key for a new call."
_FIRST_ERROR = 400

METADATA = sa.MetaData()
KEYS = sa.Table(
    "idempotency_keys",
    METADATA,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("fingerprint", sa.String, nullable=False),
    sa.Column("claimed_by", sa.String, nullable=False),
    sa.Column("claimed_at", sa.String, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("body", sa.LargeBinary),
    sa.Index("idempotency_keys_by_age", "claimed_at"),
    info={"changes": "a claim is completed once, given back, or forgotten after a day"},
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that this call holds until it is answered."""

    key: str
    claimed_by: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered to the same call before."""

    status: int
    body: bytes

    @property
    def is_problem(self) -> bool:
        """Was it a refusal?"""
        return self.status >= _FIRST_ERROR


class IdempotencyKeys:
    """The keys of one home. Safe to use from several threads and processes."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @cached_property
    def engine(self) -> sa.Engine:
        """The state database."""
        return open_state(self._home, what="the store of idempotency keys")

    def claim(self, name: str, fingerprint: str, *, now: datetime) -> Claim | Answered:
        """Take a key for a call, or get what was answered to it before. ``name`` says caller, route and key.

        Raises:
            Refused: the key belongs to a call with another body (422), or to one that is being worked on (409).
        """
        key = hashlib.sha256(name.encode()).hexdigest()
        claim = Claim(key, f"{_process()} {uuid4().hex}")
        cells = {"fingerprint": fingerprint, "claimed_by": claim.claimed_by, "claimed_at": now.isoformat()}
        with writing(self.engine) as connection:
            connection.execute(sa.delete(KEYS).where(KEYS.c.claimed_at < (now - KEPT_FOR).isoformat()))
            found = connection.execute(sa.select(KEYS).where(KEYS.c.key == key)).one_or_none()
            if found is None:
                connection.execute(sa.insert(KEYS).values(key=key, **cells))
                return claim
            if found.fingerprint != fingerprint:
                raise Refused(Problem.of(422, ANOTHER))
            if found.status is not None:
                return Answered(found.status, found.body)
            # A claim from a time to come is from a clock that was ahead: it does not hold until then.
            if _is_alive(found.claimed_by) and abs(now - datetime.fromisoformat(found.claimed_at)) < LEASE:
                raise Refused(Problem.of(409, RUNNING))
            connection.execute(sa.update(KEYS).where(KEYS.c.key == key).values(**cells))
        return claim

    def complete(self, connection: sa.Connection, claim: Claim, answered: Answered) -> None:
        """Write the answer down beside the effect, in the caller's transaction.

        Raises:
            Refused: another call took the key over meanwhile; the transaction must not be committed.
        """
        mine = (KEYS.c.key == claim.key) & (KEYS.c.claimed_by == claim.claimed_by) & KEYS.c.status.is_(None)
        cells = {"status": answered.status, "body": answered.body}
        if connection.execute(sa.update(KEYS).where(mine).values(**cells)).rowcount != 1:
            raise Refused(Problem.of(409, RUNNING))

    def give_back(self, claim: Claim) -> None:
        """Let go of a key whose call had no effect; nothing happens to one that was completed."""
        mine = (KEYS.c.claimed_by == claim.claimed_by) & KEYS.c.status.is_(None)
        with self.engine.begin() as connection:
            connection.execute(sa.delete(KEYS).where((KEYS.c.key == claim.key) & mine))


def _process() -> str:
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}"


def _is_alive(claimed_by: str) -> bool:
    """Does the process that made a claim still run? Where that cannot be told, it does."""
    host, pid, started = claimed_by.split(" ")[:3]
    if host != socket.gethostname() or not Path("/proc/self/stat").exists():
        return True
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """When a process started, in the clock ticks of the system: a number may be given to another process later."""
    try:
        # The name of the program stands in brackets and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "-"
