"""How often was an alert right, and how early did it come?

Input: judged rows with ``days_to_leaving`` (days from ``as_of`` to the voluntary decision; null where none is known for
sure) and ``days_to_last_day``, and which of these rows begin an alert. Output: an :class:`AlertRecord` per policy, and
paired differences. The redraws of accounts are those of the judged rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.alert_parts import AlertLead, AlertRecord
from training.episodes import Places
from training.estimates import Drawn, Question, undefined
from training.judged import Judged, Mask
from training.metrics import Floats, divided

RIGHT_WITHIN_DAYS = 180
"""26 weeks: an alert that was right says so within half a year. The label of 180 days is this one, to two days."""
EARLY_DAYS = 56
"""8 weeks before the decision there is still time to win an account back."""
EARLY_BEFORE_END_DAYS = 91
"""A quarter before the last day: the anchor of rules that count from the end of the contract."""
LEAD_IN_DAYS = 91
"""Who decides sooner after the start could not have been alerted early by anybody."""

MEASURES = tuple(AlertLead.model_fields)


@dataclass(frozen=True, slots=True)
class Leavers:
    """Who left and could have been seen coming: one judged row each (their first), and their place per account."""

    rows: Places
    place: Places

    @classmethod
    def of(cls, judged: Judged) -> Leavers:
        """The leavers among judged rows that have ``days_to_leaving``."""
        ahead = judged.column("days_to_leaving")
        since = (judged.rows["as_of"] - judged.rows["as_of"].min()) / pd.Timedelta(days=1)
        seen = np.flatnonzero((ahead > 0) & (since.to_numpy(np.float64) + ahead >= LEAD_IN_DAYS))
        names = pd.factorize(judged.rows["account_id"], sort=True)[0]
        accounts, first = np.unique(names[seen], return_index=True)
        place = np.full(int(names.max()) + 1, -1, dtype=np.intp)
        place[accounts] = np.arange(len(accounts))
        return cls(seen[first].astype(np.intp), place[names])

    def chosen(self, mask: Mask) -> Leavers:
        """Some of the leavers; ``mask`` has one flag per leaver."""
        place = np.full(len(mask) + 1, -1, dtype=np.intp)
        place[np.flatnonzero(mask)] = np.arange(int(mask.sum()))
        return Leavers(self.rows[mask], place[self.place])


@dataclass(frozen=True, slots=True)
class Measured:
    """One policy's numbers with their redraws, and the rows each of them rests on."""

    alerts: int
    drawn: dict[str, Drawn]
    asked: dict[str, Question]

    def record(self) -> AlertRecord:
        """The numbers with their intervals."""
        told = {name: self.asked[name].estimate(self.drawn[name]) for name in MEASURES}
        return AlertRecord(alerts=self.alerts, **told)

    def lead_over(self, other: Measured) -> AlertLead:
        """The policy minus another, paired."""
        pairs = {name: self.drawn[name].minus(other.drawn[name]) for name in MEASURES}
        return AlertLead(**{name: self.asked[name].estimate(pairs[name]) for name in MEASURES})


def measured(judged: Judged, leavers: Leavers, begun: Mask, *, counted: Mask | None = None) -> Measured:
    """Grade alerts; ``counted`` leaves alerts out of number and precision, such as those of the first day."""
    graded = begun if counted is None else begun & counted
    right = judged.column(f"y_{RIGHT_WITHIN_DAYS}")
    of_alerts = Question(judged, graded & judged.mature(RIGHT_WITHIN_DAYS), right)
    found = _found(judged, leavers, begun)
    everyone = _one_row_each(judged, leavers, found["recall"])
    asked = {name: _one_row_each(judged, leavers, flags) for name, flags in found.items() if name != "lead_days"}
    drawn = {name: _mean(question) for name, question in asked.items()}
    worth = judged.column("annual_value")
    asked["early_value"] = asked["early_before_decision"]
    drawn["early_value"] = _mean(asked["early_value"], worth[asked["early_value"].rows])
    asked |= {"precision": of_alerts, "lead_days": everyone}
    drawn |= {"precision": _mean(of_alerts), "lead_days": _median(everyone, found["lead_days"])}
    return Measured(int(graded.sum()), drawn, asked)


def shares_by_lead(judged: Judged, leavers: Leavers, begun: Mask, days: Sequence[int]) -> tuple[float, ...]:
    """Share of leavers with a right alert at least so many days before they decided; empty without leavers."""
    ahead = judged.column("days_to_leaving")
    true = np.flatnonzero(begun & (leavers.place >= 0) & (ahead > 0) & (ahead <= RIGHT_WITHIN_DAYS))
    earliest = np.full(len(leavers.rows), -1.0)
    np.maximum.at(earliest, leavers.place[true], ahead[true])
    return tuple(float((earliest >= least).mean()) for least in days) if len(earliest) else ()


def _found(judged: Judged, leavers: Leavers, begun: Mask) -> dict[str, Floats]:
    """Per judged row of a leaver: was it alerted, early, and how many days before; 0 or NaN elsewhere."""
    ahead, last_day = judged.column("days_to_leaving"), judged.column("days_to_last_day")
    true = np.flatnonzero(begun & (leavers.place >= 0) & (ahead > 0) & (ahead <= RIGHT_WITHIN_DAYS))
    conditions = {
        "recall": np.ones(len(true), dtype=bool),
        "early_before_decision": ahead[true] >= EARLY_DAYS,
        "early_before_end": last_day[true] >= EARLY_BEFORE_END_DAYS,
    }
    flags = {name: np.zeros(len(ahead)) for name in conditions}
    for name, holds in conditions.items():
        flags[name][leavers.rows[np.unique(leavers.place[true[holds]])]] = 1.0
    lead = np.full(len(leavers.rows), np.inf)
    np.minimum.at(lead, leavers.place[true], ahead[true])
    flags["lead_days"] = np.full(len(ahead), np.nan)
    flags["lead_days"][leavers.rows] = np.where(np.isinf(lead), np.nan, lead)
    return flags


def _one_row_each(judged: Judged, leavers: Leavers, flags: Floats) -> Question:
    mask = np.zeros(len(judged.rows), dtype=bool)
    mask[leavers.rows] = True
    return Question(judged, mask, flags)


def _mean(question: Question, weight: Floats | None = None) -> Drawn:
    each = np.ones(len(question.rows)) if weight is None else weight
    return question.summed(
        np.column_stack([question.outcome * each, each]), lambda sums: divided(sums[:, 0], sums[:, 1])
    )


def _median(question: Question, lead: Floats) -> Drawn:
    known = question.rows[~np.isnan(lead[question.rows])]
    if not len(known):
        return undefined("no leaver was alerted")
    value = float(weighted_median(lead[known], np.ones((1, len(known))))[0])
    drawn = question.judged.draws.replicate(known, lambda weights: weighted_median(lead[known], weights))
    return Drawn(value, drawn)


def weighted_median(values: Floats, weights: Floats) -> Floats:
    """The least value up to which half of the weight lies, per row of weights; NaN where there is none."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[:, order], axis=1)
    whole = reached[:, -1]
    place = (reached >= whole[:, np.newaxis] / 2).argmax(axis=1)
    median: Floats = np.where(whole > 0, values[order][place], np.nan)
    return median
