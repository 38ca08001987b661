"""Is the hazard fitted the same way each time, within its limits, and only from what it is given?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from features.catalogue import MODEL_FEATURES, feature_named
from features.errors import NoUsableSignal
from training.boosting import (
    binned,
    boosted,
    inputs_of,
    later_losses,
    margins,
    model_text,
    monotone_constraints,
    subset,
)
from training.capacity import Capacity, bounded_params, capacity_for, outcome_count
from training.config import TrainingConfig
from training.fit import fit_hazard
from training.periods import MODEL_INPUTS, TIMING_INPUTS
from training.tree_sums import averaged, weighted_sum
from training.trees import read_trees

from .bundle_case import SMALL, trained

PARAMS: dict[str, Any] = {
    "max_depth": 3,
    "num_leaves": 6,
    "learning_rate": 0.1,
    "min_data_in_leaf": 80,
    "lambda_l2": 5.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
}


def some_rows(count: int = 3000) -> pd.DataFrame:
    """Development rows, later ones first to go."""
    return trained().development.iloc[:count]


def test_the_same_rows_and_seed_give_the_same_text_on_one_thread_and_on_two() -> None:
    dataset = binned(some_rows())
    texts = {model_text(boosted(dataset, PARAMS, 8, seed=3, threads=threads)) for threads in (1, 2, 1)}
    assert len(texts) == 1


def test_another_seed_gives_another_model() -> None:
    rows = trained().development
    other = SMALL.model_copy(update={"seed": SMALL.seed + 1})
    assert fit_hazard(rows, PARAMS, 25, SMALL, threads=1).text != fit_hazard(rows, PARAMS, 25, other, threads=1).text


def test_the_native_text_is_the_whole_model() -> None:
    fitted = fit_hazard(trained().development, PARAMS, 25, SMALL, threads=1)
    again = lgb.Booster(model_str=fitted.text)
    inputs = inputs_of(trained().development)
    np.testing.assert_array_equal(margins(again, inputs, threads=1), margins(fitted.booster, inputs, threads=1))
    assert again.feature_name() == list(MODEL_INPUTS)
    assert again.num_trees() > 25 * SMALL.ensemble_size


@pytest.mark.parametrize("direction", [1, -1])
def test_a_constrained_feature_moves_the_hazard_one_way_only(direction: int) -> None:
    fitted = trained().fitted
    base = inputs_of(some_rows(40))
    names = [name for name in MODEL_FEATURES if feature_named(name).monotone == direction]
    assert len(names) > 10
    for name in names:
        place, steps = MODEL_INPUTS.index(name), np.linspace(-6, 6, 25)
        moved = np.repeat(base, len(steps), axis=0)
        moved[:, place] = np.tile(steps, len(base))
        curves = margins(fitted.booster, moved, threads=1).reshape(len(base), len(steps))
        assert (direction * np.diff(curves, axis=1) >= 0).all(), name


def test_constraints_are_the_catalogues_and_timing_is_free() -> None:
    constraints = dict(zip(MODEL_INPUTS, monotone_constraints(), strict=True))
    assert {name: constraints[name] for name in MODEL_FEATURES} == {
        name: feature_named(name).monotone for name in MODEL_FEATURES
    }
    assert {constraints[name] for name in TIMING_INPUTS} == {0}


@pytest.mark.parametrize(
    ("events", "name", "depth", "has_note"),
    [
        (60, "additive", 1, True),
        (149, "additive", 1, True),
        (150, "moderate", 4, True),
        (599, "moderate", 4, True),
        (600, "full", 6, False),
    ],
)
def test_the_number_of_outcomes_bounds_the_model(events: int, name: str, depth: int, has_note: bool) -> None:
    capacity = capacity_for(events, TrainingConfig())
    assert (capacity.name, capacity.most_depth, bool(capacity.note)) == (name, depth, has_note)
    assert (str(events) in capacity.note) is has_note


def test_with_too_few_outcomes_there_is_no_model() -> None:
    rows = trained().development
    few = rows[(rows["y"] == 0) | rows["account_id"].isin(rows.loc[rows["y"] > 0, "account_id"].unique()[:59])]
    with pytest.raises(NoUsableSignal) as refused:
        fit_hazard(few, PARAMS, 5, SMALL, threads=1)
    assert (refused.value.expected.startswith("at least 60"), refused.value.found) == (True, "59")


def test_an_account_seen_from_many_snapshots_is_one_outcome() -> None:
    rows = trained().development
    assert outcome_count(rows) == rows[rows["y"] == 1]["account_id"].nunique() < (rows["y"] == 1).sum()


def test_few_outcomes_give_an_additive_model_that_says_so() -> None:
    fitted = fit_hazard(trained().development, PARAMS, 30, TrainingConfig(), threads=1)
    trees = fitted.booster.dump_model()["tree_info"]
    assert max(tree["num_leaves"] for tree in trees) <= 2
    assert len(fitted.notes) == 1
    assert "additive trees only" in fitted.notes[0]


def test_parameters_are_only_ever_made_stricter() -> None:
    tight = Capacity("tight", most_depth=2, most_leaves=4, least_rows_in_leaf=200, note="")
    assert bounded_params(PARAMS, tight) == {**PARAMS, "max_depth": 2, "num_leaves": 4, "min_data_in_leaf": 200}
    wide = Capacity("wide", most_depth=9, most_leaves=99, least_rows_in_leaf=1, note="")
    assert bounded_params(PARAMS, wide) == PARAMS


def test_one_shared_dataset_gives_the_same_model_as_a_fresh_one_for_each_setting() -> None:
    # Outside check of the recipe in performance.md section 7: min_data_in_leaf may differ on a shared Dataset.
    rows = some_rows()
    shared = binned(rows)
    for least in (40, 300):
        params = {**PARAMS, "min_data_in_leaf": least}
        assert model_text(boosted(shared, params, 10, seed=1, threads=1)) == model_text(
            boosted(binned(rows), params, 10, seed=1, threads=1)
        )


def test_weights_count_as_repeated_rows() -> None:
    # Without bagging, column sampling and random cut points, a row of weight 2 must do what two rows do. Leaf limits
    # count rows, so they are off.
    rows = some_rows(2000).assign(weight=1.0)
    params = {**PARAMS, "bagging_fraction": 1.0, "feature_fraction": 1.0, "min_data_in_leaf": 1, "max_depth": 2}
    params |= {"min_sum_hessian_in_leaf": 5.0, "extra_trees": False}
    double = rows["y"] > 0
    weighted = rows.assign(weight=np.where(double, 2.0, 1.0))
    repeated = pd.concat([rows, rows[double]], ignore_index=True)
    inputs = inputs_of(rows)
    heavy = margins(boosted(binned(weighted), params, 3, seed=1, threads=1), inputs, threads=1)
    twice = margins(boosted(binned(repeated), params, 3, seed=1, threads=1), inputs, threads=1)
    plain = margins(boosted(binned(rows), params, 3, seed=1, threads=1), inputs, threads=1)
    # Bins move a little with the number of rows, so the two are close, not equal.
    assert np.corrcoef(heavy, twice)[0, 1] > 0.95
    assert abs(heavy.mean() - twice.mean()) < 0.05 < abs(heavy.mean() - plain.mean())


def test_losses_on_later_time_are_log_losses_and_stop_when_they_no_longer_fall() -> None:
    rows = trained().development
    dataset = binned(rows)
    past, future = np.arange(0, 6000), np.arange(9000, len(rows))
    config = SMALL.model_copy(update={"max_rounds": 200, "patience_rounds": 5})
    params = {**PARAMS, "learning_rate": 0.5, "lambda_l2": 0.1}
    losses = later_losses(subset(dataset, past), subset(dataset, future), params, config, threads=1)
    assert len(losses) - 1 - int(np.argmin(losses)) == 5
    booster = boosted(subset(dataset, past), params, len(losses), seed=config.seed, threads=1)
    later = rows.iloc[future]
    z, y, w = margins(booster, inputs_of(later), threads=1), later["y"].to_numpy(), later["weight"].to_numpy()
    expected = np.average(np.logaddexp(0, z) - y * z, weights=w)
    assert losses[-1] == pytest.approx(expected, abs=1e-6)


def mean_of(texts: Sequence[str]) -> Any:
    return lgb.Booster(model_str=averaged(texts))


def test_several_fits_together_are_their_mean_and_depend_less_on_the_seed() -> None:
    rows = trained().development
    later, dataset = inputs_of(rows), binned(rows)
    texts = [model_text(boosted(dataset, PARAMS, 20, seed=seed, threads=1)) for seed in range(8)]
    alone = np.stack([margins(lgb.Booster(model_str=text), later, threads=1) for text in texts])
    together = np.stack([margins(mean_of(texts[first : first + 4]), later, threads=1) for first in (0, 4)])
    np.testing.assert_allclose(together, [alone[:4].mean(axis=0), alone[4:].mean(axis=0)], rtol=0, atol=1e-12)
    # Half as far from each other, as means of four are.
    assert np.abs(together[0] - together[1]).mean() < 0.7 * np.abs(alone[0] - alone[4]).mean()


def test_a_mean_is_explained_as_the_mean_of_explanations_and_reads_back() -> None:
    rows = trained().development
    few, dataset = inputs_of(rows)[:50], binned(rows)
    boosters = [boosted(dataset, PARAMS, 10, seed=seed, threads=1) for seed in range(3)]
    mean = mean_of([model_text(booster) for booster in boosters])
    told = [booster.predict(few, pred_contrib=True, num_threads=1) for booster in boosters]
    np.testing.assert_allclose(
        mean.predict(few, pred_contrib=True, num_threads=1), np.mean(told, axis=0), rtol=0, atol=1e-12
    )
    assert mean.num_trees() == 30
    assert model_text(lgb.Booster(model_str=model_text(mean))) == model_text(mean)
    assert [tree.splits for tree in read_trees(model_text(mean))] == [
        tree.splits for booster in boosters for tree in read_trees(model_text(booster))
    ]


def test_boosters_of_other_inputs_are_not_averaged() -> None:
    rows = trained().development
    one = model_text(boosted(binned(rows), PARAMS, 3, seed=1, threads=1))
    other = model_text(boosted(binned(rows.drop(columns="seats_contracted_log")), PARAMS, 3, seed=1, threads=1))
    with pytest.raises(ValueError, match="same inputs"):
        averaged([one, other])


def test_a_weighted_sum_says_what_its_parts_say_and_a_shift() -> None:
    rows = trained().development
    few, dataset = inputs_of(rows)[:50], binned(rows)
    boosters = [boosted(dataset, PARAMS, 10, seed=seed, threads=1) for seed in range(2)]
    one, other = (margins(booster, few, threads=1) for booster in boosters)
    summed = lgb.Booster(model_str=weighted_sum([(model_text(boosters[0]), 1.0), (model_text(boosters[1]), -0.3)], 2.5))
    np.testing.assert_allclose(margins(summed, few, threads=1), one - 0.3 * other + 2.5, rtol=0, atol=1e-12)
    assert summed.num_trees() == 20


def test_the_hazard_is_the_mean_of_as_many_fits_as_the_config_says() -> None:
    rows = trained().development
    config = SMALL.model_copy(update={"ensemble_size": 3, "auxiliary_targets": ()})
    assert fit_hazard(rows, PARAMS, 7, config, threads=1).booster.num_trees() == 21
    alone = config.model_copy(update={"ensemble_size": 1})
    single = boosted(binned(rows), PARAMS, 7, seed=alone.seed, threads=1)
    assert fit_hazard(rows, PARAMS, 7, alone, threads=1).text == model_text(single)
