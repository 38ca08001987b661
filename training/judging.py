"""How does a bundle stand on the untouched last weeks, beside timing alone and a straight line?

Input: a bundle and the material; only rows of the final block are judged, and the baselines learn from what was final
before it began. Output: a :class:`Judgement` with evaluation, verdict and pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from features.catalogue import MODEL_FEATURES
from features.progress import Progress, silent
from features.vocabulary import Subcategory
from training.baselines import fit_logistic, fit_timing_only
from training.bundle import Bundle
from training.config import TrainingConfig
from training.evaluate import evaluate
from training.evaluation import Evaluation, EvaluationPlan
from training.figure import Picture
from training.gate_rules import Checks
from training.gates import verdict
from training.labels import days_to_decision_taken, horizon_labels
from training.material import Material
from training.model import prove_in_child
from training.periods import Floats
from training.splits import Fold
from training.verdict import Verdict

_EXPLAINED_ROWS = 1500
"""Rows behind the explanation plots: a beeswarm of more is a blot."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found about one bundle."""

    evaluation: Evaluation
    verdict: Verdict
    pictures: tuple[Picture, ...]
    currency: str


def judge(
    bundle: Bundle,
    folder: Path,
    material: Material,
    final: Fold,
    *,
    truth: pd.DataFrame | None = None,
    progress: Progress = silent,
) -> Judgement:
    """Judge a bundle on the final block; ``folder`` is where its files lie, so that they can be proved apart."""
    tested = material.at(pd.Series(final.test(material.cohort) & _undecided(material)))
    scores = bundle.score(tested.snapshots)
    judged = _judged_rows(tested, scores, bundle.config)
    for name, risk in _baseline_risks(material, tested, final, bundle.config).items():
        judged[f"risk_{bundle.config.headline_days}_{name}"] = risk
    plan = EvaluationPlan(headline_days=bundle.config.headline_days)
    evaluation = evaluate(judged, model_version=bundle.version, truth=truth, plan=plan, progress=progress)
    found = verdict(evaluation, _checks(scores, folder, bundle.config))
    currencies = tested.cohort["currency"].value_counts()
    currency = str(currencies.index[0]) if len(currencies) == 1 else "mixed currencies"
    return Judgement(evaluation, found, _pictures(bundle, tested, evaluation), currency)


def _undecided(material: Material) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    # An account whose decision fell before the snapshot, known then or not, can no longer be predicted.
    days, _ = days_to_decision_taken(material.cohort, material.decided)
    return (~days.le(0)).to_numpy()


def _judged_rows(tested: Material, scores: pd.DataFrame, config: TrainingConfig) -> pd.DataFrame:
    cohort, snapshots = tested.cohort, tested.snapshots
    labels = horizon_labels(cohort, tested.decided, data_cut=tested.data_cut, config=config)
    timing = snapshots[["segment", "days_to_decision", "is_evergreen", "term_months", "annual_value"]]
    kept = scores.drop(columns=["account_id", "as_of", "model_version"])
    return pd.concat([cohort[["account_id", "as_of", "cluster_id"]], timing, labels, kept], axis=1)


def _baseline_risks(material: Material, tested: Material, final: Fold, config: TrainingConfig) -> dict[str, Floats]:
    horizon = f"y_{config.headline_days}"
    labels = horizon_labels(material.cohort, material.decided, data_cut=material.data_cut, config=config)[horizon]
    closed = material.cohort["as_of"] + timedelta(days=config.headline_days) + config.settling
    past = (labels.notna() & (closed <= pd.Timestamp(final.test_first))).to_numpy()
    rows, label = material.snapshots[past], labels[past].to_numpy(np.float64)
    timing = fit_timing_only(rows, label, seed=config.seed)
    straight = fit_logistic(rows, label, features=MODEL_FEATURES, seed=config.seed)
    return {"timing_only": timing.predict(tested.snapshots), "logistic": straight.predict(tested.snapshots)}


def _checks(scores: pd.DataFrame, folder: Path, config: TrainingConfig) -> Checks:
    parts = [f"points_{part}" for part in Subcategory] + ["base_points", "clip_adjust", "shrink_adjust"]
    gap = (scores["health"] - scores[parts].sum(axis=1)).abs().max()
    prove_in_child(folder)
    return Checks(additivity_max_abs_error=float(gap), golden_rows=config.golden_rows, golden_rows_ok=True)


def _pictures(bundle: Bundle, tested: Material, evaluation: Evaluation) -> tuple[Picture, ...]:
    # Drawing libraries take seconds to import and are needed nowhere else.
    from training.plots import evaluation_pictures  # noqa: PLC0415
    from training.shap_plots import explanation_pictures  # noqa: PLC0415

    places = np.unique(np.linspace(0, len(tested.snapshots) - 1, _EXPLAINED_ROWS).astype(np.int64))
    shown = tested.snapshots.iloc[places].reset_index(drop=True)
    points = bundle.feature_points(shown)[list(bundle.model_features)]
    return (*evaluation_pictures(evaluation), *explanation_pictures(points, shown))
