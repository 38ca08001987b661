"""What does the service answer when it refuses? One form for every error (RFC 9457)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from serving.bodies import Body


class FieldErrorOut(Body):
    """One rule that the input breaks."""

    field: str = Field(description="the place in the request", examples=["body.account_ids[0]"])
    rule: str = Field(examples=["string_too_long"])
    message: str


class ProblemOut(BaseModel):
    """A refusal in the form of RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:campaign-pulse:problem:not-found",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "No account has this id.",
                    "instance": "urn:campaign-pulse:request:4f0c1d5e",
                    "request_id": "4f0c1d5e",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldErrorOut] | None = Field(default=None, description="there for status 422 only")
