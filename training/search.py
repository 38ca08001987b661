"""Which settings of the hazard predict later time best, and what did they predict there?

Input grain: person-periods that may be used for choices (none of the final block). Output: the best parameters, and one
out-of-fold row per held-out period for calibration. The only file that speaks to Optuna.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd

from features.errors import NoUsableSignal
from features.progress import Progress, silent
from training.config import TrainingConfig
from training.fit import (
    Capacity,
    binned,
    boosted,
    bounded_params,
    capacity_for,
    inputs_of,
    later_losses,
    margins,
    outcome_count,
    subset,
)
from training.periods import TIMING_INPUTS, Floats, decision_now
from training.splits import Fold, Mask

STAGE = "search"
OUT_OF_FOLD_COLUMNS = ("interval", "in_window", "y", "weight", "segment", "usable_weeks", "sources_present")


@dataclass(frozen=True, slots=True)
class TriedSettings:
    """One trial: its settings and its loss on later time (None when it was pruned)."""

    number: int
    params: dict[str, Any]
    rounds: int | None
    value: float | None


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What the search found.

    ``value`` is the mean over folds of the log-loss on held-out periods in which a decision falls. ``out_of_fold``
    has one row per held-out period of every fold (in window or not) with :data:`OUT_OF_FOLD_COLUMNS`, ``fold``,
    ``margin`` (raw log-odds) and ``margin_now`` (the same account with its decision now).
    """

    params: dict[str, Any]
    rounds: int
    value: float
    out_of_fold: pd.DataFrame
    trials: tuple[TriedSettings, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Bench:
    # One binned Dataset and its folds, cut once and shared by all trials.
    rows: pd.DataFrame
    dataset: Any
    masks: tuple[tuple[Mask, Mask], ...]
    pairs: tuple[tuple[Any, Any], ...]
    config: TrainingConfig
    capacity: Capacity
    threads: int | None

    def losses(self, fold: int, params: dict[str, Any]) -> list[float]:
        return later_losses(*self.pairs[fold], params, self.config, threads=self.threads)


def search(
    rows: pd.DataFrame,
    folds: Sequence[Fold],
    config: TrainingConfig,
    *,
    storage: Path | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> SearchOutcome:
    """Search settings over walk-forward folds; the number of rounds is read from the folds' later time, averaged.

    ``storage`` is a SQLite file in which the study is kept (and resumed); by default it lives in memory.

    Raises:
        NoUsableSignal: too few outcomes, or a fold without any held-out event.
    """
    capacity = capacity_for(outcome_count(rows), config)
    bench = _bench(rows, folds, config, capacity, threads)
    study = _study(storage, config)
    done = len(study.trials)
    for number in range(done, config.trials):
        study.optimize(lambda trial: _objective(trial, bench), n_trials=1)
        progress(STAGE, number + 1, config.trials)
    best = study.best_trial
    params, rounds = dict(best.user_attrs["params"]), int(best.user_attrs["rounds"])
    notes = (capacity.note,) if capacity.note else ()
    return SearchOutcome(params, rounds, float(best.value), _out_of_fold(bench, params, rounds), _tried(study), notes)


def suggested_params(trial: Any, capacity: Capacity) -> dict[str, Any]:
    """The search space: from additive trees (no interaction at all) to bushy ones, as far as the outcomes allow.

    Real hazards are close to additive in log-odds, so additive and pairwise trees are choices of their own.
    """
    depths = {"additive": 1, "pairs": 2, "free": trial.suggest_int("free_depth", 3, 6)}
    shape = trial.suggest_categorical("interactions", list(depths))
    leaves = {"additive": 2, "pairs": 4, "free": trial.suggest_int("free_leaves", 3, 31)}
    params = {
        "max_depth": depths[shape],
        "num_leaves": leaves[shape],
        "learning_rate": trial.suggest_float("learning_rate", 0.04, 0.15, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 20, 1000, log=True),
        "lambda_l2": trial.suggest_float("lambda_l2", 1.0, 300.0, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.05, 0.5, log=True),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
    }
    return bounded_params(params, capacity)


def _bench(
    rows: pd.DataFrame, folds: Sequence[Fold], config: TrainingConfig, capacity: Capacity, threads: int | None
) -> _Bench:
    dataset = binned(rows)
    in_window = rows["in_window"].to_numpy(bool)
    masks = tuple((fold.train(rows), fold.test(rows)) for fold in folds)
    for train, test in masks:
        _require_events(rows, train, test & in_window)
    pairs = tuple(
        (subset(dataset, np.flatnonzero(train)), subset(dataset, np.flatnonzero(test & in_window)))
        for train, test in masks
    )
    return _Bench(rows, dataset, masks, pairs, config, capacity, threads)


def _require_events(rows: pd.DataFrame, train: Mask, test: Mask) -> None:
    counts = [int((rows["y"].to_numpy() > 0)[mask].sum()) for mask in (train, test)]
    if min(counts) == 0:
        raise NoUsableSignal(
            "a fold of the search has no outcome",
            expected="events to learn from and later events to be judged by, in each fold",
            found=f"{counts[0]} before and {counts[1]} after",
            todo="ingest more history or more accounts, or ask for fewer folds",
        )


def _study(storage: Path | None, config: TrainingConfig) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name="hazard",
        storage=None if storage is None else f"sqlite:///{storage}",
        sampler=optuna.samplers.TPESampler(seed=config.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=config.warm_up_trials, n_warmup_steps=1),
        direction="minimize",
        load_if_exists=True,
    )


def _objective(trial: Any, bench: _Bench) -> float:
    params = suggested_params(trial, bench.capacity)
    curves: list[list[float]] = []
    for fold in range(len(bench.pairs)):
        curves.append(bench.losses(fold, params))
        mean = mean_curve(curves)
        # The pruner compares a trial's best step so far with others at this step. A whole unit taken off per fold makes
        # the newest step the best one, so that an easy first fold saves no trial.
        trial.report(float(mean.min()) - fold, fold)
        if trial.should_prune():
            raise optuna.TrialPruned
    trial.set_user_attr("params", params)
    trial.set_user_attr("rounds", int(mean.argmin()) + 1)
    return float(mean.min())


def mean_curve(curves: Sequence[Sequence[float]]) -> Floats:
    """The mean loss per round over folds; a fold that stopped early stands at its last loss from there on."""
    longest = max(len(curve) for curve in curves)
    mean: Floats = np.mean([[*curve, *[curve[-1]] * (longest - len(curve))] for curve in curves], axis=0)
    return mean


def _out_of_fold(bench: _Bench, params: dict[str, Any], rounds: int) -> pd.DataFrame:
    parts = []
    for number, ((train, test), (binned_train, _)) in enumerate(zip(bench.masks, bench.pairs, strict=True)):
        booster = boosted(binned_train, params, rounds, seed=bench.config.seed, threads=bench.threads)
        held_out = bench.rows[test]
        inputs = inputs_of(held_out)
        now = inputs.copy()
        now[:, -len(TIMING_INPUTS) :] = decision_now(len(now), bench.config)
        part = held_out[["account_id", "as_of", *OUT_OF_FOLD_COLUMNS]].assign(
            fold=number,
            trained_until=bench.rows.loc[train, "closes_at"].max(),
            margin=margins(booster, inputs, threads=bench.threads),
            margin_now=margins(booster, now, threads=bench.threads),
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _tried(study: optuna.Study) -> tuple[TriedSettings, ...]:
    return tuple(
        TriedSettings(
            trial.number,
            dict(trial.params),
            trial.user_attrs.get("rounds"),
            # Optuna gives a pruned trial the value of its last fold, which is not comparable.
            trial.value if trial.state is optuna.trial.TrialState.COMPLETE else None,
        )
        for trial in study.trials
    )
