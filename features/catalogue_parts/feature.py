"""In which words is a feature declared?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from features.vocabulary import Subcategory


class Style(StrEnum):
    """How a value is written for a person.

    ``log_ratio`` is stored as ln(actual / expected) and ``log_change`` as ln(ratio), both written as +12 %;
    ``log_amount`` is stored as ln(amount) and written as the amount.
    """

    SHARE = "share"
    NUMBER = "number"
    COUNT = "count"
    DAYS = "days"
    HOURS = "hours"
    WEEKS = "weeks"
    MONTHS = "months"
    MINUTES = "minutes"
    LOG_RATIO = "log_ratio"
    LOG_CHANGE = "log_change"
    LOG_AMOUNT = "log_amount"
    YES_NO = "yes_no"
    TEXT = "text"


class Use(StrEnum):
    """``model``: an input of the model. ``timing``: feeds the hazard's timing covariates. ``display``: for people."""

    MODEL = "model"
    TIMING = "timing"
    DISPLAY = "display"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature of one account at one ``as_of``.

    ``name`` is subject, measure, window. ``code`` is its number in the domain reference, empty for additions.
    ``direction``: +1 = more of it goes with more churn, -1 = with less, 0 = no expectation. ``monotone`` is the constraint
    the model obeys (0 = free). ``null`` says when there is no value and never means "fine". ``label`` and ``sentence`` are
    in the words of a customer-success manager; the sentence has ``{actual}`` and ``{expected}``, the latter being the
    median of accounts in the same phase and segment.
    """

    name: str
    code: str = ""
    subcategory: Subcategory
    style: Style
    unit: str
    window: str
    meaning: str
    null: str
    direction: int = 0
    monotone: int = 0
    use: Use = Use.MODEL
    label: str
    sentence: str = ""

    def __post_init__(self) -> None:
        if self.monotone not in (0, self.direction):
            raise ValueError(f"{self.name}: a constraint must agree with the expected direction")
        if self.use is not Use.DISPLAY and not ("{actual}" in self.sentence and "{expected}" in self.sentence):
            raise ValueError(f"{self.name}: the sentence needs {{actual}} and {{expected}}")

    @property
    def is_text(self) -> bool:
        """True for words (display only); every other feature is a double."""
        return self.style is Style.TEXT
