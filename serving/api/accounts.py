"""``/v1/accounts``: the portfolio as it was scored last, and one account's reasons and past."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from features.errors import UnknownAccount
from features.vocabulary import Band, Phase
from serving.api.answers import account_out, explanation_out, result_out, told_out
from serving.api.cursors import MOST_CHARACTERS, cursor_of, place_of
from serving.api.describe import problems
from serving.context import ServiceContext, context_of
from serving.ledger import Selection
from serving.schemas import AccountsResponse, ExplanationResponse, HistoryResponse
from serving.scorer import Status

router = APIRouter(tags=["accounts"])

AccountPath = Annotated[
    str, Path(min_length=1, max_length=200, description="the vendor's id of an account", examples=["acc-0001"])
]
Context = Annotated[ServiceContext, Depends(context_of)]


def _selection(
    segment: Annotated[str | None, Query(max_length=100, description="only accounts of this segment")] = None,
    phase: Annotated[Phase | None, Query(description="only accounts in this phase")] = None,
    band: Annotated[Band | None, Query(description="only accounts in this band")] = None,
) -> Selection:
    return Selection(segment=segment, phase=phase, band=band)


@router.get("/v1/accounts", responses=problems(422), operation_id="accounts")
def accounts(
    context: Context,
    selection: Annotated[Selection, Depends(_selection)],
    limit: Annotated[int, Query(ge=1, le=100, description="accounts on a page")] = 50,
    cursor: Annotated[
        str | None,
        Query(
            max_length=MOST_CHARACTERS,
            description="next_cursor of the page before",
            json_schema_extra={"format": "cursor"},
        ),
    ] = None,
) -> AccountsResponse:
    """The portfolio at the newest scored as_of, most value at risk first. Pages are stable while scores are added."""
    place = place_of(cursor) if cursor is not None else context.ledger.beginning()
    if place is None:
        return AccountsResponse(as_of=None, accounts=[], next_cursor=None)
    entries, after = context.ledger.page(place, selection, limit=limit)
    return AccountsResponse(
        as_of=place.as_of,
        accounts=[account_out(entry) for entry in entries],
        next_cursor=cursor_of(after) if after else None,
    )


@router.get("/v1/accounts/{account_id:path}/explanation", responses=problems(404, 422), operation_id="explanation")
def explanation(account_id: AccountPath, context: Context) -> ExplanationResponse:
    """Why one account scores as it does now: points per subcategory and the strongest reasons in words."""
    scorer, judged_at = context.live.require(), context.judged_at()
    answers = scorer.score_accounts([account_id], judged_at)
    answer = answers[0]
    if answer.status is Status.NOT_FOUND:
        raise unknown_account()
    recorded = context.record(scorer, answers)
    mark = scorer.watermarks.at(answer.as_of) if answer.as_of else None
    return ExplanationResponse(
        **dict(result_out(answer, mark)),
        model_version=scorer.bundle.version,
        judged_at=judged_at,
        recorded=recorded,
        explanation=explanation_out(answer.assessment.explanation) if answer.assessment else None,
    )


@router.get("/v1/accounts/{account_id:path}/history", responses=problems(404, 422), operation_id="history")
def history(
    account_id: AccountPath,
    context: Context,
    limit: Annotated[int, Query(ge=1, le=520, description="newest scores to show; 104 are two years of weeks")] = 104,
) -> HistoryResponse:
    """What was told about one account, oldest first."""
    entries = context.ledger.history(account_id, limit=limit)
    if not entries:
        raise unknown_account()
    return HistoryResponse(account_id=account_id, scores=[told_out(entry) for entry in entries])


def unknown_account() -> UnknownAccount:
    """What is said of an id that nothing was ever told about."""
    return UnknownAccount(
        "no account has this id",
        expected="the id of an account that was scored",
        found="none",
        todo="list the accounts with GET /v1/accounts",
    )
