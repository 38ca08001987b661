from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from training import bootstrap
from training.bootstrap import ClusterDraws, percentile_interval

CLUSTERS = pd.Series(["b", "a", "b", "c", "a", "d"])
EVERY_ROW = np.arange(len(CLUSTERS))


def drawn(replicates: int = 200, seed: int = 5) -> ClusterDraws:
    return ClusterDraws.draw(CLUSTERS, replicates=replicates, seed=seed)


def test_each_replicate_draws_as_many_clusters_as_there_are() -> None:
    draws = drawn()
    assert draws.counts.shape == (200, 4)
    assert (draws.counts.sum(axis=1) == 4).all()


def test_the_rows_of_a_cluster_are_drawn_together() -> None:
    weights = np.concatenate(list(drawn().row_weights(EVERY_ROW)))
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])
    assert (weights[:, 0] != weights[:, 3]).any()


def test_the_same_seed_gives_the_same_draws_and_another_seed_others() -> None:
    np.testing.assert_array_equal(drawn(seed=5).counts, drawn(seed=5).counts)
    assert (drawn(seed=5).counts != drawn(seed=6).counts).any()


def test_weighted_sums_equal_sums_over_really_repeated_rows() -> None:
    draws, terms = drawn(20), np.random.default_rng(0).normal(size=(6, 2))
    found = draws.sums(EVERY_ROW, terms)
    for replicate, weight in enumerate(np.concatenate(list(draws.row_weights(EVERY_ROW)))):
        repeated = np.repeat(terms, weight.astype(int), axis=0)
        np.testing.assert_allclose(found[replicate], repeated.sum(axis=0), atol=1e-12)


def test_a_subset_of_rows_is_redrawn_with_the_same_accounts() -> None:
    draws, some = drawn(20), np.array([0, 3, 4])
    whole, part = (np.concatenate(list(draws.row_weights(rows))) for rows in (EVERY_ROW, some))
    np.testing.assert_array_equal(part, whole[:, some])


def test_cutting_the_work_into_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = drawn(50)
    whole = draws.replicate(EVERY_ROW, lambda weights: weights @ np.arange(6.0))
    monkeypatch.setattr(bootstrap, "_CELLS_AT_ONCE", 13)
    blocks = list(draws.row_weights(EVERY_ROW))
    assert len(blocks) == 25
    np.testing.assert_array_equal(draws.replicate(EVERY_ROW, lambda weights: weights @ np.arange(6.0)), whole)


def test_the_interval_holds_the_middle_of_the_replicates() -> None:
    assert percentile_interval(np.arange(1001.0)) == (pytest.approx(25.0), pytest.approx(975.0))


def test_few_undefined_replicates_are_left_out_and_many_refuse_the_interval() -> None:
    replicates = np.arange(100.0)
    replicates[:5] = np.nan
    assert percentile_interval(replicates) is not None
    replicates[5] = np.nan
    assert percentile_interval(replicates) is None
    assert percentile_interval(np.full(10, np.nan)) is None
    assert percentile_interval(np.empty(0)) is None


def coverage(shared: bool, worlds: int = 150) -> float:
    """Share of worlds whose interval holds the true mean, when the five rows of an account share their outcome."""
    rng, held = np.random.default_rng(11), 0
    accounts, rows = 80, 5
    names = pd.Series(np.repeat(np.arange(accounts), rows))
    units = names if shared else pd.Series(np.arange(len(names)))
    for world in range(worlds):
        outcome = np.repeat(rng.normal(size=accounts), rows)
        draws = ClusterDraws.draw(units, replicates=200, seed=world)
        sums = draws.sums(np.arange(len(names)), np.column_stack([outcome, np.ones(len(names))]))
        interval = percentile_interval(sums[:, 0] / sums[:, 1])
        assert interval is not None
        held += interval[0] <= 0 <= interval[1]
    return held / worlds


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # 150 worlds at 95 %: the standard error of the share is 1.8 points; percentile intervals are a bit narrow.
    assert 0.88 <= coverage(shared=True) <= 0.99


def test_redrawing_rows_instead_of_accounts_would_be_far_too_sure() -> None:
    assert coverage(shared=False) < 0.75


def test_more_accounts_make_a_narrower_interval() -> None:
    widths = []
    for accounts in (20, 80, 320):
        values = np.random.default_rng(1).normal(size=(accounts, 1))
        draws = ClusterDraws.draw(pd.Series(np.arange(accounts)), replicates=300, seed=1)
        low, high = percentile_interval(draws.sums(np.arange(accounts), values)[:, 0] / accounts) or (0, 0)
        widths.append(high - low)
    assert all(wide > narrow for wide, narrow in pairwise(widths))
