from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from features.errors import DataContractError
from tests.training.judged_case import SMALL_PLAN, Portfolio, portfolio
from training.evaluation_parts import TruthEvaluation
from training.judged import KEY, Judged
from training.soft import graded_by_truth

MADE = portfolio(400, seed=9, skill=0.8)


def graded(made: Portfolio = MADE) -> TruthEvaluation:
    return graded_by_truth(Judged.of(made.judged, SMALL_PLAN), made.truth).horizons[90]


def as_twice_the_rows(score: pd.Series, chance: pd.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each row once as a leaver with weight p and once as a stayer with weight 1 - p."""
    labels = np.concatenate([np.ones(len(score)), np.zeros(len(score))])
    return labels, np.concatenate([score, score]), np.concatenate([chance, 1 - chance])


def test_soft_metrics_equal_scikit_learn_on_rows_split_into_leaver_and_stayer() -> None:
    found, rows = graded(), MADE.judged.merge(MADE.truth, on=KEY)
    due = rows[(rows["is_evergreen"] == 0) & rows["days_to_decision"].between(0, 90)]
    for kept, auc, ap in ((rows, found.auc_pooled, found.ap_pooled), (due, found.auc_window, found.ap_window)):
        labels, score, weight = as_twice_the_rows(kept["risk_90"], kept["p_90"])
        assert auc.value == pytest.approx(oracle.roc_auc_score(labels, score, sample_weight=weight), abs=1e-12)
        assert ap.value == pytest.approx(oracle.average_precision_score(labels, score, sample_weight=weight), abs=1e-12)
        assert (auc.rows, auc.positives) == (len(kept), pytest.approx(kept["p_90"].sum()))
    labels, score, weight = as_twice_the_rows(rows["risk_90"], rows["p_90"])
    soft_brier = oracle.brier_score_loss(labels, score, sample_weight=weight)
    assert found.brier.value == pytest.approx(soft_brier, abs=1e-12)


def test_soft_metrics_hold_no_outcomes_and_need_no_labels() -> None:
    unlabelled = MADE.judged.assign(**{f"y_{days}": np.nan for days in (30, 60, 90, 180)})
    assert graded(Portfolio(unlabelled, MADE.truth)) == graded()
    assert graded().auc_window.outcomes is None


def test_nothing_ranks_better_than_the_truth_itself() -> None:
    found = graded()
    assert found.auc_window.value < found.oracle_auc_window.value
    assert found.auc_pooled.value < found.oracle_auc_pooled.value
    assert found.ap_window.value < found.oracle_ap_window.value
    assert found.brier.value > found.oracle_brier.value
    assert 0 < found.share_of_oracle_skill.value < 1


def test_a_model_that_states_the_truth_has_all_of_the_oracles_skill() -> None:
    stated = MADE.truth.rename(columns={f"p_{days}": f"risk_{days}" for days in (30, 60, 90, 180)})
    rows = MADE.judged.drop(columns=[name for name in stated if name not in KEY]).merge(stated, on=KEY)
    found = graded(Portfolio(rows, MADE.truth))
    share, calibration = found.share_of_oracle_skill, found.calibration
    assert (share.value, share.low, share.high) == (pytest.approx(1), pytest.approx(1), pytest.approx(1))
    assert (calibration.value, calibration.low, calibration.high) == (1, 1, 1)


def test_share_of_skill_is_measured_from_the_coin_on() -> None:
    found = graded()
    expected = (found.auc_window.value - 0.5) / (found.oracle_auc_window.value - 0.5)
    assert found.share_of_oracle_skill.value == pytest.approx(expected)


def test_without_luck_the_intervals_are_narrower_than_with_labels() -> None:
    whole = graded_by_truth(Judged.of(MADE.judged, SMALL_PLAN), MADE.truth)
    assert whole.horizons[90].calibration.width < 0.2
    assert whole.arms_auc_window["timing_only"].value == pytest.approx(0.5)
    lead = whole.deltas_auc_window["timing_only"]
    assert lead.value == pytest.approx(whole.horizons[90].auc_window.value - 0.5)
    assert lead.low > 0


def test_where_the_oracle_has_no_skill_there_is_no_share_of_it() -> None:
    flat = MADE.truth.assign(p_90=0.1)
    share = graded(Portfolio(MADE.judged, flat)).share_of_oracle_skill
    assert (share.value, share.reason) == (None, "the oracle itself has no skill in these rows")


@pytest.mark.parametrize(
    ("truth", "found"),
    [
        (MADE.truth.drop(columns="p_60"), "without p_60"),
        (MADE.truth.iloc[5:], "5 rows without"),
        (pd.concat([MADE.truth, MADE.truth.head(2)]), "2 repeated rows"),
        (MADE.truth.assign(p_90=MADE.truth["p_90"] + 1), "rows outside"),
        (MADE.truth.assign(p_90=np.nan), "rows without"),
    ],
)
def test_a_truth_that_does_not_fit_the_rows_is_refused(truth: pd.DataFrame, found: str) -> None:
    with pytest.raises(DataContractError, match="truth does not fit") as refused:
        graded(Portfolio(MADE.judged, truth))
    assert found in refused.value.found


def test_the_order_of_the_truth_does_not_matter() -> None:
    assert graded(Portfolio(MADE.judged, MADE.truth.sample(frac=1, random_state=1))) == graded()
