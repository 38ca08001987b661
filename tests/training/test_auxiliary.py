"""Is what boosting starts from learnt from later values alone, in the right direction, and of use?"""

from __future__ import annotations

from datetime import timedelta

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from training.auxiliary import Start, _later, start_of
from training.boosting import booster_of, inputs_of, margins
from training.capacity import Capacity, capacity_for
from training.config import TrainingConfig
from training.fit import fit_hazard
from training.periods import MODEL_INPUTS, TIMING_INPUTS, Floats
from training.target import Target

from .bundle_case import SMALL, trained

FULL = Capacity("full", most_depth=6, most_leaves=31, least_rows_in_leaf=20, note="")
SEATS = "active_seats_par_w13"
SIGNS = {SEATS: -1.0, "stickiness_w4": -1.0, "tickets_per_100_seats_w13": 1.0, "nps_last": -1.0}
PARAMS = {
    "max_depth": 3,
    "num_leaves": 6,
    "learning_rate": 0.05,
    "min_data_in_leaf": 40,
    "lambda_l2": 5.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
}


def seen_accounts(accounts: int = 300, *, seed: int = 1, against: bool = False) -> tuple[pd.DataFrame, Floats]:
    """Person-periods of accounts with a lasting trait that every sign shows with much noise, and the trait.

    ``against``: those leave whom the catalogue expects to stay.
    """
    draw = np.random.default_rng(seed)
    trait = np.repeat(draw.standard_normal(accounts), 16)
    week = np.tile(np.arange(16) * 4, accounts)
    signs = {name: -sign * trait + 1.5 * draw.standard_normal(len(trait)) for name, sign in SIGNS.items()}
    odds = -5.0 + (1.2 if against else -1.2) * trait
    timing = {"interval_start_days": 0.0, "interval_length_days": 30.0, "days_to_decision_at_start": 20.0}
    rows = pd.DataFrame(
        {
            "account_id": np.repeat([f"a{number}" for number in range(accounts)], 16),
            "as_of": pd.Timestamp("2023-01-02", tz="UTC") + pd.to_timedelta(7 * week, unit="D"),
            "interval": 0,
            "y": (draw.random(len(trait)) < expit(odds)).astype(float),
            "weight": 1.0,
            **signs,
            **timing,
            "decisions_in_interval": 1.0,
            "is_evergreen": 0.0,
        }
    )
    return rows, trait


def begun(rows: pd.DataFrame, config: TrainingConfig = SMALL) -> Start:
    start = start_of(rows, config, FULL, threads=1)
    assert start is not None
    return start


def test_a_later_value_is_the_accounts_own_and_the_nearest_one() -> None:
    monday = pd.Timestamp("2024-01-01", tz="UTC")
    weeks = {"a": (0, 4, 15, 21), "b": (0, 16, 18)}
    seen = pd.DataFrame(
        [
            {"account_id": who, "as_of": monday + timedelta(weeks=week), SEATS: 100.0 * (who == "b") + week}
            for who, own in weeks.items()
            for week in own
        ]
    ).sample(frac=1.0, random_state=3, ignore_index=True)
    later = pd.Series(_later(seen, SEATS, SMALL), index=pd.MultiIndex.from_frame(seen[["account_id", "as_of"]]))
    # a: 16 is asked and 15 lies near; 20 is asked and 21 lies near; 31 and 37 are not there. b: 16 is there.
    expected = {("a", 0): 15, ("a", 4): 21, ("a", 15): np.nan, ("a", 21): np.nan, ("b", 0): 116, ("b", 16): np.nan}
    for (who, week), value in expected.items():
        np.testing.assert_equal(later[who, monday + timedelta(weeks=week)], value)


def test_what_is_learnt_of_later_values_ranks_better_than_outcomes_alone() -> None:
    rows, _ = seen_accounts()
    fresh, trait = seen_accounts(seed=2)
    plain = SMALL.model_copy(update={"auxiliary_targets": (), "least_events": 1})
    ranks = []
    for config in (plain, plain.model_copy(update={"auxiliary_targets": (SEATS,)})):
        booster = fit_hazard(rows, PARAMS, 60, config, threads=1).booster
        ranks.append(roc_auc_score(trait < 0, margins(booster, inputs_of(fresh), threads=1)))
    assert ranks[1] > ranks[0] + 0.01


def test_start_and_what_is_grown_from_it_add_up_in_one_booster() -> None:
    rows = trained().development
    start = start_of(rows, SMALL, capacity_for(600, SMALL), threads=1)
    assert start is not None
    fitted = fit_hazard(rows, PARAMS, 5, SMALL.model_copy(update={"ensemble_size": 1}), threads=1)
    few = rows.head(200)
    told = margins(fitted.booster, inputs_of(few), threads=1)
    # The first five trees are those that boosting grew.
    begun_by = fitted.booster.predict(inputs_of(few), raw_score=True, start_iteration=5, num_threads=1)
    grown = fitted.booster.predict(inputs_of(few), raw_score=True, num_iteration=5, num_threads=1)
    np.testing.assert_allclose(begun_by, start.offsets(few), rtol=0, atol=1e-12)
    np.testing.assert_allclose(told, begun_by + grown, rtol=0, atol=1e-12)
    assert fitted.booster.feature_name() == list(MODEL_INPUTS)
    assert fitted.loadings == start.loadings


def test_a_start_states_as_many_leavers_as_there_were_and_signs_are_learnt_without_intervals() -> None:
    rows, _ = seen_accounts()
    start = begun(rows)
    assert expit(start.offsets(rows)).mean() == pytest.approx(rows["y"].mean(), rel=0.25)
    booster = booster_of(start.text)
    importance = dict(zip(booster.feature_name(), booster.feature_importance(), strict=True))
    # Here no interval differs from another.
    assert not any(importance[name] for name in TIMING_INPUTS)
    assert importance["stickiness_w4"] > 0


def test_a_start_knows_when_contracts_can_be_left() -> None:
    rows, trait = seen_accounts()
    draw = np.random.default_rng(5)
    due = draw.random(len(rows)) < 0.5
    left = (draw.random(len(rows)) < np.where(due, expit(-1.0 - trait), 0.01)).astype(float)
    rows = rows.assign(decisions_in_interval=due.astype(float), y=left)
    odds = begun(rows).offsets(rows)
    assert expit(odds[due]).mean() == pytest.approx(left[due].mean(), rel=0.15)
    assert expit(odds[~due]).mean() < 0.03
    # And the line is no steeper for it: both groups have a level of their own.
    assert np.corrcoef(odds[due], trait[due])[0, 1] < -0.6


def test_a_loading_never_goes_against_the_catalogue_but_for_an_upsell() -> None:
    assert begun(seen_accounts()[0]).loadings[SEATS] > 0
    turned, _ = seen_accounts(against=True)
    assert begun(turned).loadings == {}
    assert begun(turned, SMALL.model_copy(update={"target": Target.UPSELL})).loadings[SEATS] < 0


def test_a_start_moves_with_a_constrained_feature_one_way_only() -> None:
    rows, _ = seen_accounts()
    start, few = begun(rows), rows.head(100)
    steps = np.stack([start.offsets(few.assign(**{SEATS: value})) for value in np.linspace(-4, 4, 30)])
    assert (np.diff(steps, axis=0) <= 1e-12).all()
    assert (steps[0] > steps[-1] + 0.1).all()


def test_few_outcomes_hold_a_loading_back() -> None:
    rows, _ = seen_accounts()
    few = rows.assign(weight=0.02)
    assert 0 < begun(few).loadings[SEATS] < 0.7 * begun(rows).loadings[SEATS]


@pytest.mark.parametrize("missing", ["hidden", "constant", "unknown", "too short"])
def test_without_anything_to_learn_a_start_knows_timing_alone(missing: str) -> None:
    rows, _ = seen_accounts()
    due = np.arange(len(rows)) % 2 == 0
    rows = rows.assign(decisions_in_interval=due.astype(float), y=np.where(due, rows["y"], 0.0))
    if missing == "hidden":
        rows = rows.drop(columns=SEATS)
    elif missing == "constant":
        rows = rows.assign(**{SEATS: 1.0})
    elif missing == "unknown":
        rows = rows.assign(**{SEATS: np.nan})
    else:
        rows = rows[rows["as_of"] < pd.Timestamp("2023-04-20", tz="UTC")].reset_index(drop=True)
    start, booster = begun(rows), booster_of(begun(rows).text)
    assert start.loadings == {}
    used = {name for name, splits in zip(booster.feature_name(), booster.feature_importance(), strict=True) if splits}
    assert used == {"decisions_in_interval"}
    odds = start.offsets(rows)
    assert odds[rows["decisions_in_interval"] > 0].min() > odds[rows["decisions_in_interval"] == 0].max()


def test_without_a_target_boosting_starts_from_nothing() -> None:
    rows, _ = seen_accounts(accounts=60)
    assert start_of(rows, SMALL.model_copy(update={"auxiliary_targets": ()}), FULL, threads=1) is None


def test_the_same_rows_give_the_same_start_on_one_thread_and_on_two() -> None:
    rows, _ = seen_accounts(accounts=100)
    one, two = (start_of(rows, SMALL, FULL, threads=threads) for threads in (1, 2))
    assert one == two
    assert one is not None
    assert lgb.Booster(model_str=one.text).num_trees() > 0
