"""What do we believe about training: windows, sizes and thresholds, each with its unit and its reason?

Frozen, and unknown keys are refused, so that a typing error can never fall back to a default. A model bundle carries
the config it was made with.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigError
from features.vocabulary import HORIZONS_DAYS
from training.target import Target

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoreScale(_Frozen):
    """How log-odds of leaving become a health score from 0 to 100 (domain 4.11)."""

    anchor_health: float = Field(
        default=60.0, description="health at the anchor risk; puts the usual account in the upper half"
    )
    anchor_risk: float = Field(
        default=0.12,
        gt=0,
        lt=1,
        description="share 0-1 that leaves at a usual decision: 13-16 % a year decide to leave",
    )
    points_to_double: float = Field(
        default=12.0, gt=0, description="points that double the odds; spreads risks of 2 % to 80 % over 93 to 1 points"
    )
    green_from: float = Field(
        default=65.0, description="health; below it the risk is above 9.3 %, three in four of the anchor"
    )
    amber_from: float = Field(default=45.0, description="health; below it the risk is above 24.5 %, twice the anchor")

    @model_validator(mode="after")
    def _bands_in_order(self) -> Self:
        if not 0 < self.amber_from < self.green_from < 100:  # noqa: PLR2004 - the scale ends at 100
            raise ValueError("bands need 0 < amber_from < green_from < 100")
        return self


class GradeRule(_Frozen):
    """What an account must at least have for one grade."""

    usable_weeks: float = Field(description="weeks with usage data")
    sources: float = Field(description="sources of 6 with data in 26 weeks")


class GradeRules(_Frozen):
    """How much data stands behind a score (domain 4.7.4); a grade never looks at the score itself."""

    a: GradeRule = Field(
        default=GradeRule(usable_weeks=52, sources=4), description="a full year is needed to have seen each season once"
    )
    b: GradeRule = Field(
        default=GradeRule(usable_weeks=39, sources=3), description="half way between A and C; the domain leaves B open"
    )
    c: GradeRule = Field(
        default=GradeRule(usable_weeks=26, sources=2),
        description="the longest slope looks back on 26 weeks; below it: D",
    )
    campaigns_for_a: float = Field(
        default=2, description="campaigns in 104 weeks; one alone cannot be compared with another"
    )
    quiet_weeks_for_a: float = Field(
        default=104, description="usable weeks that stand in for campaigns where an account never joins one"
    )
    pair_ratio_for_a: float = Field(
        default=1.5,
        description="p1 / p0 of the reliability interval: one more leaver moves the risk by half at most",
    )
    range_ratio_for_a: float = Field(
        default=4.0,
        description="high / low of the stated range: with 60 leavers behind a model half of its ranges are narrower, "
        "with 120 three in four, with 30 one in four",
    )
    surely_low: float = Field(
        default=0.02,
        description="a range that ends below it is narrow enough whatever the ratio: where nobody left there is none",
    )
    irregular_from: float = Field(
        default=1.0,
        description="standard deviation of the gaps between campaigns over their mean; 1 is pure chance (exponential "
        "gaps), from there on past seasons say little about the next: grade B at best",
    )


class TrainingConfig(_Frozen):
    """Everything a training run may be told. Days ahead of a snapshot are counted from its ``as_of``."""

    target: Target = Field(
        default=Target.CHURN, description="what is predicted: who leaves, or who contracts or buys more"
    )
    contraction_share: float = Field(
        default=0.20, gt=0, lt=1, description="share of annual value lost from which a change is one (domain 4.1)"
    )
    upsell_share: float = Field(
        default=0.10, gt=0, description="share of annual value gained from which a change is one (domain 4.1)"
    )
    vetoed_features: tuple[str, ...] = Field(
        default=(),
        description="features that the leads will not have a model rest on; it learns as if they were never known",
    )
    interval_bounds_days: tuple[int, ...] = Field(
        default=(0, 15, 30, 60, 90, 120, 150, 180),
        description="days; intervals (lo, hi], each horizon a bound; two short ones first: 30 days see a notice coming",
    )
    headline_days: int = Field(
        default=90, description="days; the horizon that decides whether a snapshot may be a test"
    )
    grace: timedelta = Field(default=30 * _DAY, description="a renewal signed this late is still a renewal")
    label_lag: timedelta = Field(
        default=30 * _DAY, description="embargo; 95 % of notices are recorded within it, so a closed label stays closed"
    )
    test_block: timedelta = Field(
        default=26 * _WEEK, description="the last untouched block; half a year holds two campaigns"
    )
    snapshot_spacing: timedelta = Field(
        default=4 * _WEEK, description="distance of training snapshots; weekly rows add correlation, not information"
    )
    folds: int = Field(default=4, ge=1, description="walk-forward folds for the search")
    trials: int = Field(default=40, ge=1, description="trials of the search; the domain asks for 40-80")
    warm_up_trials: int = Field(
        default=8, ge=1, description="trials finished before any is pruned, so that one lucky start prunes nothing"
    )
    max_rounds: int = Field(
        default=500,
        ge=1,
        description="boosting rounds a trial may reach; with random cut points 400 to 1,200 gave the same order",
    )
    ensemble_size: int = Field(
        default=2,
        ge=1,
        description="fits with seeds of their own whose mean is the model: what luck adds to one, others take away; "
        "from a start that auxiliary targets give, single fits differ little, and four tell no more than two",
    )
    auxiliary_targets: tuple[str, ...] = Field(
        default=("active_seats_par_w13", "days_past_due_last4"),
        description="features whose later value is learnt first, and boosting starts from what that tells of leaving: "
        "use and payment are seen of everyone all the time, leaving once; none: boosting starts from nothing",
    )
    auxiliary_ahead: timedelta = Field(
        default=16 * _WEEK,
        description="how much later that value is: past the 13 weeks that it looks back on, so that no week counts for "
        "both, and near the headline horizon",
    )
    patience_rounds: int = Field(
        default=40, ge=1, description="rounds without gain on later, held-out time after which a fold stops"
    )
    seed: int = Field(default=20240415, description="seed of everything random in training")
    negative_keep_share: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="share kept of periods without event or decision; weight 1/share undoes it",
    )
    least_events: int = Field(default=60, ge=1, description="outcomes; with fewer no slope can be told from chance")
    limited_events: int = Field(
        default=150, description="outcomes; below it only additive trees are fitted (domain 4.5)"
    )
    full_events: int = Field(default=600, description="outcomes; from here the whole search space is open (domain 4.5)")
    calibration_prior_events: float = Field(
        default=20,
        ge=0,
        description="accounts that left; weight that pulls an interval's intercept to the common one, and the offset "
        "of a segment or a phase to none (domain 4.7.1)",
    )
    interval_window: timedelta = Field(
        default=52 * _WEEK,
        description="snapshots, the most recent whose headline label is final, behind the reliability interval: a year "
        "holds each season once, and older luck says less about today",
    )
    interval_outside_share: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="share of risks that may lie outside their stated range by the luck of the draw, half on each side",
    )
    thin_below_weeks: float = Field(
        default=26,
        ge=0,
        description="full data weeks; below half a year of every source, or a year of half of them, an account counts "
        "as thin and has a reliability interval of its own kind",
    )
    shrinkage_candidates_weeks: tuple[float, ...] = Field(
        default=(0, 2, 4, 8, 16), description="full data weeks at which a thin account's own estimate weighs one half"
    )
    decision_now_days: float = Field(
        default=7, ge=0, description="days to the decision in the health row: the middle of the first interval"
    )
    reference_window: timedelta = Field(
        default=52 * _WEEK, description="snapshots that make the reference portfolio; a year holds each season once"
    )
    reference_group_rows: int = Field(
        default=20, ge=1, description="rows a phase-and-segment group needs for medians of its own; fewer are noise"
    )
    golden_rows: int = Field(default=20, ge=1, description="rows kept with their scores to prove a loaded model")
    scale: ScoreScale = Field(default=ScoreScale(), description="from log-odds to health and band")
    grades: GradeRules = Field(default=GradeRules(), description="from amount of data to grade")

    @model_validator(mode="after")
    def _intervals_fit_horizons(self) -> Self:
        bounds = self.interval_bounds_days
        if bounds[0] != 0 or any(low >= high for low, high in pairwise(bounds)):
            raise ValueError("interval_bounds_days must start at 0 and rise")
        strays = set(HORIZONS_DAYS) - set(bounds)
        if strays:
            raise ValueError(f"each horizon must be an interval bound; {sorted(strays)} are none")
        if self.headline_days not in HORIZONS_DAYS:
            raise ValueError(f"headline_days must be one of the horizons {HORIZONS_DAYS}")
        if not self.least_events <= self.limited_events <= self.full_events:
            raise ValueError("least_events <= limited_events <= full_events must hold")
        return self

    @property
    def intervals_days(self) -> tuple[tuple[int, int], ...]:
        """The hazard intervals as (lo, hi] in days after ``as_of``."""
        return tuple(pairwise(self.interval_bounds_days))

    @property
    def settling(self) -> timedelta:
        """How long after an interval's end its label is final: grace plus recording lag."""
        return self.grace + self.label_lag

    @classmethod
    def read_kept(cls, document: dict[str, Any]) -> TrainingConfig:
        """The config that a bundle carries, one of an earlier release, too.

        Raises:
            ConfigError: an unknown key or a value that is not allowed.
        """
        known = dict(document)
        # Until 2026-11 one fit made a model, in smaller steps than those of the search; its rounds count these.
        if known.pop("smaller_steps", None) is not None:
            known["ensemble_size"] = 1
        # Nor did boosting start from auxiliary targets.
        known.setdefault("auxiliary_targets", ())
        return cls.read(known)

    @classmethod
    def read(cls, document: dict[str, Any]) -> TrainingConfig:
        """A config from its JSON form (durations in ISO 8601).

        Raises:
            ConfigError: an unknown key or a value that is not allowed.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as cause:
            places = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'config'}: {e['msg']}" for e in cause.errors())
            raise ConfigError(
                "the training config is not allowed",
                expected="known keys with allowed values",
                found=places,
                todo="correct these keys",
            ) from cause
