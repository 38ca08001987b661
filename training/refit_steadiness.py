"""How far do points and reasons move when the model is fitted again?

Input: the judged rows with the columns of :mod:`training.refits`. Output: :class:`RefitSteadiness`, or None where
nothing was fitted again. Pure.
"""

from __future__ import annotations

import numpy as np

from features.vocabulary import Subcategory
from training.alert_parts import PartMoved, RefitSteadiness
from training.estimates import Question
from training.evaluation_parts import Estimate
from training.judged import Judged
from training.metrics import Floats, divided
from training.refits import KEPT, MOVED, REFITS, TOP_KEPT


def refit_steadiness(judged: Judged) -> RefitSteadiness | None:
    """Means over the sampled rows, with account-cluster intervals."""
    if KEPT not in judged.rows:
        return None
    asked = ~np.isnan(judged.column(KEPT))
    return RefitSteadiness(
        refits=REFITS,
        rows=int(asked.sum()),
        reasons_kept=_mean(judged, judged.column(KEPT)),
        top_kept=_mean(judged, judged.column(TOP_KEPT)),
        parts={
            str(part): PartMoved(
                size=_mean(judged, np.where(asked, np.abs(judged.column(f"points_{part}")), np.nan)),
                moved=_mean(judged, judged.column(f"{MOVED}{part}")),
            )
            for part in Subcategory
        },
    )


def _mean(judged: Judged, values: Floats) -> Estimate:
    question = Question(judged, ~np.isnan(values), values)
    terms = np.column_stack([question.outcome, np.ones(len(question.rows))])
    return question.estimate(question.summed(terms, lambda sums: divided(sums[:, 0], sums[:, 1])))
