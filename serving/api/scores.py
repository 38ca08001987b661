"""``POST /v1/score``: which accounts need a person today?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from serving.access.teams import Teams
from serving.api.answers import result_out
from serving.api.arrow import ANSWER, QUESTION, ArrowRoute, arrow_response, wants_arrow
from serving.api.describe import problems
from serving.context import ServiceContext, context_of, teams_of
from serving.own_accounts import own_answers
from serving.schemas import ScoreRequest, ScoreResponse

router = APIRouter(tags=["scores"], route_class=ArrowRoute)


@router.post(
    "/v1/score",
    response_model=ScoreResponse,
    responses={**problems(422), 200: ANSWER},
    openapi_extra=QUESTION,
    operation_id="score",
)
def score(
    asked: ScoreRequest,
    request: Request,
    context: Annotated[ServiceContext, Depends(context_of)],
    teams: Annotated[Teams, Depends(teams_of)],
) -> Response:
    """Score accounts from their newest features: one result per id, in order.

    All come from the live version; while a canary runs, from one pair of versions, and each result names its own.
    """
    # Who answers is taken once: a swap in the middle cannot mix in another version.
    answering, judged_at = context.challenge.answering(), context.judged_at()
    # Asked before the features are read: what comes online in between may be told as waiting, never the other way.
    waiting = context.events.waiting_since()
    answers = own_answers(answering.score_accounts(asked.account_ids, judged_at, reasons=False), teams, context.ledger)
    recorded = context.record(answering, answers)
    marks = {one.as_of: answering.live.watermarks.at(one.as_of) for one in answers if one.as_of is not None}
    told = ScoreResponse(
        model_version=answering.live.bundle.version,
        canary_version=answering.canary_version,
        judged_at=judged_at,
        recorded=recorded,
        results=[
            result_out(answer, answering.version_of(answer), marks[answer.as_of] if answer.as_of else None, waiting)
            for answer in answers
        ],
    )
    if wants_arrow(request):
        return arrow_response(told)
    # Written once by what knows its types: FastAPI would check the answer a second time.
    return Response(told.model_dump_json(), media_type="application/json")
