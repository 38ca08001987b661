"""What a leaf gives to each group, against Shapley values from their definition."""

from __future__ import annotations

from itertools import combinations
from math import factorial, prod

import numpy as np
import pytest

from training.leaf_shares import LANES, agreements, group_shares


def shapley(value: float, shares: list[float], agree: list[bool]) -> list[float]:
    """The game of one leaf by trying every subset: known features must agree, unknown ones do so at their share."""
    players = range(len(shares))

    def worth(known: frozenset[int]) -> float:
        return value * prod(float(agree[one]) if one in known else shares[one] for one in players)

    told = []
    for player in players:
        others = [one for one in players if one != player]
        told.append(
            sum(
                factorial(size)
                * factorial(len(shares) - size - 1)
                / factorial(len(shares))
                * (worth(frozenset(subset) | {player}) - worth(frozenset(subset)))
                for size in range(len(shares))
                for subset in combinations(others, size)
            )
        )
    return told


@pytest.mark.parametrize("features", [1, 2, 3, 5, 6, 8])
def test_groups_get_the_shapley_values_of_their_features_for_every_agreement(features: int) -> None:
    # Law 5 for one leaf; 8 features are the most that tables serve.
    rng = np.random.default_rng(features)
    shares, values = rng.uniform(0, 1, (3, features)), rng.normal(size=3)
    shares[0, 0] = 0.0  # a side that no training row took
    owners = rng.integers(0, 4, (3, features))
    told = group_shares(values, shares, owners)
    assert told.shape == (3, 2**features, LANES)
    for leaf in range(3):
        for place in range(0, 2**features, max(1, 2**features // 16)):
            agree = [bool(place >> bit & 1) for bit in range(features)]
            expected = np.zeros(LANES)
            np.add.at(expected, owners[leaf], shapley(values[leaf], shares[leaf].tolist(), agree))
            np.testing.assert_allclose(told[leaf, place], expected, rtol=0, atol=1e-14)


def test_groups_add_up_to_what_the_leaf_adds_to_the_expectation() -> None:
    rng = np.random.default_rng(1)
    shares, values = rng.uniform(0, 1, (1200, 4)), rng.normal(size=1200)  # more leaves than are taken at once
    total = group_shares(values, shares, rng.integers(0, LANES, (1200, 4))).sum(axis=2)
    all_agree = agreements(4).all(axis=1).astype(float)
    expected = values[:, None] * (all_agree[None, :] - shares.prod(axis=1)[:, None])
    np.testing.assert_allclose(total, expected, rtol=0, atol=1e-14)


def test_agreements_are_the_binary_digits_of_their_place() -> None:
    assert agreements(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]
    assert agreements(0).tolist() == [[]]
