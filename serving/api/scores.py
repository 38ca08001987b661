"""``POST /v1/score``: which accounts need a person today?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from serving.access.teams import Teams
from serving.api.answers import result_out
from serving.api.arrow import ANSWER, QUESTION, ArrowRoute, arrow_response, wants_arrow
from serving.api.describe import problems
from serving.context import ServiceContext, context_of, teams_of
from serving.own_accounts import own_answers
from serving.schemas import ScoreRequest, ScoreResponse, ScoreResult

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
    told = _Told(arrow=wants_arrow(request))

    def answer(piece: Sequence[str]) -> None:
        answers = own_answers(answering.score_accounts(piece, judged_at, reasons=False), teams, context.ledger)
        told.recorded &= context.record(answering, answers)
        moments = {one.as_of for one in answers if one.as_of is not None}
        marks = {moment: answering.live.watermarks.at(moment) for moment in moments}
        for one in answers:
            told.add(result_out(one, answering.version_of(one), marks[one.as_of] if one.as_of else None, waiting))

    context.turns.each(asked.account_ids, answer)
    whole = ScoreResponse(
        model_version=answering.live.bundle.version,
        canary_version=answering.canary_version,
        judged_at=judged_at,
        recorded=told.recorded,
        results=[],
    )
    return told.response(whole, asked.account_ids)


@dataclass(slots=True)
class _Told:
    """What was said of each account so far, as JSON unless a table is asked for. ``recorded``: was all of it kept?"""

    arrow: bool
    recorded: bool = True
    _results: dict[str, ScoreResult] = field(default_factory=dict)
    _texts: dict[str, bytes] = field(default_factory=dict)

    def add(self, result: ScoreResult) -> None:
        """Keep a result. As JSON at once: thousands of objects would be looked through whenever memory is tidied up."""
        if self.arrow:
            self._results[result.account_id] = result
        else:
            self._texts[result.account_id] = result.model_dump_json().encode()

    def response(self, whole: ScoreResponse, account_ids: Sequence[str]) -> Response:
        """The whole answer, its results in the order asked; written once: FastAPI would check it a second time."""
        if self.arrow:
            results = [self._results[account_id] for account_id in account_ids]
            return arrow_response(whole.model_copy(update={"results": results}))
        parts = [whole.model_dump_json(exclude={"results"}).removesuffix("}").encode(), b',"results":[']
        for account_id in account_ids:
            parts += (self._texts[account_id], b",")
        return Response(b"".join([*parts[:-1], b"]}"]), media_type="application/json")
