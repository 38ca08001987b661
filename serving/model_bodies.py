"""What may be asked about the live model, and what is answered?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from serving.bodies import Body

Reason = Annotated[
    str,
    # No control characters: the reason is shown in a terminal.
    StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$"),
    Field(description="why; kept in the promotion log", examples=["better within the renewal window"]),
]


class PromoteRequest(Body):
    """A version to put live."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": "7", "why": "passed every gate"}]})

    version: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}$")] = Field(description="registered version")
    why: Reason


class RollbackRequest(Body):
    """Back to the version that was live before."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"why": "second thoughts"}]})

    why: Reason


class PromotionOut(Body):
    """One line of the promotion log. The service answers with the version within seconds, once it has proved it."""

    at: datetime
    who: str = Field(description="prefix and name of the key, or who was at the command line")
    why: str
    action: Literal["promote", "rollback"]
    version_from: str | None
    version_to: str


class RegisteredOut(Body):
    """One registered version."""

    version: str
    judged: str = Field(description="passed, refused or not judged", examples=["passed"])
    refused_by: list[str] = Field(description="codes of the gates that refused it")


class ChallengerOut(Body):
    """A version that runs beside the live one: a shadow answers nobody, a canary a share of the accounts."""

    version: str
    mode: Literal["shadow", "canary"]
    share: float | None = Field(description="part of the accounts that a canary answers for; null for a shadow")
    since: datetime
    who: str
    why: str
    runs: bool = Field(description="false while this process still proves it, or when it refused it")
    refused: str | None = Field(description="why it does not run, where it failed its proof")


class ChampionOut(Body):
    """The model that answers."""

    version: str
    features: int = Field(description="number of features it reads")
    feature_list_hash: str = Field(description="SHA-256 of their names in order")
    group_values: str = Field(
        description="how points per subcategory are found: lookup tables, or pred_contrib (slower) and why",
        examples=["lookup tables"],
    )


class RefusalOut(Body):
    """A promoted version that did not pass its check."""

    version: str
    reason: str


class ModelsResponse(Body):
    """The live model, and promoted versions that were refused."""

    champion: ChampionOut
    refused: list[RefusalOut]


class RegistryResponse(ModelsResponse):
    """The live model, what runs beside it, what was refused, what is registered, and the promotion log."""

    challenger: ChallengerOut | None = Field(description="null while only the live version answers and scores")
    versions: list[RegisteredOut] = Field(description="newest first")
    promotions: list[PromotionOut] = Field(description="oldest first; the last one says which version shall be live")
