"""How does LightGBM grow trees over person-periods?

Input grain: person-periods (see ``training/dataset.py``). The same rows, settings and seed give the same model text on
any number of threads.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalogue import feature_named
from features.warehouse import granted_threads
from training.config import TrainingConfig
from training.periods import MODEL_INPUTS, TIMING_INPUTS, Floats
from training.target import Target
from training.tree_sums import averaged

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


def binned(rows: pd.DataFrame, *, offsets: Floats | None = None, only: Collection[str] | None = None) -> Any:
    """All person-periods as one binned LightGBM Dataset, to be shared by every trial and fold.

    Bin edges are read from all rows given, held-out ones included: features only, no labels. Boosting starts from
    ``offsets`` (log-odds per row) where there are any; ``only`` as in :func:`inputs_of`.
    """
    return _constructed(
        inputs_of(rows, only=only),
        input_names(rows),
        label=rows["y"].to_numpy(np.float64),
        weight=rows["weight"].to_numpy(np.float64),
        init_score=offsets,
    )


def binned_numbers(inputs: Floats, names: Sequence[str]) -> Any:
    """A binned Dataset without labels: inputs of shape (n, names)."""
    return _constructed(inputs, names)


def _constructed(inputs: Floats, names: Sequence[str], **told: Any) -> Any:
    return lgb.Dataset(inputs, feature_name=list(names), params=_BINNING, **told).construct()


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


def inputs_of(rows: pd.DataFrame, *, only: Collection[str] | None = None) -> Floats:
    """The values of :func:`input_names`: shape (n, inputs). Those not among ``only`` are NaN, as if unknown."""
    names = input_names(rows)
    if only is None:
        return rows[list(names)].to_numpy(np.float64)
    values = np.full((len(rows), len(names)), np.nan)
    for place, name in enumerate(names):
        if name in only:
            values[:, place] = rows[name]
    return values


def boosted(dataset: Any, params: Mapping[str, Any], rounds: int, *, seed: int, threads: int | None = None) -> Any:
    """A booster after exactly ``rounds`` rounds on a binned Dataset."""
    booster = lgb.Booster(full_params(dataset.get_feature_name(), params, seed, threads), dataset)
    for _ in range(rounds):
        booster.update()
    return booster


def boosted_often(
    dataset: Any, params: Mapping[str, Any], rounds: int, config: TrainingConfig, *, threads: int | None = None
) -> str:
    """The mean of ``config.ensemble_size`` boosters, each of ``rounds`` rounds and with a seed of its own, as one text.

    What the luck of one seed adds to a forecast, the others take away; a seed's luck does not average out along one
    boosting, however small its steps.
    """
    return averaged(
        [model_text(boosted(dataset, params, rounds, seed=seed, threads=threads)) for seed in seeds_of(config)]
    )


def regressed(dataset: Any, values: Floats, params: Mapping[str, Any], rounds: int, *, seed: int, threads: int) -> str:
    """The native text of a booster of a number per row (least squares), instead of an event's log-odds."""
    own = {**params, "objective": "regression", "metric": "l2"}
    return model_text(boosted(dataset.set_label(values), own, rounds, seed=seed, threads=threads))


def booster_of(text: str) -> Any:
    """The booster that a native text tells of."""
    return lgb.Booster(model_str=text)


def seeds_of(config: TrainingConfig) -> list[int]:
    """The seeds of the fits whose mean is the model; the first is the search's own."""
    # LightGBM takes 31 bits.
    others = np.random.SeedSequence(config.seed).generate_state(config.ensemble_size) >> 1
    return [config.seed, *others.tolist()[1:]]


def later_losses(
    train: Any, later: Any, params: Mapping[str, Any], config: TrainingConfig, *, threads: int | None = None
) -> list[float]:
    """Weighted log-loss on held-out later periods after each round, until it stops falling for ``patience_rounds``.

    ``later`` is a subset of the same Dataset that lies after the training periods; it never is a random split.
    """
    booster = lgb.Booster(full_params(train.get_feature_name(), params, config.seed, threads), train)
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


def subset(dataset: Any, positions: Positions, *, offsets: Floats | None = None) -> Any:
    """Some rows (ascending) of a binned Dataset, without binning again; ``offsets`` as in :func:`binned`."""
    chosen = dataset.subset(positions).construct()
    return chosen if offsets is None else chosen.set_init_score(offsets)


def full_params(inputs: Sequence[str], params: Mapping[str, Any], seed: int, threads: int | None) -> dict[str, Any]:
    """All that LightGBM is told: ``params`` on top of what every fit has."""
    return {
        **_BINNING,
        **_OBJECTIVE,
        "monotone_constraints": monotone_constraints(inputs),
        "seed": seed,
        "num_threads": threads or granted_threads(),
        **params,
    }
