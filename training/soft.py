"""How good is the ranking when the luck of the draw is taken out?

Input: the judged rows and, for each, the true probabilities that only a simulator knows. Output: :class:`Truth`. A row
with true probability p counts as p leavers and 1 - p stayers, so no label noise is left; the *state oracle*, which
ranks by p itself, is the best that any model could do. A truth found with few simulated paths is itself noisy and
flatters its own oracle. Source: domain reference 6.5 and 6.8.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.errors import DataContractError
from features.vocabulary import HORIZONS_DAYS
from training.estimates import Drawn, Question, undefined
from training.evaluation import CHAMPION, HEALTH
from training.evaluation_parts import Truth, TruthEvaluation
from training.judged import KEY, Judged
from training.metrics import Floats, brier_terms, divided
from training.reading import NO_SKILL


def graded_by_truth(judged: Judged, truth: pd.DataFrame) -> Truth:
    """Grade all judged rows, matured or not, with their true probabilities.

    Raises:
        DataContractError: the truth lacks a column or a judged row, repeats one, or holds no probability.
    """
    known = _aligned(judged, truth)
    days = judged.plan.headline_days
    headline = _question(judged, known, days).among(judged.in_window(days))
    aucs = {arm: headline.ranked(judged.arm(arm)).auc for arm in (CHAMPION, *judged.baselines, HEALTH)}
    return Truth(
        horizons={horizon: _horizon(judged, known, horizon) for horizon in HORIZONS_DAYS},
        arms_auc_window={arm: headline.estimate(auc) for arm, auc in aucs.items()},
        deltas_auc_window={arm: headline.estimate(aucs[CHAMPION].minus(aucs[arm])) for arm in judged.baselines},
    )


def share_of_skill(model: Drawn, oracle: Drawn) -> Drawn:
    """(model's AUC - 0.5) / (oracle's AUC - 0.5), in every redraw; no value where the oracle itself has no skill."""
    if model.reason or oracle.reason:
        return undefined(model.reason or oracle.reason)
    if oracle.value <= NO_SKILL:
        return undefined("the oracle itself has no skill in these rows")
    share = (model.value - NO_SKILL) / (oracle.value - NO_SKILL)
    return Drawn(share, divided(model.replicates - NO_SKILL, oracle.replicates - NO_SKILL))


def _question(judged: Judged, known: pd.DataFrame, days: int) -> Question:
    everyone = np.ones(len(known), dtype=bool)
    return Question(judged, everyone, known[f"p_{days}"].to_numpy(np.float64), graded_by_truth=True)


def _horizon(judged: Judged, known: pd.DataFrame, days: int) -> TruthEvaluation:
    question = _question(judged, known, days)
    window = question.among(judged.in_window(days))
    risk, chance = judged.column(f"risk_{days}"), known[f"p_{days}"].to_numpy(np.float64)
    far, near = question.ranked(risk), window.ranked(risk)
    oracle_far, oracle_near = question.ranked(chance), window.ranked(chance)

    def mean(terms: Floats, over: Floats) -> Drawn:
        return question.summed(np.column_stack([terms, over]), lambda sums: divided(sums[:, 0], sums[:, 1]))

    return TruthEvaluation(
        auc_pooled=question.estimate(far.auc),
        auc_window=window.estimate(near.auc),
        ap_pooled=question.estimate(far.ap),
        ap_window=window.estimate(near.ap),
        brier=question.estimate(mean(brier_terms(risk, chance), np.ones_like(risk))),
        oracle_auc_pooled=question.estimate(oracle_far.auc),
        oracle_auc_window=window.estimate(oracle_near.auc),
        oracle_ap_window=window.estimate(oracle_near.ap),
        oracle_brier=question.estimate(mean(brier_terms(chance, chance), np.ones_like(risk))),
        share_of_oracle_skill=window.estimate(share_of_skill(near.auc, oracle_near.auc)),
        calibration=question.estimate(mean(chance, risk)),
    )


def _aligned(judged: Judged, truth: pd.DataFrame) -> pd.DataFrame:
    """The truth of each judged row, in the order of the judged rows."""
    columns = [f"p_{days}" for days in HORIZONS_DAYS]
    absent = [name for name in [*KEY, *columns] if name not in truth]
    _require(not absent, "every column", f"without {', '.join(absent)}")
    repeated = int(truth.duplicated(KEY).sum())
    _require(not repeated, "one row per account and as_of", f"{repeated} repeated rows")
    known = judged.rows[KEY].merge(truth[[*KEY, *columns]], on=KEY, how="left", validate="one_to_one")
    lacking = int(known[columns].isna().any(axis=1).sum())
    _require(not lacking, "a probability for every judged row", f"{lacking} rows without")
    outside = int((~known[columns].apply(lambda column: column.between(0, 1))).any(axis=1).sum())
    _require(not outside, "probabilities from 0 to 1", f"{outside} rows outside")
    return known


def _require(holds: bool, expected: str, found: str) -> None:
    if not holds:
        raise DataContractError(
            "the truth does not fit the judged rows",
            expected=expected,
            found=found,
            todo="grade with the truth table of the same simulated run, or without truth",
        )
