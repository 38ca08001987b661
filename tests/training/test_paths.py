"""Does a path tell exactly which rows reach a node?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.paths import MISSING, MOST_CUTS, NO_CODE, CodedColumn, Reach, coded_columns, paths_of
from training.trees import Tree

from .booster_case import SERVED, nasty_rows
from .test_trees import ALMOST_NOTHING, trees_of, walked

reaches = st.builds(Reach, st.integers(0, MOST_CUTS), st.integers(0, MOST_CUTS), st.booleans())


def passes(code: int, reach: Reach) -> bool:
    """The rule as compiled code applies it, in bytes."""
    low, width, extra = reach.condition()
    return (code - low) % 256 <= width or code == extra


@given(reach=reaches)
def test_a_condition_in_bytes_says_what_the_reach_says(reach: Reach) -> None:
    # Every code that a value can have: empty reaches and reaches of missing values alone are among them.
    for code in (*range(NO_CODE), MISSING):
        inside = reach.low <= code <= reach.high or (code == MISSING and reach.nan)
        assert passes(code, reach) is inside, code


@given(one=reaches, other=reaches)
def test_what_is_within_two_reaches_passes_both(one: Reach, other: Reach) -> None:
    both = one.within(other)
    for code in (*range(NO_CODE), MISSING):
        assert passes(code, both) is (passes(code, one) and passes(code, other))


def coded(value: float, column: CodedColumn) -> int:
    value = 0.0 if abs(value) <= ALMOST_NOTHING else value
    return column.nan if np.isnan(value) else int((column.cuts < value).sum())


@pytest.mark.parametrize("name", SERVED)
def test_a_row_passes_the_path_to_its_own_leaf_and_to_no_other(name: str) -> None:
    trees = trees_of(name)
    columns = coded_columns(trees)
    assert not isinstance(columns, str)
    for tree in trees[:6]:
        paths = paths_of(tree, columns)
        assert not isinstance(paths, str)
        for row in nasty_rows()[::3]:
            reached = [
                leaf
                for leaf, path in enumerate(paths[1][: len(tree.leaf_value)])
                if all(passes(coded(row[feature], columns[feature]), reach) for feature, reach in path.items())
            ]
            assert reached == [walked(tree, row)]


@pytest.mark.parametrize("name", ["stumps", "depth six", "chains by two features"])
def test_the_shares_on_a_path_are_the_share_of_rows_at_its_end(name: str) -> None:
    trees = trees_of(name)
    columns = coded_columns(trees)
    assert not isinstance(columns, str)
    for tree in trees:
        paths = paths_of(tree, columns)
        assert not isinstance(paths, str)
        for leaf, path in enumerate(paths[1]):
            share = np.prod([reach.share for reach in path.values()])
            assert share == pytest.approx(tree.leaf_rows[leaf] / tree.split_rows[0], rel=1e-12)


def one_split(threshold: float, *, nan_missing: bool, feature: int = 0) -> Tree:
    whole, doubles = (lambda *values: np.array(values, np.int64)), (lambda *values: np.array(values, np.float64))
    return Tree(
        feature=whole(feature),
        threshold=doubles(threshold),
        nan_left=np.array([True]),
        nan_missing=np.array([nan_missing]),
        left=whole(-1),
        right=whole(-2),
        split_rows=doubles(10),
        leaf_value=doubles(-1, 1),
        leaf_rows=doubles(4, 6),
    )


def test_a_missing_value_counts_as_zero_where_the_model_knows_none() -> None:
    trees = [one_split(cut, nan_missing=False) for cut in (-1.0, -0.0, 2.0)]
    columns = coded_columns(trees)
    assert isinstance(columns, dict)
    assert (columns[0].cuts.tolist(), columns[0].nan) == ([-1.0, 0.0, 2.0], 1)
    assert [columns[0].side(tree, 0, left=True).high for tree in trees] == [0, 1, 2]


def test_a_feature_with_two_kinds_of_missing_values_is_refused() -> None:
    trees = [one_split(1.0, nan_missing=True), one_split(2.0, nan_missing=False)]
    assert coded_columns(trees) == "a feature whose missing values are treated in two ways"


def test_as_many_thresholds_as_bytes_can_tell_apart_are_served_and_no_more() -> None:
    trees = [one_split(float(cut), nan_missing=True) for cut in range(MOST_CUTS + 1)]
    assert isinstance(coded_columns(trees[:-1]), dict)
    assert coded_columns(trees) == "254 thresholds of one feature, more than 253"


def test_no_trees_look_at_no_features() -> None:
    assert coded_columns([]) == {}
