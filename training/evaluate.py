"""How good is a model on later data that nothing fitted has seen?

Input grain: one row per (account, as_of) of the untouched test block, with labels, stated risks and the scores of the
baselines on the same rows (columns: :mod:`training.judged`). Output grain: one :class:`Evaluation` document. Pure: no
disk, no clock; the same rows and plan give the same document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from features.progress import Progress, silent
from features.vocabulary import HORIZONS_DAYS
from training.alert_parts import CapacityReplay, Steadiness
from training.arms import compared_arms
from training.calibration_check import expected_calibration_error, observed_over_expected, reliability_curve
from training.capacity_replay import lived_again
from training.estimates import Question
from training.evaluation import Evaluation, EvaluationPlan, JudgedBlock
from training.evaluation_parts import HorizonEvaluation
from training.forecast_errors import error_estimates
from training.groups import contract_groups, evaluated_groups
from training.interval_check import range_coverage
from training.judged import Judged
from training.profit import profit
from training.reading import read_in_words
from training.refit_steadiness import refit_steadiness
from training.segments import cells, learned_weights, regressions
from training.single_metrics import single_metrics
from training.soft import graded_by_truth

_STAGES = len(HORIZONS_DAYS) + 2
"""Parts told to the listener: each horizon, the arms and the replay, and the rest."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What else is known of the judged block.

    ``truth``: account_id, as_of, p_30, p_60, p_90, p_180 (true probabilities), where a simulator made the data.
    ``watched``: every snapshot of the block (:mod:`training.weeks`). ``no_rival`` and ``note``: why the live model must
    not be compared, or could not be asked (:func:`training.segments.regressions`).
    """

    truth: pd.DataFrame | None = None
    watched: pd.DataFrame | None = None
    no_rival: str = ""
    note: str = ""


def evaluate(
    judged: pd.DataFrame,
    *,
    model_version: str,
    truth: pd.DataFrame | None = None,
    beside: Beside | None = None,
    plan: EvaluationPlan | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Grade the champion candidate and every baseline arm on the same rows.

    ``truth`` is short for a :class:`Beside` with nothing else. Labels that are not mature (null) leave a row out of
    that horizon only. ``annual_value`` must be in one currency. What cannot be graded raises DataContractError.
    """
    rows, known = Judged.of(judged, plan or EvaluationPlan()), beside or Beside(truth=truth)
    horizons, compared = _horizons(rows, progress), compared_arms(rows)
    progress("evaluate", _STAGES - 1, _STAGES)
    replay, calm = _lived_again(known.watched, rows.plan)
    evaluation = Evaluation(
        model_version=model_version,
        plan=rows.plan,
        block=_block(rows),
        missing_scores=rows.missing_scores,
        horizon_violations=rows.horizon_violations,
        horizons=horizons,
        arms=compared.arms,
        deltas=compared.deltas,
        gains=compared.gains,
        **_of_groups(rows),
        ranges=range_coverage(rows),
        regressions=regressions(rows, no_rival=known.no_rival, note=known.note),
        profit=profit(rows, rows.plan.prices),
        replay=replay,
        steadiness=calm,
        single_metrics=single_metrics(rows),
        refits=refit_steadiness(rows),
        truth=None if known.truth is None else graded_by_truth(rows, known.truth),
    )
    progress("evaluate", _STAGES, _STAGES)
    return evaluation


def _of_groups(rows: Judged) -> dict[str, Any]:
    return {
        "phases": evaluated_groups(rows, "phase"),
        "segments": evaluated_groups(rows, "segment"),
        "grades": evaluated_groups(rows, "grade"),
        "contracts": contract_groups(rows),
        "cells": cells(rows),
        "weights": learned_weights(rows),
    }


def _lived_again(
    watched: pd.DataFrame | None, plan: EvaluationPlan
) -> tuple[CapacityReplay, Steadiness] | tuple[None, None]:
    return (None, None) if watched is None else lived_again(watched, plan)


def _horizons(judged: Judged, progress: Progress) -> dict[int, HorizonEvaluation]:
    found = {}
    for done, days in enumerate(HORIZONS_DAYS, start=1):
        found[days] = _horizon(judged, days)
        progress("evaluate", done, _STAGES)
    return found


def _horizon(judged: Judged, days: int) -> HorizonEvaluation:
    question = Question(judged, judged.mature(days), judged.column(f"y_{days}"))
    window = question.among(judged.in_window(days))
    risk = judged.column(f"risk_{days}")
    pooled, near = question.ranked(risk), window.ranked(risk)
    auc_window = window.estimate(near.auc)
    errors = error_estimates(question, risk, judged.in_window(days))
    return HorizonEvaluation(
        horizon_days=days,
        auc_pooled=question.estimate(pooled.auc),
        ap_pooled=question.estimate(pooled.ap),
        auc_window=auc_window,
        ap_window=window.estimate(near.ap),
        window_reading=read_in_words(auc_window),
        brier=errors["brier"],
        brier_skill=errors["brier_skill"],
        brier_skill_by_window=errors["brier_skill_by_window"],
        log_loss=errors["log_loss"],
        calibration=observed_over_expected(question, risk),
        reliability=reliability_curve(question, risk),
        ece=expected_calibration_error(question, risk),
    )


def _block(judged: Judged) -> JudgedBlock:
    rows, days = judged.rows, judged.plan.headline_days
    mature = judged.mature(days)
    return JudgedBlock(
        first_as_of=rows["as_of"].min().to_pydatetime(),
        last_as_of=rows["as_of"].max().to_pydatetime(),
        snapshots=int(rows["as_of"].nunique()),
        rows=len(rows),
        accounts=int(rows["account_id"].nunique()),
        clusters=int(rows["cluster_id"].nunique()),
        evergreen_rows=int(judged.evergreen.sum()),
        base_rate=float(judged.column(f"y_{days}")[mature].mean()) if mature.any() else None,
    )
