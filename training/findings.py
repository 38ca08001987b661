"""In which sentence is a number told to a person?

Input: parts of an evaluation. Output: short plain text, shared by the pictures and the report, so that both say the
same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from training.evaluation import CHAMPION, HEALTH, Evaluation
from training.evaluation_parts import Estimate, GroupEvaluation

PHASE_ORDER = ("pre", "active", "post", "off", "none")
"""Phases in the order in which an account lives through them."""

_ARM_NAMES = {
    CHAMPION: "this model",
    "timing_only": "timing alone",
    "logistic": "logistic regression",
    HEALTH: "health score",
    "live": "the live model",
    "renewal_date": "renewal-date rule",
}
_OPENINGS = {
    "skill": "Ranks accounts whose decision is due better than chance",
    "no skill": "No ranking skill shown where decisions are due",
    "worse than chance": "Ranks accounts whose decision is due worse than chance",
}
_GAINS_DEPTH = 0.2


def arm_name(arm: str) -> str:
    """The words for a way to rank accounts."""
    return _ARM_NAMES.get(arm, arm.replace("_", " "))


def number(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else f"{value:z.{digits}f}"


def with_interval(estimate: Estimate, digits: int = 2) -> str:
    """``0.65 (0.60 to 0.70)``; without an interval the value alone; without a value the reason."""
    if estimate.value is None:
        return f"not known: {estimate.reason}"
    if estimate.low is None or estimate.high is None:
        return f"{number(estimate.value, digits)} (no interval: {estimate.reason})"
    return f"{number(estimate.value, digits)} ({number(estimate.low, digits)} to {number(estimate.high, digits)})"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part) if words else "none"


def calibration_finding(ratio: Estimate) -> str:
    """Whether as many left as was stated, beyond chance."""
    if ratio.value is None or ratio.low is None or ratio.high is None:
        return f"Whether as many left as was stated is not known ({ratio.reason})"
    told = f"observed / expected {with_interval(ratio)}"
    if ratio.low > 1:
        return f"More accounts left than was stated: {told}"
    if ratio.high < 1:
        return f"Fewer accounts left than was stated: {told}"
    return f"As many accounts left as was stated, within chance: {told}"


def skill_finding(evaluation: Evaluation) -> str:
    """The within-window skill in fixed words, and what timing alone scores over all rows."""
    headline = evaluation.headline
    words = headline.window_reading.words
    if "undefined" in words:
        return f"Ranking skill where decisions are due is not known: {headline.auc_window.reason}"
    told = f"{_OPENINGS[words[0]]}: AUC {with_interval(headline.auc_window)}"
    told += ", underpowered" if "underpowered" in words else ""
    timing = evaluation.arms.get("timing_only")
    if timing is None or timing.auc_pooled.value is None:
        return told
    return f"{told}. Pooled AUC flatters: timing alone scores {number(timing.auc_pooled.value)}"


def gains_finding(evaluation: Evaluation) -> str:
    """Leavers reached by calling the riskiest fifth of the accounts that are due."""
    told = (
        f"Calling the riskiest fifth of accounts that are due reaches {captured(evaluation, CHAMPION)} of their leavers"
    )
    if "window" not in evaluation.gains.get("timing_only", {}):
        return told
    return f"{told}; timing alone reaches {captured(evaluation, 'timing_only')}"


def captured(evaluation: Evaluation, arm: str) -> str:
    """Share of the due leavers in the riskiest fifth of due accounts, in percent."""
    curve = evaluation.gains.get(arm, {}).get("window")
    return "an unknown share" if curve is None else f"{np.interp(_GAINS_DEPTH, curve.shares, curve.captured):.0%}"


def phase_finding(phases: dict[str, GroupEvaluation]) -> str:
    """Phases in which stated and observed differ beyond chance."""
    ratios = {name: phases[name].calibration.ratio for name in in_order(phases)}
    if all(ratio.value is None for ratio in ratios.values()):
        return "No phase has enough expected leavers to be judged"
    more = [name for name, ratio in ratios.items() if ratio.low is not None and ratio.low > 1]
    fewer = [name for name, ratio in ratios.items() if ratio.high is not None and ratio.high < 1]
    told = [
        f"{word} left than stated in phase {listed(names)}"
        for word, names in (("more", more), ("fewer", fewer))
        if names
    ]
    found = "; ".join(told) or "in every phase as many left as was stated, within chance"
    return found[0].upper() + found[1:]


def in_order(phases: Mapping[str, object]) -> list[str]:
    """Phase names in the order of a campaign, unknown ones last."""
    known = [name for name in PHASE_ORDER if name in phases]
    return known + sorted(set(phases) - set(known))
