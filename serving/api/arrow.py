"""Who speaks Arrow instead of JSON, and how?

A question may come as an Arrow stream of ids, and an answer may be asked for as one (``Accept``); each independently of
the other. The values are those of the JSON answer, and what may be asked is judged by the same rules: a question in
Arrow is rewritten as JSON before it is looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from serving.problems import FieldError, Problem, Refused
from serving.schemas import ScoreResponse
from serving.score_table import MEDIA_TYPE, ids_in, stream_of, table_of

_UNWANTED = re.compile(r";\s*q=0(\.0*)?\s*(;|$)")
_REPLACED = (b"content-type", b"content-length")
_BINARY = {"schema": {"type": "string", "format": "binary"}}
ANSWER: dict[str, Any] = {
    "description": "One result per id, in order; as JSON, or as an Arrow stream when `Accept` names it: one row per "
    "result with the columns of a file of scores, `status` and freshness; the rest of the answer is in the metadata "
    "`campaign_pulse` of the schema.",
    "content": {MEDIA_TYPE: _BINARY},
}
QUESTION: dict[str, Any] = {"requestBody": {"content": {MEDIA_TYPE: _BINARY}}}
"""A question in Arrow has one column, `account_id`, of text."""


class ArrowRoute(APIRoute):
    """A route whose question may come as an Arrow stream of ids."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the translation."""
        handler = super().get_route_handler()

        async def translated(request: Request) -> Response:
            if _kind(request.headers.get("content-type", "")) == MEDIA_TYPE:
                request = _as_json(request, await request.body())
            return await handler(request)

        return translated


def wants_arrow(request: Request) -> bool:
    """Does the client take an Arrow stream? Whoever takes anything (``*/*``) gets JSON."""
    ranges = request.headers.get("accept", "").split(",")
    return any(_kind(one) == MEDIA_TYPE and not _UNWANTED.search(one) for one in ranges)


def arrow_response(answer: ScoreResponse) -> Response:
    """The answer as an Arrow stream."""
    return Response(stream_of(table_of(answer)), media_type=MEDIA_TYPE)


def _as_json(request: Request, content: bytes) -> Request:
    try:
        ids = ids_in(content)
    except ValueError:
        rule = FieldError("body", "arrow_invalid", "This is no Arrow stream with one column account_id of text.")
        raise Refused(Problem(422, Problem.of(422).detail, (rule,))) from None
    body = json.dumps({"account_ids": ids}).encode()
    headers = [(name, value) for name, value in request.scope["headers"] if name not in _REPLACED]
    length = str(len(body)).encode()
    scope = {
        **request.scope,
        "headers": [*headers, (b"content-type", b"application/json"), (b"content-length", length)],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


def _kind(header: str) -> str:
    return header.split(";", maxsplit=1)[0].strip().lower()
