"""How is the hazard of leaving fitted?

Input grain: person-periods (see ``training/dataset.py``). Output: one LightGBM booster whose raw score is the
log-odds of deciding to leave within a period. The same rows, settings and seed give the same model text on any number
of threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from training.auxiliary import Start, start_of
from training.boosting import binned, boosted_often, booster_of, full_params, input_names, model_text, seeds_of
from training.capacity import bounded_params, capacity_for, outcome_count
from training.config import TrainingConfig
from training.effort import Cluster
from training.periods import Floats
from training.tree_sums import averaged


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted hazard: its booster, its native text, and what was used to make it.

    ``loadings`` are those of the auxiliary targets that boosting started from (:class:`training.auxiliary.Start`).
    """

    booster: Any
    text: str
    params: dict[str, Any]
    rounds: int
    events: int
    notes: tuple[str, ...]
    loadings: dict[str, float]


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
    start = start_of(rows, config, capacity, threads=threads)
    if cluster is None:
        booster = _grown(rows, start, _Order(bounded, rounds, config), threads=threads)
    else:
        booster, note = _grown_on(cluster, rows, start, _Order(bounded, rounds, config))
        notes.append(note)
    loadings = {} if start is None else start.loadings
    return Fitted(booster, model_text(booster), dict(bounded), rounds, events, tuple(notes), loadings)


def refitted(rows: pd.DataFrame, params: Mapping[str, Any], rounds: int, config: TrainingConfig, *, events: int) -> Any:
    """The booster of other rows, made as one was that had ``events`` outcomes; nothing is refused or held back."""
    start = start_of(rows, config, capacity_for(events, config))
    return _grown(rows, start, _Order(params, rounds, config))


def started(grown: str, start: Start | None) -> Any:
    """The booster of what was grown, and of the start that it was grown from."""
    return booster_of(grown if start is None else start.under(grown))


@dataclass(frozen=True, slots=True)
class _Order:
    params: Mapping[str, Any]
    rounds: int
    config: TrainingConfig


def _grown(rows: pd.DataFrame, start: Start | None, order: _Order, *, threads: int | None = None) -> Any:
    dataset = binned(rows, offsets=_offsets(start, rows))
    return started(boosted_often(dataset, order.params, order.rounds, order.config, threads=threads), start)


def _grown_on(cluster: Cluster, rows: pd.DataFrame, start: Start | None, order: _Order) -> tuple[Any, str]:
    offsets, texts, note = _offsets(start, rows), [], ""
    for seed in seeds_of(order.config):
        params = full_params(input_names(rows), order.params, seed, threads=1)
        text, note = cluster.boosted(rows, params, order.rounds, offsets=offsets)
        texts.append(text)
    return started(averaged(texts), start), note


def _offsets(start: Start | None, rows: pd.DataFrame) -> Floats | None:
    return None if start is None else start.offsets(rows)
