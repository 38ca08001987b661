"""Does the bundle itself hold what it promises: points, order, reasons, files, size?

Gates about the machinery. Input: a :class:`Case`. Output: a :class:`Finding` each.
"""

from __future__ import annotations

import math

from training.gate_findings import Case, Finding, decided, evidence_of, known, not_measured
from training.verdict import Cause, Evidence


def additivity(case: Case) -> Finding:
    """What is shown as the reason of a score must add up to it."""
    error, limit = case.checks.additivity_max_abs_error, case.rules.additivity
    evidence: Evidence = {"max_abs_error": error, "limit": limit}
    if error is None or not math.isfinite(error) or error < 0:
        return not_measured("the sum of points", evidence=evidence)
    said = f"largest error {error:.1e} points"
    return decided(error <= limit, said, f"{said}, above {limit:.0e}", evidence)


def monotone_risk(case: Case) -> Finding:
    """A longer horizon can only hold more leavers."""
    evaluation = case.evaluation
    evidence: Evidence = {"violations": evaluation.horizon_violations, "rows": evaluation.block.rows}
    if not known(evaluation.horizon_violations, evaluation.missing_scores) or evaluation.block.rows < 1:
        return not_measured("risk over horizons", evidence=evidence)
    if evaluation.missing_scores:
        return not_measured("risk over horizons", f"{evaluation.missing_scores} rows have no score", evidence)
    said = f"risk falls with the horizon in {evaluation.horizon_violations} of {evaluation.block.rows} rows"
    return decided(evaluation.horizon_violations == 0, said, said, evidence)


def golden_rows(case: Case) -> Finding:
    """What was judged must be what is loaded later, in another process."""
    rows, came_out = case.checks.golden_rows, case.checks.golden_rows_ok
    evidence: Evidence = {"rows": rows, "came_out": came_out}
    if rows is None or rows < 1 or came_out is None:
        return not_measured("the bundle's golden rows", evidence=evidence)
    return decided(came_out, f"{rows} stored rows came out as stored", "stored rows come out differently", evidence)


def complete_scores(case: Case) -> Finding:
    """An account without a score would never be alerted."""
    missing, rows = case.evaluation.missing_scores, case.evaluation.block.rows
    evidence: Evidence = {"missing": missing, "rows": rows}
    if not known(missing, rows) or rows < 1:
        return not_measured("completeness of scores", evidence=evidence)
    return decided(missing == 0, f"all {rows} rows have a score", f"{missing} of {rows} rows have no score", evidence)


def steady_reasons(case: Case) -> Finding:
    """Reasons that change while the account does not are noise, and nobody acts twice on noise.

    Measured from one snapshot to the next, where health hardly moved: the share of the three strongest reasons that
    are again among the three strongest.
    """
    steady, rules = case.evaluation.steadiness, case.rules
    kept = steady.reasons_kept if steady else None
    if kept is None:
        return not_measured("reasons from week to week", "the final block was not lived again week by week")
    evidence: Evidence = {**evidence_of(kept), "limit": rules.reasons_kept}
    if kept.rows < rules.reason_pairs:
        few = f"{kept.rows} pairs of snapshots with a steady health; {rules.reason_pairs} are needed"
        return Finding(Cause.TOO_FEW_OUTCOMES, few, evidence)
    if not known(kept.value) or kept.value is None:
        return not_measured("reasons from week to week", kept.reason, evidence)
    said = f"{kept.value:.0%} of an account's three strongest reasons stay when its health does"
    return decided(kept.value >= rules.reasons_kept, said, f"{said}; {rules.reasons_kept:.0%} are needed", evidence)


def small_and_quick(case: Case) -> Finding:
    """Size in bytes, speed in steps down a tree per scored account: both are the same on every machine."""
    size, steps, rules = case.checks.model_bytes, case.checks.steps_per_score, case.rules
    evidence: Evidence = {"bytes": size, "steps": steps, "most_bytes": rules.model_bytes, "most_steps": rules.steps}
    if size is None or steps is None or not known(size, steps) or size < 1 or steps < 1:
        return not_measured("size and speed of the model", evidence=evidence)
    said = f"{size / 1e6:.1f} MB, {steps:,} steps down a tree per score"
    fits = size <= rules.model_bytes and steps <= rules.steps
    most = f"{said}; at most {rules.model_bytes / 1e6:.0f} MB and {rules.steps:,} steps are allowed"
    return decided(fits, said, most, evidence)
