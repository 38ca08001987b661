"""``/v1/models``: which model answers, which are registered, and another one put live?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from features.catalogue import feature_list_hash
from features.errors import GateRefused, IntegrityError, MissingStateError, UsageError
from serving.access.door import Caller
from serving.api.describe import problems
from serving.context import ServiceContext, caller_of, context_of
from serving.exchange import REQUEST_ID
from serving.model_bodies import (
    ChallengerOut,
    ChampionOut,
    PromoteRequest,
    PromotionOut,
    RefusalOut,
    RegisteredOut,
    RegistryResponse,
    RollbackRequest,
)
from serving.problems import Problem, Refused
from training import in_child
from training.promotions import current, log

router = APIRouter(tags=["models"])
Context = Annotated[ServiceContext, Depends(context_of)]
Who = Annotated[Caller | None, Depends(caller_of)]


@router.get("/v1/models", responses=problems(), operation_id="models")
def models(context: Context) -> RegistryResponse:
    """The live model and its challenger, promoted versions that did not pass their check, all versions, the log."""
    bundle = context.live.require().bundle
    return RegistryResponse(
        champion=ChampionOut(
            version=bundle.version,
            features=len(bundle.features),
            feature_list_hash=feature_list_hash(bundle.features),
            group_values=bundle.group_values,
        ),
        challenger=_challenger_out(context),
        refused=[RefusalOut(version=refusal.version, reason=refusal.reason) for refusal in context.live.refusals],
        versions=[_registered_out(version) for version in context.registered.listing()["versions"]],
        promotions=[PromotionOut(**_without_verdict(asdict(one))) for one in log(context.settings.home)],
    )


@router.post("/v1/models/promote", responses=problems(404, 409, 422), operation_id="promote")
def promote(asked: PromoteRequest, context: Context, caller: Who, request: Request) -> PromotionOut:
    """Put a version live; only a passed verdict opens the way. Always needs a key.

    Takes some seconds. After a 504 the order may have been carried out all the same: see `GET /v1/models`.
    """
    home = context.settings.home
    if not (home.bundles / asked.version).is_dir():
        raise Refused(Problem.of(404, "No model version has this number."))
    champion = current(home)
    if champion is not None and champion.version == asked.version:
        raise Refused(Problem.of(409, "This version is live already."))
    said = _said(context, caller, asked.why, request)
    return _told(lambda: in_child.promote(home, asked.version, **said))


@router.post("/v1/models/rollback", responses=problems(409, 422), operation_id="rollback")
def rollback(asked: RollbackRequest, context: Context, caller: Who, request: Request) -> PromotionOut:
    """Put the version live again that was live before. Always needs a key; takes some seconds, as promote does."""
    home = context.settings.home
    if len({one.version_to for one in log(home)}) < 2:  # noqa: PLR2004  one to go back from, one to go back to
        raise Refused(Problem.of(409, "There is no earlier model to go back to."))
    said = _said(context, caller, asked.why, request)
    return _told(lambda: in_child.rollback(home, **said))


def _told(change: Callable[[], dict[str, Any]]) -> PromotionOut:
    try:
        done = change()
    except GateRefused as refusal:
        # Which gates refused it is no account's data, and what whoever asked needs to know.
        raise Refused(Problem.of(409, f"{_sentence(refusal.title)}: {refusal.found}.")) from refusal
    except (UsageError, MissingStateError, IntegrityError) as refusal:
        raise Refused(Problem.of(409, f"{_sentence(refusal.title)}: expected {refusal.expected}.")) from refusal
    return PromotionOut(
        at=datetime.fromisoformat(done["at"]),
        who=done["who"],
        why=done["why"],
        action=done["action"],
        version_from=done["from"],
        version_to=done["to"],
    )


def _challenger_out(context: ServiceContext) -> ChallengerOut | None:
    watch = context.challenge.watch
    wanted, there, refusal = watch.wanted, watch.now, watch.refusal
    if wanted is None:
        return None
    return ChallengerOut(
        version=wanted.version,
        mode=wanted.mode.value,
        share=wanted.share,
        since=wanted.at,
        who=wanted.who,
        why=wanted.why,
        runs=there is not None and there.started == wanted,
        refused=refusal.reason if refusal else None,
    )


def _registered_out(version: dict[str, Any]) -> RegisteredOut:
    gates = (version["verdict"] or {}).get("gates", [])
    refused_by = [str(gate["code"]) for gate in gates if gate.get("passed") is not True]
    return RegisteredOut(version=version["version"], judged=version["judged"], refused_by=refused_by)


def _without_verdict(promotion: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in promotion.items() if name != "verdict"}


def _said(context: ServiceContext, caller: Caller | None, why: str, request: Request) -> dict[str, Any]:
    # Without a key or a session nobody comes this far: the door asks for one always.
    who = caller.who if caller else "nobody"
    return {"who": who, "why": why, "at": context.clock(), "request_id": request.scope.get(REQUEST_ID)}


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}"
