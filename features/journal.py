"""Which rows have applications sent that are acknowledged, and how far is each on its way into the features?

A sending is kept in one transaction of the state database, on disk before anybody is told. From there it goes on in two
steps (:mod:`features.journal_work`): into the warehouse and quarantine, then its accounts are computed anew and put
online. A crash at any point repeats a step and loses nothing; no row gets into the warehouse twice.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from features.journal_tables import ACCOUNTS, NEVER_RECORDED, ROWS, SENDINGS, Stage
from features.settings import Home
from features.sources.sent_rows import Became, Cell, Outcome, SentRows, columns_to_send, judge_rows, open_tables
from features.state import has_state, insert_new, open_state

__all__ = [
    "Backlog",
    "Became",
    "Cell",
    "Journal",
    "Outcome",
    "SentRows",
    "columns_to_send",
    "judge_rows",
    "open_tables",
]

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not online yet: sendings not in the warehouse, accounts to compute, the oldest arrival."""

    sendings: int = 0
    accounts: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """One sending that waits for the warehouse."""

    id: int
    load_id: str
    table: str
    good: bytes | None
    refused: bytes | None
    record: str | None
    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class Due:
    """One account whose news lie in the warehouse; ``sendings`` brought them, the newest of them at ``newest``."""

    account_id: str
    sendings: tuple[int, ...]
    newest: datetime


class Journal:
    """The journal of one home. Safe to use from several threads and processes; reading makes no file."""

    def __init__(self, home: Home) -> None:
        self.home = home

    @property
    def bell(self) -> Path:
        """A file that is touched whenever the journal changes; a look at it costs no query."""
        return self.home.root / "journal.bell"

    def ring(self) -> None:
        """Tell every process of this home that the journal changed."""
        self.bell.touch(mode=0o600)

    @staticmethod
    def new_load_id(now: datetime) -> str:
        """A name for a sending; names sort by time."""
        return f"{now:%Y%m%dT%H%M%S}-{uuid4().hex[:12]}"

    @cached_property
    def engine(self) -> sa.Engine:
        """The state database.

        Raises:
            ServiceUnavailable: it does not answer.
        """
        return open_state(self.home, what="the journal of sent rows")

    def keep(self, connection: sa.Connection, sent: SentRows) -> SentRows:
        """Write a sending down as part of the caller's transaction; true once that is committed. Then :meth:`ring`.

        The answer is the sending with its outcomes as they are now: a row that another sending brought meanwhile and
        that is not in the warehouse yet is known.
        """
        waits = sent.good is not None or sent.refused is not None
        stage = Stage.KEPT if waits else Stage.SHOWN
        row = sa.insert(SENDINGS).values(
            load_id=sent.load_id,
            relation=sent.table,
            arrived_at=sent.arrived_at.isoformat(),
            stage=stage,
            good=sent.good,
            refused=sent.refused,
            record=sent.record,
            known=zlib.compress(json.dumps(sorted(sent.known)).encode()),
        )
        number = connection.execute(row.returning(SENDINGS.c.id)).scalar_one()
        outcomes = tuple(self._first(connection, sent.table, number, outcome) for outcome in sent.outcomes)
        if sent.accounts:
            facts = {"sending": number, "arrived_at": sent.arrived_at.isoformat(), "beside": len(sent.accounts)}
            connection.execute(sa.insert(ACCOUNTS), [{"account_id": each, **facts} for each in sent.accounts])
        return replace(sent, outcomes=outcomes)

    def waiting(self) -> dict[str, datetime]:
        """The accounts with acknowledged rows that are not online yet, and when the oldest of these rows arrived."""
        query = sa.select(ACCOUNTS.c.account_id, sa.func.min(ACCOUNTS.c.arrived_at)).group_by(ACCOUNTS.c.account_id)
        return {account: datetime.fromisoformat(oldest) for account, oldest in self._read(query)}

    def backlog(self) -> Backlog:
        """How much is acknowledged and not online yet."""
        kept = sa.select(sa.func.count(), sa.func.min(SENDINGS.c.arrived_at)).where(SENDINGS.c.stage == Stage.KEPT)
        due = sa.select(sa.func.count(sa.distinct(ACCOUNTS.c.account_id)), sa.func.min(ACCOUNTS.c.arrived_at))
        counted = [self._read(query) for query in (kept, due)]
        if not all(counted):
            return Backlog()
        (sendings, first), (accounts, second) = (rows[0] for rows in counted)
        oldest = min((each for each in (first, second) if each), default=None)
        return Backlog(sendings, accounts, datetime.fromisoformat(oldest) if oldest else None)

    def kept(self, most: int) -> list[Kept]:
        """The sendings that wait for the warehouse, in the order of their arrival."""
        wanted = [SENDINGS.c[name] for name in ("id", "load_id", "relation", "good", "refused", "record", "known")]
        query = sa.select(*wanted).where(SENDINGS.c.stage == Stage.KEPT).order_by(SENDINGS.c.id).limit(most)
        return [
            Kept(number, load_id, table, good, refused, record, _names(known))
            for number, load_id, table, good, refused, record, known in self._read(query)
        ]

    def stored(self, kept: Sequence[Kept], owned: Mapping[int, Iterable[str]]) -> None:
        """The rows of these sendings lie in the warehouse and in quarantine; ``owned`` are accounts found only now."""
        empty = dict.fromkeys(("good", "refused", "record", "known"))
        with self.engine.begin() as connection:
            for each in kept:
                connection.execute(sa.delete(ROWS).where(ROWS.c.sending == each.id))
                self._add_accounts(connection, each.id, owned.get(each.id, ()))
                there = connection.scalar(sa.select(sa.func.count()).where(ACCOUNTS.c.sending == each.id))
                stage = Stage.STORED if there else Stage.SHOWN
                connection.execute(sa.update(SENDINGS).where(SENDINGS.c.id == each.id).values(stage=stage, **empty))

    def due(self, most: int) -> list[Due]:
        """Accounts to compute anew: those of small sendings first, then in the order of arrival."""
        stored = ACCOUNTS.join(SENDINGS, (SENDINGS.c.id == ACCOUNTS.c.sending) & (SENDINGS.c.stage == Stage.STORED))
        small = sa.case((sa.func.min(ACCOUNTS.c.beside) <= SMALL, 0), else_=1)
        chosen = (
            sa.select(ACCOUNTS.c.account_id)
            .select_from(stored)
            .group_by(ACCOUNTS.c.account_id)
            .order_by(small, sa.func.min(ACCOUNTS.c.sending), ACCOUNTS.c.account_id)
            .limit(most)
        )
        found: list[Due] = []
        for (account,) in self._read(chosen):
            own = sa.select(ACCOUNTS.c.sending, ACCOUNTS.c.arrived_at).select_from(stored)
            rows = self._read(own.where(ACCOUNTS.c.account_id == account))
            if rows:
                newest = max(datetime.fromisoformat(arrived) for _, arrived in rows)
                found.append(Due(account, tuple(number for number, _ in rows), newest))
        return found

    def shown(self, due: Due) -> None:
        """The news of an account are online, or there is nothing to compute of it."""
        with self.engine.begin() as connection:
            mine = (ACCOUNTS.c.account_id == due.account_id) & ACCOUNTS.c.sending.in_(due.sendings)
            connection.execute(sa.delete(ACCOUNTS).where(mine))
            left = sa.select(ACCOUNTS.c.sending).where(ACCOUNTS.c.sending.in_(due.sendings))
            done = SENDINGS.c.id.in_(due.sendings) & SENDINGS.c.id.not_in(left)
            connection.execute(sa.update(SENDINGS).where(done).values(stage=Stage.SHOWN))

    def forget(self, before: datetime) -> int:
        """Leave out sendings that were done with and arrived before a moment; the answer is their number."""
        old = (SENDINGS.c.stage == Stage.SHOWN) & (SENDINGS.c.arrived_at < before.isoformat())
        with self.engine.begin() as connection:
            return connection.execute(sa.delete(SENDINGS).where(old)).rowcount

    @staticmethod
    def _first(connection: sa.Connection, table: str, number: int, outcome: Outcome) -> Outcome:
        if outcome.became is not Became.ACCEPTED or outcome.key is None:
            return outcome
        row_hash, recorded = outcome.key
        recorded_us = NEVER_RECORDED if recorded is None else recorded
        cells = {"relation": table, "row_hash": row_hash, "recorded_us": recorded_us, "sending": number}
        added = connection.execute(insert_new(connection, ROWS).values(cells).returning(ROWS.c.sending)).first()
        return outcome if added is not None else replace(outcome, became=Became.KNOWN)

    @staticmethod
    def _add_accounts(connection: sa.Connection, number: int, accounts: Iterable[str]) -> None:
        arrived = connection.scalar(sa.select(SENDINGS.c.arrived_at).where(SENDINGS.c.id == number))
        cells = [{"account_id": each, "sending": number, "arrived_at": arrived} for each in accounts]
        if cells:
            rows = [{**each, "beside": len(cells)} for each in cells]
            connection.execute(insert_new(connection, ACCOUNTS), rows)

    def _read(self, query: sa.Select[*tuple[Any, ...]]) -> Sequence[Any]:
        # Whoever never sent anything gets no database made by a question.
        if not has_state(self.home):
            return ()
        with self.engine.connect() as connection:
            return connection.execute(query).all()


SMALL = 10
"""Accounts of a sending that is answered before larger ones: news of one account must not wait for an export of all."""


def _names(packed: bytes | None) -> frozenset[str]:
    return frozenset(json.loads(zlib.decompress(packed))) if packed else frozenset()
