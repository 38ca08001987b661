"""``POST /v1/score``: which accounts need a person today?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from serving.api.answers import result_out
from serving.api.describe import problems
from serving.context import ServiceContext, context_of
from serving.schemas import ScoreRequest, ScoreResponse

router = APIRouter(tags=["scores"])


@router.post("/v1/score", responses=problems(422), operation_id="score")
def score(asked: ScoreRequest, context: Annotated[ServiceContext, Depends(context_of)]) -> ScoreResponse:
    """Score accounts from their newest features: one result per id, in order, all from one model version."""
    # The live model is taken once: a swap in the middle cannot mix versions.
    scorer, judged_at = context.live.require(), context.judged_at()
    answers = scorer.score_accounts(asked.account_ids, judged_at)
    recorded = context.record(scorer, answers)
    marks = {one.as_of: scorer.watermarks.at(one.as_of) for one in answers if one.as_of is not None}
    return ScoreResponse(
        model_version=scorer.bundle.version,
        judged_at=judged_at,
        recorded=recorded,
        results=[result_out(answer, marks[answer.as_of] if answer.as_of else None) for answer in answers],
    )
