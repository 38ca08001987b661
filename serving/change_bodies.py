"""What does the service answer about a change of health?"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from features.vocabulary import Band, Phase, Subcategory
from serving.bodies import Body
from serving.change import Basis, Cause
from serving.explain import HEALTH_SCALE


class KeptScore(Body):
    """One kept score, as it was told."""

    as_of: datetime = Field(description="moment the features were taken at; nothing later was known")
    scored_at: datetime
    model_version: str
    health: float = Field(ge=0, le=100, description=HEALTH_SCALE)
    band: Band
    phase: Phase


class MovedOut(Body):
    """One feature that moved."""

    feature: str
    label: str
    before: str = Field(description="the value at the earlier score, in words")
    after: str = Field(description="the value at the later score, in words")
    points: float = Field(description="what its contribution to health moved by")


class ChangePartOut(Body):
    """One part of the difference."""

    cause: Cause = Field(
        description="data: what the account did, per subcategory; calendar: its campaigns went on; missing_data: "
        "values appeared or went missing; model: another version; data_or_model: cannot be told apart any more; "
        "thin_data: limited data, drawn to what is usual in the segment; limits: kept within 0 to 100; rounding"
    )
    subcategory: Subcategory | None = Field(description="there for data and data_or_model")
    title: str
    points: float = Field(description="on the health scale; negative lowered the estimate")
    words: str = Field(description="what it means, for a customer-success manager")
    moved: list[MovedOut] = Field(description="at most three features, strongest first")


class ChangeResponse(Body):
    """Why health moved between two kept scores. Parts of an estimate that add up, not causes of what happened."""

    account_id: str
    before: KeptScore = Field(description="the newest kept score at or before from")
    after: KeptScore = Field(description="the newest kept score at or before to")
    difference: float = Field(description="health after minus health before; the points of the parts add up to it")
    basis: Basis = Field(description="from what the parts were found")
    basis_words: str
    troubles: list[str] = Field(description="why a model of then could not be asked; empty when all could")
    parts: list[ChangePartOut]
