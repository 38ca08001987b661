"""Of which parts is the answer to "for whom not?" made?

Frozen documents about cells (segment and phase), about what moves the score in each segment, and about segments in
which a model ranks worse than the one it would replace.
"""

from __future__ import annotations

from pydantic import Field

from training.evaluation_parts import Calibration, CalibrationError, Document, Estimate


class CellEvaluation(Document):
    """Calibration in one segment and phase; ``note`` says when too few are expected to leave for any statement."""

    segment: str
    phase: str
    rows: int
    positives: int
    expected: float | None
    note: str
    calibration: Calibration
    ece: CalibrationError


class LearnedWeights(Document):
    """What moves the health score: the share of each subcategory in the mean size of points, with its interval."""

    rows: int
    shares: dict[str, Estimate] = Field(description="per subcategory; the shares of a group add up to 1")


class SegmentComparison(Document):
    """Model minus rival in one segment, paired, at the headline horizon; above 0: the model ranks better."""

    auc_pooled: Estimate
    auc_window: Estimate
    brier: Estimate = Field(description="rival's squared error minus the model's: above 0, the model errs less")


class Regressions(Document):
    """Segments compared with the live model where there is one, else with timing alone.

    ``rival`` is null when there was nothing to compare with; ``reason`` says why, or why the live model could not be
    asked and timing alone stands in.
    """

    rival: str | None
    segments: dict[str, SegmentComparison]
    reason: str = ""
