"""How does the service say no? One format for every 4xx and 5xx: ``application/problem+json`` (RFC 9457).

A problem names its kind, never what was sent: no value of the request is echoed, and a defect of ours shows no trace.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from features.errors import (
    IntegrityError,
    MissingStateError,
    PulseError,
    ServiceUnavailable,
    StorageFull,
    UnknownAccount,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:campaign-pulse:problem:"
_REQUEST = "urn:campaign-pulse:request:"

_SLUGS: dict[int, str] = {
    400: "bad-request",
    401: "no-key",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    408: "body-too-slow",
    409: "conflict",
    413: "body-too-large",
    415: "not-json",
    422: "invalid-input",
    429: "too-many-requests",
    500: "defect",
    503: "not-ready",
    504: "too-slow",
    507: "storage-full",
}
_DETAILS: dict[int, str] = {
    400: "The request cannot be understood.",
    401: "This call needs a key: send it as `Authorization: Bearer KEY`. `pulse keys create` makes one.",
    403: "The key does not open this address.",
    404: "There is nothing under this address.",
    405: "This address does not take that method; the Allow header lists what it takes.",
    408: "The body did not arrive in time.",
    409: "This cannot be done as things stand.",
    413: "The body is larger than this service takes.",
    415: "A body must be JSON, sent as application/json.",
    422: "The input does not fit the description of this operation; errors lists each place and rule.",
    429: "The service is working at its limit. Try again in a moment.",
    500: "The service met a defect of its own. Its log holds this request id.",
    503: "No model can answer now. Try again in a moment.",
    504: "The answer took too long. Ask for fewer accounts at once.",
    507: "There is no space left to write. Nothing of this call was kept; reading goes on.",
}
_KINDS: tuple[tuple[type[PulseError], int], ...] = (
    (UsageError, 400),
    (UnknownAccount, 404),
    (StorageFull, 507),
    (ServiceUnavailable, 503),
    (MissingStateError, 503),
    (IntegrityError, 503),
)
RETRY_AFTER_SECONDS = {429: 1, 503: 5}
"""When to come back: a slot is free within a second; a model is loaded, or the store answers, within some seconds."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One rule that the input breaks: the place in it, the rule's name, and what the rule wants."""

    field: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal. ``errors`` is there for invalid input only; ``challenge`` says which key would do (RFC 6750).

    ``wait`` is when to come back, in seconds; None for the usual time of the status.
    """

    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
    challenge: str | None = None
    wait: int | None = None

    @classmethod
    def of(cls, status: int, detail: str | None = None, *, errors: tuple[FieldError, ...] = ()) -> Problem:
        """The problem of a status, in its standard words unless others are given."""
        words = detail or _DETAILS.get(status) or HTTPStatus(status).description or "Refused."
        return cls(status=status, detail=words, errors=errors)

    @classmethod
    def of_error(cls, error: PulseError) -> Problem:
        """The problem of one of our failures; what it found and which file it means stays in the log."""
        status = next((status for kind, status in _KINDS if isinstance(error, kind)), 500)
        if status in {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.INSUFFICIENT_STORAGE}:
            return cls.of(status)
        words = error.title if status == HTTPStatus.SERVICE_UNAVAILABLE else f"{error.title}: expected {error.expected}"
        return cls(status=status, detail=f"{words[0].upper()}{words[1:]}.")

    def document(self, request_id: str) -> dict[str, Any]:
        """The problem as a JSON object."""
        slug = _SLUGS.get(self.status)
        document: dict[str, Any] = {
            "type": f"{_TYPE}{slug}" if slug else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": f"{_REQUEST}{request_id}",
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = [
                {"field": error.field, "rule": error.rule, "message": error.message} for error in self.errors
            ]
        return document

    def body(self, request_id: str) -> bytes:
        """The problem as bytes to send."""
        return json.dumps(self.document(request_id), ensure_ascii=False).encode()

    def headers(self) -> dict[str, str]:
        """Headers that belong to it."""
        wait = self.wait or RETRY_AFTER_SECONDS.get(self.status)
        more = {"retry-after": str(wait)} if wait else {}
        return {"content-type": MEDIA_TYPE} | more | ({"www-authenticate": self.challenge} if self.challenge else {})


class Refused(Exception):
    """A route's own refusal, where no failure of ours has happened."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def field_errors(found: Iterable[Mapping[str, Any]], declared: frozenset[str]) -> tuple[FieldError, ...]:
    """What a validator found, without anything that was sent: neither values nor names that are not declared."""
    return tuple(dict.fromkeys(_field_error(one, declared) for one in found))


def _field_error(found: Mapping[str, Any], declared: frozenset[str]) -> FieldError:
    rule = str(found["type"])
    if rule == "json_invalid":
        return FieldError("body", rule, "This is not JSON.")
    if rule == "union_tag_invalid":  # its own words would echo what was sent
        return FieldError(_place(found["loc"], declared), rule, f"Input should be {found['ctx']['expected_tags']}")
    return FieldError(_place(found["loc"], declared), rule, str(found["msg"]))


def _place(parts: Iterable[Any], declared: frozenset[str]) -> str:
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part in declared:
            text += f".{part}" if text else part
    return text
