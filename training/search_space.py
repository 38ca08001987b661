"""Which settings of the hazard may a search try?

Input: a trial that suggests values, and how large trees may grow for the outcomes at hand. Output: parameters.
"""

from __future__ import annotations

from typing import Any

from training.fit import Capacity, bounded_params


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
