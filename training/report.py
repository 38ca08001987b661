"""What does a finance or product lead need to read about a model before trusting it?

Input: an :class:`Evaluation`, its :class:`Verdict`, facts about the model, and pictures. Output: one self-contained
HTML page. Nothing is computed here; the page can be made again from the stored documents.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from pydantic import Field

from training.evaluation import CHAMPION, Evaluation
from training.evaluation_parts import Document, Estimate, GroupEvaluation
from training.figure import Picture
from training.findings import (
    arm_name,
    calibration_finding,
    in_order,
    number,
    phase_finding,
    skill_finding,
    with_interval,
)
from training.gates import TIMING_ONLY
from training.trust import trust
from training.verdict import Verdict

_SUBJECTS = {
    "auc": "ranking",
    "gains": "ranking",
    "reliability": "calibration",
    "phases": "groups",
    "profit": "money",
}
_EXPLANATION = "explanation"


class ModelFacts(Document):
    """What the report says about the model itself, told by whoever trained it."""

    summary: str = Field(description="what the model is, in one or two plain sentences")
    data_cut: datetime = Field(description="nothing that became known later was used")
    trained_first_as_of: datetime
    trained_last_as_of: datetime
    training_rows: int = Field(description="account snapshots, not person-periods")
    training_outcomes: int = Field(description="accounts that left among them")
    features: int
    decisions: tuple[str, ...] = Field(description="per length of term: decisions seen, and terms still running")
    currency: str = Field(description="currency of annual values")
    made_at: datetime = Field(description="when this report was made")


def render(evaluation: Evaluation, verdict: Verdict, facts: ModelFacts, pictures: Sequence[Picture] = ()) -> str:
    """The report as one HTML page without outside references: styles and pictures are inside."""
    template = environment().get_template("report.html")
    return template.render(
        evaluation=evaluation,
        headline=evaluation.headline,
        verdict=verdict,
        trust=trust(evaluation, verdict),
        facts=facts,
        arm_name=arm_name,
        brief=_in_brief(evaluation),
        arms=[(arm_name(name), evaluation.arms[name]) for name in _arm_order(evaluation)],
        deltas=[(arm_name(name), evaluation.deltas[name]) for name in sorted(evaluation.deltas, reverse=True)],
        groups=_groups(evaluation),
        pictures={subject: _about(pictures, subject) for subject in (*set(_SUBJECTS.values()), _EXPLANATION)},
        truth_arms=[(arm_name(name), auc) for name, auc in evaluation.truth.arms_auc_window.items()]
        if evaluation.truth
        else [],
    )


def environment() -> Environment:
    """The templates of this room, with the filters that write numbers for people."""
    environment = Environment(
        loader=PackageLoader("training", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "told": with_interval,
        "percent": _percent,
        "percent_told": _percent_told,
        "thousandths": _thousandths,
        "day": lambda moment: f"{moment:%Y-%m-%d}",
        "count": lambda value: f"{value:,.0f}",
        "png": lambda picture: f"data:image/png;base64,{base64.b64encode(picture.png).decode()}",
    }
    return environment


def _in_brief(evaluation: Evaluation) -> list[str]:
    """The headline in sentences: base rate, skill where it counts, what timing alone is worth, calibration."""
    block, headline, days = evaluation.block, evaluation.headline, evaluation.plan.headline_days
    due, pooled = headline.auc_window, headline.auc_pooled
    base_rate = (
        f"{_percent(block.base_rate)} of account snapshots saw the account leave within {days} days: "
        f"{pooled.outcomes} accounts left, {due.outcomes} of them at a decision that was due."
    )
    return [
        base_rate,
        f"{skill_finding(evaluation)}. {headline.window_reading.sentence}",
        _against_timing(evaluation),
        f"{calibration_finding(headline.calibration.ratio)}. {phase_finding(evaluation.phases)}.",
        _worklist(evaluation),
    ]


def _against_timing(evaluation: Evaluation) -> str:
    timing, delta = evaluation.arms.get(TIMING_ONLY), evaluation.deltas.get(TIMING_ONLY)
    if timing is None or delta is None:
        return "There is no timing-only model to compare with, so no skill may be claimed."
    return (
        f"Over all accounts this model scores AUC {with_interval(evaluation.headline.auc_pooled)}, but a model that "
        f"knows only when contracts end scores {with_interval(timing.auc_pooled)} there, and "
        f"{with_interval(timing.auc_window)} once only due decisions count. "
        f"The lead over it where decisions are due is {with_interval(delta.auc_window)}."
    )


def _worklist(evaluation: Evaluation) -> str:
    worklist = evaluation.arms[CHAMPION].worklist
    return (
        f"If {worklist.capacity} accounts are called after each snapshot, "
        f"{_percent_told(worklist.precision_at_capacity)} of the calls go to an account that leaves within "
        f"{evaluation.plan.headline_days} days, and {_percent_told(worklist.recall_at_capacity)} of the leavers are "
        "called."
    )


def _arm_order(evaluation: Evaluation) -> list[str]:
    first = [CHAMPION, *sorted(evaluation.deltas, reverse=True)]
    return first + [name for name in evaluation.arms if name not in first]


def _groups(evaluation: Evaluation) -> list[tuple[str, list[tuple[str, GroupEvaluation]]]]:
    phases = [(name, evaluation.phases[name]) for name in in_order(evaluation.phases)]
    contracts: list[tuple[str, GroupEvaluation]] = [(str(name), group) for name, group in evaluation.contracts.items()]
    return [
        ("Campaign phase", phases),
        ("Segment", list(evaluation.segments.items())),
        ("Data grade", list(evaluation.grades.items())),
        ("Contract", contracts),
    ]


def _about(pictures: Sequence[Picture], subject: str) -> list[Picture]:
    return [picture for picture in pictures if _SUBJECTS.get(picture.name, _EXPLANATION) == subject]


def _percent(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}%}"


def _percent_told(estimate: Any) -> str:
    known: Estimate = estimate
    if known.value is None or known.low is None or known.high is None:
        return with_interval(known)
    return f"{known.value:.0%} ({known.low:.0%} to {known.high:.0%})"


def _thousandths(estimate: Any) -> str:
    known: Estimate = estimate
    if known.value is None or known.low is None or known.high is None:
        return with_interval(known)
    value, low, high = (number(1000 * end) for end in (known.value, known.low, known.high))
    return f"{value} ({low} to {high})"
