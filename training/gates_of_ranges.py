"""May the ranges that stand beside risks be believed?

Input: a :class:`Case`. Output: one :class:`Finding`. Words such as "between 3 % and 9 %" are a promise; a model whose
ranges later outcomes leave more often than luck allows may not make it.
"""

from __future__ import annotations

from training.gate_findings import Case, Finding, decided, known, not_measured
from training.gate_rules import GateRules
from training.interval_check import BOTH_RULES
from training.interval_parts import RangeCoverage
from training.verdict import Cause, Evidence


def ranges_hold(case: Case) -> Finding:
    """Pass: no more cells outside than honest ranges have by luck, and none so far out that luck cannot explain it.

    Ranges so wide that nothing could leave them have promised nothing, so they do not pass either.
    """
    found = case.evaluation.ranges
    if found is None:
        return not_measured("stated ranges", "no ranges were stated, or no label is mature")
    evidence = _evidence(found)
    if not known(found.expected, found.outside, found.allowed_outside, found.least_p_value) or not found.cells:
        return not_measured("stated ranges", evidence=evidence)
    few = _says_too_little(found, case.rules)
    if few:
        return Finding(Cause.TOO_FEW_OUTCOMES, few, evidence)
    said = f"{found.outside} of {len(found.cells)} cells outside beyond luck, at most {found.allowed_outside} allowed"
    far = found.least_p_value < BOTH_RULES / len(found.cells)
    worst = "; one so far outside that luck cannot explain it" if far else ""
    return decided(found.outside <= found.allowed_outside and not far, said, f"{said}{worst}", evidence)


def _says_too_little(found: RangeCoverage, rules: GateRules) -> str:
    if found.expected < rules.range_leavers:
        return f"only {found.expected:.1f} leavers were expected in the cells; {rules.range_leavers} are needed"
    if found.reach is None:
        return "stated ranges reach down to none: too few accounts left before to say more"
    if found.reach > rules.range_reach:
        return f"stated ranges span a factor of {found.reach:.0f}: too few accounts left before to say more"
    return ""


def _evidence(found: RangeCoverage) -> Evidence:
    return {
        "cells": len(found.cells),
        "expected": found.expected,
        "coverage": found.coverage,
        "pair_coverage": found.pair_coverage,
        "outside": found.outside,
        "allowed_outside": found.allowed_outside,
        "least_p_value": found.least_p_value,
        "reach": found.reach,
    }
