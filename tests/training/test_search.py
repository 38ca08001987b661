"""Does the search judge settings by later time only, and say what it did?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from typer.testing import CliRunner

from features.errors import NoUsableSignal, UsageError
from pulse import app
from training import lifecycle
from training.auxiliary import start_of
from training.boosting import binned, inputs_of
from training.capacity import Capacity, capacity_for, outcome_count
from training.config import TrainingConfig
from training.effort import Effort
from training.search import SearchOutcome, search
from training.search_space import USUAL, suggested_params
from training.shrinkage import TIMINGS
from training.study import _FINISHED, Study
from training.trials import Bench, Cut, Patience, mean_curve, run_trials

from .bundle_case import SMALL, trained

FULL = capacity_for(10_000, TrainingConfig())


def searched(config: TrainingConfig = SMALL, **options: Any) -> SearchOutcome:
    made = trained()
    return search(made.development, made.split.walk_forward, config, threads=1, **options)


def bench_of(config: TrainingConfig) -> Bench:
    """The folds of the small portfolio."""
    rows = trained().development
    window = rows["in_window"].to_numpy(bool)
    capacity = capacity_for(outcome_count(rows), config)
    starts = [start_of(rows[fold.train(rows)], config, capacity) for fold in trained().split.walk_forward]
    cuts = []
    for fold, start in zip(trained().split.walk_forward, starts, strict=True):
        train, later = np.flatnonzero(fold.train(rows)), np.flatnonzero(fold.test(rows) & window)
        assert start is not None
        cuts.append(Cut(train, later, (start.offsets(rows.iloc[train]), start.offsets(rows.iloc[later]))))
    return Bench.of(binned(rows), cuts, config=config, capacity=capacity, threads=1)


def test_the_same_rows_and_seed_find_the_same_settings() -> None:
    again, first = searched(), trained().found
    assert (again.params, again.rounds, again.value, again.trials) == (
        first.params,
        first.rounds,
        first.value,
        first.trials,
    )
    pd.testing.assert_frame_equal(again.out_of_fold, first.out_of_fold)


def test_every_out_of_fold_row_lies_after_all_that_its_model_was_fitted_on() -> None:
    held_out = trained().found.out_of_fold
    assert (held_out["trained_until"] <= held_out["as_of"]).all()
    assert sorted(held_out["fold"].unique()) == list(range(SMALL.folds))


def test_out_of_fold_rows_are_the_held_out_periods_each_once() -> None:
    made = trained()
    key = ["account_id", "as_of", "interval"]
    expected = pd.concat([made.development[fold.test(made.development)] for fold in made.split.walk_forward])
    told = made.found.out_of_fold
    assert not told.duplicated(key).any()
    pd.testing.assert_frame_equal(
        told[[*key, "y", "weight"]].sort_values(key).reset_index(drop=True),
        expected[[*key, "y", "weight"]].sort_values(key).reset_index(drop=True),
    )


def test_the_value_is_the_mean_log_loss_of_later_periods_with_a_decision() -> None:
    # The search compares single fits; what is calibrated is the mean of several.
    alone = SMALL.model_copy(update={"ensemble_size": 1})
    found = search(trained().development, trained().split.walk_forward, alone, threads=1)
    window = found.out_of_fold[found.out_of_fold["in_window"]]
    z, y = window["margin"].to_numpy(), window["y"].to_numpy()
    losses = pd.DataFrame({"fold": window["fold"], "w": window["weight"], "loss": np.logaddexp(0, z) - y * z})
    per_fold = [np.average(part["loss"], weights=part["w"]) for _, part in losses.groupby("fold")]
    # Folds that stopped early before the mean's best round stand at their last loss, hence the tolerance.
    assert found.value == trained().found.value == pytest.approx(np.mean(per_fold), abs=2e-3)


def test_the_models_of_the_folds_are_those_that_gave_the_held_out_margins() -> None:
    made = trained()
    for number, (fold, booster) in enumerate(zip(made.split.walk_forward, made.found.boosters, strict=True)):
        told = made.found.out_of_fold[made.found.out_of_fold["fold"] == number]
        raw = booster.predict(inputs_of(made.development[fold.test(made.development)]), raw_score=True)
        np.testing.assert_array_equal(told["margin"], raw)


def test_the_timing_of_a_held_out_period_is_what_its_contract_says_of_the_interval() -> None:
    made = trained()
    fold, told = made.split.walk_forward[0], made.found.out_of_fold
    rows = made.development[fold.test(made.development)]
    due = np.where(rows["decisions_in_interval"] >= 1, "due", "quiet")
    expected = np.where(rows["is_evergreen"] > 0, "evergreen", due)
    assert [TIMINGS[code] for code in told.loc[told["fold"] == 0, "timing"]] == expected.tolist()
    assert set(expected) == set(TIMINGS)


def test_a_model_that_was_found_knows_more_than_the_base_rate() -> None:
    held_out = trained().found.out_of_fold
    window = held_out[held_out["in_window"]]
    rate = np.average(window["y"], weights=window["weight"])
    base = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    assert trained().found.value < base


def test_each_trial_is_told_to_the_listener() -> None:
    heard: list[tuple[str, int, int]] = []
    config = SMALL.model_copy(update={"trials": 3, "max_rounds": 3})
    searched(config, progress=lambda stage, done, total: heard.append((stage, done, total)))
    begun = [("auxiliary targets", fold, SMALL.folds) for fold in range(1, SMALL.folds + 1)]
    assert heard == [*begun, ("search", 1, 3), ("search", 2, 3), ("search", 3, 3)]


def test_a_kept_search_goes_on_with_more_trials_where_it_stopped(tmp_path: Path) -> None:
    short = SMALL.model_copy(update={"trials": 1, "max_rounds": 5})
    first = searched(short, effort=Effort(studies=tmp_path))
    more = short.model_copy(update={"trials": 3})
    heard: list[tuple[str, int, int]] = []
    resumed = searched(more, effort=Effort(studies=tmp_path, resume=True), progress=lambda *step: heard.append(step))
    assert [step for step in heard if step[0] == "search"] == [("search", done, 3) for done in (1, 2, 3)]
    assert resumed.trials[0] == first.trials[0]
    assert resumed.trials == searched(more).trials
    assert (resumed.notes, first.notes) == (
        (*first.notes, "the search went on after 1 finished trials that were kept"),
        first.notes,
    )


def test_the_usual_settings_are_tried_first_and_once(tmp_path: Path) -> None:
    # Also by a search that was killed before its first trial was finished.
    short = SMALL.model_copy(update={"trials": 1, "max_rounds": 3})
    for effort in (Effort(studies=tmp_path), Effort(studies=tmp_path, resume=True)):
        assert [trial.params for trial in searched(short, effort=effort).trials] == [USUAL]
    more = searched(short.model_copy(update={"trials": 3}), effort=Effort(studies=tmp_path, resume=True))
    assert [trial.params == USUAL for trial in more.trials] == [True, False, False]
    journal = tmp_path / "killed.log"
    Study.begun(journal, resume=False).ask(1, 0)
    again = Study.begun(journal, resume=True)
    usual = suggested_params(optuna.trial.FixedTrial(USUAL), FULL)
    assert suggested_params(again.ask(1, 0), FULL) == usual


def test_the_command_hands_its_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Effort] = []

    def train(*_: Any, effort: Effort, **__: Any) -> None:
        told.append(effort)
        raise UsageError("enough", expected="", found="", todo="")

    monkeypatch.setattr(lifecycle, "train", train)
    words = ["train", "--home", str(tmp_path), "--as-of", "2024-01-01"]
    for options in ([], ["--resume", "--workers", "3", "--minutes", "1.5"]):
        assert CliRunner().invoke(app, [*words, *options]).exit_code == 2
    assert told == [Effort(), Effort(resume=True, workers=3, limit=timedelta(seconds=90))]


def test_time_that_is_up_ends_the_search_after_one_whole_trial(tmp_path: Path) -> None:
    config, heard = SMALL.model_copy(update={"trials": 5, "max_rounds": 5}), list[tuple[int, int]]()
    found = searched(
        config, effort=Effort(limit=timedelta(0)), progress=lambda _, done, total: heard.append((done, total))
    )
    assert [(trial.number, trial.value) for trial in found.trials] == [(0, found.value)]
    assert found.notes[-1] == "the search ended after 1 of 5 trials: its 0 minutes were up"
    # The bar ends.
    assert heard[-1] == (1, 1)
    whole = searched(config, effort=Effort(studies=tmp_path, limit=timedelta(hours=1)))
    assert len(whole.trials) == 5
    assert whole.notes == trained().found.notes


def test_a_trial_goes_on_while_it_is_in_the_better_half_of_those_that_came_so_far() -> None:
    config = SMALL.model_copy(update={"trials": 14, "max_rounds": 4, "warm_up_trials": 4})
    bench, study = bench_of(config), Study.in_memory()
    run_trials(study, bench, Patience())
    asked: dict[int, list[float]] = {1: [], 2: []}
    pruned = 0
    for trial in study._trials(*_FINISHED):
        losses, expected, given_up = trial.intermediate_values, len(bench.pairs), False
        for fold in sorted(losses)[1:]:
            asked[fold].append(losses[fold])
            # The plain rule: among the best half, and at least the best.
            better_half = sorted(asked[fold])[: max(1, len(asked[fold]) // 2)]
            if losses[fold] > better_half[-1] and trial.number >= 4:
                # After the last fold, too: its value is then none to choose by.
                expected, given_up = fold + 1, True
                break
        assert len(losses) == expected
        assert (study.tried()[trial.number].value is None) == given_up
        pruned += given_up
    assert 2 <= pruned <= 10


def test_pruned_trials_are_kept_without_a_value() -> None:
    found = searched(SMALL.model_copy(update={"trials": 12, "max_rounds": 4, "warm_up_trials": 1}))
    values = [trial.value for trial in found.trials]
    assert None in values
    # The least, or that of the first trial, which has the usual settings, where the gain over it is no more than luck.
    assert found.value in (min(value for value in values if value is not None), values[0])
    assert [trial.number for trial in found.trials] == list(range(12))


def test_a_fold_without_an_outcome_is_refused() -> None:
    made = trained()
    rows = made.development
    last = made.split.walk_forward[-1].test(rows)
    silent = rows.assign(y=np.where(last, 0.0, rows["y"]))
    with pytest.raises(NoUsableSignal, match="0 after"):
        search(silent, made.split.walk_forward, SMALL, threads=1)


def test_too_few_outcomes_are_refused_before_any_trial() -> None:
    made = trained()
    with pytest.raises(NoUsableSignal, match="too few outcomes"):
        search(made.development.assign(y=0.0), made.split.walk_forward, SMALL, threads=1)


def test_an_early_stopped_fold_stands_at_its_last_loss() -> None:
    assert mean_curve([[4.0, 2.0], [8.0, 6.0, 4.0]]).tolist() == [6.0, 4.0, 3.0]


@pytest.mark.parametrize(("shape", "depth", "leaves"), [("additive", 1, 2), ("pairs", 2, 4), ("free", 5, 20)])
def test_additive_pairwise_and_bushy_trees_can_all_be_reached(shape: str, depth: int, leaves: int) -> None:
    fixed = {
        "interactions": shape,
        "free_depth": 5,
        "free_leaves": 20,
        "learning_rate": 0.05,
        "min_data_in_leaf": 100,
        "lambda_l2": 200.0,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.7,
    }
    params = suggested_params(optuna.trial.FixedTrial(fixed), FULL)
    assert (params["max_depth"], params["num_leaves"], params["lambda_l2"]) == (depth, leaves, 200.0)


def test_what_the_outcomes_forbid_is_never_suggested() -> None:
    tight: Capacity = replace(FULL, most_depth=1, most_leaves=2, least_rows_in_leaf=100)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(20):
        params = suggested_params(study.ask(), tight)
        assert (params["max_depth"], params["num_leaves"]) == (1, 2)
        assert params["min_data_in_leaf"] >= 100
