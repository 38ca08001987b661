"""How are group tables looked up at the speed of the processor?

The only module that speaks to numba. Its functions are compiled at their first call, for this processor and in memory:
numba's cache on disk consists of pickles, which nothing of ours reads. They free the GIL and use one thread. All sums
are of whole numbers, so neither the order nor the way of adding changes a bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from training.group_tables import MOST_BITS
from training.leaf_shares import LANES
from training.paths import NOUGHT

TILE = 2048
"""Rows at once: their codes and sums stay in a core's own cache while all tables pass by."""

_TURNS = 4
"""Sums that take turns for a single row, so that an addition need not wait for the one before."""


class Coded(NamedTuple):
    """The codes (columns, rows) of the columns from number ``first`` on. ``owners``: the column of each condition."""

    codes: Any
    first: Any
    owners: Any


_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    # Without the way in from C, which nobody takes: a seventh of what compiling costs.
    made = numba.njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True)(function)
    return cast("_Function", made)


def _line_added(typing_context: Any, sums: Any, to: Any, entries: Any, place: Any) -> Any:  # noqa: ARG001  numba's form
    """``sums[to] += entries[place]`` for rows of :data:`LANES` as one vector; written out, LLVM adds lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        whole = ir.IntType(64)
        line = ir.VectorType(whole, LANES).as_pointer()

        def start_of(array: int, row: int) -> Any:
            data = context.make_array(signature.args[array])(context, builder, given[array]).data
            lane = builder.mul(given[row], ir.Constant(whole, LANES))
            return builder.bitcast(builder.gep(data, [lane]), line)

        target = start_of(0, 1)
        total = builder.add(builder.load(target, align=8), builder.load(start_of(2, 3), align=8))
        builder.store(total, target, align=8)
        return context.get_dummy_value()

    return types.void(sums, types.int64, entries, types.int64), generate


_add_line: Any = intrinsic(_line_added)


@_compiled
def _encode(inputs: Any, first: Any, columns: Any, tables: Any, codes: Any) -> None:
    # Inputs are the model's from the one numbered ``first`` on (always of one type: a literal is compiled apart).
    # Counting all cuts below a value beats a search among them: there is nothing to guess wrong.
    rows = len(inputs)
    values = np.empty(rows)
    below = np.empty(rows, np.uint8)
    for place in range(len(columns)):
        feature, missing = columns[place, 0] - first, np.uint8(columns[place, 3])
        for row in range(rows):
            value = inputs[row, feature]
            values[row] = 0.0 if abs(value) <= NOUGHT else value
        below[:] = 0
        for cut in range(columns[place, 1], columns[place, 1] + columns[place, 2]):
            threshold = tables.cuts[cut]
            for row in range(rows):
                below[row] += np.uint8(threshold < values[row])
        for row in range(rows):
            codes[place, row] = missing if np.isnan(values[row]) else below[row]


@_compiled
def _owners(tables: Any) -> Any:
    owners = np.empty(tables.conditions.shape[1], np.int64)
    for place in range(len(tables.columns)):
        first, count = tables.columns[place, 4], tables.columns[place, 5]
        owners[first : first + count] = place
    return owners


@_compiled
def _index(coded: Any, tables: Any, block: int, index: Any) -> Any:
    # Set the bits of a block that these columns decide. Told are how many bits other columns decide, and the last one.
    others, last = 0, 0
    for bit in range(tables.blocks[block, 0]):
        condition = tables.bits[block, bit]
        place = coded.owners[condition] - coded.first
        if not 0 <= place < len(coded.codes):
            others, last = others + 1, bit
            continue
        column, low = coded.codes[place], tables.conditions[0, condition]
        width, extra = tables.conditions[1, condition], tables.conditions[2, condition]
        weight = np.uint8(1 << bit)
        for row in range(len(index)):
            holds = (np.uint8(column[row] - low) <= width) | (column[row] == extra)
            index[row] = np.uint8(index[row] | (weight if holds else np.uint8(0)))
    return others, last


@_compiled
def add_groups(inputs: Any, tables: Any, sums: Any) -> None:
    """Add each row's group contributions to ``sums`` (rows, lanes)."""
    owners = _owners(tables)
    for start in range(0, len(inputs), TILE):
        part = inputs[start : start + TILE]
        coded = Coded(np.empty((len(tables.columns), len(part)), np.uint8), np.int64(0), owners)
        index = np.empty(len(part), np.uint8)
        _encode(part, np.int64(0), tables.columns, tables, coded.codes)
        for block in range(len(tables.blocks)):
            index[:] = 0
            _index(coded, tables, block, index)
            entry = tables.blocks[block, 1]
            for row in range(len(part)):
                _add_line(sums, start + row, tables.entries, entry + np.int64(index[row]))


@_compiled
def add_totals(starts: Any, endings: Any, early: int, tables: Any, sums: Any) -> None:
    """Add to ``sums`` (ways, rows) the totals over all groups of rows that begin alike and go on in several ways.

    ``starts`` (rows, a) are their first inputs, in which lie the first ``early`` columns of the tables; ``endings``
    (ways, rows, b) the others. What the start decides is looked up once for all ways.
    """
    owners, width = _owners(tables), starts.shape[1]
    for start in range(0, len(starts), TILE):
        part = starts[start : start + TILE]
        begun = Coded(np.empty((early, len(part)), np.uint8), np.int64(0), owners)
        later = np.empty((len(endings), len(tables.columns) - early, len(part)), np.uint8)
        _encode(part, np.int64(0), tables.columns[:early], tables, begun.codes)
        for way in range(len(endings)):
            _encode(endings[way, start : start + TILE], width, tables.columns[early:], tables, later[way])
        _add_tile(begun, later, tables, start, sums)


@_compiled
def _add_tile(begun: Any, later: Any, tables: Any, start: int, sums: Any) -> None:
    early, rows = begun.codes.shape
    alike, step = np.zeros(rows, np.int64), np.empty(rows, np.int64)
    index, whole = np.empty(rows, np.uint8), np.empty(rows, np.uint8)
    for block in range(len(tables.blocks)):
        entry = tables.blocks[block, 1]
        table = tables.totals[entry : entry + (1 << tables.blocks[block, 0])]
        index[:] = 0
        others, bit = _index(begun, tables, block, index)
        if others <= 1:
            _add_entries(table, index, alike)
        if others == 1:
            _steps(table, index, np.uint8(1 << bit), step)
            condition = tables.bits[block, bit]
            column, reach = begun.owners[condition] - early, tables.conditions[:, condition]
            for way in range(len(later)):
                _add_where(later[way, column], reach, step, sums[way, start : start + rows])
        for way in range(len(later) if others > 1 else 0):
            _copy(index, whole)
            _index(Coded(later[way], early, begun.owners), tables, block, whole)
            _add_entries(table, whole, sums[way, start : start + rows])
    for way in range(len(later)):
        _add(alike, sums[way, start : start + rows])


@_compiled
def _copy(index: Any, whole: Any) -> None:
    # As a slice, it would be compiled with all that broadcasting can say of shapes that differ: seconds.
    for row in range(len(index)):
        whole[row] = index[row]


@_compiled
def _add(part: Any, sums: Any) -> None:
    for row in range(len(part)):
        sums[row] += part[row]


@_compiled
def _add_entries(table: Any, index: Any, sums: Any) -> None:
    for row in range(len(index)):
        sums[row] += table[index[row]]


@_compiled
def _steps(table: Any, index: Any, bit: Any, step: Any) -> None:
    # What it makes for each row that one more bit is set.
    for row in range(len(index)):
        step[row] = table[index[row] | bit] - table[index[row]]


@_compiled
def _add_where(column: Any, condition: Any, step: Any, sums: Any) -> None:
    # Many rows in one instruction, which no look-up in a table can be.
    low, width, extra = condition[0], condition[1], condition[2]
    for row in range(len(sums)):
        holds = (np.uint8(column[row] - low) <= width) | (column[row] == extra)
        sums[row] += step[row] if holds else 0


@_compiled
def _which_hold(inputs: Any, row: int, tables: Any, holds: Any) -> None:
    columns, cuts, conditions = tables.columns, tables.cuts, tables.conditions
    for place in range(len(columns)):
        value, first, below = inputs[row, columns[place, 0]], columns[place, 1], 0
        value = 0.0 if abs(value) <= NOUGHT else value
        for cut in range(first, first + columns[place, 2]):
            below += cuts[np.uint64(cut)] < value
        code = np.uint8(columns[place, 3]) if np.isnan(value) else np.uint8(below)
        first = columns[place, 4]
        for which in range(first, first + columns[place, 5]):
            one = np.uint64(which)
            inside = np.uint8(code - conditions[0, one]) <= conditions[1, one]
            holds[one] = inside | (code == conditions[2, one])


@_compiled
def add_groups_of_few(inputs: Any, tables: Any, sums: Any) -> None:
    """As :func:`add_groups`, one row after the other: quicker for a handful."""
    bits, blocks = tables.bits, tables.blocks
    holds = np.zeros(tables.conditions.shape[1] + 1, np.uint8)  # the last one never does
    places = np.empty(len(blocks), np.int64)
    turns = np.empty((_TURNS, LANES), np.int64)
    for row in range(len(inputs)):
        _which_hold(inputs, row, tables, holds)
        for block in range(len(blocks)):
            place = blocks[block, 1]
            for bit in range(MOST_BITS):
                place += np.int64(holds[np.uint32(bits[block, bit])]) << bit
            places[block] = place
        turns[:] = 0
        # Apart from finding the places, so that many entries can be on their way from memory at once.
        for block in range(len(blocks)):
            _add_line(turns, block % _TURNS, tables.entries, places[block])
        for turn in range(_TURNS):
            _add_line(sums, row, turns, turn)
