"""Does the champion candidate rank better than simpler ways to rank the same accounts?

Input: the judged rows with the scores of every arm. Output: per arm the ranking metrics, per baseline the paired
difference on identical rows, per arm the cumulative gains. All at the headline horizon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.estimates import Question, Ranked
from training.evaluation import CHAMPION, HEALTH
from training.evaluation_parts import ArmEvaluation, DeltaEvaluation, Estimate, GainsCurve
from training.judged import Judged
from training.metrics import Ranking, captured_shares
from training.reading import read_in_words
from training.worklist import worklist

_GAINS_SHARES = np.linspace(0, 1, 51)

Gains = dict[Literal["pooled", "window"], GainsCurve]


@dataclass(frozen=True, slots=True)
class Arms:
    """What the comparison found."""

    arms: dict[str, ArmEvaluation]
    deltas: dict[str, DeltaEvaluation]
    gains: dict[str, Gains]


def compared_arms(judged: Judged) -> Arms:
    """Rank the same rows by every arm; ``health`` is ranked too, but is no rival and gets no difference."""
    days = judged.plan.headline_days
    pooled = Question(judged, judged.mature(days), judged.column(f"y_{days}"))
    window = pooled.among(judged.in_window(days))
    names = (CHAMPION, *judged.baselines, HEALTH)
    far = {name: pooled.ranked(judged.arm(name)) for name in names}
    near = {name: window.ranked(judged.arm(name)) for name in names}
    return Arms(
        arms={name: _arm(name, (pooled, far[name]), (window, near[name])) for name in names},
        deltas={
            name: DeltaEvaluation(
                auc_pooled=pooled.estimate(far[CHAMPION].auc.minus(far[name].auc)),
                auc_window=window.estimate(near[CHAMPION].auc.minus(near[name].auc)),
                ap_pooled=pooled.estimate(far[CHAMPION].ap.minus(far[name].ap)),
                ap_window=window.estimate(near[CHAMPION].ap.minus(near[name].ap)),
            )
            for name in judged.baselines
        },
        gains={name: _gains(name, pooled, window) for name in names},
    )


def _arm(name: str, pooled: tuple[Question, Ranked], window: tuple[Question, Ranked]) -> ArmEvaluation:
    (everyone, far), (due, near) = pooled, window
    auc_window: Estimate = due.estimate(near.auc)
    return ArmEvaluation(
        auc_pooled=everyone.estimate(far.auc),
        ap_pooled=everyone.estimate(far.ap),
        auc_window=auc_window,
        ap_window=due.estimate(near.ap),
        window_reading=read_in_words(auc_window),
        worklist=worklist(everyone, everyone.judged.arm(name)),
    )


def _gains(arm: str, pooled: Question, window: Question) -> Gains:
    curves: Gains = {}
    questions: tuple[tuple[Literal["pooled", "window"], Question], ...] = (("pooled", pooled), ("window", window))
    for name, question in questions:
        score, left = question.judged.arm(arm)[question.rows], question.outcome
        if left.sum() > 0 and not np.isnan(score).any():
            captured = captured_shares(Ranking(score).levels(left, 1 - left), _GAINS_SHARES)
            curves[name] = GainsCurve(shares=tuple(_GAINS_SHARES.tolist()), captured=tuple(captured.tolist()))
    return curves
