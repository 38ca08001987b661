"""When is a promise kept, broken, or not to be told from luck?

Input: a measured number with its interval, and what was asked. Output: one :class:`Line` per requirement. Pure.

The bar is never moved: PASS means that the number itself meets it. A number that misses it is a FAIL, unless it was
counted from outcomes and its interval still reaches the bar: then luck cannot be ruled out, and UNDERPOWERED says so. A
number that was graded with true chances has no such excuse.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import beta, chi2


class Outcome(StrEnum):
    """What became of one requirement."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    UNDERPOWERED = "UNDERPOWERED"


class Measured(BaseModel):
    """A number with its 95 % interval; null ends where none exists."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: float | None
    low: float | None = None
    high: float | None = None

    def told(self, digits: int = 2) -> str:
        """The number and its interval in words."""
        if self.value is None:
            return "not measured"
        interval = (
            "" if self.low is None or self.high is None else f" ({self.low:.{digits}f} to {self.high:.{digits}f})"
        )
        return f"{self.value:.{digits}f}{interval}"


class Line(BaseModel):
    """One requirement of one world: what was asked, what was measured, what became of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    case: str
    world: str = Field(description="regime, accounts, seed")
    asked: str
    measured: str = Field(description="the number with its interval, or what was seen, in words")
    outcome: Outcome
    note: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    code: str = Field(default="", description="the version of the code that was measured")


def at_least(bar: float, found: Measured) -> Outcome:
    """For numbers graded with true chances: the number decides."""
    if found.value is None:
        return Outcome.UNDERPOWERED
    return Outcome.PASS if found.value >= bar else Outcome.FAIL


def inside(low: float, high: float, found: Measured, *, lucky: bool) -> Outcome:
    """Within a band; ``lucky``: counted from outcomes, so a miss whose interval reaches the band proves nothing."""
    if found.value is None:
        return Outcome.UNDERPOWERED
    if low <= found.value <= high:
        return Outcome.PASS
    reaches = found.low is not None and found.high is not None and found.low <= high and found.high >= low
    return Outcome.UNDERPOWERED if lucky and reaches else Outcome.FAIL


def holds(kept: bool) -> Outcome:
    """For what is seen and not counted."""
    return Outcome.PASS if kept else Outcome.FAIL


def counted_rate(count: int, exposure: float) -> Measured:
    """A rate of rare events with the exact Poisson interval."""
    low = float(chi2.ppf(0.025, 2 * count) / 2) if count else 0.0
    high = float(chi2.ppf(0.975, 2 * (count + 1)) / 2)
    return Measured(value=count / exposure, low=low / exposure, high=high / exposure)


def share(count: int, total: int) -> Measured:
    """A share with the exact (Clopper-Pearson) interval; nothing measured of nothing."""
    if total == 0:
        return Measured(value=None)
    low = float(beta.ppf(0.025, count, total - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, total - count)) if count < total else 1.0
    return Measured(value=count / total, low=low, high=high)
