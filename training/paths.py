"""Which values of which features lead to a node, and with what share of the rows on the way?

Values are told as codes: the number of the model's thresholds below a value, so that ``x <= threshold k`` is exactly
``code <= k``. A missing value has the code 255 where the model treats it as missing, else that of 0.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.periods import Floats
from training.trees import Tree

MISSING = 255
"""The code of a missing value."""

NO_CODE = 254
"""A code that no value has."""

NOUGHT = float(np.float32(1e-35))
"""LightGBM reads a value no further than this from 0 as 0.0, before it looks at any threshold."""

MOST_CUTS = NO_CODE - 1
MOST_FEATURES = 8
"""On one path; a table of a leaf has two to that power entries, and their number must fit a byte."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The codes of one feature that pass: ``low`` to ``high``, and missing ones if ``nan``.

    ``share`` is the product of the shares of training rows that went this way at each split by this feature.
    """

    low: int
    high: int
    nan: bool
    share: float = 1.0

    def condition(self) -> tuple[int, int, int]:
        """As (low, width, extra): a code passes when ``(code - low) mod 256 <= width``, or it is ``extra``."""
        if self.low > self.high:
            only = MISSING if self.nan else NO_CODE
            return only, 0, only
        return self.low, self.high - self.low, MISSING if self.nan else self.low

    def within(self, other: Reach) -> Reach:
        """What passes both."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Reach(low, high, nan=self.nan and other.nan, share=self.share * other.share)


Path = dict[int, Reach]
"""The features on the way to a node, in the order in which they are met first."""


@dataclass(frozen=True, slots=True)
class CodedColumn:
    """How the values of one feature become codes; ``nan`` is the code of a missing value."""

    feature: int
    cuts: Floats
    nan: int

    def side(self, tree: Tree, split: int, *, left: bool, share: float = 1.0) -> Reach:
        """What one split by this feature sends to one side."""
        code = int(np.searchsorted(self.cuts, tree.threshold[split]))
        nan = self.nan == MISSING and bool(tree.nan_left[split]) is left
        return Reach(0, code, nan, share) if left else Reach(code + 1, len(self.cuts), nan, share)


def coded_columns(trees: Sequence[Tree]) -> dict[int, CodedColumn] | str:
    """The features that any split looks at, or why their values cannot be told as codes."""
    feature = np.concatenate([tree.feature for tree in trees]) if trees else np.empty(0, np.int64)
    columns = {}
    for number in np.unique(feature).tolist():
        cuts = np.unique(np.concatenate([tree.threshold[tree.feature == number] for tree in trees]))
        kinds = {bool(kind) for tree in trees for kind in tree.nan_missing[tree.feature == number]}
        if len(kinds) > 1:
            return "a feature whose missing values are treated in two ways"
        if len(cuts) > MOST_CUTS:
            return f"{len(cuts)} thresholds of one feature, more than {MOST_CUTS}"
        columns[number] = CodedColumn(number, cuts, MISSING if kinds == {True} else int(np.searchsorted(cuts, 0.0)))
    return columns


def paths_of(tree: Tree, columns: Mapping[int, CodedColumn]) -> tuple[list[Path], list[Path]] | str:
    """The path to each split and to each leaf, or why tables would be too large."""
    splits: list[Path] = [{} for _ in range(tree.splits)]
    leaves: list[Path] = [{} for _ in range(tree.splits + 1)]
    for split in range(tree.splits):
        feature, before = int(tree.feature[split]), splits[split]
        for child, is_left, share in tree.sides(split):
            reach = columns[feature].side(tree, split, left=is_left, share=share)
            path = {**before, feature: before[feature].within(reach) if feature in before else reach}
            if len(path) > MOST_FEATURES:
                return f"trees too deep: more than {MOST_FEATURES} features on one path"
            if child >= 0:
                splits[child] = path
            else:
                leaves[-1 - child] = path
    return splits, leaves
