"""A whole small training run in memory, made once per test process: rows, split, search, fit, calibration, bundle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from training.bundle import Bundle
from training.calibrate import Calibration, calibrate
from training.config import TrainingConfig
from training.dataset import KEY, training_cohort, training_rows
from training.fit import Fitted, fit_hazard
from training.held_out import Caution, caution_of
from training.level import at_own_level
from training.packing import Provenance, make_bundle, write_bundle
from training.reference import reference_portfolio
from training.search import SearchOutcome, search
from training.splits import TimeSplit, split

from .portfolio_case import Portfolio, portfolio

SMALL = TrainingConfig(trials=2, max_rounds=120, patience_rounds=15, folds=3, limited_events=60, ensemble_size=2)
"""Sizes that a test can afford, and trees with interactions for few outcomes; everything else as in life."""


@dataclass(frozen=True)
class Trained:
    """Everything one training run makes; read-only."""

    world: Portfolio
    snapshots: pd.DataFrame
    rows: pd.DataFrame
    development: pd.DataFrame
    split: TimeSplit
    found: SearchOutcome
    fitted: Fitted
    of_folds: Calibration
    calibration: Calibration
    caution: Caution
    reference_rows: pd.DataFrame
    bundle: Bundle

    def write(self, folder: Path) -> Path:
        """The bundle's files."""
        return write_bundle(folder, self.bundle, self.reference_rows)


@lru_cache(maxsize=2)
def trained(seed: int = 7) -> Trained:
    """Train on a small portfolio, in the order that the lifecycle has."""
    config, world = SMALL, portfolio(seed=seed)
    cohort = training_cohort(world.cohort, config)
    snapshots = features_of(world, cohort)
    rows = training_rows(cohort, snapshots, world.decided, data_cut=world.data_cut, config=config)
    parted = split([moment.to_pydatetime() for moment in cohort["as_of"].unique()], world.data_cut, config)
    development = rows[parted.final.train(rows)].reset_index(drop=True)
    found = search(development, parted.walk_forward, config, threads=1)
    fitted = fit_hazard(development, found.params, found.rounds, config, threads=1)
    of_folds = calibrate(found.out_of_fold, config)
    calibration = at_own_level(of_folds, fitted.booster, development, parted.walk_forward)
    reference_rows = reference_portfolio(snapshots, parted.final.test_first, config)
    caution = caution_of(found, parted, of_folds, snapshots=snapshots, decided=world.decided, config=config)
    bundle = make_bundle(
        fitted,
        calibration,
        reference_rows,
        caution=caution,
        provenance=provenance(world),
        config=config,
    )
    return Trained(
        world,
        snapshots,
        rows,
        development,
        parted,
        found,
        fitted,
        of_folds,
        calibration,
        caution,
        reference_rows,
        bundle,
    )


def features_of(world: Portfolio, cohort: pd.DataFrame) -> pd.DataFrame:
    """What the feature store answers for cohort rows: the same rows, in the same order."""
    return cohort[KEY].merge(world.snapshots, on=KEY, how="left", validate="one_to_one")


def provenance(world: Portfolio, version: str = "1") -> Provenance:
    """The provenance of a bundle made from a portfolio."""
    as_ofs = world.cohort["as_of"]
    return Provenance(version, as_ofs.min().to_pydatetime(), as_ofs.max().to_pydatetime(), world.data_cut)
