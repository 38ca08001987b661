"""Is the pair the one that two isotonic fits give, and do stated ranges hold the truth?"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import binomtest

from training.periods import Floats
from training.venn_abers import NO_SPREAD, NOTHING_KNOWN, Past, RiskSpread, SpreadTable, spread_table


def past(risk: Floats, y: Floats) -> Past:
    return Past(risk, y, np.array([f"a{place}" for place in range(len(y))], dtype=object))


def table(risk: Floats, y: Floats, *, row_weight: float = 1.0, outside_share: float = 0.1) -> SpreadTable:
    return spread_table(past(risk, y), row_weight=row_weight, outside_share=outside_share)


def looked_up(found: SpreadTable, risk: Floats) -> npt.NDArray[np.float64]:
    told = RiskSpread(found, NOTHING_KNOWN).of(risk, np.zeros(len(risk), dtype=bool))
    return np.column_stack([told.p0, told.p1, told.low, told.high])


def fitted_by_hand(risks: list[float], labels: list[float], at: float) -> float:
    """Isotonic regression at one score by its max-min formula: the largest of the least means of stretches."""
    below = [one for one in sorted(set(risks)) if one <= at]
    above = [one for one in sorted(set(risks)) if one >= at]

    def mean(low: float, high: float) -> float:
        inside = [label for risk, label in zip(risks, labels, strict=True) if low <= risk <= high]
        return sum(inside) / len(inside)

    return max(min(mean(low, high) for high in above) for low in below)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=25), at=st.integers(0, 13))
def test_the_pair_is_isotonic_regression_with_the_account_added_under_both_labels(
    rows: list[tuple[int, bool]], at: int
) -> None:
    # Outside oracle: brute force in plain Python, refitted for the one account and each label. Ties are likely.
    risks, labels = [risk / 20 for risk, _ in rows], [float(left) for _, left in rows]
    found = table(np.array(risks), np.array(labels))

    def class_of(risk: float) -> float:
        # A risk belongs to the next edge; beyond the last one there is a class without end.
        return next((edge for edge in found.edges if risk <= edge), 1.0)

    classes, place = [class_of(risk) for risk in risks], class_of(at / 20)
    expected = [fitted_by_hand([*classes, place], [*labels, label], place) for label in (0.0, 1.0)]
    np.testing.assert_allclose(looked_up(found, np.array([at / 20]))[0, :2], expected, atol=1e-12)


def test_up_to_128_different_risks_are_kept_as_they_are() -> None:
    draw = np.random.default_rng(1)
    risk = np.arange(1, 101) / 200
    found = table(np.repeat(risk, 7), (draw.random(700) < np.repeat(risk, 7)).astype(float))
    assert len(found.edges) >= 99
    assert len(table(draw.random(5000), np.zeros(5000)).edges) == 127


def test_one_more_outcome_is_what_parts_the_pair() -> None:
    # Ten accounts of one risk, three of which left: 3 of 11 if the account at hand stays, 4 of 11 if it leaves.
    found = table(np.full(10, 0.2), np.array([1.0] * 3 + [0.0] * 7))
    assert looked_up(found, np.array([0.2]))[0, :2].tolist() == pytest.approx([3 / 11, 4 / 11])


def test_the_stated_range_is_the_exact_binomial_interval_of_a_single_class() -> None:
    # Outside oracle: scipy's Clopper-Pearson interval of the rows themselves.
    for left, seen in ((3, 10), (0, 40), (12, 12), (25, 900)):
        found = table(np.full(seen, 0.2), np.array([1.0] * left + [0.0] * (seen - left)), outside_share=0.2)
        exact = binomtest(left, seen).proportion_ci(confidence_level=0.8, method="exact")
        assert (found.low[0], found.high[0]) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_rows_that_see_the_same_decision_count_in_part() -> None:
    # Three copies of every row at a third of the weight hold what the rows hold.
    draw = np.random.default_rng(4)
    risk, y = draw.choice([0.1, 0.2, 0.4], 300), (draw.random(300) < 0.2).astype(float)
    once, thrice = table(risk, y), table(np.tile(risk, 3), np.tile(y, 3), row_weight=1 / 3)
    for side in ("p0", "p1", "low", "high"):
        np.testing.assert_allclose(getattr(thrice, side), getattr(once, side), atol=1e-9)
    assert (thrice.rows, thrice.leavers) == (900, 3 * once.leavers)


def test_an_account_that_left_counts_once_among_leavers() -> None:
    accounts = np.array(["a", "a", "b", "c"], dtype=object)
    found = spread_table(
        Past(np.full(4, 0.1), np.array([1.0, 1.0, 1.0, 0.0]), accounts), row_weight=0.3, outside_share=0.1
    )
    assert (found.rows, found.leavers) == (4, 2)


def drawn(count: int, seed: int = 3) -> tuple[Floats, Floats, Floats]:
    """True chances around 4 %, stated with an error that keeps their order, and outcomes."""
    draw = np.random.default_rng(seed)
    truth = expit(draw.normal(-3.6, 1.0, count))
    return truth, expit(0.3 + 1.2 * logit(truth)), (draw.random(count) < truth).astype(float)


def test_the_sides_are_in_order_rise_with_the_risk_and_hold_the_stated_risk() -> None:
    _, stated, y = drawn(3000)
    asked = np.linspace(0, 1, 500)
    told = looked_up(table(stated, y), asked)
    p0, p1, low, high = told.T
    assert ((told >= 0) & (told <= 1)).all()
    assert (p0 <= p1).all()
    assert ((low <= asked) & (asked <= high)).all()
    assert ((low <= p0) & (p1 <= high)).all()
    assert (np.diff(p0) >= 0).all()
    assert (np.diff(p1) >= 0).all()


def test_one_of_the_pair_is_calibrated_whatever_the_stated_risks() -> None:
    # Validity of Venn-Abers: the member that the outcome chooses comes true on average, though risks are stated 1.3
    # times too high; so the share that leaves lies between the means of both.
    p0s, p1s, left = [], [], []
    for seed in range(20):
        _, stated, y = drawn(1500, seed=seed)
        _, later, outcome = drawn(1500, seed=1000 + seed)
        told = looked_up(table(stated, y), later)
        p0s, p1s, left = [*p0s, told[:, 0].mean()], [*p1s, told[:, 1].mean()], [*left, outcome.mean()]
    error = np.std(left) / np.sqrt(len(left))
    assert np.mean(p0s) - 2 * error <= np.mean(left) <= np.mean(p1s) + 2 * error


def test_thin_and_regular_accounts_have_tables_of_their_own() -> None:
    regular = table(np.full(1000, 0.1), np.array([1.0] * 50 + [0.0] * 950))
    thin = table(np.full(20, 0.1), np.array([1.0] * 6 + [0.0] * 14))
    told = RiskSpread(regular, thin).of(np.array([0.1, 0.1]), np.array([False, True]))
    assert told.p1.tolist() == pytest.approx([51 / 1001, 7 / 21])
    assert told.high[1] - told.low[1] > told.high[0] - told.low[0]


def test_without_any_past_a_risk_may_be_anything() -> None:
    assert table(np.empty(0), np.empty(0)) == NOTHING_KNOWN
    told = NO_SPREAD.of(np.array([0.03, 0.9]), np.array([True, False]))
    assert [side.tolist() for side in (told.p0, told.p1, told.low, told.high)] == [[0, 0], [1, 1], [0, 0], [1, 1]]


def test_a_past_in_which_nobody_left_allows_what_the_rule_of_three_allows() -> None:
    told = looked_up(table(np.full(300, 0.02), np.zeros(300)), np.array([0.005]))
    assert told[0].tolist() == pytest.approx([0.0, 1 / 301, 0.0, 3 / 300], abs=2e-4)


def test_a_past_in_which_everybody_left_allows_no_number_that_is_none() -> None:
    told = looked_up(table(np.full(5, 0.02), np.ones(5)), np.array([0.02]))
    assert told[0, 1] == told[0, 3] == 1.0
    assert np.isfinite(told).all()


def test_a_row_alone_has_the_bits_it_has_among_others() -> None:
    _, stated, y = drawn(2000)
    found = table(stated, y)
    whole = looked_up(found, stated)
    for place in range(0, 2000, 97):
        np.testing.assert_array_equal(looked_up(found, stated[place : place + 1])[0], whole[place])


def test_the_table_is_plain_data() -> None:
    _, stated, y = drawn(500)
    found = table(stated, y)
    assert SpreadTable(**asdict(found)) == found
    kinds = {
        type(value)
        for values in asdict(found).values()
        for value in (values if isinstance(values, tuple) else [values])
    }
    assert kinds == {float, int}
