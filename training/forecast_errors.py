"""How far are the stated risks from what happened, and is that nearer than a constant forecast?

Input: the rows of a :class:`Question` and their stated risks. Output: Brier score, its skill over two constant
forecasts, and log-loss.
"""

from __future__ import annotations

import numpy as np

from training.estimates import Question
from training.evaluation_parts import Estimate
from training.judged import Mask
from training.metrics import Floats, brier_terms, divided, log_loss_terms


def error_estimates(question: Question, risk: Floats, window: Mask) -> dict[str, Estimate]:
    """Brier score, Brier skill over the base rate and over the base rates by window, log-loss.

    The constant rivals know the base rates of the judged rows themselves (overall; or inside the renewal window, before
    it, and of evergreen contracts), which no forecaster could: the skill is understated, never flattered.
    """
    stated, left = risk[question.rows], question.outcome
    evergreen = question.judged.evergreen
    kinds = [kind[question.rows].astype(np.float64) for kind in (window, ~window & ~evergreen, ~window & evergreen)]
    errors = [brier_terms(stated, left), log_loss_terms(stated, left), np.ones_like(left), left]
    terms = np.column_stack(errors + [part for kind in kinds for part in (kind, kind * left)])
    metrics = {
        "brier": lambda sums: divided(sums[:, 0], sums[:, 2]),
        "brier_skill": lambda sums: 1 - divided(sums[:, 0], _constant_error(sums[:, 2:4])),
        "brier_skill_by_window": lambda sums: 1 - divided(sums[:, 0], _constant_error(sums[:, 4:])),
        "log_loss": lambda sums: divided(sums[:, 1], sums[:, 2]),
    }
    return {name: question.estimate(question.summed(terms, metric)) for name, metric in metrics.items()}


def _constant_error(sums: Floats) -> Floats:
    """Squared error of stating each kind's own base rate; columns are (rows, leavers) per kind."""
    rows, leavers = sums[:, 0::2], sums[:, 1::2]
    error: Floats = (leavers * (1 - np.nan_to_num(divided(leavers, rows)))).sum(axis=1)
    return error
