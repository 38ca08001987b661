"""``/v1/accounts``: the portfolio as it was scored last, and one account's reasons and past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from features.errors import UnknownAccount
from features.vocabulary import Band, Phase
from serving.access.teams import Teams
from serving.api.answers import account_out, explanation_out, result_out, told_out
from serving.api.cursors import MOST_CHARACTERS, cursor_of, place_of, priority_cursor_of, priority_reading_of
from serving.api.describe import problems
from serving.api.priority import place_out, policy_out
from serving.api.ready_route import LONGEST_ID, ReadyRoute
from serving.context import ServiceContext, context_of, teams_of
from serving.entries import Entry, Order
from serving.leads_priority import Priorities
from serving.ledger import Selection
from serving.own_accounts import is_own, own_answers
from serving.priority_bodies import PolicyPlaceOut
from serving.priority_page import began, page, resumed
from serving.schemas import AccountsResponse, ExplanationResponse, HistoryResponse
from serving.scorer import Status

router = APIRouter(tags=["accounts"])

AccountPath = Annotated[
    str, Path(min_length=1, max_length=LONGEST_ID, description="the vendor's id of an account", examples=["acc-0001"])
]
Context = Annotated[ServiceContext, Depends(context_of)]
Own = Annotated[Teams, Depends(teams_of)]


def _selection(
    teams: Own,
    segment: Annotated[str | None, Query(max_length=100, description="only accounts of this segment")] = None,
    phase: Annotated[Phase | None, Query(description="only accounts in this phase")] = None,
    band: Annotated[Band | None, Query(description="only accounts in this band")] = None,
) -> Selection:
    return Selection(segment=segment, phase=phase, band=band, teams=teams)


@router.get("/v1/accounts", responses=problems(422), operation_id="accounts")
def accounts(
    context: Context,
    selection: Annotated[Selection, Depends(_selection)],
    order: Annotated[
        Order, Query(description="value_at_risk: most first; leads_priority: lowest policy_index of the leads first")
    ] = Order.VALUE_AT_RISK,
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
    """The portfolio at the newest scored as_of, most value at risk first. Pages are stable while scores are added.

    Where the leads have put weights in force, each account has a policy_index beside its score, and
    order=leads_priority lists by it: a second order, which enters no risk and no health.
    """
    if order is Order.LEADS_PRIORITY:
        return _by_priority(context, selection, limit, cursor)
    place = place_of(cursor) if cursor is not None else context.ledger.beginning()
    if place is None:
        return _listed(context, Order.VALUE_AT_RISK)
    entries, after = context.ledger.page(place, selection, limit=limit)
    ranked = context.leads.at(place.as_of)
    following = cursor_of(after) if after else None
    return _listed(context, Order.VALUE_AT_RISK, place.as_of, entries, ranked, following)


def _by_priority(context: ServiceContext, selection: Selection, limit: int, cursor: str | None) -> AccountsResponse:
    if cursor is not None:
        reading = priority_reading_of(cursor)
        ranked = resumed(context.leads, reading)
    else:
        place = context.ledger.beginning()
        if place is None:
            return _listed(context, Order.LEADS_PRIORITY)
        ranked, reading = began(context.leads, place)
    entries, after = page(context.ledger, ranked, reading, selection, limit=limit)
    following = priority_cursor_of(after) if after else None
    return _listed(context, Order.LEADS_PRIORITY, reading.place.as_of, entries, ranked, following)


def _listed(  # noqa: PLR0917 - the parts of one body
    context: ServiceContext,
    order: Order,
    as_of: datetime | None = None,
    entries: Sequence[Entry] = (),
    ranked: Priorities | None = None,
    next_cursor: str | None = None,
) -> AccountsResponse:
    policy = ranked.policy if ranked else context.leads.policy()
    places = ranked.places if ranked else {}
    return AccountsResponse(
        as_of=as_of,
        order=order,
        policy=policy_out(policy, recorded=ranked.recorded if ranked else None) if policy else None,
        accounts=[account_out(entry, places.get(entry.account_id)) for entry in entries],
        next_cursor=next_cursor,
    )


def explanation(account_id: AccountPath, context: Context, teams: Own) -> Response:
    """Why one account scores as it does now: points per subcategory and the strongest reasons in words."""
    answering, judged_at = context.challenge.answering(), context.judged_at()
    waiting = context.events.waiting_since()  # before the features, as in `/v1/score`
    answers = own_answers(answering.score_accounts([account_id], judged_at), teams, context.ledger)
    answer = answers[0]
    if answer.status is Status.NOT_FOUND:
        raise unknown_account()
    recorded = context.record(answering, answers)
    mark = answering.live.watermarks.at(answer.as_of) if answer.as_of else None
    told = ExplanationResponse(
        **dict(result_out(answer, answering.version_of(answer), mark, waiting)),
        judged_at=judged_at,
        recorded=recorded,
        explanation=explanation_out(answer.assessment.explanation) if answer.assessment else None,
        policy=_policy_place(context, account_id) if answer.assessment else None,
    )
    # Written once by what knows its types, as in `/v1/score`.
    return Response(told.model_dump_json(), media_type="application/json")


router.add_api_route(
    "/v1/accounts/{account_id:path}/explanation",
    explanation,
    methods=["GET"],
    response_model=ExplanationResponse,
    responses=problems(404, 422),
    operation_id="explanation",
    route_class_override=ReadyRoute,
)


def _policy_place(context: ServiceContext, account_id: str) -> PolicyPlaceOut | None:
    ranked = context.leads.newest()
    place = ranked.places.get(account_id) if ranked else None
    return place_out(ranked, place) if ranked and place else None


@router.get("/v1/accounts/{account_id:path}/history", responses=problems(404, 422), operation_id="history")
def history(
    account_id: AccountPath,
    context: Context,
    teams: Own,
    limit: Annotated[int, Query(ge=1, le=520, description="newest scores to show; 104 are two years of weeks")] = 104,
) -> HistoryResponse:
    """What was told about one account, oldest first."""
    entries = context.ledger.history(account_id, limit=limit)
    if not entries or not is_own(account_id, teams, context.ledger):
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
