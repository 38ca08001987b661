"""Which arm ranks and states better, and could these rows have shown it?

Input: the judged rows and, per arm, one risk for each row and repeat. Output: figures and paired contrasts per slice.
Whole accounts (parents) are redrawn, the same for every arm, and each redraw is graded with one of the repeats. What
repeats of an arm differ by is the luck of searching and fitting; it is added to each redraw as an error of the mean
over repeats (Student's t, since there are few), so that an interval holds both kinds of luck. Not in it: the luck of
what was learnt from, since all arms learnt from the same past. Pure: no disk, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from training.bootstrap import LEVEL, ClusterDraws
from training.estimates import Drawn, Question, undefined
from training.evaluation import EvaluationPlan
from training.evaluation_parts import Estimate
from training.experiment import (
    METRICS,
    SLICES,
    ArmFigures,
    ComparisonPlan,
    Contrast,
    Metric,
    Slice,
    SliceComparison,
    Word,
)
from training.judged import Judged, Mask
from training.metrics import Floats, divided, log_loss_terms
from training.power import least_detectable, needed

Risks = Mapping[str, Floats]
"""Per arm: (repeats, rows). The first arm is compared with the others."""

_WIDTH = 2 * NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard errors between the ends of an interval."""

_IN_CAMPAIGN = ("active", "post")


def compared(
    rows: pd.DataFrame, outcome: Floats, risks: Risks, plan: ComparisonPlan, *, graded_by_truth: bool = False
) -> dict[Slice, SliceComparison]:
    """Compare arms on identical rows.

    ``rows`` have account_id, cluster_id, phase, days_to_decision and is_evergreen; ``outcome`` is a label per row (NaN:
    not final, the row is left out) or a true chance.
    """
    arena = _Arena.of(rows, outcome, plan, graded_by_truth=graded_by_truth)
    return {name: arena.slice(name, risks) for name in SLICES}


@dataclass(frozen=True, slots=True)
class _Arena:
    # One question per repeat and slice; each has its own share of the redraws.
    questions: dict[Slice, list[Question]]
    plan: ComparisonPlan
    graded_by_truth: bool

    @classmethod
    def of(cls, rows: pd.DataFrame, outcome: Floats, plan: ComparisonPlan, *, graded_by_truth: bool) -> _Arena:
        draws = ClusterDraws.draw(rows["cluster_id"], replicates=plan.replicates, seed=plan.seed)
        unused = EvaluationPlan(headline_days=plan.headline_days)
        known = np.isfinite(outcome)
        questions: dict[Slice, list[Question]] = {name: [] for name in SLICES}
        for repeat in range(plan.repeats):
            judged = Judged(rows, unused, ClusterDraws(draws.counts[repeat :: plan.repeats], draws.codes))
            for name in SLICES:
                mask = known & _rows_of(name, judged)
                questions[name].append(Question(judged, mask, outcome, graded_by_truth=graded_by_truth))
        return cls(questions, plan, graded_by_truth)

    def slice(self, name: Slice, risks: Risks) -> SliceComparison:
        questions = self.questions[name]
        drawn = {arm: _figures(questions, stated) for arm, stated in risks.items()}
        asked, (first, *others) = questions[0], list(risks)
        count = len(asked.rows)
        estimates = {
            arm: {metric: asked.estimate(self._joined(found)) for metric, found in by_metric.items()}
            for arm, by_metric in drawn.items()
        }
        return SliceComparison(
            rows=count,
            leavers=None if self.graded_by_truth else asked.outcomes,
            base_rate=float(asked.outcome.mean()) if count else None,
            arms={arm: ArmFigures(ap=e["ap"], auc=e["auc"], log_loss=e["log_loss"]) for arm, e in estimates.items()},
            contrasts={other: self._contrasts(asked, drawn[first], drawn[other]) for other in others},
        )

    def _contrasts(self, asked: Question, first: _Figures, other: _Figures) -> dict[Metric, Contrast]:
        gains = {metric: self._joined(_gains(metric, first[metric], other[metric])) for metric in METRICS}
        return {metric: self._contrast(asked, gain, self.plan.effect(metric)) for metric, gain in gains.items()}

    def _joined(self, drawn: list[Drawn]) -> Drawn:
        """The mean over repeats; each redraw as far off as it was from its own repeat, plus the luck of repeats."""
        refused = [one.reason for one in drawn if one.reason]
        if refused:
            return undefined(refused[0])
        values = np.array([one.value for one in drawn])
        mean, count = float(values.mean()), len(values)
        luck = np.zeros(self.plan.replicates)
        if count > 1:
            draw = np.random.default_rng(self.plan.seed)
            luck = draw.standard_t(count - 1, self.plan.replicates) * values.std(ddof=1) / np.sqrt(count)
        centred = np.concatenate([one.replicates - one.value for one in drawn])
        return Drawn(mean, mean + centred + luck)

    def _contrast(self, asked: Question, gain: Drawn, effect: float) -> Contrast:
        estimate = asked.estimate(gain)
        if estimate.low is None or estimate.high is None:
            return Contrast(
                gain=estimate, effect=effect, least_detectable=None, leavers_needed=None, words=("undefined",)
            )
        # By the width, since the tails of the luck of a few repeats have no standard error worth the name.
        least = least_detectable((estimate.high - estimate.low) / _WIDTH)
        return Contrast(
            gain=estimate,
            effect=effect,
            least_detectable=least,
            leavers_needed=None if self.graded_by_truth else needed(asked.outcomes, least, effect),
            words=words_for(estimate, effect),
        )


def words_for(gain: Estimate, effect: float) -> tuple[Word, ...]:
    """The fixed terms that an interval allows; "underpowered" where it is wider than the effect asked for."""
    if gain.low is None or gain.high is None:
        return ("undefined",)
    if gain.low > 0:
        words: tuple[Word, ...] = ("better",)
    else:
        words = ("worse",) if gain.high < 0 else ("no difference shown",)
    return (*words, "underpowered") if gain.high - gain.low > effect else words


def _rows_of(name: Slice, judged: Judged) -> Mask:
    if name == "window":
        return judged.in_window(judged.plan.headline_days)
    if name == "campaign":
        return judged.rows["phase"].isin(_IN_CAMPAIGN).to_numpy(bool)
    return np.ones(len(judged.rows), dtype=bool)


_Figures = dict[Metric, list[Drawn]]
"""Per metric one number for each repeat."""


def _figures(questions: list[Question], stated: Floats) -> _Figures:
    ranked = [question.ranked(risk) for question, risk in zip(questions, stated, strict=True)]
    losses = [_log_loss(question, risk) for question, risk in zip(questions, stated, strict=True)]
    return {"ap": [one.ap for one in ranked], "auc": [one.auc for one in ranked], "log_loss": losses}


def _gains(metric: Metric, first: list[Drawn], other: list[Drawn]) -> list[Drawn]:
    pairs = list(zip(first, other, strict=True))
    if metric == "ap":
        return [_relative(one, two) for one, two in pairs]
    return [one.minus(two) if metric == "auc" else two.minus(one) for one, two in pairs]


def _log_loss(question: Question, risk: Floats) -> Drawn:
    losses = log_loss_terms(risk[question.rows], question.outcome)
    terms = np.column_stack([losses, np.ones_like(losses)])
    return question.summed(terms, lambda sums: divided(sums[:, 0], sums[:, 1]))


def _relative(first: Drawn, other: Drawn) -> Drawn:
    if first.reason or other.reason:
        return undefined(first.reason or other.reason)
    if not other.value > 0:
        return undefined("the other arm finds nobody at all")
    return Drawn(first.value / other.value - 1, divided(first.replicates, other.replicates) - 1)
