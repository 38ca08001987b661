"""How are group tables looked up at the speed of the processor?

The only module that speaks to numba. Its functions are compiled at their first call, for this processor and in memory:
numba's cache on disk consists of pickles, which nothing of ours reads. They free the GIL and use one thread. All sums
are of whole numbers, so neither the order nor the way of adding changes a bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

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

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    return cast("_Function", numba.njit(nogil=True, error_model="numpy")(function))


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
def _encode(inputs: Any, tables: Any, codes: Any) -> None:
    # Counting all cuts below a value beats a search among them: there is nothing to guess wrong.
    rows = len(inputs)
    values = np.empty(rows)
    below = np.empty(rows, np.uint8)
    for place in range(len(tables.columns)):
        feature, first, count, missing = tables.columns[place, :4]
        for row in range(rows):
            value = inputs[row, feature]
            values[row] = 0.0 if abs(value) <= NOUGHT else value
        below[:] = 0
        for cut in tables.cuts[first : first + count]:
            for row in range(rows):
                below[row] += np.uint8(cut < values[row])
        for row in range(rows):
            codes[place, row] = np.uint8(missing) if np.isnan(values[row]) else below[row]


@_compiled
def _owners(tables: Any) -> Any:
    owners = np.empty(tables.conditions.shape[1], np.int64)
    for place in range(len(tables.columns)):
        first, count = tables.columns[place, 4], tables.columns[place, 5]
        owners[first : first + count] = place
    return owners


@_compiled
def _index(codes: Any, owners: Any, tables: Any, block: int, index: Any) -> None:
    index[:] = 0
    for bit in range(tables.blocks[block, 0]):
        condition = tables.bits[block, bit]
        column, low = codes[owners[condition]], tables.conditions[0, condition]
        width, extra = tables.conditions[1, condition], tables.conditions[2, condition]
        weight = np.uint8(1 << bit)
        for row in range(len(index)):
            holds = (np.uint8(column[row] - low) <= width) | (column[row] == extra)
            index[row] = np.uint8(index[row] | (weight if holds else np.uint8(0)))


@_compiled
def add_groups(inputs: Any, tables: Any, sums: Any) -> None:
    """Add each row's group contributions to ``sums`` (rows, lanes)."""
    owners = _owners(tables)
    for start in range(0, len(inputs), TILE):
        part = inputs[start : start + TILE]
        codes = np.empty((len(tables.columns), len(part)), np.uint8)
        index = np.empty(len(part), np.uint8)
        _encode(part, tables, codes)
        for block in range(len(tables.blocks)):
            _index(codes, owners, tables, block, index)
            entry = tables.blocks[block, 1]
            for row in range(len(part)):
                _add_line(sums, start + row, tables.entries, entry + np.int64(index[row]))


@_compiled
def add_totals(inputs: Any, tables: Any, sums: Any) -> None:
    """Add each row's sum over all groups to ``sums`` (rows)."""
    owners = _owners(tables)
    for start in range(0, len(inputs), TILE):
        part = inputs[start : start + TILE]
        codes = np.empty((len(tables.columns), len(part)), np.uint8)
        index = np.empty(len(part), np.uint8)
        _encode(part, tables, codes)
        for block in range(len(tables.blocks)):
            _index(codes, owners, tables, block, index)
            entry = tables.blocks[block, 1]
            for row in range(len(part)):
                sums[start + row] += tables.totals[entry + np.int64(index[row])]


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
