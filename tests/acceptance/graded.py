"""How do stated risks stand beside true chances, row by row?

Output grain: one row per account and snapshot of the weeks that a model did not learn from, with stated risks, their
ranges, what became of the account, and the true chance. Everything here is free of the luck of outcomes: where 20
accounts are expected to leave, counting leavers alone puts one true model in three outside of 0.8 to 1.25.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from features.cohort import read_cohort
from features.settings import Home
from features.vocabulary import CohortStatus
from training.calibration_check import merged_bins, quantile_bins
from training.dataset import KEY
from training.material import Material, gather
from training.model import load_bundle
from training.splits import split
from training.tested_rows import judged_rows, undecided

from .verdicts import Measured

DAYS = 90
LEAST_EXPECTED_IN_CELL = 5.0
_DRAWS, _SEED = 500, 20240115


def block_rows(home: Home, version: str, oracle: pd.DataFrame) -> pd.DataFrame:
    """The untouched last weeks of a model's own training, with ``p_30`` to ``p_180``."""
    bundle = load_bundle(home.bundles / version)
    cut = datetime.fromisoformat(bundle.facts["data_cut"])
    material = gather(home, cut, bundle.config)
    final = split(material.as_ofs, cut, bundle.config).final
    rows = _scored(home, version, material, final.test(material.cohort), oracle)
    if unknown := int(rows[f"p_{DAYS}"].isna().sum()):
        raise ValueError(f"{unknown} judged rows without a true chance")
    return rows


def later_rows(home: Home, version: str, oracle: pd.DataFrame, *, after: datetime, until: datetime) -> pd.DataFrame:
    """Snapshots after a moment, with the outcomes known at ``until``."""
    material = gather(home, until, load_bundle(home.bundles / version).config)
    chosen = (material.cohort["as_of"] > pd.Timestamp(after)).to_numpy()
    rows = _scored(home, version, material, chosen, oracle)
    # Some have decided in truth, and nobody knows it yet: there is nothing left to foresee.
    return rows[rows[f"p_{DAYS}"].notna()].reset_index(drop=True)


def scored_at(home: Home, version: str, as_of: datetime) -> pd.DataFrame:
    """Every account at risk at one snapshot, as a model that need not be live scores it."""
    from features.store import FeatureStore  # noqa: PLC0415  Feast takes seconds to import

    cohort = read_cohort(home, [as_of])
    cohort = cohort[cohort["cohort_status"] == CohortStatus.AT_RISK]
    scores: pd.DataFrame = load_bundle(home.bundles / version).score(FeatureStore(home).historical(cohort[KEY]))
    return scores


def _scored(home: Home, version: str, material: Material, chosen: np.ndarray, oracle: pd.DataFrame) -> pd.DataFrame:
    bundle = load_bundle(home.bundles / version)
    tested = material.at(pd.Series(chosen & undecided(material)))
    rows = judged_rows(tested, bundle.score(tested.snapshots), bundle.config)
    return rows.merge(oracle, on=["account_id", "as_of"], how="left", validate="one_to_one")


def true_over_stated(rows: pd.DataFrame, days: int = DAYS) -> Measured:
    """Sum of true chances over sum of stated risks; the interval redraws clusters."""
    per = rows.groupby("cluster_id")[[f"p_{days}", f"risk_{days}"]].sum().to_numpy(np.float64)
    return _ratio(per)


def left_over_stated(rows: pd.DataFrame, days: int = DAYS) -> Measured:
    """Leavers over stated risks, on rows whose label is final; the interval redraws clusters."""
    final = rows[rows[f"y_{days}"].notna()]
    return _ratio(final.groupby("cluster_id")[[f"y_{days}", f"risk_{days}"]].sum().to_numpy(np.float64))


def _ratio(per: np.ndarray) -> Measured:
    if not len(per) or per[:, 1].sum() <= 0:
        return Measured(value=None)
    weights = np.random.default_rng(_SEED).multinomial(len(per), np.full(len(per), 1 / len(per)), _DRAWS)
    sums = weights @ per
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return Measured(value=float(per[:, 0].sum() / per[:, 1].sum()), low=float(low), high=float(high))


@dataclass(frozen=True, slots=True)
class Covered:
    """Cells of accounts with like risks: how many there are, and in how many the truth lay in the stated range."""

    cells: int
    true_inside: int
    left_inside: int
    true_below: int
    true_above: int

    def __add__(self, other: Covered) -> Covered:
        """Both together."""
        return Covered(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


NOTHING = Covered(0, 0, 0, 0, 0)


def coverage(rows: pd.DataFrame) -> Covered:
    """Per snapshot at least a horizon apart and tenth of the accounts by risk: is the mean chance in the mean range?

    A range is about accounts that look alike to the model, so it is held against their mean true chance. The share
    that left is counted beside it; a cell's own luck puts it outside more often.
    """
    final = rows[rows[f"y_{DAYS}"].notna()]
    found = NOTHING
    for part in _apart(final):
        risk = part[f"risk_{DAYS}"].to_numpy(np.float64)
        bins = merged_bins(quantile_bins(risk), risk, LEAST_EXPECTED_IN_CELL)
        means = part.groupby(bins)[["interval_low", "interval_high", f"p_{DAYS}", f"y_{DAYS}"]].mean()
        low, high, true, left = (means[name].to_numpy(np.float64) for name in means.columns)
        found += Covered(
            cells=len(means),
            true_inside=int(((low <= true) & (true <= high)).sum()),
            left_inside=int(((low <= left) & (left <= high)).sum()),
            true_below=int((true < low).sum()),
            true_above=int((true > high).sum()),
        )
    return found


def _apart(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    taken: pd.Timestamp | None = None
    for as_of, part in rows.groupby("as_of", sort=True):
        moment = pd.Timestamp(str(as_of))
        if taken is None or moment - taken >= pd.Timedelta(days=DAYS):
            taken = moment
            yield part
