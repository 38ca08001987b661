from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from training.metrics import (
    LOG_FLOOR,
    Ranking,
    average_precision,
    brier_terms,
    captured_shares,
    divided,
    log_loss_terms,
    roc_auc,
)


def case(rows: int = 300, *, seed: int = 1, levels: int = 25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with many ties, labels that lean on them, and weights."""
    rng = np.random.default_rng(seed)
    score = rng.integers(0, levels, rows) / levels
    label = (rng.random(rows) < 0.05 + 0.4 * score).astype(float)
    return score, label, rng.integers(0, 4, rows).astype(float)


def graded(score: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> tuple[float, float]:
    levels = Ranking(score).levels(positive, negative)
    return float(roc_auc(levels)), float(average_precision(levels))


def brute_force_auc(scores: list[int], labels: list[bool]) -> float:
    """Every pair of a leaver and a stayer, one by one."""
    pairs = [
        (a, b)
        for a, left in zip(scores, labels, strict=True)
        if left
        for b, stayed in zip(scores, labels, strict=True)
        if not stayed
    ]
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)


@pytest.mark.parametrize("levels", [1, 2, 25, 10_000])
def test_auc_and_ap_equal_scikit_learn_with_and_without_ties(levels: int) -> None:
    score, label, _ = case(levels=levels)
    auc, ap = graded(score, label, 1 - label)
    assert auc == pytest.approx(oracle.roc_auc_score(label, score), abs=1e-12)
    assert ap == pytest.approx(oracle.average_precision_score(label, score), abs=1e-12)


def test_weights_count_like_repeated_rows() -> None:
    score, label, weight = case()
    auc, ap = graded(score, weight * label, weight * (1 - label))
    assert auc == pytest.approx(oracle.roc_auc_score(label, score, sample_weight=weight), abs=1e-12)
    assert ap == pytest.approx(oracle.average_precision_score(label, score, sample_weight=weight), abs=1e-12)


def test_a_true_probability_counts_as_a_share_of_a_leaver_and_a_share_of_a_stayer() -> None:
    score, _, weight = case()
    chance = np.random.default_rng(2).random(len(score))
    auc, ap = graded(score, weight * chance, weight * (1 - chance))
    twice = np.concatenate([score, score])
    labels = np.concatenate([np.ones(len(score)), np.zeros(len(score))])
    shares = np.concatenate([weight * chance, weight * (1 - chance)])
    assert auc == pytest.approx(oracle.roc_auc_score(labels, twice, sample_weight=shares), abs=1e-12)
    assert ap == pytest.approx(oracle.average_precision_score(labels, twice, sample_weight=shares), abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=12))
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, bool]]) -> None:
    scores, labels = [score for score, _ in rows], [left for _, left in rows]
    label = np.array(labels, dtype=float)
    found = roc_auc(Ranking(scores).levels(label, 1 - label))
    if all(labels) or not any(labels):
        assert math.isnan(found)
    else:
        assert found == pytest.approx(brute_force_auc(scores, labels), abs=1e-12)


def test_all_replicates_at_once_equal_one_after_the_other() -> None:
    score, label, _ = case()
    weights = np.random.default_rng(3).integers(0, 3, (7, len(score))).astype(float)
    ranking = Ranking(score)
    together = ranking.levels(weights * label, weights * (1 - label))
    apart = [ranking.levels(weight * label, weight * (1 - label)) for weight in weights]
    np.testing.assert_array_equal(roc_auc(together), [roc_auc(one) for one in apart])
    np.testing.assert_array_equal(average_precision(together), [average_precision(one) for one in apart])


def test_auc_does_not_depend_on_the_order_of_rows_or_on_a_monotone_change_of_the_score() -> None:
    score, label, _ = case()
    shuffled = np.random.default_rng(4).permutation(len(score))
    auc, ap = graded(score, label, 1 - label)
    again, ap_again = graded(np.exp(3 * score)[shuffled], label[shuffled], 1 - label[shuffled])
    assert (again, ap_again) == (pytest.approx(auc, abs=1e-12), pytest.approx(ap, abs=1e-12))


def test_a_metric_without_both_classes_is_not_a_number_and_never_a_guess() -> None:
    levels = Ranking([0.1, 0.2]).levels(np.zeros(2), np.ones(2))
    assert math.isnan(roc_auc(levels))
    assert math.isnan(average_precision(levels))
    assert math.isnan(roc_auc(Ranking([0.1, 0.2]).levels(np.ones(2), np.zeros(2))))


@pytest.mark.parametrize("score", [[], [0.1, float("nan")], [float("inf")], [[0.1, 0.2]]])
def test_a_ranking_refuses_what_cannot_be_ordered(score: list[float]) -> None:
    with pytest.raises(ValueError, match="finite scores"):
        Ranking(score)


def test_brier_score_equals_scikit_learn() -> None:
    score, label, weight = case()
    terms = brier_terms(score, label)
    assert terms.mean() == pytest.approx(oracle.brier_score_loss(label, score), abs=1e-12)
    weighted = oracle.brier_score_loss(label, score, sample_weight=weight)
    assert np.average(terms, weights=weight) == pytest.approx(weighted, abs=1e-12)


def test_log_loss_equals_scikit_learn_even_where_a_certain_forecast_was_wrong() -> None:
    label = np.array([1.0, 0.0, 1.0, 0.0])
    risk = np.array([0.0, 1.0, 0.7, 0.2])
    assert log_loss_terms(risk, label).mean() == pytest.approx(oracle.log_loss(label, risk), rel=1e-9)
    assert log_loss_terms(np.array([0.0]), np.array([1.0]))[0] == pytest.approx(-math.log(LOG_FLOOR))


def test_a_soft_error_is_the_mean_over_what_may_happen() -> None:
    risk, chance = np.array([0.2]), np.array([0.3])
    for terms in (brier_terms, log_loss_terms):
        mean = 0.3 * terms(risk, np.array([1.0])) + 0.7 * terms(risk, np.array([0.0]))
        assert terms(risk, chance)[0] == pytest.approx(mean[0], abs=1e-12)


def test_captured_shares_take_ties_in_proportion() -> None:
    label = np.array([1.0, 0.0, 1.0, 0.0])
    levels = Ranking([0.9, 0.5, 0.5, 0.1]).levels(label, 1 - label)
    found = captured_shares(levels, np.array([0.0, 0.25, 0.5, 0.75, 1.0]))
    np.testing.assert_allclose(found, [0.0, 0.5, 0.75, 1.0, 1.0])


def test_dividing_by_nothing_is_not_a_number() -> None:
    quotient = divided(np.array([1.0, 0.0, 1.0]), np.array([2.0, 0.0, -1.0]))
    np.testing.assert_array_equal(quotient, [0.5, np.nan, np.nan])
