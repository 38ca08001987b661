"""Of which parts is an evaluation made?

Frozen documents without unknown keys, NaN or infinity; :mod:`training.evaluation` puts them together.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """Frozen, without unknown keys, without NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(Document):
    """One metric with its 95 % account-cluster bootstrap interval and the rows it rests on.

    ``positives`` are rows labelled 1 (with truth: the sum of true probabilities). ``outcomes`` are the distinct
    accounts behind them: one account that leaves is a positive in several snapshots, but only one outcome.
    """

    value: float | None = Field(description="null when undefined")
    low: float | None
    high: float | None
    rows: int
    positives: float
    outcomes: int | None = Field(description="distinct accounts with a positive label; null when graded with truth")
    base_rate: float | None
    reason: str = Field(default="", description="why value or interval is null; empty when both exist")

    @property
    def width(self) -> float | None:
        """Width of the interval, or null."""
        return None if self.low is None or self.high is None else self.high - self.low


class Calibration(Document):
    """Observed over expected leavers. ``ratio`` above 1: more left than stated.

    The interval inside ``ratio`` redraws accounts and is the one to read. ``exact_*`` and ``p_value`` come from
    the Poisson-binomial distribution, which takes rows as independent: exact for one snapshot, too narrow for several.
    """

    observed: float
    expected: float | None
    ratio: Estimate
    exact_low: float | None
    exact_high: float | None
    p_value: float | None


class ReliabilityBin(Document):
    """One bin of stated risk: what was stated, what came."""

    rows: int
    expected: float
    mean_risk: float
    observed_rate: float
    low: float | None
    high: float | None


class CalibrationError(Document):
    """Expected calibration error over quantile bins, and what chance alone gives a perfectly calibrated model.

    ``floor_*`` take rows as independent; ``floor_p95_recurring`` lets all rows of an account share their luck, the most
    that recurring accounts can raise the floor. An error below the latter is no evidence of bad calibration.
    """

    value: float | None
    bins: int
    floor_median: float | None
    floor_p95: float | None
    floor_p95_recurring: float | None
    reason: str = ""


class Reading(Document):
    """A metric in words: ``words`` are fixed terms, ``sentence`` is for people."""

    words: tuple[Literal["skill", "no skill", "worse than chance", "underpowered", "undefined"], ...]
    sentence: str


class HorizonEvaluation(Document):
    """The champion candidate at one horizon, on the rows whose label is mature."""

    horizon_days: int
    auc_pooled: Estimate
    ap_pooled: Estimate
    auc_window: Estimate
    ap_window: Estimate
    window_reading: Reading
    brier: Estimate
    brier_skill: Estimate
    brier_skill_by_window: Estimate
    log_loss: Estimate
    calibration: Calibration
    reliability: tuple[ReliabilityBin, ...]
    ece: CalibrationError


class Worklist(Document):
    """What the list of accounts to call would have caught; a new list at each snapshot."""

    capacity: int = Field(description="accounts per snapshot that people can work on")
    precision_at_capacity: Estimate
    recall_at_capacity: Estimate
    lift_top_decile: Estimate
    value_captured_at_capacity: Estimate = Field(
        description="share of the leavers' annual value among the top accounts by risk x annual value"
    )


class ArmEvaluation(Document):
    """One way to rank accounts, on the rows that every arm has."""

    auc_pooled: Estimate
    ap_pooled: Estimate
    auc_window: Estimate
    ap_window: Estimate
    window_reading: Reading
    worklist: Worklist


class DeltaEvaluation(Document):
    """Champion minus baseline on identical rows and redrawn accounts; above 0: the champion ranks better."""

    auc_pooled: Estimate
    auc_window: Estimate
    ap_pooled: Estimate
    ap_window: Estimate


class SingleMetric(Document):
    """One number as a ranking; ``auc_lead`` and ``ap_lead`` are the model minus it: above 0, the model ranks better."""

    title: str
    known: float | None = Field(description="share of the rows with a decision due in which the number is known")
    auc_window: Estimate
    ap_window: Estimate
    auc_pooled: Estimate
    auc_lead: Estimate
    ap_lead: Estimate
    words: str = Field(
        description="of the model against it: ahead, behind, no difference shown, underpowered, undefined"
    )


class GainsCurve(Document):
    """Share of leavers captured among the top share of rows."""

    shares: tuple[float, ...]
    captured: tuple[float, ...]


class GroupEvaluation(Document):
    """The champion at 90 days within one group; ``note`` tells when the group is too small to be judged."""

    rows: int
    positives: int
    expected: float | None
    note: str
    auc_pooled: Estimate
    auc_window: Estimate
    ap_pooled: Estimate
    brier: Estimate
    calibration: Calibration


class TruthEvaluation(Document):
    """The champion at one horizon graded with true probabilities: no label noise. ``oracle_*`` ranks by the truth."""

    auc_pooled: Estimate
    auc_window: Estimate
    ap_pooled: Estimate
    ap_window: Estimate
    brier: Estimate
    oracle_auc_pooled: Estimate
    oracle_auc_window: Estimate
    oracle_ap_window: Estimate
    oracle_brier: Estimate
    share_of_oracle_skill: Estimate = Field(
        description="(AUC within window - 0.5) over the oracle's (AUC within window - 0.5)"
    )
    calibration: Estimate = Field(description="sum of true probabilities over sum of stated risks")


class Truth(Document):
    """Grades with true probabilities; ``arms`` are the other scores' AUC within the 90-day window."""

    horizons: dict[int, TruthEvaluation]
    arms_auc_window: dict[str, Estimate]
    deltas_auc_window: dict[str, Estimate]
