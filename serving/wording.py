"""How is a value of a feature written for a customer-success manager?

Pure: one value and its style in, a few characters out. A missing value is never written as a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from features.catalogue import Style

NOT_KNOWN = "not known"
_MOST_PERCENT = 99_900.0
"""Ratios of two counts, one of them near 0, can be astronomical; beyond a thousandfold the size says nothing."""

_LARGEST_LOG = 300.0
"""exp() of more does not fit in a double; no contract is that large."""


def written(value: float | str | None, style: Style) -> str:
    """The value in words; ``log_ratio`` and ``log_change`` are stored as ln(ratio) and written as a change in percent.

    A null (None or NaN) is written as "not known".
    """
    if value is None or not is_known(value):
        return NOT_KNOWN
    if isinstance(value, str):
        return value
    return _WRITERS[style](float(value))


def is_known(value: float | str | None) -> bool:
    """False of a null (None or NaN), which is never written as a number."""
    return value is not None and value == value  # noqa: PLR0124  NaN is the only value unlike itself


def written_share(share: float) -> str:
    """A probability or share in percent: ``37 %``, under one percent with a decimal."""
    return _share(share)


def written_range(low: float, high: float) -> str:
    """Two probabilities: ``between 3 % and 9 %``; rounded outwards, so that the words never promise more.

    Whole percents, under one percent tenths; a lower end that rounds to nothing leaves ``under 2 %``.
    """
    ends = _outwards(low, math.floor), _outwards(high, math.ceil)
    if ends == (0.0, 100.0):
        return "anywhere between 0 % and 100 %"
    return f"under {_percent(ends[1])}" if ends[0] == 0 else f"between {_percent(ends[0])} and {_percent(ends[1])}"


def signed_points(points: float) -> str:
    """Points of the health scale with their sign, one decimal: ``+4.2``."""
    return _signed(points, 1)


def _outwards(chance: float, rounded: Callable[[float], int]) -> float:
    # A float a hair beyond a whole percent is that percent.
    percent = round(100 * chance, 9)
    return rounded(percent) * 1.0 if percent >= 1 else rounded(round(10 * percent, 8)) / 10


def _percent(percent: float) -> str:
    return f"{_plain(percent, 1 if 0 < percent < 1 else 0)} %"


def _number(value: float) -> str:
    size = abs(value)
    if size >= 100:  # noqa: PLR2004  three figures are enough to read
        return _plain(value, 0)
    text = _plain(value, 1 if size >= 10 else 2)  # noqa: PLR2004  same
    return text.rstrip("0").rstrip(".")


def _count(value: float) -> str:
    # A median over accounts may lie between two counts.
    return _plain(value, 0 if value == round(value) else 1)


def _share(value: float) -> str:
    percent = value * 100
    fine = 0 < abs(percent) < 1
    return f"{_plain(percent, 1 if fine else 0)} %"


def _log_change(value: float) -> str:
    if value > math.log1p(_MOST_PERCENT / 100):
        return f"more than +{_MOST_PERCENT:,.0f} %"
    return f"{_signed(math.expm1(value) * 100, 0)} %"


def _log_amount(value: float) -> str:
    amount = math.exp(min(value, _LARGEST_LOG))
    return _plain(amount, 0 if amount >= 10 else 1)  # noqa: PLR2004  two figures are enough for a size


def _yes_no(value: float) -> str:
    # The expected value of a flag is a median over accounts and may lie in the middle.
    if value == 0.5:  # noqa: PLR2004  the middle between no (0) and yes (1)
        return "half of them"
    return "yes" if value > 0.5 else "no"  # noqa: PLR2004  same


def _span(unit: str) -> Callable[[float], str]:
    def write(value: float) -> str:
        text = _plain(value, 0 if value == round(value) else 1)
        return f"{text} {unit}" if text in ("1", "-1") else f"{text} {unit}s"

    return write


def _signed(value: float, decimals: int) -> str:
    text = f"{value:+,.{decimals}f}"
    return text[1:] if not text.strip("+-0.") else text


def _plain(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.") else text


_WRITERS: dict[Style, Callable[[float], str]] = {
    Style.SHARE: _share,
    Style.NUMBER: _number,
    Style.COUNT: _count,
    Style.DAYS: _span("day"),
    Style.HOURS: _span("hour"),
    Style.WEEKS: _span("week"),
    Style.MONTHS: _span("month"),
    Style.MINUTES: _span("minute"),
    Style.LOG_RATIO: _log_change,
    Style.LOG_CHANGE: _log_change,
    Style.LOG_AMOUNT: _log_amount,
    Style.YES_NO: _yes_no,
    Style.TEXT: str,
}
