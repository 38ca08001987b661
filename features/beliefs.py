"""What was believed when, if beliefs arrive late, are revised and are taken back?

Grain in: rows of a bitemporal table. Grain out: a timeline, the belief in force from one moment to the next. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The belief in force from each of ``moments`` on, until the next; None where it was taken back."""

    moments: tuple[datetime, ...]
    rows: tuple[Row | None, ...]

    def at(self, moment: datetime) -> Row | None:
        """The belief in force at a moment, or None before the first and after a tombstone."""
        place = bisect_right(self.moments, moment)
        return self.rows[place - 1] if place else None

    def since(self, moment: datetime) -> datetime:
        """From when the belief in force at a moment was held; only for a moment at which :meth:`at` has one."""
        return self.moments[bisect_right(self.moments, moment) - 1]


NOTHING = Timeline((), ())


def timelines(rows: Iterable[Row], *, key: Sequence[str], held_from: str) -> dict[tuple[Any, ...], Timeline]:
    """One timeline per value of ``key``.

    A row can be seen from the later of ``held_from`` and ``available_at``. Of the rows seen so far the one with the
    latest ``held_from`` is believed, then the latest ``available_at``, then the smallest ``row_hash``;
    ``op = 'delete'`` takes the belief back. This is the rule of every state in the SQL steps.
    """
    by_key: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        by_key[tuple(row[name] for name in key)].append(row)
    return {each: _timeline(beliefs, held_from) for each, beliefs in by_key.items()}


def changes(parts: Sequence[Timeline]) -> Iterator[tuple[datetime, datetime | None, tuple[Row | None, ...]]]:
    """Every stretch ``[from, until)`` in which no part changes, with the beliefs of all parts; the last has no end."""
    moments = sorted({moment for part in parts for moment in part.moments})
    for place, moment in enumerate(moments):
        until = moments[place + 1] if place + 1 < len(moments) else None
        yield moment, until, tuple(part.at(moment) for part in parts)


def _timeline(beliefs: list[Row], held_from: str) -> Timeline:
    def strength(row: Row) -> tuple[datetime, datetime, int]:
        return row[held_from], row["available_at"], -row["row_hash"]

    in_force: dict[datetime, Row] = {}
    best: Row | None = None
    for row in sorted(beliefs, key=lambda row: max(row[held_from], row["available_at"])):
        if best is None or strength(row) > strength(best):
            best = row
            in_force[max(row[held_from], row["available_at"])] = row
    return Timeline(tuple(in_force), tuple(row if row["op"] == "upsert" else None for row in in_force.values()))
