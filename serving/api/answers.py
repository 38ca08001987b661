"""How do our objects become the bodies that :mod:`serving.schemas` describes? Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta

from serving import schemas
from serving.assessment import RiskRange, Score
from serving.explain import Explanation
from serving.freshness import Freshness
from serving.leads_priority import PriorityPlace
from serving.ledger import Entry
from serving.scorer import ScoredAccount
from serving.settings import STALE_AFTER

_DAY = timedelta(days=1)


def score_out(score: Score) -> schemas.ScoreOut:
    """A score."""
    return schemas.ScoreOut(
        health=score.health,
        band=score.band,
        grade=score.grade,
        phase=score.phase,
        risk=schemas.Risk(**{f"days_{days}": risk for days, risk in score.risk.items()}),
        risk_range=_range_out(score.range) if score.range else None,
        base_points=score.base_points,
        points=schemas.Points(**{str(part): points for part, points in score.points.items()}),
        clip_adjust=score.clip_adjust,
        shrink_adjust=score.shrink_adjust,
    )


def result_out(
    answer: ScoredAccount, version: str, data_watermark: datetime | None, waiting: Mapping[str, datetime] | None = None
) -> schemas.ScoreResult:
    """What became of one id, by this version; ``waiting`` tells whose news arrived when and are not online yet."""
    return schemas.ScoreResult(
        account_id=answer.account_id,
        status=answer.status,
        model_version=version,
        as_of=answer.as_of,
        freshness=_freshness_out(answer.freshness, (waiting or {}).get(answer.account_id)),
        data_watermark=data_watermark,
        score=score_out(answer.assessment.score) if answer.assessment else None,
    )


def explanation_out(explanation: Explanation) -> schemas.ExplanationOut:
    """The reasons of one score."""
    return schemas.ExplanationOut.model_validate(explanation, from_attributes=True)


def told_out(entry: Entry) -> schemas.ToldScore:
    """One entry of the ledger."""
    return schemas.ToldScore(
        as_of=entry.as_of,
        scored_at=entry.scored_at,
        model_version=entry.score.model_version,
        data_watermark=entry.data_watermark,
        score=score_out(entry.score),
    )


def account_out(entry: Entry, place: PriorityPlace | None = None) -> schemas.AccountOut:
    """One entry of the ledger with what a list shows beside it; ``place`` is where the leads' weights put it."""
    facts = asdict(entry.facts)
    facts.pop("cohort_status")
    return schemas.AccountOut(
        **dict(told_out(entry)),
        account_id=entry.account_id,
        value_at_risk=entry.value_at_risk,
        policy_index=place.index if place else None,
        **facts,
    )


def _range_out(told: RiskRange) -> schemas.RiskRangeOut:
    return schemas.RiskRangeOut(**asdict(told), width=told.width)


def _freshness_out(freshness: Freshness | None, waiting_since: datetime | None) -> schemas.FreshnessOut | None:
    if freshness is None:
        return None
    return schemas.FreshnessOut(
        age_days=freshness.age / _DAY,
        stale_after_days=STALE_AFTER / _DAY,
        stale=freshness.stale,
        waiting_since=waiting_since,
    )
