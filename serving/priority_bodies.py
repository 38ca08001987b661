"""How is the leads' order told in API v1? Apart from health and risk, which it never enters."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from features.vocabulary import Subcategory
from serving.bodies import Body


class MeasuredOut(Body):
    """A number with its 95 % interval over redrawn accounts; null where the past could not tell."""

    value: float | None
    low: float | None
    high: float | None


class PolicyTrialOut(Body):
    """What the past said of the weights when they were put in force, on decisions that were due."""

    model_version: str = Field(description="the model that was live then, and stood beside them")
    horizon_days: int
    rows: int
    outcomes: int = Field(description="accounts that left")
    auc_model: MeasuredOut
    auc_index: MeasuredOut
    auc_lead: MeasuredOut = Field(description="model minus weights, paired; above 0: the model ranks better")
    say: MeasuredOut = Field(description="share the data gives to the weights in a blend with the model: 0 none, 1 all")
    say_in_words: str


class PolicyOut(Body):
    """The leads' weights in force. They order accounts beside the model, and change no score."""

    policy_id: int = Field(description="names these weights in the record for good")
    name: str
    set_by: str
    set_at: datetime
    why: str
    shares: dict[Subcategory, float] = Field(description="each subcategory's share of the weights; they add up to 1")
    trial: PolicyTrialOut | None
    recorded: bool | None = Field(
        description="false when the order could not be written to the ledger; it is right all the same. Null where "
        "there is no batch to order"
    )


class PolicyPartOut(Body):
    """What one subcategory adds to the policy index."""

    subcategory: Subcategory
    share: float = Field(description="its share of the weights")
    standing: float = Field(ge=0, le=100, description="share of peers with fewer points there; 100 = best")
    adds: float = Field(description="share x standing; these add up to the index")


class PolicyPlaceOut(Body):
    """Where one account stands by the leads' weights, among the batch of an as_of."""

    policy_id: int
    name: str
    as_of: datetime = Field(description="the batch that the account was ranked in")
    policy_index: float = Field(ge=0, le=100, description="100 = healthiest by these weights; no probability")
    place: int = Field(ge=1, description="1 = first to be called")
    among: int
    parts: list[PolicyPartOut]
