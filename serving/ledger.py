"""Which scores were ever told, through which channel, and from which values?

Append-only. Grain: one entry per account, ``as_of``, model version and feature values; the same score told again adds
nothing. Pages and lists read here and nowhere else. Where an account has several entries at one ``as_of`` (another
model, or data that came late and was built anew), the one told last counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import Any

import pandas as pd
import sqlalchemy as sa

from features.settings import Home
from features.state import held_open, insert_new, lines_of, open_state
from features.state_lines import StateLines
from features.vocabulary import parse_moment
from serving.assessment import Assessment, Score
from serving.entries import Channel, Entry, Place, Selection
from serving.explain import Explanation
from serving.ledger_one import append_one
from serving.ledger_reasons import AtHand, add_reasons, derived_reasons, features_of, kept_reasons
from serving.ledger_tables import (
    CATALOGUE_HASH,
    DETAILS,
    MODELS,
    SCORES,
    facts_of,
    moment_text,
    name_features,
    packed_explanation,
    score_row,
)
from serving.ledger_there import KEY, not_there_yet

__all__ = ["Channel", "Entry", "Ledger", "Place", "Selection"]

_WHAT = "the score ledger"


class Ledger:
    """The score ledger of one home. Safe to use from several threads; opening touches the disk at first use only."""

    def __init__(self, home: Home, *, model_at_hand: AtHand = lambda _: None) -> None:
        self._home = home
        self._model_at_hand = model_at_hand
        self._lock = Lock()
        self._opened: sa.Engine | None = None
        self._held: sqlite3.Connection | None = None
        self._lines: StateLines | None = None

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
        engine = self._engine()
        if len(assessments) == 1 and self._lines is not None:
            (one,) = assessments
            return append_one(self._lines, one, channel=channel, scored_at=scored_at, data_watermark=data_watermark)
        with engine.connect() as connection:
            fresh, untold = not_there_yet(connection, assessments)
        if not fresh and not untold:
            return 0
        rows = [
            score_row(one, channel=channel, scored_at=scored_at, data_watermark=data_watermark)
            for one in fresh.values()
        ]
        with engine.begin() as connection:
            add_reasons(connection, untold)
            told = insert_new(connection, SCORES).returning(SCORES.c.id, *KEY)
            added = connection.execute(told, rows).all() if rows else []
            if added:
                details = [_detail(entry_id, fresh[tuple(key)]) for entry_id, *key in added]
                connection.execute(sa.insert(DETAILS), details)
                connection.execute(insert_new(connection, MODELS), _models(fresh.values(), scored_at))
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

    def portfolio(self, place: Place) -> list[Entry]:
        """The whole portfolio of a place: one entry per account, told last by then, most value at risk first."""
        return self._portfolio(place, Selection(), limit=None)

    def batch_mark(self, as_of: datetime) -> int | None:
        """The newest entry that a batch told at an ``as_of``, which names the batch; None where no batch ran."""
        of_batch = (SCORES.c.channel == Channel.BATCH) & (SCORES.c.as_of == moment_text(as_of))
        with self._connected() as connection:
            newest: int | None = connection.scalar(sa.select(sa.func.max(SCORES.c.id)).where(of_batch))
            return newest

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
        """The explanations of several entries, by entry id; what nobody was told is derived (``model_at_hand``)."""
        with self._connected() as connection:
            kept = kept_reasons(connection, entry_ids)
            for entry in self._entries([wanted for wanted in entry_ids if wanted not in kept]):
                model = self._model_at_hand(entry.score.model_version)
                kept[entry.entry_id] = derived_reasons(features_of(connection, entry), entry, model)
        return kept

    def features(self, entry: Entry) -> pd.DataFrame:
        """The features an entry was scored from: one row that the model of that version turns into the same score."""
        with self._connected() as connection:
            return features_of(connection, entry)

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """A connection to the database of the ledger, its tables made; ServiceUnavailable when it does not answer."""
        with self._connected() as connection:
            yield connection

    def close(self) -> None:
        """Give the database back."""
        with self._lock:
            if self._lines is not None:
                self._lines.close()
                self._lines = None
            if self._opened is not None:
                self._opened.dispose()
                self._opened = None
            if self._held is not None:
                self._held.close()
                self._held = None

    def _portfolio(self, place: Place, selection: Selection, *, limit: int | None) -> list[Entry]:
        told_last = (
            sa.select(sa.func.max(SCORES.c.id))
            .where(SCORES.c.as_of == moment_text(place.as_of), SCORES.c.id <= place.newest_id)
            .group_by(SCORES.c.account_id)
        )
        query = sa.select(SCORES).where(SCORES.c.id.in_(told_last), *_chosen(selection), *_after(place))
        return self._read(query.order_by(SCORES.c.value_at_risk.desc(), SCORES.c.account_id).limit(limit))

    def _entries(self, entry_ids: Sequence[int]) -> list[Entry]:
        return self._read(sa.select(SCORES).where(SCORES.c.id.in_(entry_ids))) if entry_ids else []

    def _read(self, query: sa.Select[Any]) -> list[Entry]:
        with self._connected() as connection:
            return [_entry(dict(row)) for row in connection.execute(query).mappings()]

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        with self._engine().connect() as connection:
            yield connection

    def _engine(self) -> sa.Engine:
        with self._lock:
            if self._opened is None:
                engine = open_state(self._home, what=_WHAT, lasting=True)
                name_features(engine)
                self._held, self._lines = held_open(engine), lines_of(engine, what=_WHAT)
                self._opened = engine
            return self._opened


def _models(assessments: Iterable[Assessment], scored_at: datetime) -> list[dict[str, str]]:
    pairs = sorted({(one.score.model_version, one.bundle_hash) for one in assessments})
    return [
        {"model_version": version, "bundle_hash": content, "first_scored_at": moment_text(scored_at)}
        for version, content in pairs
    ]


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
    if selection.teams.bound:
        yield SCORES.c.csm_owner_id.in_(selection.teams.owners) | SCORES.c.segment.in_(selection.teams.segments)


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
