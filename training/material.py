"""What lies on the table when a model is trained or judged?

Grain out: one cohort row and one feature row per account and snapshot, in the same order, and one outcome per account
that decided to leave (for another target: per change of value), all as known at the cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from features.cohort import built_as_ofs, read_cohort
from features.errors import MissingStateError
from features.identity import families_of
from features.progress import Progress, silent
from features.settings import Home
from training.config import TrainingConfig
from training.dataset import KEY, training_cohort
from training.decisions import TermCensus, census_of_terms
from training.labels import outcomes
from training.value_outcomes import target_outcomes


@dataclass(frozen=True, slots=True)
class Material:
    """Cohort and snapshots hold the same rows in the same order, index 0..n-1; nothing is later than the cut."""

    cohort: pd.DataFrame
    snapshots: pd.DataFrame
    decided: pd.DataFrame
    census: tuple[TermCensus, ...]
    data_cut: datetime

    @property
    def as_ofs(self) -> list[datetime]:
        """The snapshots, oldest first."""
        return [moment.to_pydatetime() for moment in sorted(self.cohort["as_of"].unique())]

    def at(self, chosen: pd.Series[bool]) -> Material:
        """The same with only the chosen rows."""
        return Material(
            self.cohort[chosen].reset_index(drop=True),
            self.snapshots[chosen].reset_index(drop=True),
            self.decided,
            self.census,
            self.data_cut,
        )


def gather(home: Home, data_cut: datetime, config: TrainingConfig, *, progress: Progress = silent) -> Material:
    """Read the training cohort, its features through the feature store, and the outcomes, as known at ``data_cut``.

    Raises:
        MissingStateError: no snapshot is built at or before the cut.
    """
    from features.store import FeatureStore  # noqa: PLC0415  Feast takes seconds to import

    built = [as_of for as_of in built_as_ofs(home) if as_of <= data_cut]
    if not built:
        raise MissingStateError(
            f"no snapshot is built at or before {data_cut.date()}",
            expected="weekly snapshots over the years before",
            found="none",
            todo="run `pulse build --from DATE --to DATE`",
        )
    cohort = _by_family(training_cohort(read_cohort(home, built), config), families_of(home, data_cut))
    progress("gather", 1, 3)
    snapshots = FeatureStore(home).historical(cohort[KEY])
    progress("gather", 2, 3)
    decided = target_outcomes(home, data_cut, config)
    lapses = outcomes(home, data_cut, config) if config.target.recurs else decided
    census = census_of_terms(home, lapses, data_cut=data_cut, config=config)
    progress("gather", 3, 3)
    return Material(cohort, snapshots, decided, census, data_cut)


def _by_family(cohort: pd.DataFrame, heads: Mapping[str, str]) -> pd.DataFrame:
    # Not as known at each snapshot: what was found to be one company later must not be met in training and in test.
    return cohort.assign(cluster_id=cohort["account_id"].map(heads).fillna(cohort["cluster_id"]))
