"""What may be asked with levers, and what is answered? Made from the reviewed file, so that both say the same.

Each lever has a body of its own with its bounds, told apart by its name: a lever that does not exist, or an amount that
it cannot have, does not fit the description.
"""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, create_model
from pydantic.config import JsonDict

from features.vocabulary import Band, Subcategory
from serving.bodies import Body
from serving.explain import HEALTH_SCALE
from serving.levers import Lever, levers
from serving.schemas import AccountId, FreshnessOut, Risk
from serving.scorer import Status

MOST_PULLS = 20
"""More than the levers there are; a lever may be pulled twice."""


def _whole(value: object) -> object:
    # JSON knows one kind of number: 2.0 is as whole as 2.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _pull_body(lever: Lever) -> type[Body]:
    amount = lever.amount
    number: Any = int if amount.whole else float
    kind: Any = Annotated[int, BeforeValidator(_whole)] if amount.whole else float
    bounds = {"ge": number(amount.least), "le": number(amount.most), "strict": True}
    fields: dict[str, Any] = {
        "lever": (Literal[lever.name], Field(description=f"{lever.title}. {lever.done_by}")),
        "amount": (kind, Field(default=number(amount.usual), description=amount.unit, **bounds)),
    }
    return create_model(f"Pull_{lever.name}", __base__=Body, __doc__=f"{lever.title}.", **fields)


PULL_BODIES: dict[str, type[Body]] = {name: _pull_body(lever) for name, lever in levers().items()}
if TYPE_CHECKING:
    AnyPull = Any
else:
    AnyPull = Annotated[reduce(or_, PULL_BODIES.values()), Field(discriminator="lever")]
_EXAMPLE: JsonDict = {"account_id": "acc-0001", "levers": [{"lever": "settle_overdue_invoices", "amount": 1.0}]}


class WhatIfRequest(Body):
    """An account and the levers to pull."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    account_id: AccountId
    levers: list[AnyPull] = Field(
        min_length=1, max_length=MOST_PULLS, description="pulled one after the other, in this order"
    )


class Reading(Body):
    """What the model says of the account."""

    health: float = Field(ge=0, le=100, description=HEALTH_SCALE)
    band: Band
    risk: Risk


class PointsMove(Body):
    """Points of one subcategory on the health scale, before and after."""

    subcategory: Subcategory
    title: str
    before: float
    after: float
    difference: float


class EditOut(Body):
    """What a lever did to one feature."""

    feature: str
    label: str
    before: str = Field(description="the value as it is, in words")
    after: str = Field(description="the value that was tried, in words")
    changed: bool


class PulledOut(Body):
    """One lever and what it moved."""

    lever: str
    title: str
    amount: float
    unit: str
    edits: list[EditOut]
    words: str = Field(description="what it did, and what it does not undo")


class WhatIfOut(Body):
    """The estimate as it is and as it would read; differences of an estimate, not effects."""

    before: Reading
    after: Reading
    health_difference: float = Field(
        description="after minus before; base points apart, the points per subcategory, clip and shrink add up to it"
    )
    points: list[PointsMove]
    clip_difference: float = Field(description="what keeping health within 0 to 100 moved")
    shrink_difference: float = Field(description="what caution with thin data moved")
    levers: list[PulledOut]


class WhatIfResponse(Body):
    """What the model would say; never kept in the ledger."""

    account_id: str
    status: Status = Field(description="as in a score; the answer is there exactly when it is ok")
    as_of: datetime | None
    freshness: FreshnessOut | None
    model_version: str
    judged_at: datetime
    causal: Literal[False] = Field(description="always false: this is a reading of the model, not an effect")
    words: str = Field(description="how to read it")
    fixed: list[str] = Field(description="what stays as it is, whatever is pulled")
    answer: WhatIfOut | None


class LeverOut(Body):
    """One lever that can be pulled."""

    lever: str
    title: str
    done_by: str
    unit: str = Field(description="what amount means")
    least: float
    most: float
    usual: float = Field(description="the amount when none is given")
    whole: bool = Field(description="only whole numbers are taken")
    features: list[str] = Field(description="labels of what it moves")
    stays: str = Field(description="what it does not undo")


class LeversResponse(Body):
    """Every lever, as reviewed."""

    levers: list[LeverOut]
