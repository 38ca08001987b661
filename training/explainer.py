"""What does the booster say about rows, and how much of it is due to each group of features?

Input grain: one row of the booster's inputs. Output: the raw margin in log-odds, and the path-dependent SHAP values
summed per group. Lookup tables answer where they can (``training/group_tables.py``); LightGBM's own ``pred_contrib``
where they cannot, and then :attr:`Explainer.refusal` says why. Tables are never assumed to be right: when a model is
made or loaded they must equal LightGBM on probe rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from features.errors import IntegrityError
from training.group_lookup import GroupLookup
from training.group_tables import tables_of
from training.periods import Floats
from training.scorecard import summed
from training.trees import read_trees

_TOLERANCE = 1e-10
"""Log-odds; at twelve points per doubling a tenth of what the law of points (1e-9) allows, and no wrong split is so
small."""


@dataclass(frozen=True, slots=True)
class Told:
    """``margins`` (n) in log-odds and what each group gives to them, ``groups`` (n, groups); the rest is the base."""

    margins: Floats
    groups: Floats


@dataclass(frozen=True, slots=True)
class Explainer:
    """A booster with its lookup tables. ``owners`` is the group of each input; ``groups`` their number.

    ``lookup`` is None where tables cannot stand for the booster; ``refusal`` says why, and is empty otherwise.
    """

    booster: Any
    owners: tuple[int, ...]
    groups: int
    lookup: GroupLookup | None = None
    refusal: str = "tables were not asked for"

    @property
    def method(self) -> str:
        """How group values are found, in words for a person who operates the model."""
        return f"pred_contrib ({self.refusal})" if self.lookup is None else "lookup tables"

    @property
    def warmed(self) -> bool:
        """True when the first answer is as quick as any other."""
        return self.lookup is None or self.lookup.warmed

    def with_tables(self, probe: Floats) -> Explainer:
        """The same with lookup tables, if they can be made and equal ``pred_contrib`` on the rows of ``probe``."""
        trees = read_trees(self.booster.model_to_string())
        tables = trees if isinstance(trees, str) else tables_of(trees, self.owners)
        if isinstance(tables, str):
            return replace(self, lookup=None, refusal=tables)
        quick = replace(self, lookup=GroupLookup(tables), refusal="")
        difference = _difference(quick, replace(self, lookup=None), _with_extremes(probe))
        if not difference <= _TOLERANCE:
            return replace(self, lookup=None, refusal=f"tables were {difference:.0e} off on the probe rows")
        return quick

    def warm(self) -> None:
        """Do now what would make the first answer slow; seconds, once per process."""
        if self.lookup is not None:
            self.lookup.warm()

    def expect(self, rows: int) -> None:
        """Told that so many rows will be asked for, do now what would make them slow, if it pays."""
        if self.lookup is not None:
            self.lookup.expect(rows)

    def contributions(self, inputs: Floats, *, threads: int) -> Floats:
        """LightGBM's own SHAP values: one column per input, then the base."""
        if not len(inputs):
            return np.empty((0, len(self.owners) + 1))  # LightGBM fails on no rows
        return np.asarray(self.booster.predict(inputs, pred_contrib=True, num_threads=threads), dtype=np.float64)

    def told(self, inputs: Floats, *, threads: int) -> Told:
        """Margin and groups of each row. With tables, base plus groups is the margin to the last bit.

        Raises:
            IntegrityError: rows of another number of inputs than the booster's.
        """
        self._require_width(inputs)
        if self.lookup is not None:
            margins, sums = self.lookup.told(inputs)
            return Told(margins, sums[:, : self.groups])
        contributions = self.contributions(inputs, threads=threads)
        return Told(summed(contributions, range(contributions.shape[1])), self.grouped(contributions))

    def margins(self, inputs: Floats, *, threads: int) -> Floats:
        """The margins of :meth:`told` alone, cheaper. Raises as that."""
        self._require_width(inputs)
        if self.lookup is not None:
            return self.lookup.margins(inputs)
        if not len(inputs):
            return np.empty(0)
        return np.asarray(self.booster.predict(inputs, raw_score=True, num_threads=threads), dtype=np.float64)

    def continued(self, starts: Floats, endings: Floats, *, threads: int) -> Floats:
        """The margins (ways, n) of rows that begin alike and go on in several ways; cheaper than one way at a time.

        ``starts`` (n, a) are the first inputs of each row, ``endings`` (ways, n, b) the others. Raises as :meth:`told`.
        """
        _, *ended = endings.shape
        if [len(starts), len(self.owners) - starts.shape[1]] != ended:
            raise self._misfit(starts.shape, endings.shape)
        if self.lookup is not None:
            return self.lookup.continued(starts, endings)
        return np.stack([self.margins(np.hstack([starts, ending]), threads=threads) for ending in endings])

    def _require_width(self, inputs: Floats) -> None:
        # Machine code does not look whether a column is there.
        if inputs.ndim != 2 or inputs.shape[1] != len(self.owners):  # noqa: PLR2004  rows and columns
            raise self._misfit(inputs.shape)

    def _misfit(self, *shapes: tuple[int, ...]) -> IntegrityError:
        return IntegrityError(
            "rows do not fit the model",
            expected=f"{len(self.owners)} inputs a row",
            found=f"an array of shape {' and one of '.join(map(str, shapes))}",
            todo="score with the features of the model's own bundle",
        )

    def grouped(self, contributions: Floats) -> Floats:
        """Values per input, summed per group, one after the other: shape (n, groups)."""
        members = [[place for place, owner in enumerate(self.owners) if owner == group] for group in range(self.groups)]
        return np.column_stack([summed(contributions, places) for places in members])


def _difference(quick: Explainer, plain: Explainer, probe: Floats) -> float:
    told, expected = quick.told(probe, threads=1), plain.told(probe, threads=1)
    margins = plain.margins(probe, threads=1)
    apart = (told.groups - expected.groups, told.margins - expected.margins, told.margins - margins)
    return float(max(np.abs(difference).max() for difference in apart))


def _with_extremes(probe: Floats) -> Floats:
    # Rows that no portfolio has: nothing known, and every value on one side of all thresholds.
    width = probe.shape[1]
    return np.vstack([probe, np.full((1, width), np.nan), *(np.full((1, width), end) for end in (-1e300, 0.0, 1e300))])
