"""Which settings of the hazard predict later time best, and what did they predict there?

Input grain: person-periods that may be used for choices (none of the final block). Output: the best parameters, and one
out-of-fold row per held-out period for calibration.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.errors import NoUsableSignal
from features.progress import Progress, silent
from features.warehouse import granted_threads
from training.auxiliary import Start, start_of
from training.boosting import Positions, binned, boosted_often, inputs_of, margins
from training.capacity import Capacity, capacity_for, outcome_count
from training.config import TrainingConfig
from training.effort import ALONE, Effort
from training.fit import started
from training.kept_study import JOURNAL, about, opened
from training.periods import TIMING_INPUTS
from training.search_workers import search_together, write_order
from training.shrinkage import timing_codes
from training.splits import Fold, Mask
from training.study import Study, TriedSettings
from training.trials import Bench, Cut, Patience, run_trials

FIRST_STAGE, STAGE = "auxiliary targets", "search"
OUT_OF_FOLD_COLUMNS = ("interval", "in_window", "y", "weight", "segment", "phase", "usable_weeks", "sources_present")
_FOR_WORKERS = "rows"


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What the search found.

    ``value`` is the mean over folds of the log-loss on held-out periods in which a decision falls. ``out_of_fold``
    has one row per held-out period of every fold (in window or not) with :data:`OUT_OF_FOLD_COLUMNS`, ``fold``,
    ``margin`` (raw log-odds) and ``timing`` (:func:`training.shrinkage.timing_codes`). ``boosters`` are the models that
    gave these margins, one per fold, each fitted on what was final before its fold.
    """

    params: dict[str, Any]
    rounds: int
    value: float
    out_of_fold: pd.DataFrame
    trials: tuple[TriedSettings, ...]
    notes: tuple[str, ...]
    boosters: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Ground:
    # Rows binned once, and their folds.
    rows: pd.DataFrame
    dataset: Any
    masks: tuple[tuple[Mask, Mask], ...]
    cuts: tuple[Cut, ...]
    starts: tuple[Start | None, ...]
    config: TrainingConfig
    capacity: Capacity

    def bench(self, threads: int | None) -> Bench:
        return Bench.of(self.dataset, self.cuts, config=self.config, capacity=self.capacity, threads=threads)


def search(
    rows: pd.DataFrame,
    folds: Sequence[Fold],
    config: TrainingConfig,
    *,
    effort: Effort = ALONE,
    threads: int | None = None,
    progress: Progress = silent,
) -> SearchOutcome:
    """Search settings over walk-forward folds; the number of rounds is read from the folds' later time, averaged.

    The model sees the inputs that ``rows`` have: a challenger's rows may have fewer than the champion's. With one
    worker and without a limit the same rows, config and ``threads`` find the same, whether interrupted or not.

    Raises:
        NoUsableSignal: too few outcomes, or a fold without any held-out event.
        MissingStateError, UsageError: a kept search cannot go on (:func:`training.kept_study.opened`).
        ServiceUnavailable: a worker died.
    """
    ground = _ground(rows, folds, config, threads, progress)
    if effort.studies is None:
        study, kept = Study.in_memory(), 0
        _run(study, None, ground, effort=effort, threads=threads, progress=progress)
    else:
        with opened(effort, about(rows, folds, config, ground.capacity)) as (study, folder):
            kept = study.finished
            # What a search with several workers left behind when it was killed.
            shutil.rmtree(folder / _FOR_WORKERS, ignore_errors=True)
            _run(study, folder, ground, effort=effort, threads=threads, progress=progress)
    best, bench = study.best(), ground.bench(threads)
    boosters = tuple(
        started(boosted_often(train, best.params, best.rounds, config, threads=threads), start)
        for (train, _), start in zip(bench.pairs, ground.starts, strict=True)
    )
    notes = _notes(ground, effort, kept=kept, finished=study.finished)
    told = _out_of_fold(ground, boosters, threads)
    return SearchOutcome(best.params, best.rounds, best.value, told, study.tried(), notes, boosters)


def _run(
    study: Study, folder: Path | None, ground: _Ground, *, effort: Effort, threads: int | None, progress: Progress
) -> None:
    patience = Patience.of(None if effort.limit is None else effort.limit.total_seconds())
    trials = ground.config.trials

    def told() -> None:
        # More than asked for are kept where an earlier run asked for more.
        progress(STAGE, min(study.finished, trials), trials)

    if study.finished:
        told()
    if folder is None or effort.workers == 1:
        run_trials(study, ground.bench(threads), patience, told=told)
    else:
        share = max(1, (threads or granted_threads()) // effort.workers)
        rows = folder / _FOR_WORKERS
        write_order(rows, ground.dataset, ground.cuts, config=ground.config, capacity=ground.capacity, threads=share)
        search_together(rows, folder / JOURNAL, workers=effort.workers, patience=patience, told=told)
    if study.finished < trials:
        progress(STAGE, study.finished, study.finished)


def _notes(ground: _Ground, effort: Effort, *, kept: int, finished: int) -> tuple[str, ...]:
    notes = [ground.capacity.note] if ground.capacity.note else []
    if kept:
        notes.append(f"the search went on after {kept} finished trials that were kept")
    if effort.limit is not None and finished < ground.config.trials:
        minutes = effort.limit.total_seconds() / 60
        notes.append(
            f"the search ended after {finished} of {ground.config.trials} trials: its {minutes:g} minutes were up"
        )
    if effort.workers > 1:
        notes.append(f"{effort.workers} workers searched at once: another run may find other settings")
    return tuple(notes)


def _ground(
    rows: pd.DataFrame, folds: Sequence[Fold], config: TrainingConfig, threads: int | None, progress: Progress
) -> _Ground:
    capacity = capacity_for(outcome_count(rows), config)
    in_window = rows["in_window"].to_numpy(bool)
    masks = tuple((fold.train(rows), fold.test(rows)) for fold in folds)
    for train, test in masks:
        _require_events(rows, train, test & in_window)
    starts = []
    for train, _ in masks:
        starts.append(start_of(rows[train], config, capacity, threads=threads))
        progress(FIRST_STAGE, len(starts), len(masks))
    cuts = tuple(
        _cut(rows, np.flatnonzero(train), np.flatnonzero(test & in_window), start)
        for (train, test), start in zip(masks, starts, strict=True)
    )
    return _Ground(rows, binned(rows), masks, cuts, tuple(starts), config, capacity)


def _cut(rows: pd.DataFrame, train: Positions, later: Positions, start: Start | None) -> Cut:
    offsets = None if start is None else (start.offsets(rows.iloc[train]), start.offsets(rows.iloc[later]))
    return Cut(train, later, offsets)


def _require_events(rows: pd.DataFrame, train: Mask, test: Mask) -> None:
    counts = [int((rows["y"].to_numpy() > 0)[mask].sum()) for mask in (train, test)]
    if min(counts) == 0:
        raise NoUsableSignal(
            "a fold of the search has no outcome",
            expected="events to learn from and later events to be judged by, in each fold",
            found=f"{counts[0]} before and {counts[1]} after",
            todo="ingest more history or more accounts, or ask for fewer folds",
        )


def _out_of_fold(ground: _Ground, boosters: Sequence[Any], threads: int | None) -> pd.DataFrame:
    parts = []
    for number, ((train, test), booster) in enumerate(zip(ground.masks, boosters, strict=True)):
        held_out = ground.rows[test]
        inputs = inputs_of(held_out)
        part = held_out[["account_id", "as_of", *OUT_OF_FOLD_COLUMNS]].assign(
            fold=number,
            trained_until=ground.rows.loc[train, "closes_at"].max(),
            margin=margins(booster, inputs, threads=threads),
            timing=timing_codes(inputs[:, -len(TIMING_INPUTS) :]),
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
