"""What is offered to a canonical table: which rows, with which columns, under which rules of their source?

One :class:`Intake` is one file (or one mapped file) on its way into one table. Everything later (typing, judging,
filling the envelope) reads it and knows nothing of files and mappings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from features.events import ENVELOPE, Column, Table
from features.sources.reader import Rows

GIVEN_BY_SOURCES = (
    "source_system",
    "source_record_id",
    "event_at",
    "event_precision",
    "recorded_at",
    "available_at",
    "op",
)
"""Columns of the envelope that a file or mapping may give; the others are ours alone."""

SETTABLE: dict[str, Column] = {column.name: column for column in ENVELOPE if column.name in GIVEN_BY_SOURCES}
OURS: frozenset[str] = frozenset(column.name for column in ENVELOPE) - frozenset(SETTABLE)
"""Always made anew, so that a file that comes from another home of ours does no harm."""


UNMATCHED = "unmatched"
"""The rule of rows that name an account nobody knows; they are tried again when an account arrives."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to refuse a row: the column it is about, a short name, words for people and when it applies (SQL)."""

    column: str
    rule: str
    reason: str
    when: str


@dataclass(frozen=True, slots=True)
class Intake:
    """Rows offered to a table.

    ``rows`` is the file as it was read. ``relation`` has ``_pulse_row``, the columns in ``types`` (declared names, the
    engine's types) and those in ``checks``, which the mapping's ``rules`` speak of; these rules come first. ``zone``
    places naive moments and days. ``totals`` adds the rows of one key together. Where a row of the file makes several,
    ``elements`` is the relation of them all, and ``_pulse_row`` is the file's row times ``places`` plus their turn.
    """

    number: int
    file: str
    rows: Rows
    relation: str
    types: dict[str, str]
    source_system: str
    lag: timedelta
    zone: str | None = None
    rules: tuple[Rule, ...] = ()
    checks: tuple[str, ...] = ()
    totals: bool = False
    elements: str | None = None
    places: int = 1

    def gives(self, name: str) -> bool:
        """Does the source give this column?"""
        return name in self.types


@dataclass(frozen=True, slots=True)
class Load:
    """One run of ingest: its id, its moment (``ingested_at``), and whether rows count as known only from now.

    ``offered_at`` is set in a replay: the moment at which its rows were first offered, and refused. In a live load they
    count as known from then.
    """

    load_id: str
    now: datetime
    live: bool
    offered_at: datetime | None = None

    @property
    def is_replay(self) -> bool:
        """Do the rows come from quarantine?"""
        return self.offered_at is not None


def declared(table: Table) -> dict[str, Column]:
    """Every column that a source may give for a table: its own, and the settable ones of the envelope."""
    return {**SETTABLE, **{column.name: column for column in table.columns}}
