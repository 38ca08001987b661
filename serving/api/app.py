"""Which app answers HTTP?

Ours: API v1, metrics, and the routes of the pages, which are handed in. Whatever goes wrong is answered as a problem.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from features.errors import PulseError
from serving import change_bodies, event_bodies, model_bodies, schemas, whatif_bodies
from serving.api import accounts, changes, events, models, scores, sources, whatif
from serving.api.describe import describe
from serving.context import ServiceContext
from serving.exchange import REQUEST_ID
from serving.idempotency import HEADER
from serving.metrics import MEDIA_TYPE
from serving.pages.sign_in import SignInPages
from serving.problems import Problem, Refused, field_errors

API_VERSION = "1.0.0"
_PLACES = frozenset(
    {
        "body",
        "query",
        "path",
        "account_id",
        "limit",
        "order",
        "cursor",
        "segment",
        "phase",
        "band",
        "from",
        "to",
        "amount",
        "table",
        "header",
        HEADER,
        *event_bodies.EVENT_COLUMNS,
    }
)
_DECLARED = _PLACES.union(
    *(
        model.model_fields
        for bodies in (schemas, change_bodies, whatif_bodies, model_bodies)
        for model in vars(bodies).values()
        if isinstance(model, type) and issubclass(model, BaseModel)
    )
)


def create_app(context: ServiceContext, *, pages: Sequence[BaseRoute] = ()) -> FastAPI:
    """The app of one process. ``pages`` are routes for people, such as ``/``; they come after the API's own."""
    app = FastAPI(
        title="campaign-pulse",
        summary="Customer health and churn risk by campaign phase.",
        version=API_VERSION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # would load its scripts from the internet
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    for part in (scores, accounts, changes, whatif, models, events, sources):
        app.include_router(part.router)
    app.add_api_route("/metrics", _metrics, methods=["GET"], include_in_schema=False)
    app.router.routes.extend(SignInPages(context.door).routes())
    app.router.routes.extend(pages)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(PulseError, _failed)
    app.add_exception_handler(Refused, _turned_down)
    describe(app)
    return app


def _metrics(request: Request) -> Response:
    context: ServiceContext = request.app.state.context
    return Response(context.metrics.text(), media_type=MEDIA_TYPE)


async def _invalid(request: Request, error: Exception) -> Response:
    found: Sequence[Mapping[str, Any]] = error.errors() if isinstance(error, RequestValidationError) else ()
    plain = Problem.of(422)
    return _response(request, Problem(422, plain.detail, field_errors(found, _DECLARED)))


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    kept = dict((error.headers if isinstance(error, HTTPException) else None) or {})
    return _response(request, Problem.of(status), kept)


async def _failed(request: Request, error: Exception) -> Response:
    problem = Problem.of_error(error) if isinstance(error, PulseError) else Problem.of(500)
    if problem.status >= 500 and isinstance(error, PulseError):  # noqa: PLR2004  ours to mend, so the log has the facts
        context: ServiceContext = request.app.state.context
        context.tell("failure", error.facts())
    return _response(request, problem)


async def _turned_down(request: Request, error: Exception) -> Response:
    return _response(request, error.problem if isinstance(error, Refused) else Problem.of(500))


def _response(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    request_id = request.scope.get(REQUEST_ID, "")
    return Response(
        problem.body(request_id), status_code=problem.status, headers={**problem.headers(), **(headers or {})}
    )
