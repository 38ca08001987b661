"""How far would one number alone get, where a decision is due?

Input: the judged rows with ``metric_<feature>``. Output: :class:`SingleMetric` per number: its ranking and the model's
paired lead, on identical rows and redrawn accounts. The direction of each is the one that people read it with, fixed
beforehand. Where the number is not known it says nothing: the account stands at the median of those where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from training.estimates import Question
from training.evaluation import CHAMPION
from training.evaluation_parts import SingleMetric
from training.judged import Judged, Mask
from training.metrics import Floats
from training.reading import lead_in_words

WATCHED: dict[str, tuple[str, int]] = {
    "active_seat_ratio_change_13w": ("trend of people logging in", -1),
    "active_seat_ratio_w4": ("share of seats in use", -1),
    "nps_last": ("last recommendation score (NPS)", -1),
    "tickets_per_100_seats_w13": ("support tickets", 1),
    "days_late_w52": ("days invoices are paid late", 1),
    "days_to_decision": ("renewal date", -1),
}
"""What a team without a model looks at: title, and 1 where more of it is read as more risk."""

PREFIX = "metric_"


def metric_columns(snapshots: pd.DataFrame) -> pd.DataFrame:
    """The numbers of feature rows under the names that :func:`single_metrics` reads; null where not known."""
    return pd.DataFrame(
        {f"{PREFIX}{name}": snapshots[name].to_numpy(np.float64, na_value=np.nan) for name in WATCHED},
        index=snapshots.index,
    )


def single_metrics(judged: Judged) -> dict[str, SingleMetric]:
    """Every number that the judged rows carry, at the headline horizon."""
    days = judged.plan.headline_days
    pooled = Question(judged, judged.mature(days), judged.column(f"y_{days}"))
    return {name: _asked(judged, pooled, name) for name in _present(list(judged.rows.columns))}


def _present(columns: Sequence[str]) -> list[str]:
    return [name for name in WATCHED if f"{PREFIX}{name}" in columns]


def _asked(judged: Judged, pooled: Question, name: str) -> SingleMetric:
    title, sign = WATCHED[name]
    value = judged.column(f"{PREFIX}{name}")
    due = pooled.among(judged.in_window(judged.plan.headline_days))
    near, far = due.ranked(_oriented(value, due.mask, sign)), pooled.ranked(_oriented(value, pooled.mask, sign))
    model = due.ranked(judged.arm(CHAMPION))
    auc_lead = due.estimate(model.auc.minus(near.auc))
    return SingleMetric(
        title=title,
        known=float((~np.isnan(value[due.rows])).mean()) if len(due.rows) else None,
        auc_window=due.estimate(near.auc),
        ap_window=due.estimate(near.ap),
        auc_pooled=pooled.estimate(far.auc),
        auc_lead=auc_lead,
        ap_lead=due.estimate(model.ap.minus(near.ap)),
        words=lead_in_words("auc_window", auc_lead, due.outcomes),
    )


def _oriented(value: Floats, mask: Mask, sign: int) -> Floats:
    known = mask & ~np.isnan(value)
    middle = float(np.median(value[known])) if known.any() else 0.0
    oriented: Floats = sign * np.where(np.isnan(value), middle, value)
    return oriented
