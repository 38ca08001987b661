"""May this model go live?

Input: one :class:`Evaluation` and the bundle's own checks. Output: one :class:`Verdict` with every gate, its reason and
its evidence. A gate that cannot measure refuses: a missing number, NaN, or a number resting on too few outcomes never
passes. Outcomes are accounts that left, not rows: one leaver is a positive row in several snapshots.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from training import gates_of_groups, gates_of_machinery, gates_of_ranges, gates_of_signal
from training.evaluation import Evaluation
from training.gate_findings import TIMING_ONLY, Case, Finding
from training.gate_rules import Checks, GateRules
from training.verdict import GATE_CODES, Cause, Gate, Verdict

__all__ = ["TIMING_ONLY", "Checks", "GateRules", "verdict"]


def verdict(evaluation: Evaluation, checks: Checks, rules: GateRules | None = None) -> Verdict:
    """Ask every gate; none is left out because another refused."""
    case = Case(evaluation, checks, rules or GateRules())
    gates = tuple(_asked(code, case) for code in GATE_CODES)
    return Verdict(model_version=evaluation.model_version, passed=all(gate.passed for gate in gates), gates=gates)


def _asked(code: str, case: Case) -> Gate:
    title, rule = _RULES[code]
    found = rule(case)
    evidence = {name: _plain(value) for name, value in found.evidence.items()}
    passed = found.cause is Cause.NONE
    return Gate(code=code, title=title, passed=passed, cause=found.cause, reason=found.reason, evidence=evidence)


def _plain(value: float | int | str | bool | None) -> float | int | str | bool | None:
    return "not a number" if isinstance(value, float) and not math.isfinite(value) else value


_RULES: dict[str, tuple[str, Callable[[Case], Finding]]] = {
    "enough_outcomes": ("Enough accounts left to judge by", gates_of_signal.enough_outcomes),
    "skill_within_window": (
        "Ranks accounts whose decision is due better than chance",
        gates_of_signal.skill_within_window,
    ),
    "better_than_timing": ("Ranks them better than timing alone", gates_of_signal.better_than_timing),
    "no_leak": ("No column knows the outcome before it happened", gates_of_signal.no_leak),
    "early_detection": ("Alerts leavers as early as timing alone, or earlier", gates_of_signal.early_detection),
    "calibration_overall": ("As many leave as was stated", gates_of_groups.calibration_overall),
    "calibration_by_phase": (
        "As many leave as was stated in every campaign phase",
        gates_of_groups.calibration_by_phase,
    ),
    "ranges_hold": ("Stated ranges hold what happens", gates_of_ranges.ranges_hold),
    "segments_hold": ("No segment is ranked worse than before", gates_of_groups.segments_hold),
    "steady_reasons": ("Reasons stay while an account stays as it is", gates_of_machinery.steady_reasons),
    "additivity": ("Points add up to the health score", gates_of_machinery.additivity),
    "monotone_risk": ("Risk never falls with the horizon", gates_of_machinery.monotone_risk),
    "golden_rows": ("The stored model scores as it did when it was made", gates_of_machinery.golden_rows),
    "complete_scores": ("Every account got a score", gates_of_machinery.complete_scores),
    "small_and_quick": ("Small and quick enough to be served", gates_of_machinery.small_and_quick),
}
