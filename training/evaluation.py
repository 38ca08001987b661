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
- ``ranges``: whether what happened lies in the stated ranges of risk, per block of time and tenth of the accounts; null
  where the scores state none.
- ``cells``: calibration per segment and phase; ``weights``: what moves the score, per segment; ``regressions``: this
  model against the live one (else timing alone) in each segment.
- ``profit``: what contacting accounts would have brought, over the chance to save one, and the EMPC measure.
- ``replay``: alerts, week by week, at equal capacity; ``steadiness``: flips, rank correlation, reasons kept. Null where
  the snapshots of the block were not scored one by one.
- ``single_metrics.<feature>``: one number alone, where a decision is due, beside the model.
- ``refits``: whether another seed and other draws of accounts tell the same reasons; null where nothing was refitted.
- ``truth``: the same graded with true probabilities, where a simulator knows them; else null.

Every number is an :class:`Estimate` or stands beside its ``rows``. A number that does not exist is null and its
``reason`` says why; NaN and infinity are refused by the document itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from training.alert_parts import CapacityReplay, RefitSteadiness, Steadiness
from training.evaluation_parts import (
    ArmEvaluation,
    DeltaEvaluation,
    Document,
    Estimate,
    GainsCurve,
    GroupEvaluation,
    HorizonEvaluation,
    SingleMetric,
    Truth,
)
from training.interval_parts import RangeCoverage
from training.profit_parts import Prices, Profit
from training.segment_parts import CellEvaluation, LearnedWeights, Regressions

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
    prices: Prices = Field(default=Prices(), description="assumptions behind the statement about profit")


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
    ranges: RangeCoverage | None = None
    cells: tuple[CellEvaluation, ...] = ()
    weights: dict[str, LearnedWeights] = Field(default_factory=dict)
    regressions: Regressions | None = None
    profit: Profit | None = None
    replay: CapacityReplay | None = None
    steadiness: Steadiness | None = None
    single_metrics: dict[str, SingleMetric] = Field(default_factory=dict)
    refits: RefitSteadiness | None = None
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
        for policy, record in (self.replay.policies if self.replay else {}).items():
            numbers |= _flat(f"replay.{policy}", record)
        for policy, lead in (self.replay.leads if self.replay else {}).items():
            numbers |= _flat(f"replay.delta.{policy}", lead)
        for arm, measure in (self.profit.empmc if self.profit else {}).items():
            numbers |= {f"empmc.{arm}": measure.value}
        numbers |= _shares(self.ranges)
        numbers |= _flat("steadiness", self.steadiness) if self.steadiness else {}
        numbers |= _flat("refits", self.refits) if self.refits else {}
        numbers |= self._single_numbers()
        for days, graded in (self.truth.horizons if self.truth else {}).items():
            numbers |= _flat(f"truth.h{days}", graded)
        return {name: float(number) for name, number in numbers.items() if number is not None}

    def _single_numbers(self) -> dict[str, float | None]:
        numbers: dict[str, float | None] = {}
        for name, metric in self.single_metrics.items():
            numbers |= _flat(f"single.{name}", metric)
        return numbers


def _shares(ranges: RangeCoverage | None) -> dict[str, float | None]:
    if ranges is None:
        return {}
    return {"ranges.coverage": ranges.coverage, "ranges.pair_coverage": ranges.pair_coverage}


def _flat(prefix: str, document: Document) -> dict[str, float | None]:
    numbers: dict[str, float | None] = {}
    for name, value in document:
        if isinstance(value, Estimate):
            numbers |= {f"{prefix}.{name}{end}": getattr(value, part) for end, part in _ENDS.items()}
    return numbers


_ENDS = {"": "value", ".low": "low", ".high": "high"}
