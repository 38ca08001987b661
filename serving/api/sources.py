"""``GET /v1/sources/status``: do the sources still tell?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from features.errors import ConfigError, DataContractError
from serving.api.describe import problems
from serving.context import ServiceContext, context_of
from serving.problems import Problem, Refused
from serving.source_bodies import SourcesResponse

router = APIRouter(tags=["sources"])


@router.get("/v1/sources/status", responses=problems(), operation_id="sources_status")
def sources_status(context: Annotated[ServiceContext, Depends(context_of)]) -> SourcesResponse:
    """Freshness, completeness and rate of every source and table, and who keeps it; the worst first.

    As `pulse sources status` tells it, at the moment this service judges by. At most a minute old while no row comes.
    """
    try:
        report = context.sources.report(context.judged_at())
    except (ConfigError, DataContractError) as trouble:
        context.tell("sources not judged", trouble.facts())
        raise Refused(Problem.of(503, f"The sources cannot be judged: {trouble.title}.")) from trouble
    return SourcesResponse.model_validate(report.document())
