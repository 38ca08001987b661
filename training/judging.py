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
from training.dataset import training_rows
from training.evaluate import Beside, evaluate
from training.evaluation import Evaluation, EvaluationPlan
from training.figure import Picture
from training.gate_rules import Checks
from training.gates import verdict
from training.given import Given
from training.labels import horizon_labels
from training.material import Material
from training.model import prove_in_child
from training.periods import Floats
from training.reference import reference_portfolio
from training.refits import refitted_columns
from training.segments import LIVE
from training.single_metrics import metric_columns
from training.splits import Fold
from training.tested_rows import judged_rows, undecided
from training.trees import deepest_path
from training.verdict import Verdict
from training.weeks import still_open, timing_risk, watched

__all__ = ["Judgement", "judge", "judged_rows", "undecided"]

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
    given: Given | None = None,
    progress: Progress = silent,
) -> Judgement:
    """Judge a bundle on the final block; ``folder`` is where its files lie, so that they can be proved apart."""
    beside = given or Given()
    tested = material.at(pd.Series(final.test(material.cohort) & undecided(material)))
    scores = bundle.score(tested.snapshots)
    judged = judged_rows(tested, scores, bundle.config)
    judged = pd.concat([judged, _refitted(bundle, material, tested, final, progress)], axis=1)
    judged = pd.concat([judged, metric_columns(tested.snapshots)], axis=1)
    for name, risk in _baseline_risks(material, tested, final, bundle.config).items():
        judged[f"risk_{bundle.config.headline_days}_{name}"] = risk
    if beside.live is not None:
        headline = f"risk_{bundle.config.headline_days}"
        judged[f"{headline}_{LIVE}"] = beside.live.score(tested.snapshots)[headline]
    evaluation = evaluate(
        judged,
        model_version=bundle.version,
        beside=Beside(beside.truth, _watched(bundle, material, final, beside), beside.no_rival, beside.note),
        plan=EvaluationPlan(headline_days=bundle.config.headline_days),
        progress=progress,
    )
    found = verdict(evaluation, _checks(bundle, scores, folder, beside))
    currencies = tested.cohort["currency"].value_counts()
    currency = str(currencies.index[0]) if len(currencies) == 1 else "mixed currencies"
    return Judgement(evaluation, found, _pictures(bundle, tested, evaluation), currency)


def _refitted(bundle: Bundle, material: Material, tested: Material, final: Fold, progress: Progress) -> pd.DataFrame:
    config = bundle.config
    rows = training_rows(
        material.cohort, material.snapshots, material.decided, data_cut=material.data_cut, config=config
    )
    past = rows[final.train(rows)].reset_index(drop=True)
    portfolio = reference_portfolio(material.snapshots, final.test_first, config)
    return refitted_columns(bundle, past, tested.snapshots, portfolio, progress=progress)


def _baseline_risks(material: Material, tested: Material, final: Fold, config: TrainingConfig) -> dict[str, Floats]:
    horizon = f"y_{config.headline_days}"
    labels = horizon_labels(material.cohort, material.decided, data_cut=material.data_cut, config=config)[horizon]
    closed = material.cohort["as_of"] + timedelta(days=config.headline_days) + config.settling
    past = (labels.notna() & (closed <= pd.Timestamp(final.test_first))).to_numpy()
    rows, label = material.snapshots[past], labels[past].to_numpy(np.float64)
    timing = fit_timing_only(rows, label, seed=config.seed)
    straight = fit_logistic(rows, label, features=MODEL_FEATURES, seed=config.seed)
    return {"timing_only": timing.predict(tested.snapshots), "logistic": straight.predict(tested.snapshots)}


def _watched(bundle: Bundle, material: Material, final: Fold, beside: Given) -> pd.DataFrame | None:
    if beside.weeks is None:
        return None
    weeks = still_open(beside.weeks)
    return watched(bundle, weeks, timing_risk(material, weeks.snapshots, final.test_first, bundle.config))


def _checks(bundle: Bundle, scores: pd.DataFrame, folder: Path, beside: Given) -> Checks:
    parts = [f"points_{part}" for part in Subcategory] + ["base_points", "clip_adjust", "shrink_adjust"]
    gap = (scores["health"] - scores[parts].sum(axis=1)).abs().max()
    prove_in_child(folder)
    text = bundle.booster.model_to_string()
    return Checks(
        additivity_max_abs_error=float(gap),
        golden_rows=bundle.config.golden_rows,
        golden_rows_ok=True,
        columns_asked=beside.leaks.columns if beside.leaks else None,
        leaks=len(beside.leaks.findings) if beside.leaks else None,
        model_bytes=len(text.encode()),
        # Each interval of the risk and the decision-now row of the health score.
        steps_per_score=deepest_path(text) * (len(bundle.config.intervals_days) + 1),
    )


def _pictures(bundle: Bundle, tested: Material, evaluation: Evaluation) -> tuple[Picture, ...]:
    # Drawing libraries take seconds to import and are needed nowhere else.
    from training.plots import evaluation_pictures  # noqa: PLC0415
    from training.profit_plot import profit_picture  # noqa: PLC0415
    from training.shap_plots import explanation_pictures  # noqa: PLC0415

    places = np.unique(np.linspace(0, len(tested.snapshots) - 1, _EXPLAINED_ROWS).astype(np.int64))
    shown = tested.snapshots.iloc[places].reset_index(drop=True)
    points = bundle.feature_points(shown)[list(bundle.model_features)]
    money = profit_picture(evaluation)
    drawn = (*evaluation_pictures(evaluation), *((money,) if money else ()))
    return (*drawn, *explanation_pictures(points, shown))
