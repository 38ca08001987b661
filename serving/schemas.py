"""What may be sent to the service, and what does it answer? The one description of every JSON body of API v1.

Numbers are finite, moments are UTC, unknown keys are refused. ``health`` is 0 to 100, 100 = healthy; ``points`` are on
the same scale and add up: health = base_points + sum of points + clip_adjust + shrink_adjust.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from features.vocabulary import Band, Phase, Subcategory
from serving.bodies import Body
from serving.entries import Order
from serving.explain import HEALTH_SCALE, Effect
from serving.priority_bodies import PolicyOut, PolicyPlaceOut
from serving.scorer import Status

MOST_ACCOUNTS = 10_000
"""One call for a whole portfolio; answered in seconds. More is a batch: `pulse score`."""

AccountId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(description="the vendor's id of an account", examples=["acc-0001"]),
]
Probability = Annotated[float, Field(ge=0, le=1)]
_SCORE: JsonDict = {
    "health": 41.7,
    "band": "red",
    "grade": "B",
    "phase": "post",
    "risk": {"days_30": 0.06, "days_60": 0.11, "days_90": 0.19, "days_180": 0.31},
    "risk_range": {"days": 90, "low": 0.12, "high": 0.29, "width": 0.17, "p0": 0.18, "p1": 0.21},
    "base_points": 63.2,
    "points": {
        "engagement": -11.4,
        "campaign": -6.3,
        "output_quality": -1.9,
        "financial": -2.2,
        "sentiment": 0.8,
        "market": -0.4,
        "context": -0.1,
    },
    "clip_adjust": 0.0,
    "shrink_adjust": 0.0,
}
_FRESH: JsonDict = {"age_days": 2.4, "stale_after_days": 8.0, "stale": False}


class ScoreRequest(Body):
    """Accounts to score from their newest features."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"account_ids": ["acc-0001", "acc-0002"]}]})

    account_ids: list[AccountId] = Field(
        min_length=1, max_length=MOST_ACCOUNTS, description="an id given twice is answered twice; the order is kept"
    )


class Risk(Body):
    """Probability that the account gives notice within so many days; never falls with the horizon."""

    days_30: Probability
    days_60: Probability
    days_90: Probability
    days_180: Probability


class RiskRangeOut(Body):
    """How sure a risk is. Where few accounts left in the past, the range is wide."""

    days: int = Field(description="the horizon of the risk that this is about")
    low: Probability = Field(
        description="what is known allows the risk to be as low as this, luck of the past included"
    )
    high: Probability = Field(description="and as high as this; the risk itself lies between the two")
    width: Probability = Field(description="high minus low")
    p0: Probability = Field(description="Venn-Abers: the calibrated reading as if the account had stayed")
    p1: Probability = Field(description="Venn-Abers: the calibrated reading as if the account had left")


class Points(Body):
    """Points of each subcategory on the health scale; negative lowers the estimate."""

    engagement: float
    campaign: float
    output_quality: float
    financial: float
    sentiment: float
    market: float
    context: float


class ScoreOut(Body):
    """One score."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SCORE]})

    health: float = Field(ge=0, le=100, description=HEALTH_SCALE)
    band: Band = Field(description="green, amber, red; lost_pending: notice is given; unknown: too little data")
    grade: str = Field(description="how much data the score rests on: A (most) to D")
    phase: Phase = Field(description="where the account stands in its campaigns")
    risk: Risk
    risk_range: RiskRangeOut | None = Field(description="null in scores that were told before there were ranges")
    base_points: float = Field(description="health of the reference portfolio")
    points: Points
    clip_adjust: float = Field(description="what keeping health within 0 to 100 added")
    shrink_adjust: float = Field(
        description="limited data: what drawing the estimate to the usual level of its segment added"
    )


class FreshnessOut(Body):
    """How old the features are at the moment this service judges by."""

    age_days: float
    stale_after_days: float
    stale: bool
    waiting_since: datetime | None = Field(
        default=None,
        description="arrival of the oldest row sent to `/v1/events` of this account that is not in the features yet; "
        "null when every one is",
    )


class ScoreResult(Body):
    """What became of one account id."""

    account_id: str
    status: Status = Field(
        description="ok; not_found: no account with features has this id; stale: the features are too old, or later "
        "than the moment this service judges by; insufficient_data: the account is too new to be scored, or no source "
        "told anything of it in half a year"
    )
    model_version: str = Field(description="the version that answers for this account")
    as_of: datetime | None = Field(description="moment the features were taken at; nothing later was known")
    freshness: FreshnessOut | None
    data_watermark: datetime | None = Field(description="when the newest data behind the features became known")
    score: ScoreOut | None = Field(description="there exactly when status is ok")


class ScoreResponse(Body):
    """One result per id, in the order asked; each names its version, the live one or the canary's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_version": "3",
                    "canary_version": None,
                    "judged_at": "2024-07-03T09:30:00Z",
                    "recorded": True,
                    "results": [
                        {
                            "account_id": "acc-0001",
                            "status": "ok",
                            "model_version": "3",
                            "as_of": "2024-07-01T00:00:00Z",
                            "freshness": _FRESH,
                            "data_watermark": "2024-06-30T22:10:00Z",
                            "score": _SCORE,
                        }
                    ],
                }
            ]
        }
    )

    model_version: str = Field(description="the live version")
    canary_version: str | None = Field(description="the version that answers for a share of the accounts; null: none")
    judged_at: datetime = Field(description="the moment freshness was judged at")
    recorded: bool = Field(description="false when the ledger could not be written; the scores are right all the same")
    results: list[ScoreResult]


class ReasonOut(Body):
    """One feature that moves the estimate."""

    feature: str
    subcategory: Subcategory
    label: str
    sentence: str
    actual: str = Field(description="the value, in words")
    expected: str = Field(description="the median of accounts in the same phase and segment, in words")
    points: float = Field(description="on the health scale; negative lowers the estimate")
    effect: Effect


class SubcategoryOut(Body):
    """What one subcategory adds to the health score."""

    subcategory: Subcategory
    title: str
    points: float
    words: str
    gaps: list[str] = Field(description="labels of the features that are not known")


class GroundsOut(Body):
    """What a score rests on."""

    grade_reasons: list[str] = Field(
        description="the amount of data, then what keeps the grade from the next better one"
    )
    own_weight: Probability = Field(
        description="share of the estimate that is the account's own; the rest is what is usual in its segment"
    )


class ExplanationOut(Body):
    """Why the score is what it is. Contributions to an estimate, not causes."""

    scale: str = Field(default=HEALTH_SCALE, description="how to read health and points")
    lowers: list[ReasonOut] = Field(description="at most three, strongest first")
    raises: list[ReasonOut] = Field(description="at most three, strongest first")
    subcategories: list[SubcategoryOut]
    grounds: GroundsOut | None


class ExplanationResponse(ScoreResult):
    """A score and its reasons, both from one model version."""

    judged_at: datetime
    recorded: bool
    explanation: ExplanationOut | None = Field(description="there exactly when status is ok")
    policy: PolicyPlaceOut | None = Field(
        description="where the leads' weights put the account in the newest batch; null where none are in force or it "
        "is not among those they order. It enters no score"
    )


class ToldScore(Body):
    """A score as it was told."""

    as_of: datetime
    scored_at: datetime
    model_version: str
    data_watermark: datetime | None
    score: ScoreOut


class HistoryResponse(Body):
    """What was told about one account, oldest first; one score per as_of, the one told last."""

    account_id: str
    scores: list[ToldScore]


class AccountOut(ToldScore):
    """One account of the portfolio, as it was told last."""

    account_id: str
    account_name: str | None
    segment: str | None
    csm_owner_id: str | None
    annual_value: float | None = Field(description="in major units of currency")
    currency: str | None
    value_at_risk: float = Field(description="risk at 90 days x annual value, in the account's currency")
    decision_on: date | None
    campaigns_live: str | None
    policy_index: float | None = Field(
        description="0 to 100, 100 = healthiest by the leads' weights; null where they order no such account. It is no "
        "probability, and enters none"
    )


class AccountsResponse(Body):
    """One page of the portfolio at one as_of, most value at risk first (currencies are not converted).

    With order leads_priority: lowest policy_index first, and those without one last.
    """

    as_of: datetime | None = Field(description="null when nothing was scored yet")
    order: Order
    policy: PolicyOut | None = Field(description="the leads' weights in force; null when none are")
    accounts: list[AccountOut]
    next_cursor: str | None = Field(description="give it as cursor to get the next page; null on the last page")
