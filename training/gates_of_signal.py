"""Does the data carry a model: enough outcomes, no column that knew them, and more than the calendar?

Gates about ranking and timeliness. Input: a :class:`Case`. Output: a :class:`Finding` each.
"""

from __future__ import annotations

import math

from training.gate_findings import (
    TIMING_ONLY,
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
from training.verdict import Cause, Evidence


def enough_outcomes(case: Case) -> Finding:
    """With few leavers every other number is luck; those whose decision was due count apart."""
    headline = headline_of(case)
    if headline is None:
        return not_measured("the headline horizon")
    everyone, due = headline.auc_pooled.outcomes, headline.auc_window.outcomes
    evidence: Evidence = {"outcomes": everyone, "outcomes_in_window": due}
    refusal = too_few("the test block", everyone, case.rules.outcomes, evidence) or too_few(
        "the renewal window", due, case.rules.outcomes_in_window, evidence
    )
    return refusal or Finding(
        Cause.NONE, f"{everyone} accounts left, {due} of them at a decision that was due", evidence
    )


def skill_within_window(case: Case) -> Finding:
    """Where decisions are due, only insight into customers ranks; the whole interval must lie above a coin."""
    headline = headline_of(case)
    auc = headline.auc_window if headline else None
    refusal = unusable("AUC within the renewal window", auc, case.rules.outcomes_in_window)
    if refusal or auc is None or auc.low is None:
        return refusal or not_measured("AUC within the renewal window")
    said = f"AUC within the renewal window {auc.value:.3f}, interval {auc.low:.3f} to {auc.high:.3f}"
    return decided(
        auc.low > case.rules.chance, f"{said}: above chance", f"{said}: no better than chance, 0.5", evidence_of(auc)
    )


def better_than_timing(case: Case) -> Finding:
    """The calendar costs nothing: the whole interval of the lead over it must lie above 0."""
    delta = case.evaluation.deltas.get(TIMING_ONLY)
    lead = delta.auc_window if delta else None
    refusal = unusable("the lead over the timing-only model", lead, case.rules.outcomes_in_window)
    if refusal or lead is None or lead.low is None:
        return refusal or not_measured("the lead over the timing-only model")
    said = f"lead in AUC within the window {lead.value:+.3f}, interval {lead.low:+.3f} to {lead.high:+.3f}"
    return decided(lead.low > 0, f"{said}: ahead of timing", f"{said}: timing alone may do as well", evidence_of(lead))


def no_leak(case: Case) -> Finding:
    """Columns that know outcomes before they happened make every other number worthless."""
    asked, leaks = case.checks.columns_asked, case.checks.leaks
    evidence: Evidence = {"columns": asked, "leaks": leaks}
    if asked is None or leaks is None or not known(asked, leaks) or asked < 1:
        return not_measured("what columns know of outcomes that had not happened", evidence=evidence)
    no = f"{leaks} of {asked} columns know outcomes before they happened"
    return decided(leaks == 0, f"none of {asked} columns knows outcomes before they happened", no, evidence)


def early_detection(case: Case) -> Finding:
    """At equal alerts no later than the calendar alone: a model that only confirms what is due saves nobody.

    The point decides, and the leavers behind it must be enough; that the lead is large is for the replay trial to say.
    """
    replay, what = case.evaluation.replay, "leavers alerted 8 weeks before their decision"
    lead = replay.leads.get(TIMING_ONLY) if replay else None
    if replay is None or lead is None:
        return not_measured(what, "the final block was not lived again week by week")
    early = lead.early_before_decision
    evidence: Evidence = {**evidence_of(early), "leavers": replay.leavers, "capacity": replay.capacity}
    refusal = too_few("the replay", replay.leavers, case.rules.outcomes_in_window, evidence)
    if refusal or early.value is None or not known(early.value):
        return refusal or not_measured(what, early.reason, evidence)
    reach = "" if early.low is None or early.high is None else f", interval {early.low:+.2f} to {early.high:+.2f}"
    said = f"{what}, this model's share less that of timing alone: {early.value:+.2f}{reach}"
    return decided(early.value >= 0 and math.isfinite(early.value), said, f"{said}: it alerts later", evidence)
