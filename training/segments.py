"""For whom does the model hold, what moves it there, and whom would it serve worse than its rival?

Input: the judged rows. Output: calibration per segment and phase, learned weights per segment, paired comparisons per
segment. Where too few are expected to leave, nothing is stated and the reason stands there instead.
"""

from __future__ import annotations

import numpy as np

from features.vocabulary import Subcategory
from training.calibration_check import expected_calibration_error, observed_over_expected, withheld_error
from training.estimates import Question
from training.evaluation import CHAMPION
from training.evaluation_parts import Estimate
from training.groups import withheld_when_small
from training.judged import Judged, Mask
from training.metrics import Floats, brier_terms, divided
from training.segment_parts import CellEvaluation, LearnedWeights, Regressions, SegmentComparison

EVERYBODY = "all"
OTHERS = "other segments together"
LIVE = "live"
"""The arm of the model that is live now."""
LEAST_OUTCOMES = 10
"""Below 10 leavers a paired difference of rankings is luck; such segments are compared together."""
_TIMING_ONLY = "timing_only"


def cells(judged: Judged) -> tuple[CellEvaluation, ...]:
    """Calibration at the headline horizon in every segment and phase that has rows, with the noise floor of ECE."""
    segment, phase = (judged.rows[name].astype(str).to_numpy() for name in ("segment", "phase"))
    pairs = sorted(set(zip(segment.tolist(), phase.tolist(), strict=True)))
    return tuple(_cell(judged, where, when, (segment == where) & (phase == when)) for where, when in pairs)


def _cell(judged: Judged, segment: str, phase: str, mask: Mask) -> CellEvaluation:
    days = judged.plan.headline_days
    risk = judged.column(f"risk_{days}")
    everyone = Question(judged, judged.mature(days), judged.column(f"y_{days}"))
    shown, note = withheld_when_small(everyone, mask, risk)
    stated = risk[shown.rows]
    return CellEvaluation(
        segment=segment,
        phase=phase,
        rows=len(shown.rows),
        positives=int(shown.outcome.sum()),
        expected=None if np.isnan(stated).any() else float(stated.sum()),
        note=note,
        calibration=observed_over_expected(shown, risk),
        ece=withheld_error(note) if note else expected_calibration_error(shown, risk),
    )


def learned_weights(judged: Judged) -> dict[str, LearnedWeights]:
    """Shares of the subcategories in the size of points: over all rows and per segment; empty without points."""
    names = [f"points_{part}" for part in Subcategory]
    if not set(names) <= set(judged.rows.columns):
        return {}
    sizes = np.abs(np.column_stack([judged.column(name) for name in names]))
    segment = judged.rows["segment"].astype(str).to_numpy()
    masks = {EVERYBODY: np.ones(len(segment), dtype=bool), **{name: segment == name for name in np.unique(segment)}}
    return {str(name): _weights(judged, mask, sizes) for name, mask in masks.items()}


def _weights(judged: Judged, mask: Mask, sizes: Floats) -> LearnedWeights:
    question = Question(judged, mask, np.zeros(len(mask)))
    terms = sizes[question.rows]

    def share(place: int) -> Estimate:
        return question.estimate(question.summed(terms, lambda sums: divided(sums[:, place], sums.sum(axis=1))))

    return LearnedWeights(
        rows=len(question.rows), shares={str(part): share(place) for place, part in enumerate(Subcategory)}
    )


def regressions(judged: Judged, *, no_rival: str = "", note: str = "") -> Regressions:
    """Every segment with enough leavers, the others together.

    ``no_rival`` says why the live model must not be compared, so that nothing is stated; ``note`` why it could not be
    asked, so that timing alone stands in.
    """
    rival = next((arm for arm in (LIVE, _TIMING_ONLY) if arm in judged.baselines), None)
    if rival is None or no_rival:
        return Regressions(rival=None, segments={}, reason=no_rival or "there is nothing to compare with")
    days = judged.plan.headline_days
    everyone = Question(judged, judged.mature(days), judged.column(f"y_{days}"))
    segment = judged.rows["segment"].astype(str).to_numpy()
    masks = {str(name): segment == name for name in np.unique(segment)}
    large = {name: mask for name, mask in masks.items() if everyone.among(mask).outcomes >= LEAST_OUTCOMES}
    small = np.isin(segment, sorted(set(masks) - set(large)))
    groups = {**large, **({OTHERS: small} if small.any() else {})}
    return Regressions(
        rival=rival,
        segments={name: _compared(everyone.among(mask), rival) for name, mask in groups.items()},
        reason=note,
    )


def _compared(pooled: Question, rival: str) -> SegmentComparison:
    judged = pooled.judged
    window = pooled.among(judged.in_window(judged.plan.headline_days))
    own, other = judged.arm(CHAMPION), judged.arm(rival)
    errors = [brier_terms(risk[pooled.rows], pooled.outcome) for risk in (other, own)]
    terms = np.column_stack([errors[0] - errors[1], np.ones(len(pooled.rows))])
    return SegmentComparison(
        auc_pooled=pooled.estimate(pooled.ranked(own).auc.minus(pooled.ranked(other).auc)),
        auc_window=window.estimate(window.ranked(own).auc.minus(window.ranked(other).auc)),
        brier=pooled.estimate(pooled.summed(terms, lambda sums: divided(sums[:, 0], sums[:, 1]))),
    )
