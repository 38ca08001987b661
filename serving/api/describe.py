"""What does the OpenAPI document say about errors?

Every operation can answer with every problem that the guard or the app gives; each is described once and referred to.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving.problems import MEDIA_TYPE, RETRY_AFTER_SECONDS, Problem
from serving.schemas import ProblemOut

GUARD_STATUSES = (400, 408, 413, 415, 429, 500, 503, 504)
"""What any operation may answer, whatever was asked."""

_REFERENCES = "#/components/schemas/{model}"
_REQUEST_ID_HEADER = {
    "description": "the request's id: the one that was sent, or a new one",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an operation that may also answer with these statuses."""
    return {status: _response(status) for status in sorted({*GUARD_STATUSES, *statuses})}


def describe(app: FastAPI) -> None:
    """Let the app's OpenAPI document hold the problem format and the headers that every answer has."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            _add_problem(described)
            for operations in described["paths"].values():
                for operation in operations.values():
                    for response in operation["responses"].values():
                        response.setdefault("headers", {})["X-Request-ID"] = _REQUEST_ID_HEADER
            app.openapi_schema = described
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _add_problem(described: dict[str, Any]) -> None:
    schema = ProblemOut.model_json_schema(ref_template=_REFERENCES)
    parts = schema.pop("$defs", {})
    described["components"]["schemas"].update({**parts, "Problem": schema})


def _response(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": f"{HTTPStatus(status).phrase}. {Problem.of(status).detail}",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in RETRY_AFTER_SECONDS:
        response["headers"] = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}
    return response
