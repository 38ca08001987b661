from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.errors import NoUsableSignal, UsageError
from tests.training.judged_case import portfolio
from training.baselines import Baseline, fit_logistic, fit_timing_only

FEATURES = ("health_hint", "noise", "sometimes_null", "always_null", "constant", "term_months")
TRAINED = portfolio(900, snapshots=8, seed=21).judged
LATER = portfolio(700, snapshots=4, seed=22).judged


def rows_of(judged: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """Timing columns and six features, of which one tells something about the customer."""
    rng = np.random.default_rng(seed)
    rows = judged[["days_to_decision", "is_evergreen", "term_months"]].copy()
    rows["health_hint"] = judged["health"] / 10
    rows["noise"] = rng.normal(size=len(rows))
    rows["sometimes_null"] = np.where(rng.random(len(rows)) < 0.3, np.nan, rng.normal(size=len(rows)))
    rows["always_null"] = np.nan
    rows["constant"] = 4.0
    return rows


def label_of(judged: pd.DataFrame) -> np.ndarray:
    return judged["y_90"].to_numpy()


def fit_line(rows: pd.DataFrame, label: np.ndarray, weight: np.ndarray | None = None) -> Baseline:
    return fit_logistic(rows, label, weight, features=FEATURES)


FITS: list[Callable[..., Baseline]] = [fit_timing_only, fit_line]
TIMING = fit_timing_only(rows_of(TRAINED), label_of(TRAINED))
LINE = fit_line(rows_of(TRAINED), label_of(TRAINED))


def due(judged: pd.DataFrame) -> np.ndarray:
    return ((judged["is_evergreen"] == 0) & judged["days_to_decision"].between(0, 90)).to_numpy()


@pytest.mark.parametrize("baseline", [TIMING, LINE])
def test_a_baseline_states_one_risk_per_row_in_order(baseline: Baseline) -> None:
    rows = rows_of(LATER)
    risk = baseline.predict(rows)
    assert risk.shape == (len(rows),)
    assert ((risk > 0) & (risk < 1)).all()
    np.testing.assert_array_equal(baseline.predict(rows.iloc[::-1]), risk[::-1])


@pytest.mark.parametrize("baseline", [TIMING, LINE])
def test_the_stated_risks_add_up_to_about_as_many_leavers_as_came(baseline: Baseline) -> None:
    assert baseline.predict(rows_of(TRAINED)).mean() == pytest.approx(label_of(TRAINED).mean(), rel=0.05)
    assert baseline.predict(rows_of(LATER)).mean() == pytest.approx(label_of(LATER).mean(), rel=0.3)


def test_timing_alone_ranks_well_pooled_and_not_at_all_where_decisions_are_due() -> None:
    risk, near = TIMING.predict(rows_of(LATER)), due(LATER)
    assert roc_auc_score(label_of(LATER), risk) > 0.75
    assert 0.4 < roc_auc_score(label_of(LATER)[near], risk[near]) < 0.6


def test_timing_alone_knows_nothing_about_the_customer() -> None:
    rows = rows_of(LATER)
    others = rows.assign(**{name: 7.0 for name in FEATURES if name != "term_months"})
    np.testing.assert_array_equal(TIMING.predict(others), TIMING.predict(rows))
    np.testing.assert_array_equal(
        TIMING.predict(rows[["days_to_decision", "is_evergreen", "term_months"]]), TIMING.predict(rows)
    )


def test_the_straight_line_finds_the_one_feature_that_tells_something() -> None:
    rows, near = rows_of(LATER), due(LATER)
    risk = LINE.predict(rows)
    assert roc_auc_score(label_of(LATER)[near], risk[near]) > 0.6
    healthier = LINE.predict(rows.assign(health_hint=rows["health_hint"] + 1))
    assert (healthier < risk).all()


def test_the_straight_line_states_more_risk_when_the_decision_is_due() -> None:
    rows = rows_of(LATER)[due(LATER)]
    far = rows.assign(days_to_decision=400.0)
    assert (LINE.predict(rows) > LINE.predict(far)).all()


def test_a_null_is_told_apart_from_the_median_it_is_filled_with() -> None:
    rows, label = rows_of(TRAINED), label_of(TRAINED)
    rows["sometimes_null"] = np.where(label > 0, np.nan, 0.0)
    baseline = fit_line(rows, label)
    asked = rows.head(1)
    unknown, known = (baseline.predict(asked.assign(sometimes_null=value))[0] for value in (np.nan, 0.0))
    assert unknown > 2 * known


@pytest.mark.parametrize("fit", FITS)
def test_the_same_rows_and_seed_give_the_same_risks(fit: Callable[..., Baseline]) -> None:
    first, again = (fit(rows_of(TRAINED), label_of(TRAINED)).predict(rows_of(LATER)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("fit", FITS)
def test_only_the_proportions_of_weights_matter(fit: Callable[..., Baseline]) -> None:
    rows, label = rows_of(TRAINED), label_of(TRAINED)
    weight = np.random.default_rng(3).uniform(0.5, 2, len(rows))
    light, heavy = (fit(rows, label, weight * scale).predict(rows_of(LATER)) for scale in (1.0, 64.0))
    np.testing.assert_allclose(light, heavy, rtol=1e-9)
    doubled = fit(rows, label, np.where(label > 0, 2.0, 1.0)).predict(rows_of(LATER))
    assert doubled.mean() > 1.5 * fit(rows, label).predict(rows_of(LATER)).mean()


@pytest.mark.parametrize(("baseline", "column"), [(TIMING, "term_months"), (LINE, "noise"), (LINE, "is_evergreen")])
def test_a_missing_column_is_refused_by_name(baseline: Baseline, column: str) -> None:
    with pytest.raises(UsageError) as refused:
        baseline.predict(rows_of(LATER).drop(columns=column))
    assert refused.value.found == f"without {column}"


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_only_leavers_or_only_stayers_are_no_signal(fit: Callable[..., Baseline], label: float) -> None:
    with pytest.raises(NoUsableSignal):
        fit(rows_of(TRAINED), np.full(len(TRAINED), label))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("spoil", ["null label", "short label", "negative weight", "short weight"])
def test_labels_and_weights_that_do_not_fit_are_refused(fit: Callable[..., Baseline], spoil: str) -> None:
    rows, label, weight = rows_of(TRAINED), label_of(TRAINED).copy(), np.ones(len(TRAINED))
    if spoil == "null label":
        label[0] = np.nan
    elif spoil == "negative weight":
        weight[0] = -1
    label = label[1:] if spoil == "short label" else label
    weight = weight[1:] if spoil == "short weight" else weight
    with pytest.raises(UsageError, match="cannot be fitted"):
        fit(rows, label, weight)
