"""Which numbers of leavers fit the stated risks?

Input: one risk per account. Output: the distribution of the number of leavers (Poisson-binomial: independent yes/no
draws with unequal chances), computed exactly by multiplying generating polynomials pairwise (FFT). No normal
approximation: at a base rate of 4 % it is off where it matters, in small groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, optimize, special

from training.metrics import Floats

_KEPT_OFF_CERTAINTY = 1e-12
_FIRST_REACH = 1.25
_WIDEST_SHIFT = 40.0
"""The search on the log-odds scale starts within a factor of 3.5 and widens to where every risk is 0 or 1."""


def leaver_count_pmf(risks: Floats) -> Floats:
    """``pmf[k]`` = chance of exactly k leavers, k = 0..n; the independent draws may have any chances in [0, 1]."""
    size = 1 << max(0, int(np.ceil(np.log2(max(1, len(risks))))))
    chances = np.zeros(size)
    chances[: len(risks)] = risks
    factors = np.stack([1 - chances, chances], axis=1)
    while len(factors) > 1:
        width = 2 * factors.shape[1] - 1
        spectrum = fft.rfft(factors, fft.next_fast_len(width, real=True), axis=1)
        product = fft.irfft(spectrum[0::2] * spectrum[1::2], fft.next_fast_len(width, real=True), axis=1)
        factors = np.clip(product[:, :width], 0, None)
    counts = factors[0][: len(risks) + 1]
    pmf: Floats = counts / counts.sum()
    return pmf


def two_sided_p(risks: Floats, leavers: int) -> float:
    """Chance of a count at least as far out as ``leavers`` if the risks are right; twice the smaller tail."""
    pmf = leaver_count_pmf(risks)
    return float(min(1.0, 2 * min(pmf[: leavers + 1].sum(), pmf[leavers:].sum())))


@dataclass(frozen=True, slots=True)
class RatioInterval:
    """Bounds of the ratio (true expected leavers / stated expected leavers)."""

    low: float
    high: float


def ratio_interval(risks: Floats, leavers: int, *, level: float = 0.95) -> RatioInterval:
    """Exact interval of observed over expected, the Poisson-binomial sibling of Clopper and Pearson's.

    All risks are shifted by one amount on the log-odds scale until the observed count is just as high (low) as a chance
    of ``(1 - level) / 2`` allows; the bounds are the expected counts there over the stated expected count. Rows are
    taken as independent: with accounts that recur in several snapshots it is too narrow, the cluster bootstrap is not.
    """
    tail = (1 - level) / 2
    odds = special.logit(np.clip(risks, _KEPT_OFF_CERTAINTY, 1 - _KEPT_OFF_CERTAINTY))
    stated = float(risks.sum())

    def ratio(at_least: bool) -> float:
        def excess(shift: float) -> float:
            pmf = leaver_count_pmf(special.expit(odds + shift))
            chance = pmf[leavers:].sum() if at_least else pmf[: leavers + 1].sum()
            return float(chance) - tail

        reach = _FIRST_REACH
        while reach < _WIDEST_SHIFT and excess(-reach) * excess(reach) > 0:
            reach *= 2
        shift = optimize.brentq(excess, -reach, reach, xtol=1e-5)
        return float(special.expit(odds + shift).sum()) / stated

    return RatioInterval(
        low=0.0 if leavers == 0 else ratio(at_least=True),
        high=len(risks) / stated if leavers == len(risks) else ratio(at_least=False),
    )
