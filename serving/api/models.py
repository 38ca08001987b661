"""``GET /v1/models``: which model answers, and which were refused?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from features.catalogue import feature_list_hash
from serving.api.describe import problems
from serving.context import ServiceContext, context_of
from serving.schemas import ChampionOut, ModelsResponse, RefusalOut

router = APIRouter(tags=["models"])


@router.get("/v1/models", responses=problems(), operation_id="models")
def models(context: Annotated[ServiceContext, Depends(context_of)]) -> ModelsResponse:
    """The live model, and promoted versions that did not pass their check."""
    bundle = context.live.require().bundle
    return ModelsResponse(
        champion=ChampionOut(
            version=bundle.version,
            features=len(bundle.features),
            feature_list_hash=feature_list_hash(bundle.features),
        ),
        refused=[RefusalOut(version=refusal.version, reason=refusal.reason) for refusal in context.live.refusals],
    )
