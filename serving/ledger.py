"""Which scores were ever told, through which channel, and from which values?

Append-only. Grain: one entry per account, ``as_of``, model version and feature values; the same score told again adds
nothing. Pages and lists read here and nowhere else. Where an account has several entries at one ``as_of`` (another
model, or data that came late and was built anew), the one told last counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from features.errors import ServiceUnavailable
from features.settings import Home
from features.state import open_state
from features.vocabulary import parse_moment
from serving.assessment import Assessment, KnownFeatures, Score
from serving.entries import Channel, Entry, Place, Selection
from serving.explain import Explanation
from serving.ledger_tables import (
    CATALOGUE_HASH,
    DETAILS,
    FEATURE_LISTS,
    SCORES,
    explanation_of,
    facts_of,
    make_tables,
    moment_text,
    packed_explanation,
    score_row,
)

__all__ = ["Channel", "Entry", "Ledger", "Place", "Selection"]

_KEY = (SCORES.c.account_id, SCORES.c.as_of, SCORES.c.model_version, SCORES.c.features_hash)
_CHUNK = 500
"""Accounts asked for in one statement; SQLite takes 32,766 values at most."""


class Ledger:
    """The score ledger of one home. Safe to use from several threads; opening touches the disk at first use only."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = Lock()
        self._opened: sa.Engine | None = None

    def append(
        self,
        assessments: Sequence[Assessment],
        *,
        channel: Channel,
        scored_at: datetime,
        data_watermark: datetime | None = None,
    ) -> int:
        """Add what is not there yet, all or nothing, and return how many entries that were.

        Raises:
            ServiceUnavailable: the state database cannot be written.
        """
        fresh = self._not_there_yet(assessments)
        if not fresh:
            return 0
        rows = [
            score_row(one, channel=channel, scored_at=scored_at, data_watermark=data_watermark)
            for one in fresh.values()
        ]
        with self._connected() as connection, connection.begin():
            added = connection.execute(
                insert(SCORES).on_conflict_do_nothing().returning(SCORES.c.id, *_KEY), rows
            ).all()
            if added:
                details = [_detail(entry_id, fresh[tuple(key)]) for entry_id, *key in added]
                connection.execute(sa.insert(DETAILS), details)
        return len(added)

    def newest_as_of(self, at: datetime | None = None) -> datetime | None:
        """The newest ``as_of`` of a batch (at or before ``at``); where no batch ran, of any entry; None when empty."""
        until = [SCORES.c.as_of <= moment_text(at)] if at else []
        newest = sa.select(sa.func.max(SCORES.c.as_of)).where(*until)
        with self._connected() as connection:
            found = connection.scalar(newest.where(SCORES.c.channel == Channel.BATCH)) or connection.scalar(newest)
        return parse_moment(found) if found else None

    def latest(self, as_of: datetime | None = None) -> list[Entry]:
        """The portfolio at the newest ``as_of`` (at or before the one given), most value at risk first.

        One entry per account; empty when nothing was scored by then.
        """
        start = self.beginning(as_of)
        return [] if start is None else self._portfolio(start, Selection(), limit=None)

    def beginning(self, as_of: datetime | None = None) -> Place | None:
        """Where reading the portfolio begins; None when nothing was scored by then."""
        newest = self.newest_as_of(as_of)
        if newest is None:
            return None
        with self._connected() as connection:
            return Place(as_of=newest, newest_id=connection.scalar(sa.select(sa.func.max(SCORES.c.id))) or 0)

    def page(self, place: Place, selection: Selection, *, limit: int) -> tuple[list[Entry], Place | None]:
        """The next entries from a place, and the place after them (None at the end).

        What is added while a reader turns pages changes nothing for him: no entry is shown twice or missed.
        """
        found = self._portfolio(place, selection, limit=limit + 1)
        shown = found[:limit]
        if len(found) <= limit:
            return shown, None
        last = shown[-1]
        return shown, Place(place.as_of, place.newest_id, last.value_at_risk, last.account_id)

    def healths(self, as_of: datetime) -> dict[str, tuple[float, str]]:
        """Health and model version per account as told last at an ``as_of``: what a change is told against."""
        told_last = (
            sa.select(sa.func.max(SCORES.c.id))
            .where(SCORES.c.as_of == moment_text(as_of))
            .group_by(SCORES.c.account_id)
        )
        wanted = sa.select(SCORES.c.account_id, SCORES.c.health, SCORES.c.model_version)
        with self._connected() as connection:
            found = connection.execute(wanted.where(SCORES.c.id.in_(told_last)))
            return {row.account_id: (row.health, row.model_version) for row in found}

    def history(self, account_id: str, *, limit: int | None = None) -> list[Entry]:
        """One entry per ``as_of`` of an account, oldest first; with a limit, the newest of them. Empty when unknown."""
        told_last = (
            sa.select(sa.func.max(SCORES.c.id)).where(SCORES.c.account_id == account_id).group_by(SCORES.c.as_of)
        )
        query = sa.select(SCORES).where(SCORES.c.id.in_(told_last)).order_by(SCORES.c.as_of.desc()).limit(limit)
        return self._read(query)[::-1]

    def entry(self, account_id: str, as_of: datetime | None = None) -> Entry | None:
        """The newest entry of an account, or the one told last at an ``as_of``; None when there is none."""
        query = sa.select(SCORES).where(SCORES.c.account_id == account_id)
        if as_of is not None:
            query = query.where(SCORES.c.as_of == moment_text(as_of))
        found = self._read(query.order_by(SCORES.c.as_of.desc(), SCORES.c.id.desc()).limit(1))
        return found[0] if found else None

    def entry_until(self, account_id: str, moment: datetime) -> Entry | None:
        """The newest entry of an account at or before a moment, told last; None when nothing was scored by then."""
        query = sa.select(SCORES).where(SCORES.c.account_id == account_id, SCORES.c.as_of <= moment_text(moment))
        found = self._read(query.order_by(SCORES.c.as_of.desc(), SCORES.c.id.desc()).limit(1))
        return found[0] if found else None

    def explanation(self, entry_id: int) -> Explanation:
        """The explanation that was told with an entry; ``KeyError`` when there is no such entry."""
        return self.explanations([entry_id])[entry_id]

    def explanations(self, entry_ids: Sequence[int]) -> dict[int, Explanation]:
        """The explanations of several entries, by entry id."""
        packed: dict[int, bytes] = {}
        with self._connected() as connection:
            for start in range(0, len(entry_ids), _CHUNK):
                wanted = DETAILS.c.entry_id.in_(entry_ids[start : start + _CHUNK])
                found = connection.execute(sa.select(DETAILS.c.entry_id, DETAILS.c.explanation).where(wanted))
                packed |= {row.entry_id: row.explanation for row in found}
        return {entry_id: explanation_of(stored) for entry_id, stored in packed.items()}

    def features(self, entry: Entry) -> pd.DataFrame:
        """The features an entry was scored from: one row that the model of that version turns into the same score."""
        query = sa.select(DETAILS.c.features, FEATURE_LISTS.c.names).join(FEATURE_LISTS)
        with self._connected() as connection:
            packed, names = connection.execute(query.where(DETAILS.c.entry_id == entry.entry_id)).one()
        known = KnownFeatures(packed=packed, digest=entry.features_hash)
        return known.frame(entry.account_id, entry.as_of, json.loads(names))

    def close(self) -> None:
        """Give the database back."""
        with self._lock:
            if self._opened is not None:
                self._opened.dispose()
                self._opened = None

    def _portfolio(self, place: Place, selection: Selection, *, limit: int | None) -> list[Entry]:
        told_last = (
            sa.select(sa.func.max(SCORES.c.id))
            .where(SCORES.c.as_of == moment_text(place.as_of), SCORES.c.id <= place.newest_id)
            .group_by(SCORES.c.account_id)
        )
        query = sa.select(SCORES).where(SCORES.c.id.in_(told_last), *_chosen(selection), *_after(place))
        return self._read(query.order_by(SCORES.c.value_at_risk.desc(), SCORES.c.account_id).limit(limit))

    def _not_there_yet(self, assessments: Sequence[Assessment]) -> dict[tuple[str, ...], Assessment]:
        # Asking first keeps a score that is told again from waiting for the one writer SQLite allows.
        asked = {_key(one): one for one in assessments}
        accounts = sorted({one.account_id for one in assessments})
        moments = sorted({moment_text(one.as_of) for one in assessments})
        with self._connected() as connection:
            for start in range(0, len(accounts), _CHUNK):
                chunk = accounts[start : start + _CHUNK]
                query = sa.select(*_KEY).where(SCORES.c.account_id.in_(chunk), SCORES.c.as_of.in_(moments))
                for key in connection.execute(query):
                    asked.pop(tuple(key), None)
        return asked

    def _read(self, query: sa.Select[Any]) -> list[Entry]:
        with self._connected() as connection:
            return [_entry(dict(row)) for row in connection.execute(query).mappings()]

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        try:
            with self._engine().connect() as connection:
                yield connection
        except sa.exc.OperationalError as cause:
            raise ServiceUnavailable(
                "the score ledger does not answer",
                expected="a state database that can be opened and written",
                found=type(cause.orig).__name__,
                todo="check the free space and the owner of the home directory, and that no other program holds it",
            ) from cause

    def _engine(self) -> sa.Engine:
        with self._lock:
            if self._opened is None:
                engine = open_state(self._home)
                make_tables(engine)
                self._opened = engine
            return self._opened


def _key(assessment: Assessment) -> tuple[str, ...]:
    return (
        assessment.account_id,
        moment_text(assessment.as_of),
        assessment.score.model_version,
        assessment.known.digest,
    )


def _detail(entry_id: int, assessment: Assessment) -> dict[str, Any]:
    return {
        "entry_id": entry_id,
        "explanation": packed_explanation(assessment.explanation),
        "catalogue_hash": CATALOGUE_HASH,
        "features": assessment.known.packed,
    }


def _chosen(selection: Selection) -> Iterator[sa.ColumnElement[bool]]:
    for column, wanted in (("segment", selection.segment), ("phase", selection.phase), ("band", selection.band)):
        if wanted is not None:
            yield SCORES.c[column] == str(wanted)


def _after(place: Place) -> Iterator[sa.ColumnElement[bool]]:
    if place.value_at_risk is not None:
        yield sa.tuple_(-SCORES.c.value_at_risk, SCORES.c.account_id) > sa.tuple_(
            sa.literal(-place.value_at_risk), sa.literal(place.account_id)
        )


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        entry_id=row["id"],
        account_id=row["account_id"],
        as_of=parse_moment(row["as_of"]),
        score=Score.of(row),
        facts=facts_of(row),
        value_at_risk=row["value_at_risk"],
        features_hash=row["features_hash"],
        data_watermark=parse_moment(row["data_watermark"]) if row["data_watermark"] else None,
        channel=Channel(row["channel"]),
        scored_at=parse_moment(row["scored_at"]),
    )
