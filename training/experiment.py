"""What does a comparison of arms say, as one JSON document?

Output grain: one document per experiment. The first arm is compared with each of the others, on identical rows and
redrawn accounts. Everything that is shown, logged or told about an experiment is read from here.

Keys: ``slices.<window|campaign|pooled>`` graded by outcomes; ``truth`` the same graded with true chances, where a
simulator knows them, else null; ``findings`` the same in sentences; ``arms`` how each arm was made.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from training.evaluation_parts import Document, Estimate

Slice = Literal["window", "campaign", "pooled"]
Metric = Literal["ap", "auc", "log_loss"]

Word = Literal["better", "worse", "no difference shown", "underpowered", "undefined"]

SLICES: dict[Slice, str] = {
    "window": "accounts whose decision is due",
    "campaign": "accounts in or just after a campaign",
    "pooled": "all accounts",
}
METRICS: dict[Metric, str] = {
    "ap": "average precision, relative",
    "auc": "AUC",
    "log_loss": "log-loss",
}


class ComparisonPlan(Document):
    """How arms are compared, and which effects the comparison was asked for."""

    headline_days: int = 90
    replicates: int = Field(default=600, ge=100, description="redraws of accounts; shared out over the repeats")
    repeats: int = Field(
        default=3,
        ge=1,
        le=20,
        description="searches and fits of each arm with other seeds: their luck belongs to the interval",
    )
    ap_effect: float = Field(
        default=0.10, gt=0, description="relative gain in average precision: one call in ten better spent"
    )
    auc_effect: float = Field(default=0.02, gt=0, description="gain in AUC: a smaller one moves hardly any account")
    log_loss_effect: float = Field(
        default=0.002, gt=0, description="nats; about one hundredth of the log-loss at a base rate of 4 %"
    )
    seed: int = 20240115

    def effect(self, metric: Metric) -> float:
        """The effect asked for in a metric."""
        return {"ap": self.ap_effect, "auc": self.auc_effect, "log_loss": self.log_loss_effect}[metric]


class ArmFigures(Document):
    """One arm on some rows."""

    ap: Estimate
    auc: Estimate
    log_loss: Estimate


class Contrast(Document):
    """The first arm against another; above 0 the first one is better.

    ``gain`` is relative for ``ap`` (0.1: one tenth more than the other arm), else a difference; for log-loss the other
    arm's minus the first one's. ``least_detectable`` is the smallest true gain that 80 % of such samples would show;
    ``leavers_needed`` how many accounts would have to leave to show the effect asked for. ``words`` are fixed terms.
    """

    gain: Estimate
    effect: float
    least_detectable: float | None
    leavers_needed: int | None = Field(description="null when graded with true chances, or where no error is known")
    words: tuple[Word, ...]


class SliceComparison(Document):
    """Every arm and every contrast on the rows of one slice."""

    rows: int
    leavers: int | None = Field(description="distinct accounts that left; null when graded with true chances")
    base_rate: float | None
    arms: dict[str, ArmFigures]
    contrasts: dict[str, dict[Metric, Contrast]]


class ArmFacts(Document):
    """How one arm was made."""

    title: str
    about: str
    settings: dict[str, float | int | str]


class Comparison(Document):
    """The whole document; see the module's docstring for its keys."""

    schema_version: Literal[1] = 1
    data_cut: datetime
    first_as_of: datetime
    last_as_of: datetime
    snapshots: int
    rows: int
    accounts: int
    plan: ComparisonPlan
    first_arm: str
    arms: dict[str, ArmFacts]
    slices: dict[Slice, SliceComparison]
    truth: dict[Slice, SliceComparison] | None
    least_relative_fall: float | None = Field(
        description="smallest relative fall of the 90-day rate of leaving that a 50/50 trial with these accounts shows"
    )
    findings: tuple[str, ...]

    @property
    def title(self) -> str:
        """The arms in one line."""
        first, *others = (arm.title for arm in self.arms.values())
        return f"{first} against {', '.join(others)}"

    def metrics(self, arm: str) -> dict[str, float]:
        """The numbers of one arm as flat names, for a tracking server; a number that does not exist is left out."""
        numbers: dict[str, float | None] = {}
        for kind, slices in (("", self.slices), ("truth.", self.truth or {})):
            for name, part in slices.items():
                for metric, estimate in part.arms[arm]:
                    numbers[f"{kind}{name}.{metric}"] = estimate.value
                for metric, contrast in part.contrasts.get(arm, {}).items():
                    for end, value in (("", "value"), (".low", "low"), (".high", "high")):
                        numbers[f"{kind}{name}.{metric}.first_ahead{end}"] = getattr(contrast.gain, value)
        return {name: float(value) for name, value in numbers.items() if value is not None}
