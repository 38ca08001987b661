"""Shapley values from their definition: every subset of features, on a booster's dumped trees.

The value of a subset is the path-dependent expectation: where a split's feature is in the subset, follow the row;
where it is not, average both sides by the number of training rows that went there (Lundberg et al. 2018, algorithm
1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial, isnan
from typing import Any

Node = Mapping[str, Any]


def used_features(trees: Sequence[Node]) -> list[int]:
    """The inputs that any split of the trees looks at."""
    found: set[int] = set()

    def walk(node: Node) -> None:
        if "split_feature" in node:
            found.add(node["split_feature"])
            walk(node["left_child"])
            walk(node["right_child"])

    for tree in trees:
        walk(tree)
    return sorted(found)


def shapley_values(trees: Sequence[Node], row: Sequence[float]) -> tuple[dict[int, float], float]:
    """The Shapley value of each used input of one row, and the expectation of the trees' sum."""
    players = used_features(trees)
    worth = {
        subset: sum(expectation(tree, row, subset) for tree in trees)
        for size in range(len(players) + 1)
        for subset in map(frozenset, combinations(players, size))
    }
    n = len(players)
    values = {}
    for player in players:
        others = [subset for subset in worth if player not in subset]
        values[player] = sum(
            factorial(len(subset))
            * factorial(n - len(subset) - 1)
            / factorial(n)
            * (worth[subset | {player}] - worth[subset])
            for subset in others
        )
    return values, worth[frozenset()]


def expectation(node: Node, row: Sequence[float], known: frozenset[int]) -> float:
    """What the tree answers on average when only the known inputs of the row are told."""
    if "leaf_value" in node:
        return float(node["leaf_value"])
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        return expectation(left if goes_left(node, row[node["split_feature"]]) else right, row, known)
    sides = [(_count(side), expectation(side, row, known)) for side in (left, right)]
    return sum(count * value for count, value in sides) / sum(count for count, _ in sides)


def goes_left(node: Node, value: float) -> bool:
    """LightGBM's rule for a numerical split."""
    assert node["decision_type"] == "<="
    if isnan(value):
        if node["missing_type"] == "NaN":
            return bool(node["default_left"])
        value = 0.0
    return value <= node["threshold"]


def _count(node: Node) -> int:
    return int(node["leaf_count"] if "leaf_value" in node else node["internal_count"])
