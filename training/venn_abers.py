"""Between which risks does the past allow a stated risk to lie?

Input grain: one row per account and ``as_of`` with its stated risk and what happened, both from time that the model had
not seen. Output: per kind of account a table from stated risk to a :class:`Spread`, which is data: a bundle keeps it as
JSON.

Inductive Venn-Abers (Vovk, Petej and Fedorova 2015), Mondrian by thin and regular accounts: the isotonic fit of
outcome on stated risk is made twice, once as if the account at hand had stayed (``p0``) and once as if it had left
(``p1``). One of the two is calibrated, whatever the model, as long as the future is like the past. The pair says how
much one more outcome would move the fit, not how much luck is in the fit itself: with 120 leavers the true rates of
three tenths of the accounts in ten lie between the two. ``low`` and ``high`` add that luck: ``p0`` and ``p1`` are the
means of the two beta distributions behind the exact binomial limits of their isotonic blocks, and ``low`` and ``high``
are these limits themselves (Clopper and Pearson 1934).

Stated risks are put into at most 128 classes of equal size first, so that both fits can be made for every class in
advance. The classes look at risks only, never at outcomes, so the guarantee stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from training.periods import Floats

Bools = npt.NDArray[np.bool_]

KINDS = ("regular", "thin")
"""Kinds of account by the amount of data; each has a table of its own."""

CLASSES = 128

_SIDES = ("p0", "p1", "low", "high")


@dataclass(frozen=True, slots=True)
class Spread:
    """What the past allows per row, chances 0-1: ``p0 <= p1``, and ``low <= risk <= high``."""

    p0: Floats
    p1: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class SpreadTable:
    """One kind of account. ``edges`` (k) part the stated risks; the others have k + 1 values, one per class.

    ``rows`` and ``leavers`` say what it rests on: labelled rows, and distinct accounts that left among them.
    """

    edges: tuple[float, ...]
    p0: tuple[float, ...]
    p1: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    rows: int
    leavers: int

    @cached_property
    def edges_and_sides(self) -> list[Floats]:
        """The edges, then :data:`_SIDES`, as arrays: made once, for every score looks into them."""
        return [np.array(getattr(self, name), dtype=np.float64) for name in ("edges", *_SIDES)]


NOTHING_KNOWN = SpreadTable((), (0.0,), (1.0,), (0.0,), (1.0,), rows=0, leavers=0)
"""The fit on no rows: the account may leave or stay."""


@dataclass(frozen=True, slots=True)
class RiskSpread:
    """The tables of a model, by kind of account."""

    regular: SpreadTable = NOTHING_KNOWN
    thin: SpreadTable = NOTHING_KNOWN

    def of(self, risk: Floats, thin: Bools) -> Spread:
        """The spread of each row. ``low`` and ``high`` are widened to hold the stated risk itself."""
        sides = [
            np.where(thin, of_thin, of_regular)
            for of_thin, of_regular in zip(_looked_up(self.thin, risk), _looked_up(self.regular, risk), strict=True)
        ]
        p0, p1, low, high = sides
        return Spread(p0, p1, np.minimum(low, risk), np.maximum(high, risk))


NO_SPREAD = RiskSpread()
"""What is known before anything was held out: every risk may be anything."""


@dataclass(frozen=True, slots=True)
class Past:
    """Labelled rows of one kind: stated risk 0-1, outcome 0 or 1, and the account each is of."""

    risk: Floats
    y: Floats
    account: npt.NDArray[np.object_]


def spread_table(past: Past, *, row_weight: float, outside_share: float) -> SpreadTable:
    """The table of one kind of account; :data:`NOTHING_KNOWN` without rows.

    ``row_weight`` (above 0, at most 1) is how much of an independent observation a row is: snapshots four weeks apart
    that look 90 days ahead see the same decision about three times. ``outside_share`` is the chance that luck alone
    leaves the true rate of a class outside ``low`` to ``high``.
    """
    if not len(past.risk):
        return NOTHING_KNOWN
    edges = np.unique(np.quantile(past.risk, np.arange(1, CLASSES) / CLASSES))
    places = np.searchsorted(edges, past.risk, side="left")
    seen = row_weight * np.bincount(places, minlength=len(edges) + 1).astype(np.float64)
    left = row_weight * np.bincount(places, weights=past.y, minlength=len(edges) + 1).astype(np.float64)
    stayed, gone = _fits(seen, left, label=0.0), _fits(seen, left, label=1.0)
    low, high = outside_share / 2, 1.0 - outside_share / 2
    return SpreadTable(
        edges=tuple(edges.tolist()),
        p0=tuple((stayed.left / stayed.seen).tolist()),
        p1=tuple((gone.left / gone.seen).tolist()),
        low=tuple(_limit(low, stayed).tolist()),
        high=tuple(_limit(high, gone).tolist()),
        rows=len(past.risk),
        leavers=int(np.unique(past.account[past.y > 0].astype(str)).size),
    )


@dataclass(frozen=True, slots=True)
class _Blocks:
    # For each class: observations and leavers of its isotonic block, the account at hand included.
    seen: Floats
    left: Floats


def _fits(seen: Floats, left: Floats, *, label: float) -> _Blocks:
    from sklearn.isotonic import isotonic_regression  # noqa: PLC0415  seconds; needed to make tables, not to read them

    blocks = []
    for place in range(len(seen)):
        trials, leavers = seen.copy(), left.copy()
        trials[place] += 1.0
        leavers[place] += label
        held = trials > 0
        rate = isotonic_regression(leavers[held] / trials[held], sample_weight=trials[held])
        block = rate == rate[held[:place].sum()]
        blocks.append((trials[held][block].sum(), leavers[held][block].sum()))
    return _Blocks(np.array([trials for trials, _ in blocks]), np.array([leavers for _, leavers in blocks]))


def _limit(share: float, blocks: _Blocks) -> Floats:
    from scipy.stats import beta  # noqa: PLC0415  as above

    # A beta distribution without leavers (or stayers) is the point 0 (or 1), which scipy calls not a number.
    limit = np.nan_to_num(beta.ppf(share, blocks.left, blocks.seen - blocks.left), nan=-1.0)
    return np.select([blocks.left <= 0, blocks.left >= blocks.seen], [0.0, 1.0], default=limit)


def _looked_up(table: SpreadTable, risk: Floats) -> list[Floats]:
    places = np.searchsorted(table.edges_and_sides[0], risk, side="left")
    return [side[places] for side in table.edges_and_sides[1:]]
