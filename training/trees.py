"""What do the trees of a booster look like as arrays, and can lookup tables serve them?

Input: LightGBM's native text (exact to the last bit). Output: one :class:`Tree` per tree, or the reason why tables
cannot stand for this model. Nothing is assumed: a split, header or count that is not understood is a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.periods import Floats

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_CATEGORICAL, _DEFAULT_LEFT, _ZERO_IS_MISSING, _NAN_IS_MISSING = 1, 2, 4, 8
"""The bits of LightGBM's ``decision_type``; with neither of the last two a missing value counts as 0."""


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree. Split k sends a row left when ``row[feature[k]] <= threshold[k]``.

    A child of 0 or more is a split, one below is leaf ``-1 - child``; children of a split come after it.
    ``nan_left`` says where a missing value goes, where ``nan_missing``; else it counts as 0.0. ``split_rows`` and
    ``leaf_rows`` are training rows. A tree of one leaf has no splits.
    """

    feature: Integers
    threshold: Floats
    nan_left: Flags
    nan_missing: Flags
    left: Integers
    right: Integers
    split_rows: Floats
    leaf_value: Floats
    leaf_rows: Floats

    @property
    def splits(self) -> int:
        """How many splits the tree has."""
        return len(self.feature)

    def expectation(self) -> float:
        """The mean answer over training rows, as LightGBM's own base."""
        if not self.splits:
            return float(self.leaf_value[0])
        return float(np.sum(self.leaf_rows / self.split_rows[0] * self.leaf_value))

    def sides(self, split: int) -> Iterator[tuple[int, bool, float]]:
        """Both children of a split: the child, whether it is the left one, and the share of rows that went there."""
        for child, is_left in ((int(self.left[split]), True), (int(self.right[split]), False)):
            rows = self.split_rows[child] if child >= 0 else self.leaf_rows[-1 - child]
            yield child, is_left, float(rows / self.split_rows[split])


def read_trees(text: str) -> tuple[Tree, ...] | str:
    """The trees of a model text, or why lookup tables cannot stand for them."""
    head, *sections = text.partition("\nend of trees")[0].split("\nTree=")
    refusal = _refused_header(head)
    trees: list[Tree] = []
    for section in sections:
        tree = _tree(_fields(section))
        if isinstance(tree, str):
            return refusal or tree
        trees.append(tree)
    return refusal or tuple(trees)


def deepest_path(text: str) -> int:
    """The most splits that one row can pass on its way through all trees of a model text.

    Where the trees are not understood, every split counts: then it is an upper bound.
    """
    trees = read_trees(text)
    if isinstance(trees, str):
        return sum(int(leaves) - 1 for leaves in re.findall(r"^num_leaves=(\d+)$", text, re.MULTILINE))
    return sum(_depth(tree) for tree in trees)


def _depth(tree: Tree) -> int:
    # Children come after their split, so going backwards meets them first.
    depth = np.zeros(tree.splits + 1, dtype=np.int64)
    for split in range(tree.splits - 1, -1, -1):
        depth[split] = 1 + max(depth[child] if child >= 0 else 0 for child in (tree.left[split], tree.right[split]))
    return int(depth[0])


def _refused_header(head: str) -> str:
    lines = head.splitlines()
    if "num_class=1" not in lines or "num_tree_per_iteration=1" not in lines:
        return "more than one output"
    if "average_output" in lines:
        return "trees that are averaged, not added"
    return ""


def _fields(section: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in section.splitlines() if "=" in line)


def _tree(fields: Mapping[str, str]) -> Tree | str:
    if fields.get("num_cat", "0") != "0":
        return "splits by category"
    if fields.get("is_linear", "0") != "0":
        return "linear models in the leaves"
    whole = {name: _integers(fields, name) for name in ("split_feature", "decision_type", "left_child", "right_child")}
    kinds = whole["decision_type"]
    if (kinds & _ZERO_IS_MISSING).any():
        return "zero counted as missing"
    if (kinds & ~(_DEFAULT_LEFT | _NAN_IS_MISSING)).any():
        return "splits of an unknown kind"
    tree = Tree(
        feature=whole["split_feature"],
        threshold=_doubles(fields, "threshold"),
        nan_left=(kinds & _DEFAULT_LEFT) > 0,
        nan_missing=(kinds & _NAN_IS_MISSING) > 0,
        left=whole["left_child"],
        right=whole["right_child"],
        split_rows=_doubles(fields, "internal_count"),
        leaf_value=_doubles(fields, "leaf_value"),
        leaf_rows=_doubles(fields, "leaf_count"),
    )
    return _broken(tree) or tree


def _broken(tree: Tree) -> str:
    if not tree.splits:
        return "" if len(tree.leaf_value) == 1 else "a tree without splits and with several leaves"
    if not (tree.split_rows > 0).all() or len(tree.leaf_rows) != tree.splits + 1:
        return "splits without the number of their training rows"
    places = np.arange(tree.splits)
    inner = [side[side >= 0] > places[side >= 0] for side in (tree.left, tree.right)]
    return "" if all(later.all() for later in inner) else "splits in another order than they were grown"


def _integers(fields: Mapping[str, str], name: str) -> Integers:
    return np.array(fields.get(name, "").split(), dtype=np.int64)


def _doubles(fields: Mapping[str, str], name: str) -> Floats:
    return np.array(fields.get(name, "").split(), dtype=np.float64)
