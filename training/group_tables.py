"""Which lookup tables give a booster's margin and the sum of SHAP values per group of features?

A block is a subtree. A row's place in its table has one bit per feature on the way to the subtree (does the row pass
all splits by it?) and one per split inside; the entry there is what all leaves of the block together give to each
group. The sum of one entry per block is the row's exact group contribution, the sum over groups its margin. Entries
are whole numbers in a unit of 2^-scale, so the order of adding changes no bit and the parts add up exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.leaf_shares import LANES, agreements, group_shares
from training.paths import CodedColumn, Path, coded_columns, paths_of
from training.periods import Floats
from training.trees import Integers, Tree

MOST_BITS = 8
"""Of one block, so that a place in its table fits a byte."""

MOST_ENTRIES = 2**22
"""Of all tables: 256 MB, which only the largest model of the search space comes near."""

_FINEST, _COARSEST = 45, 38
"""Scale: steps of 3e-14 to 4e-12 log-odds; thousands of roundings stay far below 1e-9 of the law of points."""

_EXACT_BITS = 52
"""Whole numbers up to 2^52 are exact as doubles, and so are their sums."""

_PRICE_OF_AN_ENTRY = 1 / 64
"""In look-ups: what a larger table costs through the processor's caches. Measured flat between 1/256 and 1/16."""


class GroupTables(NamedTuple):
    """The tables as arrays that compiled code can read.

    ``columns``: (feature, first cut, cuts, code of a missing value, first condition, conditions) each; ``cuts``:
    thresholds, rising per column. ``conditions`` (3, c): low, width and extra of each distinct condition (see
    :class:`training.paths.Reach`), column by column. ``bits`` (blocks, :data:`MOST_BITS`): the condition that each bit
    of a block stands for, and c, which never holds, beyond the last. ``blocks``: (bits, first entry). ``entries``
    (n, :data:`LANES`) per group, ``totals`` their sums, ``base`` the expectation, in units of ``2 ** -scale`` log-odds.
    """

    columns: Integers
    cuts: Floats
    conditions: npt.NDArray[np.uint8]
    bits: npt.NDArray[np.int32]
    blocks: Integers
    entries: Integers
    totals: Integers
    base: int
    scale: int


@dataclass(frozen=True, slots=True)
class _Leaf:
    value: float
    path: Path


@dataclass(frozen=True, slots=True)
class _Block:
    # inner: the splits inside; turns: per leaf the (place in inner, goes left) on the way to it, by feature.
    path: Path
    inner: tuple[int, ...]
    leaves: tuple[_Leaf, ...]
    turns: tuple[dict[int, list[tuple[int, bool]]], ...]

    @property
    def bits(self) -> int:
        return len(self.path) + len(self.inner)


def tables_of(trees: Sequence[Tree], owners: Sequence[int]) -> GroupTables | str:
    """The tables of a booster, or why there are none. ``owners`` is the group, 0 to 7, of each input."""
    if max(owners, default=0) >= LANES:
        return f"more than {LANES} groups of features"
    columns = coded_columns(trees)
    if isinstance(columns, str):
        return columns
    places = {feature: place for place, feature in enumerate(columns)}
    blocks: list[_Block] = []
    conditions: list[tuple[int, int, int, int]] = []
    for tree in trees:
        paths = paths_of(tree, columns)
        if isinstance(paths, str):
            return paths
        for block in _blocks(tree, *paths):
            blocks.append(block)
            conditions += [(places[feature], *reach.condition()) for feature, reach in block.path.items()]
            conditions += [_inner_condition(tree, split, columns, places) for split in block.inner]
    if sum(2**block.bits for block in blocks) > MOST_ENTRIES:
        return f"tables of more than {MOST_ENTRIES} entries"
    base = sum(tree.expectation() for tree in trees)
    return _whole(blocks, conditions, list(columns.values()), _entries(blocks, np.asarray(owners, np.int64)), base)


def _blocks(tree: Tree, splits: list[Path], leaves: list[Path]) -> list[_Block]:
    if not tree.splits:
        return []
    cost = {-1 - leaf: 1 + _PRICE_OF_AN_ENTRY * 2 ** len(path) for leaf, path in enumerate(leaves)}
    inside = dict.fromkeys(cost, 0)
    whole = set(cost)
    for split in reversed(range(tree.splits)):
        children = int(tree.left[split]), int(tree.right[split])
        inside[split] = 1 + sum(inside[child] for child in children)
        bits = len(splits[split]) + inside[split]
        apart = sum(cost[child] for child in children)
        together = 1 + _PRICE_OF_AN_ENTRY * 2**bits if bits <= MOST_BITS else np.inf
        cost[split] = min(apart, together)
        if together <= apart:
            whole.add(split)
    roots, found = [0], []
    while roots:
        node = roots.pop()
        if node in whole:
            found.append(_block(tree, node, splits, leaves))
        else:
            roots += [int(tree.right[node]), int(tree.left[node])]
    return found


def _block(tree: Tree, root: int, splits: list[Path], leaves: list[Path]) -> _Block:
    path = splits[root] if root >= 0 else leaves[-1 - root]
    inner: list[int] = []
    reached: list[_Leaf] = []
    turns: list[dict[int, list[tuple[int, bool]]]] = []
    ahead: list[tuple[int, dict[int, list[tuple[int, bool]]]]] = [(root, {})]
    while ahead:
        node, way = ahead.pop()
        if node < 0:
            reached.append(_Leaf(float(tree.leaf_value[-1 - node]), leaves[-1 - node]))
            turns.append(way)
            continue
        feature = int(tree.feature[node])
        for child, is_left, _ in tree.sides(node):
            ahead.append((child, {**way, feature: [*way.get(feature, []), (len(inner), is_left)]}))
        inner.append(node)
    return _Block(path, tuple(inner), tuple(reached), tuple(turns))


def _inner_condition(
    tree: Tree, split: int, columns: Mapping[int, CodedColumn], places: Mapping[int, int]
) -> tuple[int, int, int, int]:
    column = columns[int(tree.feature[split])]
    return (places[column.feature], *column.side(tree, split, left=True).condition())


def _entries(blocks: Sequence[_Block], owners: Integers) -> list[Floats]:
    given = _leaf_tables([leaf for block in blocks for leaf in block.leaves], owners)
    tables, first = [], 0
    for block in blocks:
        hold = agreements(block.bits)
        table = np.zeros((2**block.bits, LANES))
        for turns, shares, leaf in zip(block.turns, given[first:], block.leaves, strict=False):
            place = np.zeros(len(hold), np.int64)
            for bit, feature in enumerate(leaf.path):
                agrees = hold[:, bit].copy() if feature in block.path else np.ones(len(hold), bool)
                for inner, is_left in turns.get(feature, ()):
                    agrees &= hold[:, len(block.path) + inner] == is_left
                place |= agrees.astype(np.int64) << bit
            table += shares[place]
        first += len(block.leaves)
        tables.append(table)
    return tables


def _leaf_tables(leaves: Sequence[_Leaf], owners: Integers) -> list[Floats]:
    tables: list[Floats] = [np.empty(0)] * len(leaves)
    lengths = np.array([len(leaf.path) for leaf in leaves], np.int64)
    for length in np.unique(lengths).tolist():
        chosen = np.flatnonzero(lengths == length).tolist()
        values = np.array([leaves[place].value for place in chosen])
        shares = np.array([[reach.share for reach in leaves[place].path.values()] for place in chosen])
        features = np.array([list(leaves[place].path) for place in chosen], np.int64)
        for place, table in zip(chosen, group_shares(values, shares, owners[features]), strict=True):
            tables[place] = table
    return tables


def _whole(
    blocks: Sequence[_Block],
    conditions: Sequence[tuple[int, int, int, int]],
    columns: Sequence[CodedColumn],
    tables: Sequence[Floats],
    base: float,
) -> GroupTables | str:
    largest = abs(base) + sum(float(np.abs(table).sum(axis=1).max()) for table in tables)
    if not np.isfinite(largest):
        return "leaves that are no numbers"
    scale = min(_FINEST, _EXACT_BITS - 1 - int(np.ceil(np.log2(max(largest, 1.0)))))
    if scale < _COARSEST:
        return "margins too large for exact sums"
    unit = 2.0**scale
    entries = np.concatenate([np.rint(table * unit).astype(np.int64) for table in [*tables, np.zeros((0, LANES))]])
    sizes = np.array([len(table) for table in tables], np.int64)
    lengths = np.array([block.bits for block in blocks], np.int64)
    distinct, referred = np.unique(np.array(conditions, np.int64).reshape(-1, 4), axis=0, return_inverse=True)
    bits = np.full((len(blocks), MOST_BITS), len(distinct), np.int32)
    bits[np.arange(MOST_BITS) < lengths[:, np.newaxis]] = referred
    return GroupTables(
        columns=_coded(columns, distinct[:, 0]),
        cuts=np.concatenate([*[column.cuts for column in columns], np.empty(0)]),
        conditions=np.ascontiguousarray(distinct[:, 1:].T, np.uint8),
        bits=bits,
        blocks=np.column_stack([lengths, _starts(sizes)]),
        entries=entries,
        totals=entries.sum(axis=1),
        base=round(base * unit),
        scale=scale,
    )


def _coded(columns: Sequence[CodedColumn], owner: Integers) -> Integers:
    # owner: the column of each distinct condition, rising.
    cuts = np.array([len(column.cuts) for column in columns], np.int64)
    conditions = np.bincount(owner, minlength=len(columns))
    features = np.array([column.feature for column in columns], np.int64)
    missing = np.array([column.nan for column in columns], np.int64)
    return np.column_stack([features, _starts(cuts), cuts, missing, _starts(conditions), conditions])


def _starts(lengths: Integers) -> Integers:
    starts: Integers = np.cumsum(lengths) - lengths
    return starts
