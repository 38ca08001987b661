"""How is one setting tried, fold by fold, and how long does a search go on?

Input grain: person-periods in a binned Dataset, cut into folds once. Output: finished trials of a study.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.boosting import Positions, later_losses, own_constraints, subset
from training.capacity import Capacity
from training.config import TrainingConfig
from training.periods import Floats
from training.search_space import suggested_params
from training.study import Best, Study


@dataclass(frozen=True, slots=True)
class Cut:
    """A fold: rows to learn from, and later rows (with a decision) to be judged by; positions ascend.

    Boosting starts from ``offsets`` (log-odds in each of these rows, and of those); None: from nothing.
    """

    train: Positions
    later: Positions
    offsets: tuple[Floats, Floats] | None = None

    def of(self, dataset: Any) -> tuple[Any, Any]:
        """Its two parts of a binned Dataset."""
        begun, begun_later = self.offsets or (None, None)
        return subset(dataset, self.train, offsets=begun), subset(dataset, self.later, offsets=begun_later)


@dataclass(frozen=True, slots=True)
class Bench:
    """One binned Dataset and its folds, cut once and shared by all trials."""

    pairs: tuple[tuple[Any, Any], ...]
    config: TrainingConfig
    capacity: Capacity
    threads: int | None

    @classmethod
    def of(
        cls, dataset: Any, cuts: Sequence[Cut], *, config: TrainingConfig, capacity: Capacity, threads: int | None
    ) -> Bench:
        """Cut a Dataset."""
        pairs = tuple(cut.of(dataset) for cut in cuts)
        return cls(pairs, config, capacity, threads)

    def params(self, trial: Any) -> dict[str, Any]:
        """What a trial suggests, with what the target asks for."""
        inputs = self.pairs[0][0].get_feature_name()
        return suggested_params(trial, self.capacity) | own_constraints(inputs, self.config.target)

    def losses(self, fold: int, params: dict[str, Any]) -> list[float]:
        """Log-loss on the later rows of a fold, after each round."""
        return later_losses(*self.pairs[fold], params, self.config, threads=self.threads)


@dataclass(frozen=True, slots=True)
class Patience:
    """Until when trials go on. ``ends_at`` is on the machine's monotonic clock; ``parent`` is who started a worker."""

    ends_at: float | None = None
    parent: int | None = None

    @classmethod
    def of(cls, seconds: float | None, *, parent: int | None = None) -> Patience:
        """Patience for some seconds from now (None: for ever)."""
        return cls(None if seconds is None else time.monotonic() + seconds, parent)

    def seconds_left(self) -> float | None:
        """What remains of it."""
        return None if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())

    def is_over(self) -> bool:
        """True when time is up."""
        return self.seconds_left() == 0.0

    def is_orphan(self) -> bool:
        """True when the process that waits for a worker is gone."""
        return self.parent is not None and os.getppid() != self.parent


def run_trials(
    study: Study,
    bench: Bench,
    patience: Patience,
    *,
    worker: int = 0,
    told: Callable[[], None] = lambda: None,
) -> None:
    """Try settings until there are as many finished trials as the config asks for, or time is up.

    Time that is up ends nothing before one trial is complete; a trial that is under way then is given back.
    """
    while not patience.is_orphan() and not (patience.is_over() and study.completed):
        trial = study.ask(bench.config.seed, worker)
        if trial.number >= bench.config.trials:
            study.give_back(trial)
            return
        _try(trial, study, bench, patience)
        told()


def _try(trial: Any, study: Study, bench: Bench, patience: Patience) -> None:
    params, curves = bench.params(trial), list[list[float]]()
    for fold in range(len(bench.pairs)):
        if patience.is_orphan() or (patience.is_over() and study.completed):
            study.give_back(trial)
            return
        curves.append(bench.losses(fold, params))
        mean = mean_curve(curves)
        is_worth_more = study.is_worth_more(trial, fold, float(mean.min()))
        if not is_worth_more and study.finished >= bench.config.warm_up_trials:
            study.prune(trial)
            return
    last = int(mean.argmin())
    per_fold = tuple(curve[min(last, len(curve) - 1)] for curve in curves)
    study.complete(trial, Best(params, last + 1, float(mean.min()), per_fold))


def mean_curve(curves: Sequence[Sequence[float]]) -> Floats:
    """The mean loss per round over folds; a fold that stopped early stands at its last loss from there on."""
    longest = max(len(curve) for curve in curves)
    mean: Floats = np.mean([[*curve, *[curve[-1]] * (longest - len(curve))] for curve in curves], axis=0)
    return mean
