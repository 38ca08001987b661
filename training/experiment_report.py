"""What does a finance or product lead need to read about a comparison?

Input: a :class:`Comparison` and its pictures. Output: one self-contained HTML page. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from training.experiment import METRICS, SLICES, Comparison
from training.experiment_words import gain_told, power_told, trial_told
from training.figure import Picture
from training.report import environment

_BY_OUTCOMES = (
    "Graded by what happened",
    "An account that left is a leaver in each snapshot before; the intervals redraw accounts, so it counts once there.",
)
_BY_TRUTH = (
    "Graded with the simulator's true chances",
    "Made-up accounts have known chances. Graded with them, it no longer matters who happened to leave.",
)


def render(comparison: Comparison, pictures: Sequence[Picture], *, made_at: datetime) -> str:
    """The report as one HTML page without outside references: styles and pictures are inside."""
    gradings = [(*_BY_OUTCOMES, comparison.slices)]
    if comparison.truth is not None:
        gradings.append((*_BY_TRUTH, comparison.truth))
    return (
        environment()
        .get_template("comparison.html")
        .render(
            comparison=comparison,
            pictures=pictures,
            gradings=gradings,
            slice_names=SLICES,
            metric_names=METRICS,
            trial=trial_told(comparison),
            gain_told=gain_told,
            power_told=power_told,
            made_at=made_at,
        )
    )
