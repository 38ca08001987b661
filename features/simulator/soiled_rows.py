"""Which rows of one batch are lost, late, rewritten, doubled or broken?

Grain in and out: rows of one canonical table, in order; repeats follow at the end. Every row has one trouble at most
of those that ingest answers to (repeat, contradiction, broken cell), so the tally says exactly what ingest must count.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.simulator.special_laws import DirtLaw
from features.simulator.stains import CLOCK_SKEW, CONTRADICTED, REPEATED, STAINS, Stain
from features.simulator.timeline import Flags, Ints

HOUR = 3_600_000_000
DAY = 24 * HOUR
_ALLOWED_SKEW = HOUR
"""Ingest forgives clocks this much (reliability of two systems' clocks)."""
_WRONG_BY = 1.1
"""What a corrected invoice said first, over what is true."""
_CORRECTED = ("amount_due_minor", "amount_remaining_minor")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of dirt in one table: ``rule`` is the one that refuses such rows, empty where none does."""

    table: str
    kind: str
    column: str = ""
    rule: str = ""


@dataclass(slots=True)
class Tally:
    """Rows per trouble: touched, refused by its rule, and taken for known."""

    planted: Counter[Trouble] = field(default_factory=Counter)
    refused: Counter[Trouble] = field(default_factory=Counter)
    known: Counter[Trouble] = field(default_factory=Counter)

    def note(self, trouble: Trouble, planted: int, *, refused: int = 0, known: int = 0) -> None:
        """Count rows of a trouble."""
        if planted:
            self.planted[trouble] += planted
            self.refused[trouble] += refused
            self.known[trouble] += known

    def table(self) -> pa.Table:
        """One row per trouble, in order."""
        troubles = sorted(self.planted, key=lambda each: (each.table, each.kind, each.column, each.rule))
        names = ("table", "kind", "column", "rule")
        cells: dict[str, Any] = {
            name: pa.array([getattr(each, name) for each in troubles], pa.string()) for name in names
        }
        for name in ("planted", "refused", "known"):
            counts = getattr(self, name)
            cells[name] = pa.array([counts[each] for each in troubles], pa.int64())
        return pa.table(cells)


def broken(
    name: str, rows: pa.Table, rng: np.random.Generator, *, law: DirtLaw, tally: Tally, spared: Flags | None = None
) -> pa.Table:
    """Repeat, contradict, correct, skew and stain some rows; ``spared`` ones stay as they are."""
    draw, detail = rng.random((2, rows.num_rows))
    if spared is not None:
        draw[spared] = 2.0
    extra: list[pa.Table] = []
    edge = 0.0
    if name in REPEATED:
        twice, edge = _taken(draw, edge, law.exact_repeats)
        extra.append(rows.take(pa.array(twice)))
        tally.note(Trouble(name, "exact repeat"), len(twice), known=len(twice))
    if name in CONTRADICTED:
        column = CONTRADICTED[name]
        who, edge = _taken(draw, edge, law.near_repeats)
        twins = rows.take(pa.array(who))
        extra.append(replaced(twins, column, _another(twins.column(column))))
        tally.note(Trouble(name, "near repeat", column, "conflict"), len(who), refused=2 * len(who))
    if name == "invoices_history":
        who, edge = _taken(draw, edge, law.corrected_invoices)
        rows, later = _corrected(rows, who, detail[who] * law.correction_days * DAY)
        extra.append(later)
        tally.note(Trouble(name, "corrected later", _CORRECTED[0]), len(who))
    if name == CLOCK_SKEW.table:
        who, edge = _taken(draw, edge, law.skewed)
        rows = _skewed(rows, who, (2 * detail[who] - 1) * law.skew_hours * HOUR, tally)
    for stain in STAINS:
        if stain.table == name:
            who, edge = _taken(draw, edge, getattr(law, stain.share))
            rows = stained(rows, stain, who)
            tally.note(Trouble(name, "bad cell", stain.column, stain.rule), len(who), refused=len(who))
    return pa.concat_tables([rows, *extra])


def stained(rows: pa.Table, stain: Stain, who: Ints) -> pa.Table:
    """The rows with the stain's cell in some of them."""
    column = rows.column(stain.column)
    mask = np.zeros(rows.num_rows, dtype=np.bool_)
    mask[who] = True
    if stain.back_us:
        return shifted(rows, stain.column, np.where(mask, -stain.back_us, 0))
    return replaced(rows, stain.column, pc.if_else(pa.array(mask), pa.scalar(stain.cell, column.type), column))


def shifted(rows: pa.Table, column: str, by_us: Ints) -> pa.Table:
    """The rows with a moment moved by microseconds."""
    kind = rows.column(column).type
    ticks = rows.column(column).cast(pa.int64())
    return replaced(rows, column, pc.add(ticks, pa.array(by_us.astype(np.int64))).cast(kind))


def _taken(draw: Any, edge: float, share: float) -> tuple[Ints, float]:
    return np.flatnonzero((draw >= edge) & (draw < edge + share)), edge + share


def replaced(rows: pa.Table, column: str, cells: Any) -> pa.Table:
    """The rows with another column in the place of the one of that name."""
    return rows.set_column(rows.schema.get_field_index(column), column, cells)


def _another(cells: pa.ChunkedArray) -> Any:
    if pa.types.is_string(cells.type):
        return pa.array(["another"] * len(cells), pa.string())
    return pc.add(pc.fill_null(cells, 0), 1).cast(cells.type)


def _corrected(rows: pa.Table, who: Ints, delay_us: Any) -> tuple[pa.Table, pa.Table]:
    later = rows.take(pa.array(who))
    for column in ("recorded_at", "available_at"):
        later = shifted(later, column, np.maximum(delay_us, HOUR).astype(np.int64))
    mask = np.zeros(rows.num_rows, dtype=np.bool_)
    mask[who] = True
    for column in _CORRECTED:
        wrong = pc.round(pc.multiply(rows.column(column), _WRONG_BY)).cast(pa.int64())
        rows = replaced(rows, column, pc.if_else(pa.array(mask), wrong, rows.column(column)))
    return rows, later


def _skewed(rows: pa.Table, who: Ints, by_us: Any, tally: Tally) -> pa.Table:
    by = np.zeros(rows.num_rows, dtype=np.int64)
    by[who] = np.rint(by_us / 1_000_000).astype(np.int64) * 1_000_000
    refused = int((by > _ALLOWED_SKEW).sum())
    tally.note(Trouble(CLOCK_SKEW.table, "clock skew", CLOCK_SKEW.column, CLOCK_SKEW.rule), len(who), refused=refused)
    return shifted(shifted(rows, "event_at", by), "happened_at", by)
