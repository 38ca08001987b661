"""What do today's signs say about a quarter from now, and how much of leaving does that tell?

Who leaves is seen once per account, if ever; how many people use the product a quarter on, or when it pays, is seen of
every account, again and again. So boosters first learn these *auxiliary targets*: from all that is known today, the
value that a feature of the catalogue will have where the account stays. Such a forecast holds what lasts of many noisy
signs. Then a logistic line learns, from those who left, how much each forecast tells of leaving, and a few trees learn
when contracts can be left at all; boosting starts from there. All of it is trees over the same inputs, so the model
stays one booster.

Input grain: person-periods (see ``training/dataset.py``). No value is looked at that is later than the last snapshot
among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from features.catalogue import MODEL_FEATURES, feature_named
from features.warehouse import granted_threads
from training.boosting import (
    binned,
    binned_numbers,
    boosted,
    booster_of,
    input_names,
    inputs_of,
    margins,
    model_text,
    monotone_constraints,
    own_constraints,
    regressed,
    subset,
)
from training.capacity import Capacity, bounded_params
from training.config import TrainingConfig
from training.periods import TIMING_INPUTS, Floats
from training.shrinkage import TIMINGS, Codes, timing_codes
from training.tree_sums import weighted_sum

_KEY = ["account_id", "as_of"]
_LEAST_ROWS = 300
"""Snapshots with a later value, without which a target is left out."""
_TAIL = 0.02
"""Share of values at each end that count as the value at its edge: a forecast is no place for outliers."""
_PRIOR_ROWS = 100.0
"""Person-periods that speak for a loading of 0: with 60 outcomes it keeps about four fifths, with 600 nearly all."""
_ROUNDS = 300
_TREES = {
    "max_depth": 3,
    "num_leaves": 6,
    "learning_rate": 0.05,
    "min_data_in_leaf": 60,
    "lambda_l2": 5.0,
    "feature_fraction": 0.15,
    "bagging_fraction": 0.7,
}
"""Fixed: on two made-up companies of 3,000 accounts (90033 and 90042) more than twice as many rounds or larger leaves
told the same within 0.003 of the share of the oracle's skill; half as many rounds in larger steps lost up to 0.005."""
_TIMING_ROUNDS = 150
_TIMING_TREES = {
    "max_depth": 3,
    "num_leaves": 6,
    "learning_rate": 0.1,
    "min_data_in_leaf": 300,
    "lambda_l2": 20.0,
    "feature_fraction": 1.0,
    "bagging_fraction": 0.7,
}


@dataclass(frozen=True, slots=True)
class Start:
    """Where boosting starts: trees whose raw score is the log-odds that the forecasts tell.

    ``loadings`` are the log-odds that one standard deviation of each target's forecast adds, in the direction in which
    the catalogue expects more to leave; targets without a say are left out.
    """

    text: str
    loadings: dict[str, float]

    def offsets(self, rows: pd.DataFrame) -> Floats:
        """Log-odds per person-period."""
        return margins(booster_of(self.text), inputs_of(rows))

    def under(self, text: str) -> str:
        """The booster that says what its start and the booster that was grown from there say together."""
        return weighted_sum([(text, 1.0), (self.text, 1.0)])


def start_of(
    rows: pd.DataFrame, config: TrainingConfig, capacity: Capacity, *, threads: int | None = None
) -> Start | None:
    """Learn the auxiliary targets of ``config``, their loadings, and when contracts can be left, from all rows given.

    None where ``config`` names no target. A target is left out where it is no input of these rows, has no direction in
    the catalogue, has too few later values, or tells nothing about leaving; without any, timing alone is the start. A
    loading never is against the catalogue, except for an upsell, for which it holds nothing.
    """
    if not config.auxiliary_targets:
        return None
    threads = threads or granted_threads()
    line = _line(rows, _forecasts(rows, config, capacity, threads), config, threads)
    timing = _timing(rows, line.odds, config, capacity, threads)
    return Start(weighted_sum([(timing, 1.0), *line.parts], line.shift), line.loadings)


@dataclass(frozen=True, slots=True)
class _Line:
    # Boosters and their weights, what is added to their sum, and the log-odds per row that come of it.
    parts: list[tuple[str, float]]
    shift: float
    loadings: dict[str, float]
    odds: Floats


def _line(rows: pd.DataFrame, forecasts: dict[str, str], config: TrainingConfig, threads: int) -> _Line:
    level, inputs = _level(rows), inputs_of(rows)
    if not forecasts:
        return _Line([], level, {}, np.full(len(rows), level))
    told = np.column_stack([margins(booster_of(text), inputs, threads=threads) for text in forecasts.values()])
    mean, spread = told.mean(axis=0), told.std(axis=0)
    # A forecast that says the same of everyone gets no loading, whatever it is divided by.
    spread = np.where(spread > 0, spread, 1.0)
    scaled = (told - mean) / spread
    loadings = _loadings(rows, scaled, free=bool(own_constraints((), config.target)))
    weights = loadings / spread
    return _Line(
        parts=[(text, float(weight)) for text, weight in zip(forecasts.values(), weights, strict=True) if weight],
        shift=level - float(weights @ mean),
        loadings={name: float(one) for name, one in zip(forecasts, loadings, strict=True) if one},
        odds=level + scaled @ loadings,
    )


def _timing(rows: pd.DataFrame, offsets: Floats, config: TrainingConfig, capacity: Capacity, threads: int) -> str:
    # Else boosting goes on for hundreds of rounds to learn when contracts end, and learns noise meanwhile: on a made-up
    # company of 3,000 accounts (90051) the share of the oracle's skill was 0.73 without, and 0.75 with a third as many.
    dataset = binned(rows, offsets=offsets, only=TIMING_INPUTS)
    params = bounded_params(_TIMING_TREES, capacity)
    return model_text(boosted(dataset, params, _TIMING_ROUNDS, seed=config.seed, threads=threads))


def _later(seen: pd.DataFrame, name: str, config: TrainingConfig) -> Floats:
    # The value at the snapshot that lies nearest to so much later, at most half a spacing off; NaN where there is none.
    asked = seen[_KEY].assign(place=np.arange(len(seen)), at=seen["as_of"] + config.auxiliary_ahead)
    there = seen[["account_id", "as_of", name]].rename(columns={"as_of": "at", name: "later"})
    found = pd.merge_asof(
        asked.sort_values("at", kind="stable"),
        there.sort_values("at", kind="stable"),
        on="at",
        by="account_id",
        direction="nearest",
        tolerance=pd.Timedelta(config.snapshot_spacing) / 2,
    )
    return found.sort_values("place")["later"].to_numpy(np.float64)


def _can_be_learnt(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    return len(known) >= _LEAST_ROWS and bool(np.ptp(_trimmed(known)) > 0)


def _trimmed(known: Floats) -> Floats:
    low, high = np.quantile(known, [_TAIL, 1 - _TAIL])
    return np.clip(known, low, high)


def _forecasts(rows: pd.DataFrame, config: TrainingConfig, capacity: Capacity, threads: int) -> dict[str, str]:
    # One booster per target that can be learnt.
    seen, names = rows[~rows.duplicated(_KEY)].reset_index(drop=True), input_names(rows)
    told = [name for name in config.auxiliary_targets if name in names and feature_named(name).direction]
    wanted = {name: _later(seen, name, config) for name in told}
    known = {name: values for name, values in wanted.items() if _can_be_learnt(values)}
    if not known:
        return {}
    # A snapshot has no interval ahead, so nothing may be learnt from one.
    dataset = binned_numbers(inputs_of(seen, only=MODEL_FEATURES), names)
    constraints = {"monotone_constraints": monotone_constraints(names)} | own_constraints(names, config.target)
    params = bounded_params(_TREES, capacity) | constraints
    texts = {}
    for name, values in known.items():
        there = np.flatnonzero(~np.isnan(values))
        trimmed = _trimmed(values[there]) * feature_named(name).direction
        scaled = (trimmed - trimmed.mean()) / trimmed.std()
        texts[name] = regressed(subset(dataset, there), scaled, params, _ROUNDS, seed=config.seed, threads=threads)
    return texts


def _loadings(rows: pd.DataFrame, forecasts: Floats, *, free: bool) -> Floats:
    # A ridge logistic line with a level for every interval and kind of timing, which trees learn better afterwards.
    from scipy.optimize import minimize  # noqa: PLC0415  a third of a second; needed to fit, not to score

    group, groups = _groups(rows)
    weight, left, count = rows["weight"].to_numpy(np.float64), rows["y"].to_numpy(np.float64), forecasts.shape[1]

    def loss(point: Floats) -> tuple[float, Floats]:
        loadings, levels = point[:count], point[count:]
        odds = forecasts @ loadings + levels[group]
        off = weight * (expit(odds) - left)
        # Levels are held a little, too: some group may have no event.
        value = (weight * (np.logaddexp(0.0, odds) - left * odds)).sum()
        value += 0.5 * (_PRIOR_ROWS * loadings @ loadings + 1e-3 * levels @ levels)
        slope = forecasts.T @ off + _PRIOR_ROWS * loadings
        return value, np.concatenate([slope, np.bincount(group, off, groups) + 1e-3 * levels])

    begin = np.concatenate([np.zeros(count), np.full(groups, _level(rows))])
    bounds = [(None if free else 0.0, None)] * count + [(None, None)] * groups
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds)
    loadings: Floats = found.x[:count]
    return loadings


def _groups(rows: pd.DataFrame) -> tuple[Codes, int]:
    timing = timing_codes(rows[list(TIMING_INPUTS)].to_numpy(np.float64))
    codes, names = pd.factorize(rows["interval"].to_numpy(np.int64) * len(TIMINGS) + timing)
    return codes.astype(np.int64), len(names)


def _level(rows: pd.DataFrame) -> float:
    """Log-odds of an event in one of these person-periods."""
    weight = rows["weight"].to_numpy(np.float64)
    share = float((weight * rows["y"].to_numpy(np.float64)).sum() / weight.sum())
    return float(np.log(share / (1 - share)))
