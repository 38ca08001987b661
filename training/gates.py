"""May this model go live?

Input: one :class:`Evaluation` and the bundle's own checks. Output: one :class:`Verdict` with every gate, its reason and
its evidence. A gate that cannot measure refuses: a missing number, NaN, or a number resting on too few outcomes never
passes. Outcomes are accounts that left, not rows: one leaver is a positive row in several snapshots.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from training.evaluation import Evaluation
from training.evaluation_parts import Estimate, HorizonEvaluation
from training.findings import in_order
from training.gate_rules import Checks, GateRules
from training.verdict import GATE_CODES, Cause, Evidence, Gate, Verdict

__all__ = ["TIMING_ONLY", "Checks", "GateRules", "verdict"]

TIMING_ONLY = "timing_only"
"""The baseline arm that a model must beat: it knows the calendar of decisions and nothing about the customer."""


def verdict(evaluation: Evaluation, checks: Checks, rules: GateRules | None = None) -> Verdict:
    """Ask every gate; none is left out because another refused."""
    case = _Case(evaluation, checks, rules or GateRules())
    gates = tuple(_asked(code, case) for code in GATE_CODES)
    return Verdict(model_version=evaluation.model_version, passed=all(gate.passed for gate in gates), gates=gates)


@dataclass(frozen=True, slots=True)
class _Case:
    evaluation: Evaluation
    checks: Checks
    rules: GateRules


@dataclass(frozen=True, slots=True)
class _Finding:
    cause: Cause
    reason: str
    evidence: Evidence


def _asked(code: str, case: _Case) -> Gate:
    title, rule = _RULES[code]
    found = rule(case)
    evidence = {name: _plain(value) for name, value in found.evidence.items()}
    passed = found.cause is Cause.NONE
    return Gate(code=code, title=title, passed=passed, cause=found.cause, reason=found.reason, evidence=evidence)


def _plain(value: float | int | str | bool | None) -> float | int | str | bool | None:
    return "not a number" if isinstance(value, float) and not math.isfinite(value) else value


def _known(*numbers: float | None) -> bool:
    return all(number is not None and math.isfinite(number) for number in numbers)


def _decided(holds: bool, yes: str, no: str, evidence: Evidence) -> _Finding:
    return _Finding(Cause.NONE, yes, evidence) if holds else _Finding(Cause.FAILED, no, evidence)


def _not_measured(what: str, why: str = "", evidence: Evidence | None = None) -> _Finding:
    return _Finding(Cause.NOT_MEASURED, f"not measured: {what}{f' ({why})' if why else ''}", evidence or {})


def _of(estimate: Estimate) -> Evidence:
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "rows": estimate.rows,
        "positives": estimate.positives,
        "outcomes": estimate.outcomes,
    }


def _unusable(what: str, estimate: Estimate | None, least: int) -> _Finding | None:
    """Why an estimate may not be judged: too few accounts that left, or no number; ``None`` when it may."""
    if estimate is None:
        return _not_measured(what)
    few = _too_few(what, estimate.outcomes, least, _of(estimate))
    if few is not None:
        return few
    if not _known(estimate.value, estimate.low, estimate.high):
        return _not_measured(what, estimate.reason, _of(estimate))
    return None


def _too_few(what: str, outcomes: int | None, least: int, evidence: Evidence) -> _Finding | None:
    if outcomes is None or not math.isfinite(outcomes):
        return _not_measured(what, "the number of accounts that left is unknown", evidence)
    if outcomes < least:
        return _Finding(
            Cause.TOO_FEW_OUTCOMES, f"{what} rests on {outcomes} accounts that left; {least} are needed", evidence
        )
    return None


def _headline(case: _Case) -> HorizonEvaluation | None:
    return case.evaluation.horizons.get(case.evaluation.plan.headline_days)


def _enough_outcomes(case: _Case) -> _Finding:
    headline = _headline(case)
    if headline is None:
        return _not_measured("the headline horizon")
    everyone, due = headline.auc_pooled.outcomes, headline.auc_window.outcomes
    evidence: Evidence = {"outcomes": everyone, "outcomes_in_window": due}
    refusal = _too_few("the test block", everyone, case.rules.outcomes, evidence) or _too_few(
        "the renewal window", due, case.rules.outcomes_in_window, evidence
    )
    return refusal or _Finding(
        Cause.NONE, f"{everyone} accounts left, {due} of them at a decision that was due", evidence
    )


def _skill_within_window(case: _Case) -> _Finding:
    headline = _headline(case)
    auc = headline.auc_window if headline else None
    refusal = _unusable("AUC within the renewal window", auc, case.rules.outcomes_in_window)
    if refusal or auc is None or auc.low is None:
        return refusal or _not_measured("AUC within the renewal window")
    said = f"AUC within the renewal window {auc.value:.3f}, interval {auc.low:.3f} to {auc.high:.3f}"
    return _decided(
        auc.low > case.rules.chance, f"{said}: above chance", f"{said}: no better than chance, 0.5", _of(auc)
    )


def _better_than_timing(case: _Case) -> _Finding:
    delta = case.evaluation.deltas.get(TIMING_ONLY)
    lead = delta.auc_window if delta else None
    refusal = _unusable("the lead over the timing-only model", lead, case.rules.outcomes_in_window)
    if refusal or lead is None or lead.low is None:
        return refusal or _not_measured("the lead over the timing-only model")
    said = f"lead in AUC within the window {lead.value:+.3f}, interval {lead.low:+.3f} to {lead.high:+.3f}"
    return _decided(lead.low > 0, f"{said}: ahead of timing", f"{said}: timing alone may do as well", _of(lead))


def _calibration_overall(case: _Case) -> _Finding:
    """Pass: the point within the band AND an interval narrow enough to have measured it.

    The point decides, because finance plans with the sum of risks: an error of 30 % hurts whether or not it is
    significant. "Interval covers 1" alone would open the gate wider the less is known, so it is no criterion here.
    """
    rules, headline = case.rules, _headline(case)
    if headline is None:
        return _not_measured("calibration at the headline horizon")
    expected, ratio = headline.calibration.expected, headline.calibration.ratio
    refusal = _unusable("observed over expected", ratio, 0) or _few_expected(expected, rules, _of(ratio))
    if refusal or ratio.value is None or ratio.low is None or ratio.high is None:
        return refusal or _not_measured("observed over expected")
    said = f"observed over expected {ratio.value:.2f}, interval {ratio.low:.2f} to {ratio.high:.2f}"
    band = f"{rules.ratio_low} to {rules.ratio_high}"
    inside = rules.ratio_low <= ratio.value <= rules.ratio_high
    wide = ratio.low < 1 / rules.ratio_reach or ratio.high > rules.ratio_reach
    if inside and (wide or (ratio.outcomes or 0) < rules.outcomes_in_window):
        return _Finding(Cause.TOO_FEW_OUTCOMES, f"{said}: too few accounts left to tell", _of(ratio))
    return _decided(inside, f"{said}: within {band}", f"{said}: outside {band}", _of(ratio))


def _few_expected(expected: float | None, rules: GateRules, evidence: Evidence) -> _Finding | None:
    if expected is None or not math.isfinite(expected):
        return _not_measured("the expected number of leavers", evidence=evidence)
    if expected < rules.expected_leavers:
        said = f"only {expected:.1f} leavers were expected; {rules.expected_leavers} are needed"
        return _Finding(Cause.TOO_FEW_OUTCOMES, said, evidence)
    return None


def _calibration_by_phase(case: _Case) -> _Finding:
    phases, rules = case.evaluation.phases, case.rules
    unmeasured = [name for name, group in phases.items() if not _known(group.expected)]
    judged = {
        name: phases[name].calibration.ratio
        for name in in_order(phases)
        if name not in unmeasured and (phases[name].expected or 0) >= rules.expected_leavers
    }
    unmeasured += [name for name, ratio in judged.items() if not _known(ratio.value, ratio.low, ratio.high)]
    evidence: Evidence = {name: ratio.value for name, ratio in judged.items()}
    if unmeasured:
        return _not_measured(f"calibration in phase {', '.join(sorted(unmeasured))}", evidence=evidence)
    if not judged:
        return _Finding(Cause.TOO_FEW_OUTCOMES, "no phase has enough expected leavers to be judged", evidence)
    off = [name for name, ratio in judged.items() if not _phase_holds(ratio, rules, len(judged))]
    thin = sorted(set(phases) - set(judged))
    rest = f" (too few to judge: {', '.join(thin)})" if thin else ""
    yes = f"observed over expected holds in {', '.join(judged)}{rest}"
    return _decided(not off, yes, f"observed over expected is off in {', '.join(off)}{rest}", evidence)


def _phase_holds(ratio: Estimate, rules: GateRules, judged: int) -> bool:
    if not (ratio.value and ratio.low is not None and ratio.high is not None):
        return False
    if rules.phase_ratio_low <= ratio.value <= rules.phase_ratio_high:
        return True
    # Several 95 % intervals at once miss by luck more often than one: Bonferroni's wider ones, on the log scale of a
    # ratio, keep the chance of refusing an honest model at 5 % for all phases together.
    normal = NormalDist()
    wider = normal.inv_cdf(1 - 0.025 / judged) / normal.inv_cdf(0.975)
    low, high = (ratio.value * float((end / ratio.value) ** wider) for end in (ratio.low, ratio.high))
    return low <= 1 <= high


def _additivity(case: _Case) -> _Finding:
    error, limit = case.checks.additivity_max_abs_error, case.rules.additivity
    evidence: Evidence = {"max_abs_error": error, "limit": limit}
    if error is None or not math.isfinite(error) or error < 0:
        return _not_measured("the sum of points", evidence=evidence)
    said = f"largest error {error:.1e} points"
    return _decided(error <= limit, said, f"{said}, above {limit:.0e}", evidence)


def _monotone_risk(case: _Case) -> _Finding:
    evaluation = case.evaluation
    evidence: Evidence = {"violations": evaluation.horizon_violations, "rows": evaluation.block.rows}
    if not _known(evaluation.horizon_violations, evaluation.missing_scores) or evaluation.block.rows < 1:
        return _not_measured("risk over horizons", evidence=evidence)
    if evaluation.missing_scores:
        return _not_measured("risk over horizons", f"{evaluation.missing_scores} rows have no score", evidence)
    said = f"risk falls with the horizon in {evaluation.horizon_violations} of {evaluation.block.rows} rows"
    return _decided(evaluation.horizon_violations == 0, said, said, evidence)


def _golden_rows(case: _Case) -> _Finding:
    rows, came_out = case.checks.golden_rows, case.checks.golden_rows_ok
    evidence: Evidence = {"rows": rows, "came_out": came_out}
    if rows is None or rows < 1 or came_out is None:
        return _not_measured("the bundle's golden rows", evidence=evidence)
    return _decided(came_out, f"{rows} stored rows came out as stored", "stored rows come out differently", evidence)


def _complete_scores(case: _Case) -> _Finding:
    missing, rows = case.evaluation.missing_scores, case.evaluation.block.rows
    evidence: Evidence = {"missing": missing, "rows": rows}
    if not _known(missing, rows) or rows < 1:
        return _not_measured("completeness of scores", evidence=evidence)
    return _decided(missing == 0, f"all {rows} rows have a score", f"{missing} of {rows} rows have no score", evidence)


_RULES: dict[str, tuple[str, Callable[[_Case], _Finding]]] = {
    "enough_outcomes": ("Enough accounts left to judge by", _enough_outcomes),
    "skill_within_window": ("Ranks accounts whose decision is due better than chance", _skill_within_window),
    "better_than_timing": ("Ranks them better than timing alone", _better_than_timing),
    "calibration_overall": ("As many leave as was stated", _calibration_overall),
    "calibration_by_phase": ("As many leave as was stated in every campaign phase", _calibration_by_phase),
    "additivity": ("Points add up to the health score", _additivity),
    "monotone_risk": ("Risk never falls with the horizon", _monotone_risk),
    "golden_rows": ("The stored model scores as it did when it was made", _golden_rows),
    "complete_scores": ("Every account got a score", _complete_scores),
}
