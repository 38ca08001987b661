from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from training.poisson_binomial import leaver_count_pmf, ratio_interval, two_sided_p


def brute_force(risks: list[float]) -> list[float]:
    """Chance of each number of leavers: every combination of who leaves, one by one."""
    chances = [0.0] * (len(risks) + 1)
    for leaves in product((False, True), repeat=len(risks)):
        chance = 1.0
        for risk, left in zip(risks, leaves, strict=True):
            chance *= risk if left else 1 - risk
        chances[sum(leaves)] += chance
    return chances


def one_account_at_a_time(risks: np.ndarray) -> np.ndarray:
    """The same by the textbook recursion, for more accounts than can be enumerated."""
    chances = np.array([1.0])
    for risk in risks:
        chances = np.append(chances, 0) * (1 - risk) + np.insert(chances, 0, 0) * risk
    return chances


@pytest.mark.parametrize(
    "risks", [[0.3], [0.0, 1.0], [0.1, 0.2, 0.7], [0.04] * 5, [0.01, 0.5, 0.99, 0.3, 0.02, 0.9, 0.4]]
)
def test_the_distribution_equals_the_enumeration_of_all_outcomes(risks: list[float]) -> None:
    np.testing.assert_allclose(leaver_count_pmf(np.array(risks)), brute_force(risks), atol=1e-14)


@pytest.mark.parametrize("accounts", [1, 2, 3, 64, 65, 700])
def test_the_distribution_equals_the_textbook_recursion(accounts: int) -> None:
    risks = np.random.default_rng(accounts).beta(0.5, 8, accounts)
    found = leaver_count_pmf(risks)
    assert found.shape == (accounts + 1,)
    np.testing.assert_allclose(found, one_account_at_a_time(risks), atol=1e-13)


def test_nobody_at_all_leaves_nobody() -> None:
    np.testing.assert_array_equal(leaver_count_pmf(np.empty(0)), [1.0])


def test_mean_and_variance_are_those_of_independent_accounts() -> None:
    risks = np.random.default_rng(3).random(200)
    pmf, counts = leaver_count_pmf(risks), np.arange(201)
    mean = (pmf * counts).sum()
    assert mean == pytest.approx(risks.sum())
    assert (pmf * (counts - mean) ** 2).sum() == pytest.approx((risks * (1 - risks)).sum())


@pytest.mark.parametrize("leavers", [0, 3, 8, 20, 40])
def test_with_equal_risks_the_interval_is_that_of_clopper_and_pearson(leavers: int) -> None:
    risk, accounts = 0.2, 40
    found = ratio_interval(np.full(accounts, risk), leavers)
    exact = stats.binomtest(leavers, accounts).proportion_ci(0.95, method="exact")
    assert found.low == pytest.approx(exact.low / risk, abs=1e-5)
    assert found.high == pytest.approx(exact.high / risk, abs=1e-5)


def test_at_each_bound_the_observed_count_is_just_possible() -> None:
    risks = np.random.default_rng(4).beta(0.5, 8, 300)
    leavers = 12
    found = ratio_interval(risks, leavers)
    assert found.low < leavers / risks.sum() < found.high
    narrower = ratio_interval(risks, leavers, level=0.8)
    assert found.low < narrower.low < narrower.high < found.high


def test_the_interval_misses_the_true_ratio_in_at_most_one_world_of_twenty() -> None:
    risks = np.random.default_rng(5).beta(0.5, 8, 120)
    pmf = leaver_count_pmf(risks)
    # No simulation: every count is tried and weighed with its exact chance under right risks.
    missed = 0.0
    for leavers in range(30):
        found = ratio_interval(risks, leavers)
        missed += pmf[leavers] * (not found.low <= 1 <= found.high)
    assert missed + pmf[30:].sum() <= 0.05


@pytest.mark.parametrize("leavers", range(5))
def test_the_p_value_doubles_the_smaller_tail(leavers: int) -> None:
    risks = [0.1, 0.2, 0.7, 0.05]
    chances = brute_force(risks)
    expected = min(1.0, 2 * min(sum(chances[: leavers + 1]), sum(chances[leavers:])))
    assert two_sided_p(np.array(risks), leavers) == pytest.approx(expected, abs=1e-12)
