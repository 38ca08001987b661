"""Which table may an unknown file be, and which of its columns fills which canonical one?

In: a :class:`Sample`. Out: a :class:`Proposal`: the table whose name and columns the file resembles most, at most one
column per canonical column, the best likeness first, and what is missing. A proposal is a draft for a person.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.events import TABLES, Column, Kind, Table
from features.sources.intake import SETTABLE
from features.sources.likeness import LEAST, likeness_of_column, likeness_of_table, words_of
from features.sources.sample import Observed, Sample
from features.sources.translation import Translation, translation

_OFFERED = ("recorded_at",)
"""Of the envelope only what sources have a column for."""
_NAME_WEIGHT = 2.0
_TIMES = {Kind.MOMENT, Kind.DAY}


@dataclass(frozen=True, slots=True)
class Filled:
    """One canonical column with the column of the file that fills it. ``values`` translates its words to ours.

    ``strange`` are words of the sample that resemble none of ours.
    """

    column: Column
    observed: Observed
    translation: Translation
    values: dict[str, str]
    strange: tuple[str, ...]

    @property
    def todo(self) -> str:
        """What a person must decide, empty when nothing."""
        ours = f"which of {' '.join(self.column.choices)} stands for {', '.join(self.strange)}?" if self.strange else ""
        return "; ".join(part for part in (self.translation.todo, ours) if part)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A table for a file. ``missing`` are the columns that the table must have and nothing fills."""

    sample: Sample
    table: Table
    filled: tuple[Filled, ...]
    missing: tuple[Column, ...]

    @property
    def needs_zone(self) -> bool:
        """Are there moments or days whose zone the file does not say?"""
        return any(each.translation.needs_zone for each in self.filled)

    @property
    def unused(self) -> tuple[str, ...]:
        """Columns of the file that fill nothing."""
        used = {each.observed.name for each in self.filled}
        return tuple(observed.name for observed in self.sample.columns if observed.name not in used)


def proposal_for(sample: Sample) -> Proposal | None:
    """The best table for a file, none when it resembles no table enough."""
    named = {table.name: likeness_of_table(table, sample.source.stem) for table in TABLES.values()}
    proposals = {table.name: _proposal(sample, table) for table in TABLES.values()}
    scores = {name: _NAME_WEIGHT * named[name] + _fit(proposals[name]) for name in proposals}
    best = max(scores, key=lambda name: scores[name])
    # Without a word in the file's name, nearly all that the table must have must be there.
    enough = named[best] > 0 or not proposals[best].missing
    return proposals[best] if enough and proposals[best].filled else None


def _fit(proposal: Proposal) -> float:
    required = [column for column in proposal.table.columns if not column.nullable]
    return 1 - len(proposal.missing) / max(1, len(required)) - len(proposal.unused) / len(proposal.sample.columns)


def _proposal(sample: Sample, table: Table) -> Proposal:
    columns = [*table.columns, *(SETTABLE[name] for name in _OFFERED)]
    pairs = [
        (likeness_of_column(table, column.name, observed.name), column, observed, how)
        for column in columns
        for observed in sample.columns
        if (how := translation(column, observed)) is not None
    ]
    filled: dict[str, Filled] = {}
    taken: set[str] = set()
    for likeness, column, observed, how in sorted(pairs, key=lambda pair: -pair[0]):
        # One moment may stand for several: an order is created, begins to hold and is signed on one day.
        free = observed.name not in taken or (column.kind in _TIMES and not column.nullable)
        if likeness >= LEAST and column.name not in filled and free:
            values, strange = _words(column, observed) if how.by_words else ({}, ())
            filled[column.name] = Filled(column, observed, how, values, strange)
            taken.add(observed.name)
    ordered = tuple(filled[column.name] for column in columns if column.name in filled)
    missing = [column for column in table.columns if not column.nullable and column.name not in filled]
    return Proposal(sample, table, ordered, tuple(missing))


def _words(column: Column, observed: Observed) -> tuple[dict[str, str], tuple[str, ...]]:
    plain = {"_".join(words_of(choice)): choice for choice in column.choices}
    values = {word: plain[key] for word in observed.words if (key := "_".join(words_of(word))) in plain}
    return values, tuple(word for word in observed.words if word not in values)
