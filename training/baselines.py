"""How far does one get without the model: by the calendar alone, or by a straight line?

Input grain: one row per (account, as_of) of the training snapshots, with the model features and the timing columns
``days_to_decision`` (null: evergreen), ``is_evergreen`` and ``term_months``; the 90-day label; a weight. Output: an
object that states a 90-day risk for such rows. Rows whose label is not mature are the caller's to leave out. Same rows,
same seed, same baseline. Source: domain reference 4.5 (challengers) and section 0, item 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from features.errors import NoUsableSignal, UsageError

Floats = NDArray[np.float64]

TIMING_COLUMNS = ("days_to_decision", "is_evergreen", "term_months")
_WINDOW_EDGES_DAYS = (-1.0, 30.0, 60.0, 90.0, 180.0)
"""The linear baseline gets timing as steps: the chance to leave jumps at the decision, it does not slope towards it."""

_NO_DATE = -1.0
"""Stands for "no dated decision" in the tree baseline; real dates are 0 or more, so trees can part it from them."""

_FARTHEST_SD = 5.0
"""Standardised features are cut at 5 standard deviations: one odd value must not decide a linear risk."""

PENALTIES = (0.05, 0.2, 0.0125)
"""Inverse penalties worth trying, the best guess first; more than this the folds cannot tell apart."""

_L1_SHARE = 0.5
"""Elastic net, half lasso; with 100 correlated features and a few hundred leavers a strong penalty ranks best."""


class Baseline(Protocol):
    """A rival of the champion on identical rows."""

    def predict(self, rows: pd.DataFrame) -> Floats:
        """90-day risk of each row, in order."""


@dataclass(frozen=True, slots=True)
class _PipelineBaseline:
    columns: tuple[str, ...]
    timing_steps: bool
    model: Pipeline

    def predict(self, rows: pd.DataFrame) -> Floats:
        """90-day risk of each row, in order.

        Raises:
            UsageError: a column that the baseline was fitted on is missing.
        """
        chances = self.model.predict_proba(_inputs(rows, self.columns, timing_steps=self.timing_steps))
        risk: Floats = np.asarray(chances[:, 1], dtype=np.float64)
        return risk


def fit_timing_only(rows: pd.DataFrame, label: Floats, weight: Floats | None = None, *, seed: int = 0) -> Baseline:
    """A small gradient boosting on the calendar of decisions and nothing else.

    It knows when each account may leave, and nothing about the account: what it scores is what timing alone is worth.

    Raises:
        UsageError: a timing column is missing, or label or weight do not fit the rows.
        NoUsableSignal: only leavers or only stayers.
    """
    model = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=_NO_DATE),
        GradientBoostingClassifier(
            n_estimators=80, learning_rate=0.08, max_depth=3, min_samples_leaf=40, random_state=seed
        ),
    )
    return _fitted(rows, label, weight, _PipelineBaseline(TIMING_COLUMNS, timing_steps=False, model=model))


def fit_logistic(
    rows: pd.DataFrame,
    label: Floats,
    weight: Floats | None = None,
    *,
    features: Sequence[str],
    seed: int = 0,
    inverse_penalty: float = PENALTIES[0],
) -> Baseline:
    """Elastic-net logistic regression on ``features`` and timing as steps: the honest straight-line rival.

    A null becomes the median of the training rows plus a flag that it was missing.

    Raises:
        UsageError: a column is missing, or label or weight do not fit the rows.
        NoUsableSignal: only leavers or only stayers.
    """
    model = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -_FARTHEST_SD, "a_max": _FARTHEST_SD}),
        LogisticRegression(
            solver="saga", C=inverse_penalty, l1_ratio=_L1_SHARE, tol=1e-3, max_iter=1_000, random_state=seed
        ),
    )
    columns = tuple(dict.fromkeys(name for name in features if name not in TIMING_COLUMNS[:2]))
    return _fitted(rows, label, weight, _PipelineBaseline(columns, timing_steps=True, model=model))


def _fitted(rows: pd.DataFrame, label: Floats, weight: Floats | None, baseline: _PipelineBaseline) -> Baseline:
    given = np.ones(len(rows)) if weight is None else np.asarray(weight, dtype=np.float64)
    _check(rows, np.asarray(label, dtype=np.float64), given)
    inputs = _inputs(rows, baseline.columns, timing_steps=baseline.timing_steps)
    # Weights are scaled to a mean of 1, so that the penalty means the same whatever their unit.
    last = f"{baseline.model.steps[-1][0]}__sample_weight"
    baseline.model.fit(inputs, np.asarray(label), **{last: given / given.mean()})
    return baseline


def _inputs(rows: pd.DataFrame, columns: tuple[str, ...], *, timing_steps: bool) -> Floats:
    wanted = [*columns, *(TIMING_COLUMNS[:2] if timing_steps else ())]
    absent = [name for name in wanted if name not in rows]
    if absent:
        raise UsageError(
            "a baseline cannot be computed",
            expected=f"{len(wanted)} columns",
            found=f"without {', '.join(absent)}",
            todo="pass the model features together with the timing columns",
        )
    plain = rows[list(columns)].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.hstack([plain, _timing_steps(rows)]) if timing_steps else plain


def _timing_steps(rows: pd.DataFrame) -> Floats:
    """One flag per stretch of days in which the decision falls, and one for contracts without a dated decision."""
    ahead = rows["days_to_decision"].to_numpy(dtype=np.float64, na_value=np.nan)
    evergreen = rows["is_evergreen"].to_numpy(dtype=np.float64, na_value=np.nan) > 0
    stretches = [(low < ahead) & (ahead <= high) for low, high in pairwise(_WINDOW_EDGES_DAYS)]
    return np.column_stack([*(stretch & ~evergreen for stretch in stretches), evergreen]).astype(np.float64)


def _check(rows: pd.DataFrame, label: Floats, weight: Floats) -> None:
    fits = len(label) == len(rows) == len(weight) and bool(np.isin(label, [0, 1]).all())
    if not fits or not np.isfinite(weight).all() or (weight < 0).any():
        raise UsageError(
            "a baseline cannot be fitted to these rows",
            expected="for each row a label of 0 or 1 and a weight of at least 0",
            found=f"{len(rows)} rows, {len(label)} labels, {len(weight)} weights, not all of them usable",
            todo="leave out rows whose label is not mature",
        )
    leavers = int(label[weight > 0].sum())
    if leavers in (0, int((weight > 0).sum())):
        raise NoUsableSignal(
            "a baseline needs accounts that left and accounts that stayed",
            expected="both kinds among the training rows",
            found=f"{leavers} leavers among {len(label)} rows",
            todo="wait for more outcomes",
        )
