"""Which words do the pages use for bands, phases, grades and amounts?

A customer-success manager's words, not the model's.
"""

from __future__ import annotations

from features.vocabulary import Band, Phase

BAND_WORDS = {
    Band.RED: "Red: act now",
    Band.AMBER: "Amber: watch",
    Band.GREEN: "Green: healthy",
    Band.UNKNOWN: "Unknown: too little data",
    Band.LOST_PENDING: "Notice given",
}
PHASE_WORDS = {
    Phase.ACTIVE: "Campaign running",
    Phase.POST: "Just after a campaign",
    Phase.PRE: "Campaign about to start",
    Phase.OFF: "Between campaigns",
    Phase.NONE: "No campaigns",
}
PHASE_ADVICE = {
    Phase.ACTIVE: "People are at work on a deadline: offer technical help, keep commercial talks for later.",
    Phase.POST: "Less use right after a campaign is normal. What counts is use against the usual level for such weeks.",
    Phase.PRE: "A good moment to check seats, versions and support before the work begins.",
    Phase.OFF: "A quiet time between campaigns: low use alone says little.",
    Phase.NONE: "No campaign of this account is known, so campaigns say nothing here.",
}
GRADE_WORDS = {
    "A": "rests on plenty of data",
    "B": "rests on good data",
    "C": "rests on some data: check before you act",
    "D": "rests on too little data to be relied on",
}
SEGMENT_WORDS = {"studio": "Studio", "broadcaster": "Broadcaster", "agency": "Agency", "other": "Other"}


def money(amount: float | None, currency: str | None) -> str:
    """An amount in whole units with its currency, ``USD 12,400``; "not known" where there is none."""
    return "not known" if amount is None else f"{currency or ''} {amount:,.0f}".strip()


def change(points: float | None) -> str:
    """A change of health with its sign; "new" where there is nothing to compare with."""
    if points is None:
        return "new"
    return f"{points:+.0f}" if abs(points) >= 0.5 else "0"  # noqa: PLR2004  rounds to nothing
