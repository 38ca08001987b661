"""What would the list of accounts to call have caught?

Input grain: (account, as_of) rows. A new list is made at every snapshot, because that is how people work: the top
``capacity`` accounts of that day. Accounts of equal score at the edge of the list are taken in proportion, as if drawn.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.estimates import Question
from training.evaluation_parts import Estimate, Worklist
from training.metrics import Floats, divided

TOP_SHARE = 0.10
"""Lift is stated at the top decile, the customary depth."""


def share_listed(score: Floats, places: float) -> Floats:
    """How much of each row is on a list of ``places``: 1, 0, or the fair share of the rows tied at its edge.

    A missing score leaves no list: all shares are NaN then.
    """
    if np.isnan(score).any():
        return np.full(len(score), np.nan)
    _, level_of = np.unique(-score, return_inverse=True)
    size = np.bincount(level_of)
    above = np.cumsum(size) - size
    listed: Floats = (np.clip(places - above, 0, size) / np.maximum(size, 1))[level_of]
    return listed


def worklist(question: Question, score: Floats) -> Worklist:
    """Precision, recall, lift and value captured of a score (one value per judged row, none below 0)."""
    capacity = question.judged.plan.capacity
    values, left = score[question.rows], question.outcome
    worth = question.judged.column("annual_value")[question.rows]
    listed = _daily(question, values, share=0, places=capacity)
    decile = _daily(question, values, share=TOP_SHARE, places=0)
    dearest = _daily(question, values * worth, share=0, places=capacity)
    lost = left * worth

    def share(part: Floats, whole: Floats) -> Estimate:
        terms = np.column_stack([part, whole])
        return question.estimate(question.summed(terms, lambda sums: divided(sums[:, 0], sums[:, 1])))

    return Worklist(
        capacity=capacity,
        precision_at_capacity=share(left * listed, listed),
        recall_at_capacity=share(left * listed, left),
        lift_top_decile=_lift(question, decile),
        value_captured_at_capacity=share(lost * dearest, lost),
    )


def _lift(question: Question, listed: Floats) -> Estimate:
    left = question.outcome
    terms = np.column_stack([left * listed, listed, left, np.ones_like(left)])

    def lift(sums: Floats) -> Floats:
        return divided(divided(sums[:, 0], sums[:, 1]), divided(sums[:, 2], sums[:, 3]))

    return question.estimate(question.summed(terms, lift))


def _daily(question: Question, score: Floats, *, share: float, places: int) -> Floats:
    """Lists made apart at each snapshot: ``places`` accounts, or a share of the accounts of that day."""
    days = pd.factorize(question.judged.rows["as_of"].iloc[question.rows])[0]
    listed = np.zeros(len(score))
    for day in np.unique(days):
        rows = days == day
        listed[rows] = share_listed(score[rows], places or share * rows.sum())
    return listed
