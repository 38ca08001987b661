"""What was tried in a search so far, what is tried next, and what is given up? The only file that speaks to Optuna.

Grain: one trial per setting. A study lies in memory or in a journal: lines of JSON that are only ever added to, so that
a process that is killed leaves all finished trials behind, and several processes can write to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import distribution_to_json
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from scipy.stats import t as student_t

from training.capacity import Capacity
from training.search_space import USUAL, suggested_params

_NAME = "hazard"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_LOCK_SUFFIX = ".lock"
_LUCK = 0.05
"""How often settings no better than the usual ones may be taken for better."""


@dataclass(frozen=True, slots=True)
class TriedSettings:
    """One trial: its settings and its loss on later time (None when it was pruned)."""

    number: int
    params: dict[str, Any]
    rounds: int | None
    value: float | None


@dataclass(frozen=True, slots=True)
class Best:
    """The chosen trial: parameters of the booster, rounds, and the loss on later time, mean and per fold."""

    params: dict[str, Any]
    rounds: int
    value: float
    fold_losses: tuple[float, ...] = ()


class Study:
    """The trials of one search. Several processes may each have one over the same journal."""

    def __init__(self, study: Any) -> None:
        self._study = study

    @classmethod
    def in_memory(cls) -> Study:
        """A study that ends with this process."""
        study = optuna.create_study(**_settings())
        study.enqueue_trial(USUAL)
        return cls(study)

    @classmethod
    def begun(cls, journal: Path, *, resume: bool) -> Study:
        """A study over a journal, empty or (``resume``) with what was finished before.

        Trials that were under way are forgotten and done again: by the rules below they get the same settings again.
        No other process may use the journal now.
        """
        kept = cls.joined(journal)._trials(*_FINISHED) if resume and journal.exists() else []
        fresh = journal.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        study = optuna.create_study(storage=_storage(fresh), **_settings())
        study.add_trials(kept)
        study.enqueue_trial(USUAL, skip_if_exists=True)
        for path in (fresh, journal):
            # A process that was killed while it wrote could not take its lock away.
            path.with_name(path.name + _LOCK_SUFFIX).unlink(missing_ok=True)
        fresh.replace(journal)
        return cls.joined(journal)

    @classmethod
    def joined(cls, journal: Path) -> Study:
        """A study that another process began."""
        settings = _settings()
        del settings["direction"]
        return cls(optuna.load_study(storage=_storage(journal), **settings))

    def ask(self, seed: int, worker: int) -> Any:
        """The next trial: chosen from what is finished, the seed, and the number of the worker that asks.

        The sampler is made anew each time, so that a search that was interrupted goes on as if it had not been.
        """
        drawn = np.random.SeedSequence([seed, self.finished, worker]).generate_state(1)
        self._study.sampler = optuna.samplers.TPESampler(seed=int(drawn[0]))
        return self._study.ask()

    def is_worth_more(self, trial: Any, fold: int, loss: float) -> bool:
        """Report the loss after a fold; False when the trial is not in the better half of those that came that far.

        Successive halving: asked after the second and after the third fold (and each further power of two).
        """
        trial.report(loss, fold)
        return not trial.should_prune()

    def complete(self, trial: Any, best: Best) -> None:
        """End a trial that saw every fold."""
        trial.set_user_attr("params", best.params)
        trial.set_user_attr("rounds", best.rounds)
        trial.set_user_attr("fold_losses", list(best.fold_losses))
        self._study.tell(trial, best.value)

    def prune(self, trial: Any) -> None:
        """End a trial that was not worth more."""
        self._study.tell(trial, state=TrialState.PRUNED)

    def give_back(self, trial: Any) -> None:
        """End a trial of which nothing can be said."""
        self._study.tell(trial, state=TrialState.FAIL)

    @property
    def finished(self) -> int:
        """Trials that were completed or pruned."""
        return len(self._trials(*_FINISHED))

    @property
    def completed(self) -> int:
        """Trials that saw every fold."""
        return len(self._trials(TrialState.COMPLETE))

    def best(self) -> Best:
        """The completed trial with the least loss, where its gain over what usually serves is more than luck.

        Among a dozen settings one looks best by the luck of its seed and folds alone. On a made-up company of 3,000
        accounts (90041) the least loss was 0.0008 below that of :data:`~training.search_space.USUAL`, and its share of
        the oracle's skill 0.75 (mean of four fits); the usual settings had 0.78.
        """
        least = _chosen(self._study.best_trial)
        usual = [_chosen(trial) for trial in self._trials(TrialState.COMPLETE) if trial.params == USUAL]
        if not usual or is_clearly_less(least.fold_losses, usual[0].fold_losses):
            return least
        return usual[0]

    def tried(self) -> tuple[TriedSettings, ...]:
        """Every finished trial, pruned ones, too."""
        return tuple(
            TriedSettings(
                trial.number,
                dict(trial.params),
                trial.user_attrs.get("rounds"),
                # Optuna gives a pruned trial the value of its last fold, which is not comparable.
                trial.value if trial.state is TrialState.COMPLETE else None,
            )
            for trial in self._trials(*_FINISHED)
        )

    def _trials(self, *states: TrialState) -> list[Any]:
        found: list[Any] = self._study.get_trials(deepcopy=False, states=states)
        return found


def space_facts(capacity: Capacity) -> dict[str, str]:
    """The search space in words, by the name of the setting; two programs with another space try other things."""
    trial = optuna.create_study(**_settings()).ask()
    suggested_params(trial, capacity)
    return {name: distribution_to_json(kind) for name, kind in sorted(trial.distributions.items())}


def is_clearly_less(losses: Sequence[float], others: Sequence[float]) -> bool:
    """Is the mean of paired losses less by more than their scatter explains (t-test, one side, 5 %)?

    False where one pair or none cannot tell.
    """
    gains = np.asarray(others, dtype=np.float64) - np.asarray(losses, dtype=np.float64)
    count = len(gains)
    if count < 2:  # noqa: PLR2004 - one value has no scatter
        return False
    least = float(student_t.ppf(1 - _LUCK, count - 1)) * float(gains.std(ddof=1)) / math.sqrt(count)
    return float(gains.mean()) > least


def _chosen(trial: Any) -> Best:
    told = trial.user_attrs
    return Best(dict(told["params"]), int(told["rounds"]), float(trial.value), tuple(map(float, told["fold_losses"])))


def _settings() -> dict[str, Any]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return {
        "study_name": _NAME,
        "direction": "minimize",
        # A generous keep: a few trials on a part of the folds say little (performance.md section 7).
        "pruner": optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
    }


def _storage(journal: Path) -> Any:
    return JournalStorage(JournalFileBackend(str(journal)))
