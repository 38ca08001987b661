"""Are a booster's trees read as LightGBM means them, and is everything else refused by its name?"""

from __future__ import annotations

import re

import numpy as np
import pytest

from training.trees import Tree, read_trees

from .booster_case import INPUTS, REFUSED, SERVED, booster, nasty_rows

ALMOST_NOTHING = 1.0000000180025095e-35
"""LightGBM reads rows as sparse ones: what is no further from 0 is left out."""


def trees_of(name: str) -> tuple[Tree, ...]:
    trees = read_trees(booster(name).model_to_string())
    assert not isinstance(trees, str)
    return trees


def walked(tree: Tree, row: np.ndarray) -> int:
    """The leaf of a row, step by step."""
    node = 0 if tree.splits else -1
    while node >= 0:
        value = row[tree.feature[node]]
        value = 0.0 if abs(value) <= ALMOST_NOTHING else value
        if np.isnan(value) and tree.nan_missing[node]:
            left = tree.nan_left[node]
        else:
            left = np.nan_to_num(value, nan=0.0, posinf=np.inf, neginf=-np.inf) <= tree.threshold[node]
        node = int(tree.left[node] if left else tree.right[node])
    return -1 - node


@pytest.mark.parametrize("name", SERVED)
def test_every_row_falls_into_the_leaf_that_lightgbm_says_and_leaves_add_up_to_the_margin(name: str) -> None:
    rows, trees = nasty_rows()[1::2], trees_of(name)
    found = [[walked(tree, row) for tree in trees] for row in rows]
    np.testing.assert_array_equal(found, booster(name).predict(rows, pred_leaf=True))
    margins = [sum(tree.leaf_value[leaf] for tree, leaf in zip(trees, leaves, strict=True)) for leaves in found]
    np.testing.assert_allclose(margins, booster(name).predict(rows, raw_score=True), rtol=0, atol=1e-12)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("times", [0.999, 1.0, 1.001])
def test_values_almost_nothing_are_nothing(sign: int, times: float) -> None:
    # LightGBM puts thresholds there, between the zeros and the rest.
    row = np.full((1, INPUTS), sign * times * ALMOST_NOTHING)
    for name in SERVED:
        leaves = [walked(tree, row[0]) for tree in trees_of(name)]
        np.testing.assert_array_equal([leaves], booster(name).predict(row, pred_leaf=True))


@pytest.mark.parametrize("name", SERVED)
def test_expectations_add_up_to_the_base_of_lightgbms_contributions(name: str) -> None:
    base = booster(name).predict(nasty_rows()[:1], pred_contrib=True)[0, -1]
    assert sum(tree.expectation() for tree in trees_of(name)) == pytest.approx(base, abs=1e-12)


@pytest.mark.parametrize("name", SERVED)
def test_both_sides_of_a_split_share_its_rows(name: str) -> None:
    for tree in trees_of(name):
        for split in range(tree.splits):
            (left, is_left, to_left), (right, is_not_left, to_right) = tree.sides(split)
            assert (left, right) == (tree.left[split], tree.right[split])
            assert (is_left, is_not_left) == (True, False)
            assert to_left + to_right == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("name", "reason"), [one for one in REFUSED if one[0] not in ("deep", "fine")])
def test_what_tables_cannot_stand_for_is_refused_by_its_name(name: str, reason: str) -> None:
    assert read_trees(booster(name).model_to_string()) == reason


def test_a_tree_that_learnt_nothing_has_one_leaf_and_no_splits() -> None:
    assert [(tree.splits, len(tree.leaf_value)) for tree in trees_of("nothing learnt")] == [(0, 1)] * len(
        trees_of("nothing learnt")
    )


@pytest.mark.parametrize(
    ("pattern", "put", "reason"),
    [
        (r"^internal_count=\d+", "internal_count=0", "splits without the number of their training rows"),
        (r"^leaf_count=\d+ ", "leaf_count=", "splits without the number of their training rows"),
        (r"^decision_type=\d+", "decision_type=16", "splits of an unknown kind"),
        (r"^left_child=\S+", "left_child=0", "splits in another order than they were grown"),
        (r"^num_class=1$", "num_class=2", "more than one output"),
    ],
)
def test_a_text_that_is_not_understood_is_refused_not_guessed(pattern: str, put: str, reason: str) -> None:
    text = booster("pairs").model_to_string()
    changed = re.sub(pattern, put, text, count=1, flags=re.MULTILINE)
    assert changed != text
    assert read_trees(changed) == reason


def test_values_come_back_to_the_last_bit() -> None:
    # The dump has other names for the same numbers.
    dumped = booster("depth six").dump_model()["tree_info"]
    for tree, told in zip(trees_of("depth six"), dumped, strict=True):
        root = told["tree_structure"]
        assert (tree.threshold[0], tree.feature[0]) == (root["threshold"], root["split_feature"])
        assert tree.split_rows[0] == root["internal_count"]
        assert len(tree.leaf_value) == told["num_leaves"]
