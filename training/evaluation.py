"""What does an evaluation say, as one JSON document?

Output grain: one document per judged model. Everything that is shown (report, plots), logged (MLflow metrics) or
decided (gates) about a model's quality is read from here, so a report can be made again years later from the stored
document.

Keys of the document (stable; additions raise ``schema_version`` only when a meaning changes):

- ``block``: which untouched snapshots and how many rows, accounts, clusters were judged.
- ``plan``: capacity, number of bootstrap replicates, seed.
- ``missing_scores``, ``horizon_violations``: rows without a score; rows whose risk falls with the horizon.
- ``horizons.<30|60|90|180>``: the champion candidate, one horizon: ranking pooled and within the renewal window,
  squared error, log-loss, calibration, reliability bins, ECE with its noise floor, and the reading in words.
- ``arms.<champion|health|baseline...>``: the same rows, at the headline horizon, ranked by other scores;
  ``deltas.<baseline>``: champion minus baseline, paired. ``gains.<arm>.<pooled|window>``: cumulative gains for plots.
- ``phases``, ``segments``, ``grades``, ``contracts``: the champion at the headline horizon within groups;
  ``contracts.evergreen`` are the contracts without a dated decision, which belong to no renewal window.
- ``truth``: the same graded with true probabilities, where a simulator knows them; else null.

Every number is an :class:`Estimate` or stands beside its ``rows``. A number that does not exist is null and its
``reason`` says why; NaN and infinity are refused by the document itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from training.evaluation_parts import (
    ArmEvaluation,
    DeltaEvaluation,
    Document,
    Estimate,
    GainsCurve,
    GroupEvaluation,
    HorizonEvaluation,
    Truth,
)

CHAMPION = "champion"
HEALTH = "health"


class JudgedBlock(Document):
    """Which rows were judged."""

    first_as_of: datetime
    last_as_of: datetime
    snapshots: int
    rows: int
    accounts: int
    clusters: int
    evergreen_rows: int
    base_rate: float | None = Field(description="share of mature labels at the headline horizon that are 1")


class EvaluationPlan(Document):
    """How an evaluation is made."""

    headline_days: int = Field(
        default=90,
        description="days; the horizon that gates, baselines and groups are judged at: by default the one finance "
        "plans with, shorter where contracts run for a month",
    )
    capacity: int = Field(
        default=20,
        ge=1,
        description="accounts per four-week snapshot that customer success can work on; 20 is the planning default",
    )
    replicates: int = Field(
        default=500, ge=100, description="bootstrap replicates; interval ends then vary by about 0.1 widths"
    )
    noise_draws: int = Field(default=500, ge=100, description="simulated outcomes behind the noise floor of ECE")
    seed: int = 20240115


class Evaluation(Document):
    """The whole document; see the module's docstring for its keys."""

    schema_version: Literal[1] = 1
    model_version: str
    plan: EvaluationPlan
    block: JudgedBlock
    missing_scores: int
    horizon_violations: int
    horizons: dict[int, HorizonEvaluation]
    arms: dict[str, ArmEvaluation]
    deltas: dict[str, DeltaEvaluation]
    gains: dict[str, dict[Literal["pooled", "window"], GainsCurve]]
    phases: dict[str, GroupEvaluation]
    segments: dict[str, GroupEvaluation]
    grades: dict[str, GroupEvaluation]
    contracts: dict[Literal["dated", "evergreen"], GroupEvaluation]
    truth: Truth | None = None

    @property
    def headline(self) -> HorizonEvaluation:
        """The evaluation at the headline horizon."""
        return self.horizons[self.plan.headline_days]

    def metrics(self) -> dict[str, float]:
        """The numbers as flat names, for a tracking server: ``h90.auc_window``, ``h90.auc_window.low`` ...

        A number that does not exist is left out, never logged as zero.
        """
        numbers: dict[str, float | None] = {
            "rows": self.block.rows,
            "missing_scores": self.missing_scores,
            "horizon_violations": self.horizon_violations,
        }
        for days, horizon in self.horizons.items():
            numbers |= _flat(f"h{days}", horizon)
            numbers |= _flat(f"h{days}.calibration", horizon.calibration)
            numbers |= {f"h{days}.ece": horizon.ece.value}
        for arm, found in self.arms.items():
            numbers |= _flat(f"arm.{arm}", found) | _flat(f"arm.{arm}.worklist", found.worklist)
        for arm, delta in self.deltas.items():
            numbers |= _flat(f"delta.{arm}", delta)
        for days, graded in (self.truth.horizons if self.truth else {}).items():
            numbers |= _flat(f"truth.h{days}", graded)
        return {name: float(number) for name, number in numbers.items() if number is not None}


def _flat(prefix: str, document: Document) -> dict[str, float | None]:
    numbers: dict[str, float | None] = {}
    for name, value in document:
        if isinstance(value, Estimate):
            numbers |= {f"{prefix}.{name}{end}": getattr(value, part) for end, part in _ENDS.items()}
    return numbers


_ENDS = {"": "value", ".low": "low", ".high": "high"}
