"""What does the OpenAPI document say about errors?

Every operation can answer with every problem that the guard or the app gives; each is described once and referred to.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving.access.rules import Rule, rule_of
from serving.problem_bodies import ProblemOut
from serving.problems import MEDIA_TYPE, RETRY_AFTER_SECONDS, Problem

GUARD_STATUSES = (400, 401, 403, 408, 413, 415, 429, 500, 503, 504, 507)
"""What any operation may answer, whatever was asked."""

_SCHEME = "key"
_KEY = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "pulse_...",
    "description": "A key made with `pulse keys create`; x-scopes says which scopes an operation needs, all of them. "
    "While no key was ever made, the machine that runs the service needs none, but for what changes the live model.",
}
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
            described["components"]["securitySchemes"] = {_SCHEME: _KEY}
            for path, operations in described["paths"].items():
                for method, operation in operations.items():
                    _add_access(operation, rule_of(method.upper(), path))
                    for response in operation["responses"].values():
                        response.setdefault("headers", {})["X-Request-ID"] = _REQUEST_ID_HEADER
            app.openapi_schema = described
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _add_access(operation: dict[str, Any], rule: Rule) -> None:
    scopes = sorted(rule.scopes)
    # An empty requirement beside the other says that the operation can be open: to its own machine, without any key.
    operation["security"] = [{_SCHEME: scopes}] if rule.always else [{_SCHEME: scopes}, {}]
    operation["x-scopes"] = scopes


def _add_problem(described: dict[str, Any]) -> None:
    schema = ProblemOut.model_json_schema(ref_template=_REFERENCES)
    parts = schema.pop("$defs", {})
    described["components"]["schemas"].update({**parts, "Problem": schema})


def _response(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": f"{HTTPStatus(status).phrase}. {Problem.of(status).detail}",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == HTTPStatus.UNAUTHORIZED:
        response["headers"] = {"WWW-Authenticate": {"description": "the kind of key", "schema": {"type": "string"}}}
    if status in RETRY_AFTER_SECONDS:
        response["headers"] = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}
    return response
