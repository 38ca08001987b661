"""``POST /v1/whatif`` and ``GET /v1/levers``: how would the estimate read if a person pulled some levers?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from features.catalogue import feature_named
from features.vocabulary import Subcategory
from serving.access.teams import Teams
from serving.api.accounts import unknown_account
from serving.api.answers import result_out
from serving.api.describe import problems
from serving.assessment import Score
from serving.context import ServiceContext, context_of, teams_of
from serving.explain import TITLES
from serving.levers import Lever, levers
from serving.own_accounts import own_answers
from serving.schemas import Risk
from serving.scorer import Status
from serving.whatif import NOT_CAUSAL, Edited, Pull, Pulled, WhatIf, what_if
from serving.whatif_bodies import (
    EditOut,
    LeverOut,
    LeversResponse,
    PointsMove,
    PulledOut,
    Reading,
    WhatIfOut,
    WhatIfRequest,
    WhatIfResponse,
)
from serving.wording import written

router = APIRouter(tags=["what if"])
Context = Annotated[ServiceContext, Depends(context_of)]

FIXED = ["campaign phase and calendar", "timing of the decision", "size, age and kind of the account"]


@router.get("/v1/levers", responses=problems(), operation_id="levers")
def lever_list() -> LeversResponse:
    """What can be pulled, by whom, and how far."""
    return LeversResponse(levers=[_lever_out(lever) for lever in levers().values()])


@router.post("/v1/whatif", responses=problems(404, 422), operation_id="whatif")
def whatif(asked: WhatIfRequest, context: Context, teams: Annotated[Teams, Depends(teams_of)]) -> WhatIfResponse:
    """How one account's estimate would read with other values, everything else as it is. Not an effect; not kept."""
    scorer, judged_at = context.challenge.answering().scorer_for(asked.account_id), context.judged_at()
    waiting = context.events.waiting_since()  # before the features, as in `/v1/score`
    (answer,) = own_answers(scorer.score_accounts([asked.account_id], judged_at, reasons=False), teams, context.ledger)
    if answer.status is Status.NOT_FOUND:
        raise unknown_account()
    pulls = [Pull(levers()[one.lever], float(one.amount)) for one in asked.levers]
    told = answer.assessment
    result = result_out(answer, scorer.bundle.version, None, waiting)
    return WhatIfResponse(
        account_id=asked.account_id,
        status=answer.status,
        as_of=answer.as_of,
        freshness=result.freshness,
        model_version=scorer.bundle.version,
        judged_at=judged_at,
        causal=False,
        words=NOT_CAUSAL,
        fixed=FIXED,
        answer=_answer_out(what_if(told, pulls, scorer.bundle)) if told is not None else None,
    )


def _answer_out(found: WhatIf) -> WhatIfOut:
    before, after = found.before, found.after
    return WhatIfOut(
        before=_reading(before),
        after=_reading(after),
        health_difference=after.health - before.health,
        points=[
            PointsMove(
                subcategory=part,
                title=TITLES[part],
                before=before.points[part],
                after=after.points[part],
                difference=after.points[part] - before.points[part],
            )
            for part in Subcategory
        ],
        clip_difference=after.clip_adjust - before.clip_adjust,
        shrink_difference=after.shrink_adjust - before.shrink_adjust,
        levers=[_pulled_out(one) for one in found.pulled],
    )


def _reading(score: Score) -> Reading:
    risk = Risk(**{f"days_{days}": chance for days, chance in score.risk.items()})
    return Reading(health=score.health, band=score.band, risk=risk)


def _pulled_out(pulled: Pulled) -> PulledOut:
    lever = pulled.pull.lever
    return PulledOut(
        lever=lever.name,
        title=lever.title,
        amount=pulled.pull.amount,
        unit=lever.amount.unit,
        edits=[_edit_out(one) for one in pulled.edits],
        words=f"{_outcome(pulled)} {lever.stays}",
    )


def _outcome(pulled: Pulled) -> str:
    if not pulled.known:
        return "Nothing is known here of what this lever moves, so it cannot be tried."
    if not pulled.changed:
        return "The account stands there already: nothing was changed."
    return "Tried as if it were done."


def _edit_out(edit: Edited) -> EditOut:
    feature = feature_named(edit.feature)
    return EditOut(
        feature=edit.feature,
        label=feature.label,
        before=written(edit.before, feature.style),
        after=written(edit.after, feature.style),
        changed=edit.changed,
    )


def _lever_out(lever: Lever) -> LeverOut:
    amount = lever.amount
    return LeverOut(
        lever=lever.name,
        title=lever.title,
        done_by=lever.done_by,
        unit=amount.unit,
        least=amount.least,
        most=amount.most,
        usual=amount.usual,
        whole=amount.whole,
        features=[feature_named(edit.feature).label for edit in lever.edits],
        stays=lever.stays,
    )
