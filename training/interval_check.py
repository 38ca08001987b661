"""Do stated ranges of risk hold what happens later?

Input: the judged rows with their ``interval_*`` columns. Output: :class:`RangeCoverage`, or None where ranges were not
stated. Blocks are snapshots at least a horizon apart, so that no decision is counted twice and accounts are independent
of each other: the counts then follow the Poisson-binomial distribution exactly, without a bootstrap.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import binom

from training.calibration_check import merged_bins, quantile_bins
from training.interval_parts import RangeCell, RangeCoverage
from training.judged import Judged
from training.metrics import Floats
from training.poisson_binomial import leaver_count_pmf

SIDES = ("interval_p0", "interval_p1", "interval_low", "interval_high")
ODD = 0.05
"""A cell is outside when luck would bring as much in one honest case of twenty."""

BOTH_RULES = 0.025
"""Chance of refusing honest ranges, for each of the two rules: too many cells outside, and one far outside."""

_LEAST_EXPECTED_IN_CELL = 5.0
"""Below five expected leavers one more or less is a fifth of the rate, and cells only add noise."""


def range_coverage(judged: Judged) -> RangeCoverage | None:
    """Cells, shares and counts; None when the rows state no ranges or no label is mature."""
    rows, days = judged.rows, judged.plan.headline_days
    told = rows[judged.mature(days)]
    if not {*SIDES} <= {*rows.columns} or told.empty or told[[f"risk_{days}", *SIDES]].isna().any(axis=None):
        return None
    cells = tuple(cell for block, part in enumerate(_blocks(told, days)) for cell in _cells(part, block, days))
    low, high = (float(np.average([getattr(cell, end) for cell in cells], weights=[cell.rows for cell in cells]))
                 for end in ("mean_low", "mean_high"))  # fmt: skip
    return RangeCoverage(
        cells=cells,
        expected=sum(cell.mean_risk * cell.rows for cell in cells),
        coverage=float(np.mean([cell.inside for cell in cells])),
        pair_coverage=float(np.mean([cell.inside_pair for cell in cells])),
        outside=sum(cell.p_value < ODD for cell in cells),
        allowed_outside=int(binom.ppf(1 - BOTH_RULES, len(cells), ODD)),
        least_p_value=min(cell.p_value for cell in cells),
        reach=high / low if low > 0 else None,
    )


def _blocks(told: pd.DataFrame, days: int) -> Iterator[pd.DataFrame]:
    # The last snapshot of a block is the first at least a horizon after the one before it.
    taken: pd.Timestamp | None = None
    for as_of, part in told.groupby("as_of", sort=True):
        moment = pd.Timestamp(str(as_of))
        if taken is None or moment - taken >= pd.Timedelta(days=days):
            taken = moment
            yield part


def _cells(part: pd.DataFrame, block: int, days: int) -> Iterator[RangeCell]:
    risk, left = part[f"risk_{days}"].to_numpy(np.float64), part[f"y_{days}"].to_numpy(np.float64)
    bins = merged_bins(quantile_bins(risk), risk, _LEAST_EXPECTED_IN_CELL)
    sides = {name: part[name].to_numpy(np.float64) for name in SIDES}
    for number in range(bins.max() + 1):
        inside = bins == number
        means = {f"mean_{name.removeprefix('interval_')}": float(side[inside].mean()) for name, side in sides.items()}
        yield RangeCell(
            block=block,
            rows=int(inside.sum()),
            mean_risk=float(risk[inside].mean()),
            observed=round(float(left[inside].sum())),
            observed_rate=float(left[inside].mean()),
            p_value=_p_value(sides["interval_low"][inside], sides["interval_high"][inside], left[inside]),
            **means,
        )


def _p_value(low: Floats, high: Floats, left: Floats) -> float:
    observed = round(float(left.sum()))
    if observed > high.sum():
        tail = leaver_count_pmf(high)[observed:].sum()
    elif observed < low.sum():
        tail = leaver_count_pmf(low)[: observed + 1].sum()
    else:
        return 1.0
    return float(min(1.0, 2 * tail))
