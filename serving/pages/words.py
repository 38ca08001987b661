"""Which words do the pages use for accounts, health, bands, phases, grades, amounts and dates?

A customer-success manager's words, not the model's; British spelling. What is not known is written as such, never as a
number. Pure.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from features.vocabulary import Band, Phase
from serving.assessment import RiskRange
from serving.wording import NOT_KNOWN, signed_points, written_range

BAND_NAMES = {
    Band.RED: "Red",
    Band.AMBER: "Amber",
    Band.GREEN: "Green",
    Band.UNKNOWN: "Unknown",
    Band.LOST_PENDING: "Notice given",
}
BAND_MEANINGS = {
    Band.RED: "act now",
    Band.AMBER: "watch",
    Band.GREEN: "healthy",
    Band.UNKNOWN: "too little data",
    Band.LOST_PENDING: "leaving already",
}
PHASE_NAMES = {
    Phase.PRE: "Campaign about to start",
    Phase.ACTIVE: "Campaign running",
    Phase.POST: "Just after a campaign",
    Phase.OFF: "Between campaigns",
    Phase.NONE: "No campaigns",
}
"""In the order in which a campaign goes by."""

_LIVE_WORDS = {Phase.PRE: "about to start", Phase.ACTIVE: "running", Phase.POST: "just over"}

PHASE_ADVICE = {
    Phase.PRE: "A good moment to check seats, versions and support before the work begins.",
    Phase.ACTIVE: "People are at work on a deadline: offer technical help, keep commercial talks for later.",
    Phase.POST: "Less use right after a campaign is normal. What counts is use against the usual level for such weeks.",
    Phase.OFF: "A quiet time between campaigns: low use alone says little.",
    Phase.NONE: "No campaign of this account is known, so campaigns say nothing here.",
}
GRADE_WORDS = {
    "A": "rests on a year of data or more, from most sources",
    "B": "rests on good data",
    "C": "rests on some data: check before you act",
    "D": "rests on too little data to be relied on",
}
SEGMENT_NAMES = {"studio": "Studio", "broadcaster": "Broadcaster", "agency": "Agency", "other": "Other"}
AMBER_FROM, GREEN_FROM = 45, 65
"""Where the bands of health begin: training's scale says the same, a test holds the two together."""

NOBODY = "nobody"
NO_DATE = "no fixed date"

_DAYS_IN_WEEKS = 14
"""From here on weeks are easier to grasp than days."""

_LEAST_PERCENT = 0.1
_MINUS = re.compile(r"(?<![\w-])-(?=\d)")
_PERCENT = re.compile(r"(?<=\d) %")


def account_title(name: str | None, account_id: str) -> str:
    """The name of an account, or its id where the name is missing or shows nothing."""
    visible = name is not None and any(letter.isprintable() and not letter.isspace() for letter in name)
    return name if visible and name is not None else account_id


def segment_name(segment: str | None) -> str:
    """A segment as it is written, "segment not known" without one."""
    return SEGMENT_NAMES.get(segment, segment) if segment else "segment not known"


def live_campaigns(told: str) -> str:
    """The campaigns that the store names with their phase in its own word: ``Upfronts 2025 (about to start)``."""
    for phase, said in _LIVE_WORDS.items():
        told = told.replace(f"({phase.value})", f"({said})")
    return told


def money(amount: float | None, currency: str | None) -> str:
    """An amount in whole units with its currency, ``USD 12,400``; "not known" where there is none."""
    return NOT_KNOWN if amount is None else f"{currency or ''}\u00a0{amount:,.0f}".lstrip("\u00a0")


def tenths(health: float) -> float:
    """Health to a tenth, never rounded into the next band: 64.98 is amber and must not read 65.0, where green is."""
    rounded = round(health, 1)
    crosses = any(health < edge <= rounded for edge in (AMBER_FROM, GREEN_FROM))
    return round(rounded - 0.1, 1) if crosses else rounded


def share(part: float) -> str:
    """A probability in percent, under ten percent with a decimal: one account in a hundred is much of a risk."""
    percent = 100 * part
    if 0 < percent < _LEAST_PERCENT:
        return f"under\u00a0{_LEAST_PERCENT}\u00a0%"
    text = f"{percent:.1f}"
    return f"{text if len(text) == len('9.9') else round(percent)}\u00a0%"


def points(amount: float) -> str:
    """Points of the health scale with their sign, one decimal."""
    return typeset(signed_points(amount))


def whole_change(amount: float) -> str:
    """A change of health in whole points with its sign; "0" where it rounds to nothing."""
    return typeset(f"{amount:+.0f}") if round(amount) else "0"


def between(told: RiskRange) -> str:
    """How sure a risk is: ``between 3 % and 9 %``."""
    return typeset(written_range(told.low, told.high))


def typeset(text: str) -> str:
    """A true minus before a number (a hyphen is not read aloud) and a percent sign that stays with its number."""
    return _PERCENT.sub("\u00a0%", _MINUS.sub("\u2212", text))


def day(moment: date) -> str:
    """``15 April 2024``."""
    return f"{moment.day}\u00a0{moment:%B\u00a0%Y}"


def short_day(moment: date) -> str:
    """``15 Apr 2024``."""
    return f"{moment.day}\u00a0{moment:%b\u00a0%Y}"


def until(decision: date, today: date) -> str:
    """How far off a decision is: ``in 9 days``, ``in 4 weeks``, ``passed``."""
    days = (decision - today).days
    if days < 0:
        return "passed"
    if days < _DAYS_IN_WEEKS:
        return {0: "today", 1: "tomorrow"}.get(days, f"in\u00a0{days}\u00a0days")
    return f"in\u00a0{days // 7}\u00a0weeks"


def counted(number: int, noun: str) -> str:
    """``1 account``, ``2,300 accounts``."""
    return f"{number:,}\u00a0{noun}{'' if number == 1 else 's'}"


def listed(words: Any, most: int = 4) -> str:
    """Words in a row, the first few of many: ``a, b, c, d and 3 more``."""
    shown = list(words)
    rest = len(shown) - most
    return ", ".join(shown) if rest <= 0 else f"{', '.join(shown[:most])} and {rest} more"
