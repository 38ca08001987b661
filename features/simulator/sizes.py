"""How large is a made-up company, if nobody says otherwise?"""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import UsageError


@dataclass(frozen=True, slots=True)
class Size:
    """Accounts and weeks, and what they are enough for."""

    accounts: int
    weeks: int
    meaning: str


SIZES = {
    "tiny": Size(60, 104, "every table has rows; seconds"),
    "demo": Size(1_500, 208, "a vendor's size: a model can be trained and its interval is honest"),
    "power": Size(12_000, 208, "small effects can be told from luck"),
}


def size_named(name: str) -> Size:
    """The size of that name.

    Raises:
        UsageError: no size has this name.
    """
    if name not in SIZES:
        raise UsageError(
            "no size has this name",
            expected=f"one of {', '.join(SIZES)}",
            found=repr(name),
            todo="choose a known size, or give --accounts and --weeks",
        )
    return SIZES[name]
