"""Small boosters of every kind that lookup tables serve or must refuse, made once per process."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import lightgbm as lgb
import numpy as np

from training.periods import Floats

INPUTS = 14
OWNERS = tuple(place % 7 for place in range(INPUTS))
"""The group of each input: two inputs to each of seven groups."""

_QUIET = {"verbosity": -1, "num_threads": 1, "objective": "binary", "deterministic": True, "min_data_in_leaf": 5}
_SERVED: dict[str, tuple[dict[str, Any], int]] = {
    "stumps": ({"num_leaves": 2, "max_depth": 1}, 30),
    "pairs": ({"num_leaves": 4, "max_depth": 2, "extra_trees": True}, 25),
    "depth six": ({"num_leaves": 31, "max_depth": 6, "bagging_fraction": 0.7, "bagging_freq": 1}, 6),
    "chains by two features": ({"num_leaves": 24, "interaction_constraints": [[0, 9]]}, 6),
    "no missing values learnt": ({"num_leaves": 8}, 8),
    "missing values never special": ({"num_leaves": 8, "use_missing": False}, 8),
    "nothing learnt": ({"num_leaves": 4, "min_data_in_leaf": 5000}, 3),
    "weighted rows": ({"num_leaves": 12, "max_depth": 4}, 6),
}
SERVED = tuple(_SERVED)

_REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "categories": ({}, {"categorical_feature": [13]}, "splits by category"),
    "zero as missing": ({"zero_as_missing": True}, {}, "zero counted as missing"),
    "linear leaves": ({"linear_tree": True}, {}, "linear models in the leaves"),
    "three classes": ({"objective": "multiclass", "num_class": 3}, {}, "more than one output"),
    "forest": (
        {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
        {},
        "trees that are averaged, not added",
    ),
    "deep": (
        {"num_leaves": 60, "feature_fraction_bynode": 0.1, "min_data_in_leaf": 1, "extra_trees": True},
        {},
        "trees too deep: more than 8 features on one path",
    ),
    "fine": (
        {"max_bin": 1000, "num_leaves": 250, "min_data_in_bin": 1, "interaction_constraints": [[9]], "rounds": 8},
        {},
        "thresholds of one feature, more than 253",
    ),
}
REFUSED = tuple((name, reason) for name, (_, _, reason) in _REFUSED.items())


def rows(count: int, seed: int = 0) -> Floats:
    """Inputs: seven with missing values, six without, one of whole numbers (0 to 4)."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, INPUTS))
    inputs[:, :7][rng.random((count, 7)) < 0.2] = np.nan
    inputs[:, 13] = rng.integers(0, 5, count)
    return inputs


@lru_cache(maxsize=1)
def nasty_rows() -> Floats:
    """Ordinary rows, and rows of extremes: thresholds hit exactly and just missed, infinities, both zeros, no value."""
    plain = rows(120, seed=8)
    cuts = np.array([cut for name in SERVED for cut in _thresholds(booster(name))])
    rng = np.random.default_rng(9)
    on = rng.choice(cuts, size=(60, INPUTS))
    beside = np.nextafter(on, rng.choice([-np.inf, np.inf], size=on.shape))
    ends = [np.full((1, INPUTS), end) for end in (np.nan, 0.0, -0.0, np.inf, -np.inf, 1e-35, -1e300)]
    ends += [np.full((1, INPUTS), sign * 1.0000000180025095e-35) for sign in (-1, 1)]  # the last value read as 0
    mixed = rng.choice([np.nan, 0.0, -0.0, np.inf, -np.inf, 1.0], size=(40, INPUTS))
    return np.vstack([plain, on, beside, *ends, mixed])


@lru_cache(maxsize=32)
def booster(name: str) -> Any:
    """One of :data:`SERVED` or :data:`REFUSED`, read back from its native text as serving does."""
    if name in _SERVED:
        params, rounds = _SERVED[name]
        return _fitted({**_QUIET, **params}, rounds, whole=name == "no missing values learnt")
    params, options, _ = _REFUSED[name]
    return _fitted({**_QUIET, "num_leaves": 8, **params}, 5, options=options)


def _fitted(params: dict[str, Any], rounds: int, *, whole: bool = False, options: dict[str, Any] | None = None) -> Any:
    inputs = rows(3000, seed=1)
    known = np.nan_to_num(inputs)
    log_odds = known[:, 0] + known[:, 9] * known[:, 3] + np.sin(3 * known[:, 10]) + np.isnan(inputs[:, 2])
    log_odds += 2.0 * (inputs[:, 13] % 2) - 1.5
    rng = np.random.default_rng(2)
    label = (rng.random(len(inputs)) < 1 / (1 + np.exp(-log_odds))).astype(float)
    if params["objective"] == "multiclass":
        label = rng.integers(0, 3, len(inputs)).astype(float)
    weight = rng.uniform(0.5, 4, len(inputs))
    rounds = params.pop("rounds", rounds)
    dataset = lgb.Dataset(known if whole else inputs, label=label, weight=weight, params=params, **(options or {}))
    return lgb.Booster(model_str=lgb.train(params, dataset, rounds).model_to_string())


def _thresholds(one: Any) -> list[float]:
    lines = one.model_to_string().splitlines()
    return [float(cut) for line in lines if line.startswith("threshold=") for cut in line[10:].split()]


def grouped(contributions: Floats) -> Floats:
    """LightGBM's values per input, summed per group by plain additions: shape (n, 7)."""
    sums = np.zeros((len(contributions), 7))
    for place, owner in enumerate(OWNERS):
        sums[:, owner] += contributions[:, place]
    return sums
