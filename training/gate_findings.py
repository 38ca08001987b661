"""What does a gate answer with, and when may it not judge at all?

Input: a :class:`Case`: the evaluation, what was tried on the bundle, and where the gates stand. Output: a
:class:`Finding`. A number that is missing, not a number, or rests on too few accounts that left, is never judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.evaluation import Evaluation
from training.evaluation_parts import Estimate, HorizonEvaluation
from training.gate_rules import Checks, GateRules
from training.verdict import Cause, Evidence

TIMING_ONLY = "timing_only"
"""The baseline arm that a model must beat: it knows the calendar of decisions and nothing about the customer."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged, and by which rules."""

    evaluation: Evaluation
    checks: Checks
    rules: GateRules


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one gate."""

    cause: Cause
    reason: str
    evidence: Evidence


def known(*numbers: float | None) -> bool:
    """Are all of these numbers?"""
    return all(number is not None and math.isfinite(number) for number in numbers)


def decided(holds: bool, yes: str, no: str, evidence: Evidence) -> Finding:
    """Passed, or failed."""
    return Finding(Cause.NONE, yes, evidence) if holds else Finding(Cause.FAILED, no, evidence)


def not_measured(what: str, why: str = "", evidence: Evidence | None = None) -> Finding:
    """Refused, since nobody measured it."""
    return Finding(Cause.NOT_MEASURED, f"not measured: {what}{f' ({why})' if why else ''}", evidence or {})


def evidence_of(estimate: Estimate) -> Evidence:
    """The numbers behind an estimate."""
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "rows": estimate.rows,
        "positives": estimate.positives,
        "outcomes": estimate.outcomes,
    }


def unusable(what: str, estimate: Estimate | None, least: int) -> Finding | None:
    """Why an estimate may not be judged: too few accounts that left, or no number; ``None`` when it may."""
    if estimate is None:
        return not_measured(what)
    few = too_few(what, estimate.outcomes, least, evidence_of(estimate))
    if few is not None:
        return few
    if not known(estimate.value, estimate.low, estimate.high):
        return not_measured(what, estimate.reason, evidence_of(estimate))
    return None


def too_few(what: str, outcomes: int | None, least: int, evidence: Evidence) -> Finding | None:
    """Refused, since it rests on too few accounts that left; ``None`` when there are enough."""
    if outcomes is None or not math.isfinite(outcomes):
        return not_measured(what, "the number of accounts that left is unknown", evidence)
    if outcomes < least:
        return Finding(
            Cause.TOO_FEW_OUTCOMES, f"{what} rests on {outcomes} accounts that left; {least} are needed", evidence
        )
    return None


def headline_of(case: Case) -> HorizonEvaluation | None:
    """The evaluation at the headline horizon, if there is one."""
    return case.evaluation.horizons.get(case.evaluation.plan.headline_days)
