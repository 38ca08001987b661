"""In which words is a canonical table declared?

A :class:`Table` is a list of :class:`Column`, a grain, a key and a rule for the columns of the envelope that a source
lacks. Declarations hold no logic: ingest, the simulator, the mappings and the reference page all read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Kind(StrEnum):
    """Types a column may have. Money is ``integer`` minor units; durations are ``number`` seconds; ratios are 0-1."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    MOMENT = "moment"
    DAY = "day"


class Role(StrEnum):
    """``event``: a thing that happened. ``history``: a state that holds from ``valid_from``. ``reference``: a list."""

    EVENT = "event"
    HISTORY = "history"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, what it means, its unit, the values it may take and whether it may be null."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One canonical table.

    ``key`` identifies a record (with ``recorded_at`` it identifies a version of it). ``event_at_from`` names the column
    that gives ``event_at`` where a file has none. ``lag`` is how long after the event a row is usually known; it fills
    ``available_at`` in a back-fill. ``precision`` is ``day`` where the source knows only the day.
    """

    name: str
    grain: str
    role: Role
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    event_at_from: str
    lag: timedelta = timedelta(hours=1)
    precision: str = "instant"

    def column(self, name: str) -> Column:
        """The column of that name; ``KeyError`` when the table has none."""
        return next(column for column in self.columns if column.name == name)


def text(name: str, meaning: str, *, choices: str = "", null: bool = False) -> Column:
    """A text column; ``choices`` is a space-separated list of the only values allowed."""
    return Column(name, Kind.TEXT, meaning, choices=tuple(choices.split()), nullable=null)


def integer(name: str, meaning: str, *, unit: str = "", null: bool = False, minimum: float | None = None) -> Column:
    """A whole number."""
    return Column(name, Kind.INTEGER, meaning, unit=unit, nullable=null, minimum=minimum)


def number(
    name: str, meaning: str, *, unit: str = "", null: bool = False, low: float | None = None, high: float | None = None
) -> Column:
    """A double."""
    return Column(name, Kind.NUMBER, meaning, unit=unit, nullable=null, minimum=low, maximum=high)


def flag(name: str, meaning: str, *, null: bool = False) -> Column:
    """A boolean."""
    return Column(name, Kind.FLAG, meaning, nullable=null)


def moment(name: str, meaning: str, *, null: bool = False) -> Column:
    """A UTC timestamp in microseconds."""
    return Column(name, Kind.MOMENT, meaning, unit="UTC", nullable=null)


def day(name: str, meaning: str, *, null: bool = False) -> Column:
    """A local date."""
    return Column(name, Kind.DAY, meaning, nullable=null)
