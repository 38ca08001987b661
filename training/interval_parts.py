"""What is published about stated ranges of risk?

Frozen documents; :mod:`training.interval_check` fills them.
"""

from __future__ import annotations

from pydantic import Field

from training.evaluation_parts import Document


class RangeCell(Document):
    """A tenth (or more) of the accounts of one block, by stated risk: what was stated, what came."""

    block: int = Field(description="blocks of time in order, from 0; one snapshot each, no two see the same outcome")
    rows: int
    mean_risk: float
    mean_p0: float
    mean_p1: float
    mean_low: float
    mean_high: float
    observed: int
    observed_rate: float
    p_value: float = Field(
        description="chance of a count as far out as this, were the true risks at the near ends of the stated ranges"
    )

    @property
    def inside(self) -> bool:
        """The observed rate lies in the mean stated range."""
        return self.mean_low <= self.observed_rate <= self.mean_high

    @property
    def inside_pair(self) -> bool:
        """The observed rate lies between the mean Venn-Abers readings."""
        return self.mean_p0 <= self.observed_rate <= self.mean_p1


class RangeCoverage(Document):
    """Do stated ranges hold what happens? Cells of all blocks, those of the lowest risks first.

    ``coverage`` and ``pair_coverage`` count bare: an honest range misses some cells by the luck of the block itself.
    ``outside`` counts cells that such luck explains in one case of twenty only; of ``cells`` honest ones
    ``allowed_outside`` at most are so, in 39 evaluations of 40.
    """

    cells: tuple[RangeCell, ...]
    expected: float = Field(description="sum of stated risks over all cells")
    coverage: float = Field(description="share of cells whose observed rate lies in the mean stated range")
    pair_coverage: float = Field(description="share of cells whose observed rate lies between mean p0 and mean p1")
    outside: int
    allowed_outside: int
    least_p_value: float
    reach: float | None = Field(description="mean upper over mean lower end; null when the mean lower end is 0")
