"""How is the hazard of leaving fitted, and how large may the model be for the outcomes at hand?

Input grain: person-periods (see ``training/dataset.py``). Output: one LightGBM booster whose raw score is the
log-odds of deciding to leave within a period. The same rows, settings and seed give the same model text on any number
of threads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalogue import feature_named
from features.errors import NoUsableSignal
from features.warehouse import granted_threads
from training.averaging import averaged
from training.config import TrainingConfig
from training.effort import Cluster
from training.periods import MODEL_INPUTS, TIMING_INPUTS, Floats
from training.target import Target

Positions = npt.NDArray[np.int64]

_BINNING = {
    # 63 bins and row-wise histograms cost 0.73 of the defaults at equal AUC (performance.md section 7).
    "max_bin": 63,
    "force_row_wise": True,
    # Else a shared Dataset would drop features by the first trial's min_data_in_leaf.
    "feature_pre_filter": False,
    "verbosity": -1,
}
_OBJECTIVE = {
    "objective": "binary",
    "metric": "binary_logloss",
    "deterministic": True,
    "bagging_freq": 1,
    # Random cut points: on a made-up company of 3,000 accounts the share of the oracle's skill within the renewal
    # window rose from 0.70 to 0.73, and rounds too many no longer hurt. True hazards are smooth; greedy cuts are not.
    "extra_trees": True,
}


@dataclass(frozen=True, slots=True)
class Capacity:
    """How large trees may grow. ``note`` says why they may not, and is empty when nothing is held back."""

    name: str
    most_depth: int
    most_leaves: int
    least_rows_in_leaf: int
    note: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted hazard: its booster, its native text, and what was used to make it."""

    booster: Any
    text: str
    params: dict[str, Any]
    rounds: int
    events: int
    notes: tuple[str, ...]


def capacity_for(events: int, config: TrainingConfig) -> Capacity:
    """The size guide of domain 4.5 for a number of outcomes (accounts that decided to leave).

    Raises:
        NoUsableSignal: fewer outcomes than ``least_events``.
    """
    if events < config.least_events:
        raise NoUsableSignal(
            "too few outcomes to learn from",
            expected=f"at least {config.least_events} accounts that decided to leave and whose label is final",
            found=f"{events}",
            todo="ingest more history or more accounts; until then renewal dates are the best guide",
        )
    if events < config.limited_events:
        note = f"only {events} outcomes: additive trees only, no interactions (full size from {config.full_events})"
        return Capacity("additive", most_depth=1, most_leaves=2, least_rows_in_leaf=100, note=note)
    if events < config.full_events:
        note = f"{events} outcomes: trees of at most 15 leaves (full size from {config.full_events})"
        return Capacity("moderate", most_depth=4, most_leaves=15, least_rows_in_leaf=60, note=note)
    return Capacity("full", most_depth=6, most_leaves=31, least_rows_in_leaf=20, note="")


def outcome_count(rows: pd.DataFrame) -> int:
    """Accounts with an event among person-periods: one account seen from many snapshots is one outcome."""
    return int(rows.loc[rows["y"] > 0, "account_id"].nunique())


def binned(rows: pd.DataFrame) -> Any:
    """All person-periods as one binned LightGBM Dataset, to be shared by every trial and fold.

    Bin edges are read from all rows given, held-out ones included: features only, no labels.
    """
    dataset = lgb.Dataset(
        inputs_of(rows),
        label=rows["y"].to_numpy(np.float64),
        weight=rows["weight"].to_numpy(np.float64),
        feature_name=list(input_names(rows)),
        params=_BINNING,
    )
    return dataset.construct()


def write_dataset(dataset: Any, path: Path) -> None:
    """Put a binned Dataset into a file, for other processes of this machine."""
    dataset.save_binary(str(path))


def dataset_from(path: Path) -> Any:
    """A binned Dataset from the file that :func:`write_dataset` made, ready to be cut."""
    return lgb.Dataset(str(path), params=_BINNING).construct()


def input_names(rows: pd.DataFrame) -> tuple[str, ...]:
    """The model's columns among those of person-periods, in the booster's order.

    :func:`training.dataset.training_rows` gives all of them; a challenger that may see less is given fewer.
    """
    return tuple(name for name in MODEL_INPUTS if name in rows)


def inputs_of(rows: pd.DataFrame) -> Floats:
    """The values of :func:`input_names`: shape (n, inputs)."""
    return rows[list(input_names(rows))].to_numpy(np.float64)


def fit_hazard(
    rows: pd.DataFrame,
    params: Mapping[str, Any],
    rounds: int,
    config: TrainingConfig,
    *,
    threads: int | None = None,
    cluster: Cluster | None = None,
) -> Fitted:
    """Fit the hazard on all rows given, on this machine or (``cluster``) on others.

    ``params`` and ``rounds`` come from :func:`training.search.search`; trees are cut to the size that the outcomes
    allow.

    Raises:
        NoUsableSignal: fewer outcomes than ``least_events``.
    """
    events = outcome_count(rows)
    capacity = capacity_for(events, config)
    bounded = bounded_params(params, capacity)
    notes = [capacity.note] if capacity.note else []
    if cluster is None:
        booster = boosted_often(binned(rows), bounded, rounds, config, threads=threads)
    else:
        texts = []
        for seed in _seeds(config):
            text, note = cluster.boosted(rows, _full_params(input_names(rows), bounded, seed, threads=1), rounds)
            texts.append(text)
        booster = lgb.Booster(model_str=averaged(texts))
        notes.append(note)
    return Fitted(booster, model_text(booster), dict(bounded), rounds, events, tuple(notes))


def bounded_params(params: Mapping[str, Any], capacity: Capacity) -> dict[str, Any]:
    """Parameters with depth, leaves and leaf size held inside what the outcomes allow."""
    return {
        **params,
        "max_depth": min(int(params["max_depth"]), capacity.most_depth),
        "num_leaves": min(int(params["num_leaves"]), capacity.most_leaves),
        "min_data_in_leaf": max(int(params["min_data_in_leaf"]), capacity.least_rows_in_leaf),
    }


def boosted(dataset: Any, params: Mapping[str, Any], rounds: int, *, seed: int, threads: int | None = None) -> Any:
    """A booster after exactly ``rounds`` rounds on a binned Dataset."""
    booster = lgb.Booster(_full_params(dataset.get_feature_name(), params, seed, threads), dataset)
    for _ in range(rounds):
        booster.update()
    return booster


def boosted_often(
    dataset: Any, params: Mapping[str, Any], rounds: int, config: TrainingConfig, *, threads: int | None = None
) -> Any:
    """The mean of ``config.ensemble_size`` boosters, each of ``rounds`` rounds and with a seed of its own, as one.

    What the luck of one seed adds to a forecast, the others take away. On three made-up companies of 3,000 accounts
    (90031 to 90033) the share of the oracle's skill within the renewal window was 0.748, 0.720 and 0.750 in the mean of
    single fits, and 0.760 and 0.734 in that of four together, 0.764 of three; eight or twelve together added 0.002 to
    0.004. Three times as many rounds in steps three times smaller gave single fits of 90033 a mean of 0.759, nine times
    0.761: a seed's luck does not average out along one boosting.
    """
    texts = [model_text(boosted(dataset, params, rounds, seed=seed, threads=threads)) for seed in _seeds(config)]
    return lgb.Booster(model_str=averaged(texts))


def _seeds(config: TrainingConfig) -> list[int]:
    # The first is the search's own; LightGBM takes 31 bits.
    others = np.random.SeedSequence(config.seed).generate_state(config.ensemble_size) >> 1
    return [config.seed, *others.tolist()[1:]]


def later_losses(
    train: Any, later: Any, params: Mapping[str, Any], config: TrainingConfig, *, threads: int | None = None
) -> list[float]:
    """Weighted log-loss on held-out later periods after each round, until it stops falling for ``patience_rounds``.

    ``later`` is a subset of the same Dataset that lies after the training periods; it never is a random split.
    """
    booster = lgb.Booster(_full_params(train.get_feature_name(), params, config.seed, threads), train)
    booster.add_valid(later, "later")
    losses: list[float] = []
    for _ in range(config.max_rounds):
        booster.update()
        losses.append(float(booster.eval_valid()[0].metric_value))
        if len(losses) - 1 - int(np.argmin(losses)) >= config.patience_rounds:
            break
    return losses


def margins(booster: Any, inputs: Floats, *, threads: int | None = None) -> Floats:
    """Log-odds per row of inputs, before calibration."""
    raw = booster.predict(inputs, raw_score=True, num_threads=threads or granted_threads())
    return np.asarray(raw, dtype=np.float64)


def model_text(booster: Any) -> str:
    """The booster in LightGBM's native text; the number of threads it was made with is not part of a model."""
    return re.sub(r"\[num_threads: \d+\]", "[num_threads: 1]", booster.model_to_string())


def monotone_constraints(inputs: Sequence[str] = MODEL_INPUTS) -> list[int]:
    """The catalogue's constraints in the booster's order; timing is free, since it follows the contract, not health."""
    return [0 if name in TIMING_INPUTS else feature_named(name).monotone for name in inputs]


def own_constraints(inputs: Sequence[str], target: Target) -> dict[str, Any]:
    """Parameters that overrule the catalogue's constraints, which speak about losing an account or a part of it.

    An upsell obeys none of them: the opposite sign would be no bug there.
    """
    return {"monotone_constraints": [0] * len(inputs)} if target is Target.UPSELL else {}


def subset(dataset: Any, positions: Sequence[int] | Positions) -> Any:
    """Some rows of a binned Dataset, without binning again."""
    return dataset.subset(np.sort(np.asarray(positions, dtype=np.int64))).construct()


def _full_params(inputs: Sequence[str], params: Mapping[str, Any], seed: int, threads: int | None) -> dict[str, Any]:
    return {
        **_BINNING,
        **_OBJECTIVE,
        "monotone_constraints": monotone_constraints(inputs),
        "seed": seed,
        "num_threads": threads or granted_threads(),
        **params,
    }
