"""Which rows of the untouched test block does a metric speak about?

Input grain: one row per (account, as_of). The frame is checked once, here; every later step may rely on it. The
*renewal window* of a horizon holds the rows whose dated decision falls inside it: not evergreen and
``0 <= days_to_decision <= horizon``. Evergreen contracts have no dated decision and are reported apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import DataContractError
from features.vocabulary import HORIZONS_DAYS
from training.bootstrap import ClusterDraws
from training.evaluation import CHAMPION, HEALTH, EvaluationPlan
from training.metrics import Floats

Mask = NDArray[np.bool_]

HEALTHIEST = 100.0
"""Health runs from 0 to 100 = healthy; 100 minus health ranks like a risk."""

KEY = ["account_id", "as_of"]
_WORDS = ["account_id", "cluster_id", "as_of", "phase", "segment", "grade", "is_evergreen"]
_RISKS = [f"risk_{days}" for days in HORIZONS_DAYS]
_LABELS = [f"y_{days}" for days in HORIZONS_DAYS]
_COLUMNS = [*_WORDS, "days_to_decision", "annual_value", *_LABELS, *_RISKS, "health"]


@dataclass(frozen=True, slots=True)
class Judged:
    """The checked rows (index 0..n-1, ordered by as_of and account) and the redraws that all metrics share."""

    rows: pd.DataFrame
    plan: EvaluationPlan
    draws: ClusterDraws

    @classmethod
    def of(cls, judged: pd.DataFrame, plan: EvaluationPlan) -> Judged:
        """Check the frame and draw the clusters.

        Raises:
            DataContractError: no rows, a missing column, a repeated row, an outcome that is not 0, 1 or null, a risk
                outside 0..1, or a null where a name, the annual value or a decision date must stand.
        """
        _check(judged, plan)
        rows = judged.sort_values(["as_of", "account_id"], kind="stable").reset_index(drop=True)
        return cls(rows, plan, ClusterDraws.draw(rows["cluster_id"], replicates=plan.replicates, seed=plan.seed))

    def column(self, name: str) -> Floats:
        """One column as doubles; null is NaN."""
        return self.rows[name].to_numpy(dtype=np.float64, na_value=np.nan)

    def mature(self, days: int) -> Mask:
        """Rows whose label of this horizon is known."""
        return ~np.isnan(self.column(f"y_{days}"))

    def in_window(self, days: int) -> Mask:
        """Rows with a dated decision inside the horizon; an account without one is never in."""
        ahead = self.column("days_to_decision")
        return ~self.evergreen & (ahead >= 0) & (ahead <= days)

    @property
    def evergreen(self) -> Mask:
        """Rows of contracts without end."""
        return self.rows["is_evergreen"].to_numpy(dtype=np.float64) > 0

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of the baseline arms, from the columns ``risk_<headline days>_<arm>``."""
        prefix = _arm_prefix(self.plan)
        return tuple(sorted(name.removeprefix(prefix) for name in _arm_columns(self.rows, self.plan)))

    def arm(self, name: str) -> Floats:
        """The score an arm ranks accounts by, highest first to leave."""
        if name == HEALTH:
            return HEALTHIEST - self.column("health")
        champion = f"risk_{self.plan.headline_days}"
        return self.column(champion if name == CHAMPION else _arm_prefix(self.plan) + name)

    @property
    def missing_scores(self) -> int:
        """Rows where any risk or the health score is null."""
        return int(self.rows[[*_RISKS, "health"]].isna().any(axis=1).sum())

    @property
    def horizon_violations(self) -> int:
        """Rows whose risk falls somewhere as the horizon grows (law 8)."""
        return int((np.diff(self.rows[_RISKS].to_numpy(np.float64), axis=1) < 0).any(axis=1).sum())


def _arm_prefix(plan: EvaluationPlan) -> str:
    return f"risk_{plan.headline_days}_"


def _arm_columns(rows: pd.DataFrame, plan: EvaluationPlan) -> list[str]:
    return [name for name in map(str, rows.columns) if name.startswith(_arm_prefix(plan))]


def _check(judged: pd.DataFrame, plan: EvaluationPlan) -> None:
    missing = [name for name in _COLUMNS if name not in judged]
    _require(not missing, "columns are missing", "every column of the judged frame", ", ".join(missing))
    _require(len(judged) > 0, "there is nothing to judge", "at least one row", "none")
    repeated = int(judged.duplicated(KEY).sum())
    _require(not repeated, "rows are repeated", "one row per account and as_of", f"{repeated} repeated rows")
    for name in [*_WORDS, "annual_value"]:
        empty = int(judged[name].isna().sum())
        _require(not empty, f"column {name} has nulls", "a value in every row", f"{empty} nulls")
    undated = int((judged["days_to_decision"].isna() & ~judged["is_evergreen"].astype(bool)).sum())
    _require(not undated, "decision dates are missing", "days_to_decision in dated contracts", f"{undated} nulls")
    for name in _LABELS:
        odd = int((~judged[name].isin([0, 1]) & judged[name].notna()).sum())
        _require(not odd, f"column {name} holds no labels", "0, 1 or null", f"{odd} other values")
    for name in [*_RISKS, *_arm_columns(judged, plan)]:
        outside = int((~judged[name].between(0, 1) & judged[name].notna()).sum())
        _require(not outside, f"column {name} holds no risks", "values from 0 to 1, or null", f"{outside} outside")
    outside = int((~judged["health"].between(0, HEALTHIEST) & judged["health"].notna()).sum())
    _require(not outside, "column health holds no scores", "values from 0 to 100, or null", f"{outside} outside")


def _require(holds: bool, title: str, expected: str, found: str) -> None:
    if not holds:
        raise DataContractError(
            f"the judged rows cannot be graded: {title}",
            expected=expected,
            found=found,
            todo="mend the step that scores the test block; nothing was graded",
        )
