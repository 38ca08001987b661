"""``GET /v1/accounts/{account_id}/change``: why did the score move between two dates?"""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from features.errors import UnknownAccount
from serving.access.teams import Teams
from serving.api.accounts import AccountPath, unknown_account
from serving.api.describe import problems
from serving.change import Change, ChangePart
from serving.change_bodies import ChangePartOut, ChangeResponse, KeptScore, MovedOut
from serving.change_words import BASES, moved_words, title_of, words_of
from serving.context import ServiceContext, context_of, teams_of
from serving.entries import Entry
from serving.own_accounts import is_own
from serving.problems import FieldError, Problem, Refused

router = APIRouter(tags=["accounts"])

_DAY_FORM = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _day(text: object) -> date:
    # The library would take numbers and moments, too, and guess a day from them.
    refusal = PydanticCustomError("date", "Input should be a date written YYYY-MM-DD")
    if not isinstance(text, str) or not _DAY_FORM.fullmatch(text):
        raise refusal
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise refusal from None


Day = Annotated[date, BeforeValidator(_day)]


@router.get("/v1/accounts/{account_id:path}/change", responses=problems(404, 422), operation_id="change")
def account_change(
    account_id: AccountPath,
    context: Annotated[ServiceContext, Depends(context_of)],
    teams: Annotated[Teams, Depends(teams_of)],
    start: Annotated[Day, Query(alias="from", description="the earlier date: the newest score by then counts")],
    end: Annotated[Day, Query(alias="to", description="the later date: the newest score by then counts")],
) -> ChangeResponse:
    """Why one account's health moved between two kept scores: parts that add up, each in words."""
    if end < start:
        error = FieldError("query.to", "before_from", "Input should not be before from")
        raise Refused(Problem.of(422, errors=(error,)))
    if not is_own(account_id, teams, context.ledger):
        raise unknown_account()
    before, after = _kept_by(context, account_id, start, "from"), _kept_by(context, account_id, end, "to")
    told = context.change_between(before, after)
    return ChangeResponse(
        account_id=account_id,
        before=_score_out(before),
        after=_score_out(after),
        difference=told.by,
        basis=told.basis,
        basis_words=BASES[told.basis],
        troubles=list(told.troubles),
        parts=[_part_out(part, told) for part in told.parts],
    )


def _kept_by(context: ServiceContext, account_id: str, day: date, name: str) -> Entry:
    entry = context.ledger.entry_until(account_id, datetime.combine(day, time.min, tzinfo=UTC))
    if entry is not None:
        return entry
    if context.ledger.entry(account_id) is None:
        raise unknown_account()
    raise UnknownAccount(
        f"no score of this account is kept at or before the date {name}",
        expected="a date on or after its first score",
        found="none",
        todo="see GET /v1/accounts/{account_id}/history for the dates it was scored at",
    )


def _score_out(entry: Entry) -> KeptScore:
    score = entry.score
    return KeptScore(
        as_of=entry.as_of,
        scored_at=entry.scored_at,
        model_version=score.model_version,
        health=score.health,
        band=score.band,
        phase=score.phase,
    )


def _part_out(part: ChangePart, told: Change) -> ChangePartOut:
    return ChangePartOut(
        cause=part.cause,
        subcategory=part.subcategory,
        title=title_of(part),
        points=part.points,
        words=words_of(part, told),
        moved=[MovedOut(**asdict(one)) for one in moved_words(part)],
    )
