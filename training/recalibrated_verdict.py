"""May a recalibrated model go live?

Input: the verdict of the model it was made from, what the line is worth on accounts that it was not fitted on, and what
was tried on the new bundle. Output: a full verdict. A line with a positive slope keeps the order of accounts, so what
the gates of ranking found is carried over and says so; calibration and machinery are measured anew. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import chi2

from training.gate_rules import GateRules
from training.recalibration import ACCEPTED, Recalibration
from training.verdict import Cause, Evidence, Gate, Verdict

_LEAST = 10.0
"""Expected leavers from which a phase can be judged."""


@dataclass(frozen=True, slots=True)
class Restated:
    """Leavers of one phase since the change: counted, and stated by lines fitted without them."""

    left: int
    stated: float


@dataclass(frozen=True, slots=True)
class Tried:
    """What was found by trying the new bundle on the newest snapshot."""

    rows: int
    missing: int
    falling: int
    additivity_error: float
    golden_rows: int


def recalibrated_verdict(
    version: str, before: Verdict, found: Recalibration, phases: Mapping[str, Restated], tried: Tried
) -> Verdict:
    """The verdict of the new version; a gate that the old one did not pass is not passed by carrying it over."""
    rules = GateRules()
    anew = {
        "calibration_overall": _overall(found, rules),
        "calibration_by_phase": _by_phase(phases, rules),
        "additivity": _answer(
            tried.additivity_error <= rules.additivity,
            f"largest error {tried.additivity_error:.1e} points",
            {"max_abs_error": tried.additivity_error, "limit": rules.additivity},
        ),
        "monotone_risk": _answer(
            tried.falling == 0,
            f"risk falls with the horizon in {tried.falling} of {tried.rows} rows",
            {"violations": tried.falling, "rows": tried.rows},
        ),
        "golden_rows": _answer(
            tried.golden_rows > 0, f"{tried.golden_rows} stored rows came out as stored", {"rows": tried.golden_rows}
        ),
        "complete_scores": _answer(
            tried.missing == 0 and tried.rows > 0,
            f"{tried.missing} of {tried.rows} rows have no score",
            {"missing": tried.missing, "rows": tried.rows},
        ),
    }
    gates = tuple(_gate(one, anew.get(one.code), before.model_version) for one in before.gates)
    return Verdict(model_version=version, passed=all(gate.passed for gate in gates), gates=gates)


def _overall(found: Recalibration, rules: GateRules) -> tuple[Cause, str, Evidence]:
    evidence: Evidence = {"leavers": found.leavers, "stated": found.restated, "gain": found.gain}
    if found.leavers < rules.expected_leavers:
        return Cause.TOO_FEW_OUTCOMES, f"{found.leavers} leavers; {rules.expected_leavers} are needed", evidence
    said = f"{found.leavers} left, {found.restated:.1f} stated by lines fitted without them"
    if not found.accepted:
        return Cause.FAILED, f"{said}; {ACCEPTED[0]} to {ACCEPTED[1]} and a gain are asked for", evidence
    return Cause.NONE, said, evidence


def _by_phase(phases: Mapping[str, Restated], rules: GateRules) -> tuple[Cause, str, Evidence]:
    judged = {name: one for name, one in phases.items() if one.stated >= _LEAST}
    evidence: Evidence = {name: one.left / one.stated for name, one in judged.items()}
    if not judged:
        return Cause.TOO_FEW_OUTCOMES, f"no phase has {_LEAST:.0f} leavers to expect since the change", evidence
    # Bonferroni: all phases together refuse an honest line in one of twenty cases at most.
    tail = 0.05 / len(judged) / 2
    off = [
        name
        for name, one in judged.items()
        if _high(one.left, tail) / one.stated < rules.phase_ratio_low
        or _low(one.left, tail) / one.stated > rules.phase_ratio_high
    ]
    said = ", ".join(f"{name} {one.left / one.stated:.2f}" for name, one in sorted(judged.items()))
    return (Cause.FAILED if off else Cause.NONE), f"counted over stated: {said}", evidence


def _low(count: int, tail: float) -> float:
    return float(chi2.ppf(tail, 2 * count) / 2) if count else 0.0


def _high(count: int, tail: float) -> float:
    return float(chi2.ppf(1 - tail, 2 * (count + 1)) / 2)


def _answer(holds: bool, said: str, evidence: Evidence) -> tuple[Cause, str, Evidence]:
    return (Cause.NONE if holds else Cause.FAILED), said, evidence


def _gate(was: Gate, anew: tuple[Cause, str, Evidence] | None, version: str) -> Gate:
    if anew is None:
        why = f"as for version {version}, whose order of accounts it keeps: {was.reason}"
        return was.model_copy(update={"reason": why})
    cause, reason, numbers = anew
    evidence: Evidence = {
        name: "not a number" if isinstance(one, float) and not math.isfinite(one) else one
        for name, one in numbers.items()
    }
    return Gate(
        code=was.code, title=was.title, passed=cause is Cause.NONE, cause=cause, reason=reason, evidence=evidence
    )
