"""Do as many leave as was stated, everywhere, and does no segment fare worse than before?

Gates about calibration and segments. Input: a :class:`Case`. Output: a :class:`Finding` each.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from training.evaluation_parts import Estimate
from training.findings import in_order
from training.gate_findings import (
    Case,
    Finding,
    decided,
    evidence_of,
    headline_of,
    known,
    not_measured,
    too_few,
    unusable,
)
from training.gate_rules import GateRules
from training.verdict import Cause, Evidence


def calibration_overall(case: Case) -> Finding:
    """Pass: the point within the band AND an interval narrow enough to have measured it.

    The point decides, because finance plans with the sum of risks: an error of 30 % hurts whether or not it is
    significant. "Interval covers 1" alone would open the gate wider the less is known, so it is no criterion here.
    """
    rules, headline = case.rules, headline_of(case)
    if headline is None:
        return not_measured("calibration at the headline horizon")
    expected, ratio = headline.calibration.expected, headline.calibration.ratio
    refusal = unusable("observed over expected", ratio, 0) or _few_expected(expected, rules, evidence_of(ratio))
    if refusal or ratio.value is None or ratio.low is None or ratio.high is None:
        return refusal or not_measured("observed over expected")
    said = f"observed over expected {ratio.value:.2f}, interval {ratio.low:.2f} to {ratio.high:.2f}"
    band = f"{rules.ratio_low} to {rules.ratio_high}"
    inside = rules.ratio_low <= ratio.value <= rules.ratio_high
    wide = ratio.low < 1 / rules.ratio_reach or ratio.high > rules.ratio_reach
    if inside and (wide or (ratio.outcomes or 0) < rules.outcomes_in_window):
        return Finding(Cause.TOO_FEW_OUTCOMES, f"{said}: too few accounts left to tell", evidence_of(ratio))
    return decided(inside, f"{said}: within {band}", f"{said}: outside {band}", evidence_of(ratio))


def _few_expected(expected: float | None, rules: GateRules, evidence: Evidence) -> Finding | None:
    if expected is None or not math.isfinite(expected):
        return not_measured("the expected number of leavers", evidence=evidence)
    if expected < rules.expected_leavers:
        said = f"only {expected:.1f} leavers were expected; {rules.expected_leavers} are needed"
        return Finding(Cause.TOO_FEW_OUTCOMES, said, evidence)
    return None


def calibration_by_phase(case: Case) -> Finding:
    """Each phase with enough expected leavers, within a band or within luck: phases are what this product is about."""
    phases, rules = case.evaluation.phases, case.rules
    unmeasured = [name for name, group in phases.items() if not known(group.expected)]
    judged = {
        name: phases[name].calibration.ratio
        for name in in_order(phases)
        if name not in unmeasured and (phases[name].expected or 0) >= rules.expected_leavers
    }
    unmeasured += [name for name, ratio in judged.items() if not known(ratio.value, ratio.low, ratio.high)]
    evidence: Evidence = {name: ratio.value for name, ratio in judged.items()}
    if unmeasured:
        return not_measured(f"calibration in phase {', '.join(sorted(unmeasured))}", evidence=evidence)
    if not judged:
        return Finding(Cause.TOO_FEW_OUTCOMES, "no phase has enough expected leavers to be judged", evidence)
    off = [name for name, ratio in judged.items() if not _phase_holds(ratio, rules, len(judged))]
    thin = sorted(set(phases) - set(judged))
    rest = f" (too few to judge: {', '.join(thin)})" if thin else ""
    yes = f"observed over expected holds in {', '.join(judged)}{rest}"
    return decided(not off, yes, f"observed over expected is off in {', '.join(off)}{rest}", evidence)


def _phase_holds(ratio: Estimate, rules: GateRules, judged: int) -> bool:
    if not (ratio.value and ratio.low is not None and ratio.high is not None):
        return False
    if rules.phase_ratio_low <= ratio.value <= rules.phase_ratio_high:
        return True
    # On the log scale of a ratio.
    wider = _wider(judged)
    low, high = (ratio.value * float((end / ratio.value) ** wider) for end in (ratio.low, ratio.high))
    return low <= 1 <= high


def _wider(judged: int) -> float:
    # Several 95 % intervals at once miss by luck more often than one: Bonferroni's wider ones keep the chance of
    # refusing an honest model at 5 % for all of them together.
    normal = NormalDist()
    return normal.inv_cdf(1 - 0.025 / judged) / normal.inv_cdf(0.975)


def segments_hold(case: Case) -> Finding:
    """No segment in which the rival (the live model; without one timing alone) clearly ranks better.

    A segment is off when the whole interval of the paired difference lies below 0, made wider for the number of
    segments: a new model must not pay for its gain in one segment with another.
    """
    found, rules = case.evaluation.regressions, case.rules
    if found is None or found.rival is None:
        return not_measured("segments against a rival", found.reason if found else "")
    leads = {name: one.auc_pooled for name, one in found.segments.items()}
    judged = {name: lead for name, lead in leads.items() if (lead.outcomes or 0) >= rules.segment_outcomes}
    evidence: Evidence = {"rival": found.rival, **{name: lead.value for name, lead in leads.items()}}
    if not judged:
        most = max((lead.outcomes or 0 for lead in leads.values()), default=0)
        few = too_few("every segment", most, rules.segment_outcomes, evidence)
        return few or not_measured("segments against a rival", evidence=evidence)
    unmeasured = [name for name, lead in judged.items() if not known(lead.value, lead.low, lead.high)]
    if unmeasured:
        return not_measured(f"ranking in segment {', '.join(unmeasured)}", evidence=evidence)
    off = [name for name, lead in judged.items() if _clearly_behind(lead, len(judged))]
    rival = "the live model" if found.rival == "live" else "timing alone"
    note = f" ({found.reason})" if found.reason else ""
    yes = f"nowhere clearly behind {rival}: {', '.join(judged)}{note}"
    return decided(not off, yes, f"ranks worse than {rival} in {', '.join(off)}{note}", evidence)


def _clearly_behind(lead: Estimate, judged: int) -> bool:
    if lead.value is None or lead.high is None:
        return True
    return lead.value + (lead.high - lead.value) * _wider(judged) < 0
