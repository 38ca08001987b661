"""What may be said about an AUC and its interval, in fixed words?"""

from __future__ import annotations

from training.evaluation_parts import Estimate, Reading

UNDERPOWERED_WIDTH = 0.2
"""An AUC interval wider than this cannot tell a useful model (0.65) from a coin (0.5) or a very good one (0.75)."""

UNDERPOWERED_OUTCOMES = 30
"""Below 30 accounts that left, the bootstrap interval itself is not to be trusted."""

NO_SKILL = 0.5


def read_in_words(auc: Estimate) -> Reading:
    """Say what an AUC and its interval allow one to say.

    "underpowered" is said beside any other word: it speaks about the data, "skill" and "no skill" about the ranking.
    """
    if auc.value is None or auc.low is None or auc.high is None:
        return Reading(words=("undefined",), sentence=f"Undefined: {auc.reason}.")
    words: tuple[str, ...] = ("no skill",)
    sentence = "No skill shown: the interval covers 0.5, a coin does as well."
    if auc.low > NO_SKILL:
        words, sentence = ("skill",), "Skill: the whole interval lies above 0.5."
    elif auc.high < NO_SKILL:
        words, sentence = ("worse than chance",), "Worse than chance: the whole interval lies below 0.5."
    few = auc.outcomes is not None and auc.outcomes < UNDERPOWERED_OUTCOMES
    if few or auc.high - auc.low > UNDERPOWERED_WIDTH:
        words = (*words, "underpowered")
        sentence += f" Underpowered: {auc.outcomes} accounts left, the interval is {auc.high - auc.low:.2f} wide."
    return Reading.model_validate({"words": words, "sentence": sentence})


WIDE_SHARE, WIDE_DAYS = 0.2, 56.0
"""A difference of shares that may be off by a tenth each way, or of days by four weeks, has not been measured."""


def lead_in_words(measure: str, lead: Estimate, leavers: int) -> str:
    """One policy against another: ahead, behind, or no difference shown.

    "underpowered" is added where few left, and where no difference was shown by an interval too wide to show one.
    """
    if lead.value is None or lead.low is None or lead.high is None:
        return f"undefined: {lead.reason}"
    word = "ahead" if lead.low > 0 else "behind" if lead.high < 0 else "no difference shown"
    wide = lead.high - lead.low > (WIDE_DAYS if measure == "lead_days" else WIDE_SHARE)
    shown = word != "no difference shown"
    return f"{word}, underpowered" if leavers < UNDERPOWERED_OUTCOMES or (wide and not shown) else word
