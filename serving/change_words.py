"""What does a change of health mean, in words a customer-success manager can check?

Grain in: one :class:`serving.change.Change`. Grain out: a sentence per part, and the features that moved most. Words
say that the estimate moved with something, never that something caused it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.catalogue import FEATURES, Style
from features.vocabulary import Phase, Subcategory
from serving.change import Basis, Cause, Change, ChangePart, Moved
from serving.explain import LEAST_POINTS, LIMITED_DATA, TITLES
from serving.wording import signed_points, written

SHOWN = 3
"""A manager can act on three; the part's points hold all of them."""

PHASES: Mapping[Phase, str] = {
    Phase.PRE: "a campaign about to start",
    Phase.ACTIVE: "a campaign running",
    Phase.POST: "just after a campaign",
    Phase.OFF: "between campaigns",
    Phase.NONE: "no campaigns",
}
CAUSE_TITLES: Mapping[Cause, str] = {
    Cause.CALENDAR: "Campaign calendar",
    Cause.MISSING_DATA: "Values that appeared or went missing",
    Cause.MODEL: "Model version",
    Cause.THIN_DATA: LIMITED_DATA,
    Cause.LIMITS: "Kept within 0 to 100",
    Cause.ROUNDING: "Rounding",
}
MEANINGS: Mapping[Subcategory, str] = {
    Subcategory.ENGAGEMENT: "How much, and by how many, the product is used",
    Subcategory.CAMPAIGN: "How the campaigns of the account went",
    Subcategory.OUTPUT_QUALITY: "How work flowed: revisions, approvals, deliveries",
    Subcategory.FINANCIAL: "Payments, and whether the contract grows",
    Subcategory.SENTIMENT: "What people there said and asked of support",
    Subcategory.MARKET: "What competitors and the segment did",
    Subcategory.CONTEXT: "Size, age and kind of the account",
}
BASES: Mapping[Basis, str] = {
    Basis.ONE_MODEL: "Both scores are of one model; every part is the difference of its points.",
    Basis.BOTH_MODELS: "Both models were asked about the data of both dates; each part is the mean of the two answers.",
    Basis.NEW_MODEL: "Only the newer model can be asked still: the data are weighed as it weighs them.",
    Basis.OLD_MODEL: "Only the older model can be asked still: the data are weighed as it weighed them.",
    Basis.KEPT_POINTS: "No model of then can be asked: the parts are the points that were kept with the two scores, "
    "and hold what the campaign calendar and missing data moved.",
}
_STYLES = {feature.name: (feature.label, feature.style) for feature in FEATURES}


@dataclass(frozen=True, slots=True)
class MovedWords:
    """One feature that moved, in words."""

    feature: str
    label: str
    before: str
    after: str
    points: float


def title_of(part: ChangePart) -> str:
    """What a part is called."""
    return TITLES[part.subcategory] if part.subcategory else CAUSE_TITLES[part.cause]


def moved_words(part: ChangePart) -> list[MovedWords]:
    """The features of a part that moved most, strongest first; those whose value reads the same are left out."""
    told = [_moved(one) for one in part.moved if abs(one.points) >= LEAST_POINTS]
    return [one for one in told if one.before != one.after][:SHOWN]


def words_of(part: ChangePart, change: Change) -> str:
    """One part in a sentence or two."""
    told = [_meaning(part, change), _effect(part.points)]
    if moved := moved_words(part):
        listed = "; ".join(f"{one.label} went from {one.before} to {one.after}" for one in moved)
        told.append(f"Most moved: {listed}.")
    elif part.moved and abs(part.points) >= LEAST_POINTS:
        told.append("No value reads differently: the same values weigh differently beside the others.")
    return " ".join(told)


def _meaning(part: ChangePart, change: Change) -> str:
    then, now = change.before.score, change.after.score
    if part.subcategory is not None:
        both = " (what the newer model moved cannot be told apart)" if part.cause is Cause.DATA_OR_MODEL else ""
        return f"{MEANINGS[part.subcategory]}{both}:"
    if part.cause is Cause.CALENDAR:
        stood = (
            f"still {PHASES[now.phase]}"
            if then.phase is now.phase
            else f"{PHASES[then.phase]}, then {PHASES[now.phase]}"
        )
        return f"Time went on in the account's campaigns ({stood}):"
    if part.cause is Cause.MODEL:
        if then.model_version == now.model_version:
            return f"Model version {now.model_version} gave both scores:"
        what = "the level of an average account" if change.basis is Basis.KEPT_POINTS else "the same data"
        return f"Model version {now.model_version} took over from version {then.model_version} and weighs {what} anew:"
    return {
        Cause.MISSING_DATA: "Values became known that were not, or stopped being known:",
        Cause.THIN_DATA: "The less data an account has, the more it is drawn to what is usual in its segment:",
        Cause.LIMITS: "Health is kept within 0 to 100:",
        Cause.ROUNDING: "What computing with so many digits leaves over:",
    }[part.cause]


def _effect(points: float) -> str:
    if abs(points) < LEAST_POINTS:
        return "this hardly moved the estimate."
    return (
        f"this {'lowered' if points < 0 else 'raised'} the estimate by {signed_points(abs(points)).lstrip('+')} points."
    )


def _moved(one: Moved) -> MovedWords:
    # A model of then may read a feature that the catalogue no longer has.
    label, style = _STYLES.get(one.feature, (one.feature, Style.NUMBER))
    return MovedWords(one.feature, label, written(one.before, style), written(one.after, style), one.points)
