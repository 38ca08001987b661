"""Which risk does each arm state on the untouched block, when all are made on the same rows with the same effort?

Input grain: the material, and the same rows built without a campaign calendar. Output grain: for each arm one risk per
judged row and repeat. Each repeat searches its own settings, with the same number of trials on the same folds, and
fits with seeds of its own, so that the luck of searching and fitting is part of every interval. No arm is shrunk
towards its segment: that would blur what is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from scipy.special import expit

from features.errors import DataContractError, UsageError
from features.progress import Progress, silent
from training.baselines import PENALTIES, fit_logistic
from training.boosting import input_names, margins
from training.calibrate import GROUPINGS, Calibration, calibrate
from training.config import TrainingConfig
from training.dataset import training_rows
from training.fit import fit_hazard
from training.inputs import numbers_of
from training.labels import horizon_labels
from training.level import at_own_level
from training.material import Material
from training.metrics import log_loss_terms
from training.periods import MODEL_INPUTS, TIMING_INPUTS, Floats, Timing, timing_inputs
from training.rivals import Making, Rival
from training.search import search
from training.splits import Mask, TimeSplit

_TRIGGER_DAYS = 90.0
_SEED_STEP = 1_000
"""Between the same arm and its other self, so that their repeats share no seed."""

_UNKNOWN = "any"


@dataclass(frozen=True, slots=True)
class Ground:
    """What every arm stands on. ``blind`` holds the same rows as ``material.snapshots``; None where no arm needs it.

    ``tested`` marks the rows that are judged.
    """

    material: Material
    blind: pd.DataFrame | None
    blocks: TimeSplit
    tested: Mask
    config: TrainingConfig
    repeats: int

    def snapshots(self, rival: Rival) -> pd.DataFrame:
        """The features as this arm may know them."""
        if not rival.blind:
            return self.material.snapshots
        if self.blind is None:
            raise UsageError(
                f"the arm {rival.name} needs features without a calendar",
                expected="rows from phase_blind_features",
                found="none",
                todo="build them for the same rows",
            )
        names = [name for name in rival.inputs if name not in TIMING_INPUTS]
        return self.material.snapshots.assign(**{name: self.blind[name].to_numpy() for name in names})

    def seed(self, rival: Rival, repeat: int) -> int:
        """The seed of one fit."""
        return self.config.seed + _SEED_STEP * rival.repeat + repeat


@dataclass(frozen=True, slots=True)
class Stated:
    """What one arm states: ``risks`` (repeats, judged rows), and how it was made."""

    rival: Rival
    risks: Floats
    settings: dict[str, float | int | str]


def stated_by(rival: Rival, ground: Ground, *, progress: Progress = silent) -> Stated:
    """Search, fit and calibrate one arm on what was final before the block, and ask it for the judged rows.

    Raises:
        NoUsableSignal: too few outcomes to learn from.
    """
    if rival.making is Making.TRIGGER:
        return _trigger(rival, ground)
    return _line(rival, ground) if rival.making is Making.LINE else _boosted(rival, ground, progress)


def _boosted(rival: Rival, ground: Ground, progress: Progress) -> Stated:
    config, snapshots, material = _config_of(rival, ground), ground.snapshots(rival), ground.material
    rows = training_rows(material.cohort, snapshots, material.decided, data_cut=material.data_cut, config=config)
    past = _seen(rows[ground.blocks.final.train(rows)].reset_index(drop=True), rival)
    tested = snapshots[ground.tested].reset_index(drop=True)
    risks, losses, rounds = [], [], []
    for repeat in range(ground.repeats):
        seeded = config.model_copy(update={"seed": ground.seed(rival, repeat)})
        found = search(past, ground.blocks.walk_forward, seeded)
        calibration = calibrate(_masked(found.out_of_fold, rival), seeded)
        booster = fit_hazard(past, found.params, found.rounds, seeded).booster
        level = at_own_level(calibration, booster, _masked(past, rival), ground.blocks.walk_forward)
        risks.append(_risk(booster, level, tested, rival, seeded))
        losses.append(found.value)
        rounds.append(found.rounds)
        progress(f"fit {rival.name}", repeat + 1, ground.repeats)
    told = {"inputs": len(input_names(past)), "trials": config.trials, "repeats": ground.repeats}
    return Stated(rival, np.stack(risks), {**told, "later_log_loss": _mean(losses), "rounds": _mean(rounds)})


def _config_of(rival: Rival, ground: Ground) -> TrainingConfig:
    if rival.making is not Making.DIRECT:
        return ground.config
    # Not validated on purpose: the one interval need not hold every horizon, since only one is asked about.
    return ground.config.model_copy(update={"interval_bounds_days": (0, ground.config.headline_days)})


def _mean(numbers: Sequence[float]) -> float:
    return float(np.mean(numbers))


def _seen(rows: pd.DataFrame, rival: Rival) -> pd.DataFrame:
    # A column in which nothing differs any more would only take the place of others when columns are drawn.
    silent_ones = [name for name in rival.inputs if name not in TIMING_INPUTS and rows[name].nunique(dropna=False) < 2]  # noqa: PLR2004
    hidden = [name for name in MODEL_INPUTS if name not in rival.inputs or name in silent_ones]
    return rows.drop(columns=hidden)


def _masked(rows: pd.DataFrame, rival: Rival) -> pd.DataFrame:
    # An arm that may not know phases, or nothing about the customer, must not learn them from its calibration.
    hidden = [name for name in GROUPINGS if not rival.knows_phase and (name == "phase" or not rival.blind)]
    return rows.assign(**dict.fromkeys(hidden, _UNKNOWN))


def _risk(
    booster: object, calibration: Calibration, tested: pd.DataFrame, rival: Rival, config: TrainingConfig
) -> Floats:
    features = [name for name in booster.feature_name() if name not in TIMING_INPUTS]  # type: ignore[attr-defined]
    numbers, timing, ones = numbers_of(tested, features), Timing.of(tested), np.ones(len(tested))
    offsets = calibration.offsets(_masked(tested, rival))
    staying = np.ones(len(tested))
    for place, (low, high) in enumerate(config.intervals_days):
        if high <= config.headline_days:
            raw = margins(booster, np.hstack([numbers, timing_inputs(timing, low * ones, high * ones)]))
            staying *= expit(-calibration.logits(raw, place, offsets))
    return 1.0 - staying


@dataclass(frozen=True, slots=True)
class _Labelled:
    # Rows with a final label of the headline horizon, and when it became final.
    rows: pd.DataFrame
    label: Floats
    closes_at: pd.Series[pd.Timestamp]

    def chosen(self, mask: Mask) -> _Labelled:
        return _Labelled(self.rows[mask], self.label[mask], self.closes_at[mask])


def _labelled(rival: Rival, ground: Ground) -> _Labelled:
    material, config = ground.material, ground.config
    labels = horizon_labels(material.cohort, material.decided, data_cut=material.data_cut, config=config)
    label = labels[f"y_{config.headline_days}"]
    closes_at = material.cohort["as_of"] + timedelta(days=config.headline_days) + config.settling
    known = (label.notna() & (closes_at <= pd.Timestamp(ground.blocks.final.test_first))).to_numpy()
    return _Labelled(ground.snapshots(rival)[known], label[known].to_numpy(np.float64), closes_at[known])


def _line(rival: Rival, ground: Ground) -> Stated:
    # A straight line has one best fit, whatever the seed: its repeats are the same.
    known = _labelled(rival, ground)
    losses = {penalty: _later_loss(known, penalty, rival, ground) for penalty in PENALTIES[: ground.config.trials]}
    best = min(losses, key=lambda penalty: losses[penalty])
    line = fit_logistic(known.rows, known.label, features=rival.inputs, inverse_penalty=best)
    told = line.predict(ground.material.snapshots[ground.tested])
    settings = {"inverse_penalty": best, "later_log_loss": losses[best], "trials": len(losses)}
    return Stated(rival, np.tile(told, (ground.repeats, 1)), {**settings, "inputs": len(rival.inputs)})


def _later_loss(known: _Labelled, penalty: float, rival: Rival, ground: Ground) -> float:
    losses = []
    for fold in ground.blocks.walk_forward:
        past = known.chosen((known.closes_at <= pd.Timestamp(fold.test_first)).to_numpy())
        ahead = known.rows["days_to_decision"].le(ground.config.headline_days).to_numpy()
        later = known.chosen(fold.test(known.rows) & ahead)
        if not len(later.rows) or len(np.unique(past.label)) < 2:  # noqa: PLR2004 - leavers and stayers
            continue
        line = fit_logistic(past.rows, past.label, features=rival.inputs, inverse_penalty=penalty)
        losses.append(float(log_loss_terms(line.predict(later.rows), later.label).mean()))
    if not losses:
        raise DataContractError(
            "no fold can judge a straight line",
            expected="leavers and stayers before, and due decisions in, at least one fold",
            found="none",
            todo="ingest more history",
        )
    return float(np.mean(losses))


def _trigger(rival: Rival, ground: Ground) -> Stated:
    known = _labelled(rival, ground)
    flagged = _ends_soon(known.rows)
    # As if one more account of each kind had been seen, so that no share is 0.
    shares = [(known.label[flagged == side].sum() + 1) / ((flagged == side).sum() + 2) for side in (False, True)]
    told = np.where(_ends_soon(ground.material.snapshots[ground.tested]), shares[1], shares[0])
    return Stated(rival, np.tile(told, (ground.repeats, 1)), {"inputs": 1, "trials": 0})


def _ends_soon(rows: pd.DataFrame) -> Mask:
    ends = rows["days_to_end"].to_numpy(np.float64, na_value=np.nan)
    soon: Mask = (ends >= 0) & (ends <= _TRIGGER_DAYS)
    return soon


def same_rows(blind: pd.DataFrame, material: Material) -> pd.DataFrame:
    """The rows built without a calendar, checked to be as many as the material's.

    Raises:
        DataContractError: they are not.
    """
    if len(blind) != len(material.snapshots):
        raise DataContractError(
            "the arms would not be judged on identical rows",
            expected=f"{len(material.snapshots)} rows built without a calendar",
            found=f"{len(blind)}",
            todo="please report this: it is a defect",
        )
    return blind


def arms_stated(rivals: Sequence[Rival], ground: Ground, *, progress: Progress = silent) -> tuple[Stated, ...]:
    """Every arm's risks, in order."""
    stated = []
    for done, rival in enumerate(rivals, start=1):
        stated.append(stated_by(rival, ground, progress=progress))
        progress("arms", done, len(rivals))
    return tuple(stated)
