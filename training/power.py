"""What is the smallest difference that a comparison could have shown?

Numbers in, numbers out. A difference is called detectable when a two-sided test at 5 % finds it in 80 % of such
samples. Source: the usual normal approximation, Fleiss, Levin and Paik 2003, chapter 4; domain reference 4.9.
"""

from __future__ import annotations

from math import ceil, sqrt
from statistics import NormalDist

ALPHA = 0.05
POWER = 0.80
_SIDE = NormalDist().inv_cdf(1 - ALPHA / 2)
_HIT = NormalDist().inv_cdf(POWER)
_STEPS = 60
"""Halvings of a search between 0 and 1: to the last digit of a double."""


def least_detectable(standard_error: float) -> float:
    """The smallest true difference that an estimate with this standard error would show in 80 % of samples."""
    return (_SIDE + _HIT) * standard_error


def needed(have: int, least: float, effect: float) -> int:
    """How many outcomes would be needed for ``effect``, when ``have`` of them can show ``least``.

    An error shrinks with the square root of the number of outcomes.
    """
    return ceil(have * (least / effect) ** 2)


def accounts_needed(base: float, changed: float, *, share: float = 0.5) -> int:
    """Accounts needed in all to tell rate ``changed`` (in ``share`` of them) from rate ``base`` (in the others)."""
    pooled = share * changed + (1 - share) * base
    chance = sqrt(pooled * (1 - pooled) * (1 / share + 1 / (1 - share)))
    apart = sqrt(changed * (1 - changed) / share + base * (1 - base) / (1 - share))
    return ceil(((_SIDE * chance + _HIT * apart) / (changed - base)) ** 2)


def least_relative_fall(base: float, accounts: int) -> float | None:
    """The smallest relative fall of a rate that a 50/50 trial with this many accounts could show; None: not even all.

    0.13 stands for a rate that falls from 15 % to 13.05 %.
    """
    if not 0 < base < 1 or accounts_needed(base, 0.0) > accounts:
        return None
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        enough = middle > 0 and accounts_needed(base, base * (1 - middle)) <= accounts
        low, high = (low, middle) if enough else (middle, high)
    return high
