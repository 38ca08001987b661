"""What are the leads' weights worth? Asked of the past before they are used.

Input: judged rows of snapshots that the model did not learn from, with points per subcategory. Output: one
:class:`PolicyBacktest`: index and model on identical rows whose decision fell due, the index's own calibration, and
the share lambda that the data gives to the weights. Decisions that are due, because the index knows no timing and would
lose over all accounts to any model that does, whatever the weights.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.special import expit

from training.arms import compared_arms
from training.estimates import Drawn, Question, undefined
from training.evaluation import CHAMPION, EvaluationPlan
from training.evaluation_parts import Document, Estimate
from training.findings import with_interval
from training.judged import Judged
from training.metrics import Floats, brier_terms
from training.policy import WEIGHED, PolicyWeights, policy_index
from training.policy_blend import BlendRows, fit_blend, later_forecasts, log_loss, share_replicates

INDEX = "policy"
LEAST_OUTCOMES = 20
"""Fewer leavers at a decision cannot tell a merit of the weights from chance."""
SEGMENT_OUTCOMES = 100
"""A segment gets its own share only from so many leavers (domain 4.11)."""


class Share(Document):
    """The share lambda that the data gives to the weights; null values have a reason."""

    share: Estimate
    sentence: str


class PolicyBacktest(Document):
    """The weights against the model, on the same rows."""

    name: str
    model_version: str
    weights: dict[str, float] = Field(description="shares of their sum")
    horizon_days: int
    rows: int
    outcomes: int = Field(description="accounts that left at a decision that was due")
    auc_model: Estimate
    auc_index: Estimate
    ap_model: Estimate
    ap_index: Estimate
    auc_lead: Estimate = Field(description="model minus index, paired; above 0: the model ranks better")
    ap_lead: Estimate
    brier_lead: Estimate = Field(
        description="index minus model, later dates, each calibrated; above 0: the model errs less"
    )
    blend_gain: Estimate = Field(description="log-loss of the model minus that of the blend, later dates, per row")
    share: Share
    segments: dict[str, Share]

    def lines(self) -> list[str]:
        """The backtest in words."""
        told = ", ".join(f"{part} {share:.0%}" for part, share in self.weights.items() if share)
        per_segment = [f"  {segment}: {one.sentence}" for segment, one in self.segments.items()]
        return [
            f"{self.name}: {told}",
            f"model version {self.model_version}, {self.rows} rows with a decision due, {self.outcomes} accounts left",
            _compared("AUC", self.auc_model, self.auc_index, self.auc_lead),
            _compared("AP", self.ap_model, self.ap_index, self.ap_lead),
            f"squared error on later dates, your weights less the model: {with_interval(self.brier_lead, 4)}",
            f"log-loss that a blend would have saved on later dates: {with_interval(self.blend_gain, 4)}",
            self.share.sentence,
            *(["by segment:", *per_segment] if per_segment else []),
        ]


def backtest(rows: pd.DataFrame, weights: PolicyWeights, *, model_version: str, plan: EvaluationPlan) -> PolicyBacktest:
    """Ask the weights and the model about the same past.

    ``rows`` are judged rows (:mod:`training.judged`) with ``points_<subcategory>``.

    Raises:
        DataContractError: the rows cannot be graded.
    """
    days = plan.headline_days
    rows = rows.assign(index=policy_index(rows, weights))
    rows[f"risk_{days}_{INDEX}"] = 1.0 - rows["index"] / 100.0
    judged = Judged.of(rows.drop(columns=[f"points_{part}" for part in WEIGHED]), plan)
    mature = Question(judged, judged.mature(days), judged.column(f"y_{days}"))
    due = mature.among(judged.in_window(days))
    compared = compared_arms(judged)
    model, index, lead = compared.arms[CHAMPION], compared.arms[INDEX], compared.deltas[INDEX]
    later = _Later.of(due)
    return PolicyBacktest(
        name=weights.name,
        model_version=model_version,
        weights={str(part): share for part, share in weights.shares().items()},
        horizon_days=days,
        rows=len(due.rows),
        outcomes=due.outcomes,
        auc_model=model.auc_window,
        auc_index=index.auc_window,
        ap_model=model.ap_window,
        ap_index=index.ap_window,
        auc_lead=lead.auc_window,
        ap_lead=lead.ap_window,
        brier_lead=later.brier_lead(),
        blend_gain=later.blend_gain(),
        share=_share(due, "your weights", LEAST_OUTCOMES),
        segments={
            str(segment): _share(
                due.among((judged.rows["segment"] == segment).to_numpy()), "here they", SEGMENT_OUTCOMES
            )
            for segment in sorted(judged.rows["segment"].unique())
        },
    )


def _compared(measure: str, model: Estimate, index: Estimate, lead: Estimate) -> str:
    told = f"{measure}: model {with_interval(model)}, your weights {with_interval(index)}"
    return f"{told}; lead of the model {with_interval(lead)}"


def _blend_rows(question: Question) -> BlendRows:
    judged = question.judged
    chosen = judged.rows.iloc[question.rows]
    chance = judged.arm(CHAMPION)[question.rows]
    return BlendRows.of(chosen.assign(left=question.outcome, chance=chance))


def _share(question: Question, subject: str, least: int) -> Share:
    outcomes = question.outcomes
    if outcomes < least or outcomes == len(question.rows):
        reason = f"{outcomes} leavers at a decision; {least} are needed"
        return Share(share=question.estimate(undefined(reason)), sentence=f"{subject} cannot be judged: {reason}")
    rows = _blend_rows(question)
    point = fit_blend(rows, np.ones(len(rows.left))).share
    drawn = Drawn(point, share_replicates(rows, question.judged.plan.seed))
    estimate = question.estimate(drawn)
    return Share(share=estimate, sentence=_sentence(subject, estimate))


_NOTHING = 0.005
"""A share below this is told as 0.00."""


def _sentence(subject: str, estimate: Estimate) -> str:
    earned = f"{subject} earn a say of {with_interval(estimate)} (0: none, 1: all)"
    if estimate.low is None or estimate.low > _NOTHING:
        return earned
    return f"{earned}; that they add nothing to the model cannot be ruled out"


class _Later:
    # Forecasts of the later dates (blend, model, index), each fitted on the dates before.
    def __init__(self, question: Question, logits: Floats) -> None:
        self._question, self._logits = question, logits

    @classmethod
    def of(cls, due: Question) -> _Later:
        mask = np.zeros(len(due.judged.rows), dtype=bool)
        if due.outcomes < LEAST_OUTCOMES:
            return cls(due.among(mask, refusal="too few leavers"), np.empty((0, 3)))
        logits = later_forecasts(_blend_rows(due))
        kept = ~np.isnan(logits).any(axis=1)
        mask[due.rows[kept]] = True
        return cls(due.among(mask), logits[kept])

    def brier_lead(self) -> Estimate:
        left = self._question.outcome
        return self._mean(brier_terms(expit(self._logits[:, 2]), left) - brier_terms(expit(self._logits[:, 1]), left))

    def blend_gain(self) -> Estimate:
        left = self._question.outcome
        return self._mean(log_loss(self._logits[:, 1], left) - log_loss(self._logits[:, 0], left))

    def _mean(self, terms: Floats) -> Estimate:
        stacked = np.column_stack([terms, np.ones_like(terms)])
        return self._question.estimate(self._question.summed(stacked, lambda sums: sums[:, 0] / sums[:, 1]))
