"""How are rows looked up in group tables, one or a million, with the same bits?

Two ways over the same whole numbers: NumPy, ready at once, and machine code, which takes seconds to make and is tens of
times quicker. Which one is taken can change no bit. A service makes the machine code before it is ready
(:meth:`GroupLookup.warm`); a command makes it when it has looked up so much that it would have paid for itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.group_tables import GroupTables
from training.leaf_shares import LANES
from training.paths import NOUGHT
from training.periods import Floats
from training.trees import Integers

_MACHINE_CODE_PAYS = 200_000_000
"""Bits (rows times conditions) looked up by NumPy in about the seconds that compiling takes."""

_FEW = 12
"""Rows; up to here one row after the other is quicker than all rows table by table (measured at 300 trees)."""

_BITS_AT_ONCE = 2_000_000
"""Of NumPy's rows times conditions: some ten megabytes, whatever the number of rows."""


class GroupLookup:
    """The tables of one model and what stands ready to read them. Threads may share it."""

    def __init__(self, tables: GroupTables) -> None:
        self.tables = tables
        self._unit = 2.0**-tables.scale
        self._machine: Any = None
        self._looked_up = 0

    @property
    def warmed(self) -> bool:
        """True once machine code answers."""
        return self._machine is not None

    def warm(self) -> None:
        """Make all machine code now: seconds in the first model of a process, nothing after that."""
        self._machine = _machine_code()
        row = np.zeros((1, 1 + int(self.tables.columns[:, 0].max(initial=0))))
        for add in (self._machine.add_groups, self._machine.add_groups_of_few):
            add(row, self.tables, np.zeros((1, LANES), np.int64))
        columns, sums = len(self.tables.columns), np.zeros((1, 1), np.int64)
        self._machine.add_totals(row, np.zeros((1, 1, 0)), columns, self.tables, sums)

    def expect(self, rows: int) -> None:
        """Told that so many rows will be looked up: turn to machine code now if it will have paid for itself."""
        if rows * self.tables.bits.size > _MACHINE_CODE_PAYS:
            self._machine = _machine_code()

    def told(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Per row of inputs its raw margin, and the SHAP values per group, (n, :data:`LANES`), all in log-odds.

        The margin is exactly :attr:`base` plus the groups.
        """
        sums = self._group_sums(inputs)
        return self._margins_of(np.add.reduce(sums, axis=1)), np.asarray(sums * self._unit, np.float64)

    def margins(self, inputs: Floats) -> Floats:
        """The margins of :meth:`told` alone, cheaper."""
        alone: Floats = self.continued(inputs, np.empty((1, len(inputs), 0)))[0]
        return alone

    def continued(self, starts: Floats, endings: Floats) -> Floats:
        """The margins (ways, n) of rows that begin alike and go on in several ways.

        ``starts`` (n, a) are the first inputs of each row, ``endings`` (ways, n, b) the others, way by way.
        """
        return self._margins_of(self._totals(starts, endings))

    @property
    def base(self) -> float:
        """The expectation in log-odds."""
        return self.tables.base * self._unit

    def _margins_of(self, totals: Integers) -> Floats:
        # Exact: the scale keeps every possible sum below 2^52, and a power of two costs no bits.
        totals += self.tables.base
        return np.asarray(totals * self._unit, np.float64)

    def _group_sums(self, inputs: Floats) -> Integers:
        machine = self._machine_for(len(inputs))
        if machine is None:
            return self._in_numpy(inputs)
        sums = np.zeros((len(inputs), LANES), np.int64)
        add = machine.add_groups_of_few if len(inputs) <= _FEW else machine.add_groups
        add(_as_machine_code_wants(inputs), self.tables, sums)
        return sums

    def _totals(self, starts: Floats, endings: Floats) -> Integers:
        ways, rows, _ = endings.shape
        if ways * rows <= _FEW:
            whole = np.empty((ways, rows, starts.shape[1] + endings.shape[2]))
            whole[:, :, : starts.shape[1]], whole[:, :, starts.shape[1] :] = starts, endings
            totals: Integers = np.add.reduce(self._group_sums(whole.reshape(ways * rows, whole.shape[2])), axis=1)
            return totals.reshape(ways, rows)
        machine = self._machine_for(ways * rows)
        if machine is None:
            each = (self._in_numpy(np.hstack([starts, ending])) for ending in endings)
            return np.stack([np.add.reduce(sums, axis=1) for sums in each])
        sums = np.zeros((ways, rows), np.int64)
        early = int(np.searchsorted(self.tables.columns[:, 0], starts.shape[1]))
        begun, ended = _as_machine_code_wants(starts), _as_machine_code_wants(endings)
        machine.add_totals(begun, ended, early, self.tables, sums)
        return sums

    def _machine_for(self, rows: int) -> Any:
        if self._machine is None:
            self._looked_up += rows
            self.expect(self._looked_up)
        return self._machine

    def _in_numpy(self, inputs: Floats) -> Integers:
        if not len(self.tables.blocks):
            return np.zeros((len(inputs), LANES), np.int64)
        step = max(1, _BITS_AT_ONCE // self.tables.bits.size)
        parts = [looked_up(inputs[start : start + step], self.tables) for start in range(0, len(inputs), step)]
        return np.concatenate([*parts, np.zeros((0, LANES), np.int64)])


def looked_up(inputs: Floats, tables: GroupTables) -> Integers:
    """The group sums of some rows in units of ``2 ** -scale``, by whole-array steps: shape (n, :data:`LANES`)."""
    feature, first, cuts, missing, _, conditions = tables.columns.T
    values = np.where(np.abs(inputs[:, feature]) <= NOUGHT, 0.0, inputs[:, feature])
    below = tables.cuts < np.repeat(values, cuts, axis=1)
    codes = np.add.reduceat(below, first, axis=1, dtype=np.int64)
    codes = np.where(np.isnan(values), missing, codes).astype(np.uint8)
    low, width, extra = tables.conditions
    code = np.repeat(codes, conditions, axis=1)
    holds = np.zeros((len(inputs), len(low) + 1), bool)  # the last one never does
    holds[:, :-1] = (code - low <= width) | (code == extra)
    places = tables.blocks[:, 1] + np.packbits(holds[:, tables.bits], axis=2, bitorder="little")[:, :, 0]
    sums = np.empty((len(inputs), LANES), np.int64)
    for row, place in enumerate(places):
        sums[row] = tables.entries[place].sum(axis=0)
    return sums


def _machine_code() -> Any:
    from training import machine_code  # noqa: PLC0415  numba takes half a second to import; few commands need it

    return machine_code


def _as_machine_code_wants(inputs: Floats) -> Floats:
    # One form of array, so that machine code is made once.
    rows = np.ascontiguousarray(inputs, np.float64)
    return rows if rows.flags.writeable else rows.copy()
