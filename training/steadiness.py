"""How calm is the score from one snapshot to the next?

Input grain: judged rows in time order with ``band``, ``health`` and ``reasons_kept`` (:mod:`training.weeks`). Output:
:class:`Steadiness`. Nothing here knows outcomes: a score may be calm and wrong.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.vocabulary import Band
from training.alert_parts import Steadiness
from training.estimates import Question
from training.evaluation_parts import Estimate
from training.judged import Judged, Mask
from training.metrics import Floats, divided
from training.weeks import Integers, previous_rows

_DAYS_PER_YEAR = 365.25
_JUDGED_BANDS = (Band.GREEN, Band.AMBER, Band.RED)
"""A band that is unknown for want of data says nothing that could flip."""


def steadiness(judged: Judged) -> Steadiness:
    """Flips of band per account and year, rank correlation of health, and reasons kept, over pairs of snapshots."""
    rows = judged.rows
    before = previous_rows(rows)
    paired = before >= 0
    day = ((rows["as_of"] - rows["as_of"].min()) / pd.Timedelta(days=1)).to_numpy(np.float64)
    days = np.where(paired, day - day[before], np.nan)
    return Steadiness(
        flips_per_account_year=_flips(judged, before, paired, days),
        rank_correlation=_rank_correlation(judged, before, paired),
        reasons_kept=_reasons_kept(judged),
        spacing_days=float(np.nanmean(days)) if paired.any() else None,
    )


def _flips(judged: Judged, before: Integers, paired: Mask, days: Floats) -> Estimate:
    band = judged.rows["band"].astype(str).to_numpy()
    known = np.isin(band, [str(one) for one in _JUDGED_BANDS])
    both = paired & known & known[before]
    question = Question(judged, both, (band != band[before]).astype(np.float64))
    terms = np.column_stack([question.outcome, days[question.rows] / _DAYS_PER_YEAR])
    return question.estimate(question.summed(terms, lambda sums: divided(sums[:, 0], sums[:, 1])))


def _rank_correlation(judged: Judged, before: Integers, paired: Mask) -> Estimate:
    """Pearson's correlation of the ranks that an account has among all pairs of its snapshot, now and before."""
    question = Question(judged, paired, np.zeros(len(paired)))
    now, was = (judged.column("health")[rows] for rows in (question.rows, before[question.rows]))
    day = judged.rows["as_of"].iloc[question.rows]
    x, y = (pd.Series(values).groupby(day.to_numpy()).rank(pct=True).to_numpy(np.float64) for values in (now, was))
    terms = np.column_stack([np.ones_like(x), x, y, x * y, x * x, y * y])

    def correlation(sums: Floats) -> Floats:
        count, sum_x, sum_y, products, squares_x, squares_y = sums.T
        spread = (count * squares_x - sum_x**2) * (count * squares_y - sum_y**2)
        return divided(count * products - sum_x * sum_y, np.sqrt(np.maximum(spread, 0)))

    return question.estimate(question.summed(terms, correlation))


def _reasons_kept(judged: Judged) -> Estimate:
    kept = judged.column("reasons_kept")
    question = Question(judged, ~np.isnan(kept), kept)
    terms = np.column_stack([question.outcome, np.ones(len(question.rows))])
    return question.estimate(question.summed(terms, lambda sums: divided(sums[:, 0], sums[:, 1])))
