"""Does the champion candidate hold in every phase, segment, grade and kind of contract?

Input: the judged rows. Output: one :class:`GroupEvaluation` per group, at the headline horizon; where too few are
expected to leave, every number is withheld and says so.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from training.calibration_check import observed_over_expected
from training.estimates import Question
from training.evaluation_parts import GroupEvaluation
from training.judged import Judged, Mask
from training.metrics import Floats, brier_terms, divided

LEAST_EXPECTED_IN_GROUP = 10
"""Below 10 expected leavers a group's interval spans more than a factor of three: no number is shown."""


def evaluated_groups(judged: Judged, column: str) -> dict[str, GroupEvaluation]:
    """One evaluation per value of the column, in the order of the values."""
    names = judged.rows[column].astype(str).to_numpy()
    return {str(name): evaluated_group(judged, names == name) for name in np.unique(names)}


def contract_groups(judged: Judged) -> dict[Literal["dated", "evergreen"], GroupEvaluation]:
    """Contracts with a dated decision, and those without end, which belong to no renewal window."""
    evergreen = judged.evergreen
    return {"dated": evaluated_group(judged, ~evergreen), "evergreen": evaluated_group(judged, evergreen)}


def evaluated_group(judged: Judged, mask: Mask) -> GroupEvaluation:
    """The champion candidate in one group of rows."""
    days = judged.plan.headline_days
    risk = judged.column(f"risk_{days}")
    everyone = Question(judged, judged.mature(days), judged.column(f"y_{days}"))
    shown, note = withheld_when_small(everyone, mask, risk)
    window, _ = withheld_when_small(shown, judged.in_window(days), risk)
    pooled = shown.ranked(risk)
    errors = np.column_stack([brier_terms(risk[shown.rows], shown.outcome), np.ones(len(shown.rows))])
    stated = risk[shown.rows]
    return GroupEvaluation(
        rows=len(shown.rows),
        positives=int(shown.outcome.sum()),
        expected=None if np.isnan(stated).any() else float(stated.sum()),
        note=note,
        auc_pooled=shown.estimate(pooled.auc),
        auc_window=window.estimate(window.ranked(risk).auc),
        ap_pooled=shown.estimate(pooled.ap),
        brier=shown.estimate(shown.summed(errors, lambda sums: divided(sums[:, 0], sums[:, 1]))),
        calibration=observed_over_expected(shown, risk),
    )


def withheld_when_small(question: Question, mask: Mask, risk: Floats) -> tuple[Question, str]:
    """The question among these rows, and why nothing may be stated about them; the reason is empty when it may."""
    expected = float(risk[question.mask & mask].sum())
    if np.isnan(expected):
        note = "scores are missing"
    elif expected < LEAST_EXPECTED_IN_GROUP:
        note = f"n too small: {expected:.1f} expected leavers, {LEAST_EXPECTED_IN_GROUP} needed"
    else:
        note = ""
    return question.among(mask, refusal=note), note
