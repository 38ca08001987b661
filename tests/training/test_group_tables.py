"""The laws of group values: are they the Shapley values, and do they add up to the margin to the last bit?"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from training import group_tables
from training.group_lookup import GroupLookup
from training.group_tables import MOST_BITS, GroupTables, tables_of
from training.leaf_shares import LANES
from training.trees import read_trees

from .booster_case import INPUTS, OWNERS, REFUSED, SERVED, booster, grouped, nasty_rows, rows
from .shapley_oracle import shapley_values
from .test_trees import trees_of


def tables(name: str) -> GroupTables:
    made = tables_of(trees_of(name), OWNERS)
    assert not isinstance(made, str)
    return made


def per_group(values: dict[int, float]) -> np.ndarray:
    sums = np.zeros(LANES)
    for place, value in values.items():
        sums[OWNERS[place]] += value
    return sums


@pytest.mark.parametrize("name", ["stumps", "pairs", "depth six", "chains by two features", "weighted rows"])
def test_groups_are_sums_of_shapley_values_found_by_trying_every_subset(name: str) -> None:
    # Law 5 for groups. The oracle reads the dumped trees, tree by tree (Shapley values are linear in the game), and
    # never calls LightGBM's contributions. Row 0 is ordinary; the others have extremes and missing values.
    dumped = [info["tree_structure"] for info in booster(name).dump_model()["tree_info"]][:3]
    some = tables_of(trees_of(name)[:3], OWNERS)
    assert isinstance(some, GroupTables)
    chosen = np.vstack([nasty_rows()[:1], nasty_rows()[-1:], np.full((1, INPUTS), np.nan)])
    margins, groups = GroupLookup(some).told(chosen)
    for row, margin, told in zip(chosen, margins, groups, strict=True):
        alone = [shapley_values([tree], row.tolist()) for tree in dumped]
        expected = sum((per_group(values) for values, _ in alone), np.zeros(LANES))
        np.testing.assert_allclose(told, expected, rtol=0, atol=1e-11)
        assert margin == pytest.approx(sum(base for _, base in alone) + expected.sum(), abs=1e-10)


@pytest.mark.parametrize("name", SERVED)
def test_groups_and_margins_are_those_of_lightgbm_on_ordinary_and_on_nasty_rows(name: str) -> None:
    one, asked = booster(name), np.vstack([nasty_rows(), rows(200, seed=3)])
    lookup = GroupLookup(tables(name))
    margins, groups = lookup.told(asked)
    contributions = one.predict(asked, pred_contrib=True)
    np.testing.assert_allclose(groups[:, :7], grouped(contributions), rtol=0, atol=1e-11)
    np.testing.assert_array_equal(groups[:, 7:], 0.0)
    np.testing.assert_allclose(margins, one.predict(asked, raw_score=True), rtol=0, atol=1e-11)
    assert lookup.base == pytest.approx(contributions[0, -1], abs=1e-12)


@pytest.mark.parametrize("name", SERVED)
def test_base_and_groups_are_the_margin_exactly(name: str) -> None:
    # Not to a tolerance: as fractions. No order of adding doubles can give another sum either.
    lookup = GroupLookup(tables(name))
    margins, groups = lookup.told(nasty_rows())
    for margin, parts in zip(margins.tolist(), groups.tolist(), strict=True):
        assert Fraction(margin) == sum(map(Fraction, parts), Fraction(lookup.base))
    backwards = sum((groups[:, lane] for lane in reversed(range(LANES))), np.zeros(len(groups)))
    np.testing.assert_array_equal(backwards + lookup.base, margins)


@pytest.mark.parametrize("name", SERVED)
def test_tables_are_whole(name: str) -> None:
    made, trees = tables(name), trees_of(name)
    bits, first_entry = made.blocks.T
    assert ((bits >= 1) & (bits <= MOST_BITS)).all()
    np.testing.assert_array_equal(first_entry, np.cumsum(2**bits) - 2**bits)
    never = made.conditions.shape[1]
    np.testing.assert_array_equal((made.bits < never).sum(axis=1), bits)
    assert set(made.bits.ravel().tolist()) - {never} == set(range(never))
    np.testing.assert_array_equal(made.columns[:, 4], np.cumsum(made.columns[:, 5]) - made.columns[:, 5])
    assert made.columns[:, 5].sum() == never
    assert made.columns[:, 2].sum() == len(made.cuts)
    assert made.entries.shape == ((2**bits).sum(), LANES)
    np.testing.assert_array_equal(made.totals, made.entries.sum(axis=1))
    assert len(made.blocks) >= sum(tree.splits > 0 for tree in trees)
    used = {int(feature) for tree in trees for feature in tree.feature}
    assert made.columns[:, 0].tolist() == sorted(used)


def test_small_trees_are_one_table_each() -> None:
    assert tables("stumps").blocks[:, 0].tolist() == [1] * 30
    assert set(tables("pairs").blocks[:, 0].tolist()) <= {1, 2, 3}


def test_the_same_model_gives_the_same_tables() -> None:
    for one, other in zip(tables("depth six"), tables("depth six"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("name", "reason"), [one for one in REFUSED if one[0] in ("deep", "fine")])
def test_a_model_too_large_for_tables_is_refused_with_the_reason(name: str, reason: str) -> None:
    found = tables_of(trees_of(name), OWNERS)
    assert isinstance(found, str)
    assert found.endswith(reason)


def test_more_tables_than_memory_is_meant_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_tables, "MOST_ENTRIES", 100)
    assert tables_of(trees_of("depth six"), OWNERS) == "tables of more than 100 entries"


def test_more_groups_than_lanes_are_refused() -> None:
    assert tables_of(trees_of("pairs"), range(INPUTS)) == "more than 8 groups of features"


def scaled(name: str, factor: float) -> Any:
    """The trees of a booster with all leaves multiplied."""
    text = booster(name).model_to_string()

    def multiplied(found: re.Match[str]) -> str:
        return "leaf_value=" + " ".join(repr(float(value) * factor) for value in found[1].split())

    return read_trees(re.sub(r"^leaf_value=(.*)$", multiplied, text, flags=re.MULTILINE))


@pytest.mark.parametrize(("factor", "scale"), [(1e-3, 45), (50.0, 44), (500.0, 41)])
def test_the_scale_follows_the_largest_possible_margin_so_that_sums_stay_exact(factor: float, scale: int) -> None:
    made = tables_of(scaled("pairs", factor), OWNERS)
    assert isinstance(made, GroupTables)
    assert made.scale <= scale
    largest = abs(made.base) + sum(
        int(np.abs(made.entries[first : first + 2**bits]).sum(axis=1).max()) for bits, first in made.blocks
    )
    assert largest < 2**52
    assert made.scale == 45 or largest >= 2**50


@pytest.mark.parametrize(
    ("factor", "reason"),
    [(1e9, "margins too large for exact sums"), (float("nan"), "leaves that are no numbers")],
)
def test_margins_that_no_exact_sum_can_hold_are_refused(factor: float, reason: str) -> None:
    assert tables_of(scaled("pairs", factor), OWNERS) == reason


def test_who_owns_a_feature_changes_only_where_its_value_is_counted() -> None:
    # With all features in one group, the group is everything but the base.
    alone = tables_of(trees_of("depth six"), [0] * INPUTS)
    assert isinstance(alone, GroupTables)
    margins, groups = GroupLookup(alone).told(nasty_rows())
    np.testing.assert_allclose(margins, GroupLookup(tables("depth six")).told(nasty_rows())[0], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(groups[:, 0] + GroupLookup(alone).base, margins)


def test_a_split_moved_by_one_bit_is_seen() -> None:
    # The tables answer for this model and no other: the probe of a loaded model rests on it.
    trees = list(trees_of("stumps"))
    on = nasty_rows()[:1].copy()
    on[0, trees[0].feature[0]] = trees[0].threshold[0]
    moved = replace(trees[0], threshold=np.nextafter(trees[0].threshold, -np.inf))
    told = [
        GroupLookup(made).told(on)[0][0]
        for made in (tables_of(trees, OWNERS), tables_of([moved, *trees[1:]], OWNERS))
        if isinstance(made, GroupTables)
    ]
    assert len(told) == 2
    assert told[0] != told[1]
