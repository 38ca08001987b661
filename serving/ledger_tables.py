"""How does a score lie in the ledger?

Tables in the state database. ``score_ledger`` is lean, so that a portfolio is read fast; ``score_ledger_details`` holds
what only one account's page needs; ``score_ledger_features`` names the features that were packed, once per catalogue;
``score_ledger_models`` the files behind each model version, ``score_ledger_reasons`` the reasons of scores that were
told without any at first; ``leads_priority_ledger`` holds the second order, by the leads' weights, as it was told. A
row can be added, never changed or deleted: triggers refuse it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from features.catalogue import feature_list_hash
from features.state import insert_new
from features.vocabulary import HORIZONS_DAYS, Subcategory
from serving.assessment import FEATURE_NAMES, NUMBERS, WORDS, Assessment, Facts
from serving.explain import UNTOLD, Effect, Explanation, Grounds, Reason, SubcategoryPart

METADATA = sa.MetaData()
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
CATALOGUE_HASH = feature_list_hash(FEATURE_NAMES)

SCORES = sa.Table(
    "score_ledger",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("account_id", sa.String, nullable=False),
    sa.Column("as_of", sa.String, nullable=False),
    *(sa.Column(f"risk_{days}", sa.Double, nullable=False) for days in HORIZONS_DAYS),
    sa.Column("interval_days", sa.Integer),
    *(sa.Column(f"interval_{side}", sa.Double) for side in ("p0", "p1", "low", "high")),
    sa.Column("health", sa.Double, nullable=False),
    sa.Column("band", sa.String, nullable=False),
    sa.Column("grade", sa.String, nullable=False),
    sa.Column("phase", sa.String, nullable=False),
    sa.Column("base_points", sa.Double, nullable=False),
    *(sa.Column(f"points_{part}", sa.Double, nullable=False) for part in Subcategory),
    sa.Column("clip_adjust", sa.Double, nullable=False),
    sa.Column("shrink_adjust", sa.Double, nullable=False),
    sa.Column("model_version", sa.String, nullable=False),
    sa.Column("features_hash", sa.String, nullable=False),
    sa.Column("account_name", sa.String),
    sa.Column("segment", sa.String),
    sa.Column("csm_owner_id", sa.String),
    sa.Column("annual_value", sa.Double),
    sa.Column("currency", sa.String),
    sa.Column("cohort_status", sa.String),
    sa.Column("decision_on", sa.String),
    sa.Column("campaigns_live", sa.String),
    sa.Column("value_at_risk", sa.Double, nullable=False),
    sa.Column("data_watermark", sa.String),
    sa.Column("channel", sa.String, nullable=False),
    sa.Column("scored_at", sa.String, nullable=False),
    sa.UniqueConstraint("account_id", "as_of", "model_version", "features_hash"),
    sa.Index("score_ledger_by_as_of", "as_of", "account_id", "id"),
    sa.Index("score_ledger_by_channel", "channel", "as_of"),
)
DETAILS = sa.Table(
    "score_ledger_details",
    METADATA,
    sa.Column("entry_id", sa.ForeignKey("score_ledger.id"), primary_key=True),
    sa.Column("explanation", sa.LargeBinary, nullable=False),
    sa.Column("catalogue_hash", sa.ForeignKey("score_ledger_features.catalogue_hash"), nullable=False),
    sa.Column("features", sa.LargeBinary, nullable=False),
)
FEATURE_LISTS = sa.Table(
    "score_ledger_features",
    METADATA,
    sa.Column("catalogue_hash", sa.String, primary_key=True),
    sa.Column("names", sa.String, nullable=False),
)

MODELS = sa.Table(
    "score_ledger_models",
    METADATA,
    sa.Column("model_version", sa.String, primary_key=True),
    sa.Column("bundle_hash", sa.String, primary_key=True),
    sa.Column("first_scored_at", sa.String, nullable=False),
)
REASONS = sa.Table(
    "score_ledger_reasons",
    METADATA,
    sa.Column("entry_id", sa.ForeignKey("score_ledger.id"), primary_key=True),
    sa.Column("explanation", sa.LargeBinary, nullable=False),
)
LEADS_PRIORITY = sa.Table(
    "leads_priority_ledger",
    METADATA,
    sa.Column("policy_id", sa.Integer, primary_key=True),
    sa.Column("batch_mark", sa.Integer, primary_key=True),
    sa.Column("account_id", sa.String, primary_key=True),
    sa.Column("entry_id", sa.ForeignKey("score_ledger.id"), nullable=False),
    sa.Column("policy_index", sa.Double, nullable=False),
    sa.Column("standings", sa.String, nullable=False),
    sa.Column("told_at", sa.String, nullable=False),
)
"""The order that the leads' weights gave a batch: policy and newest entry of the batch name it, one row per account."""


def name_features(engine: sa.Engine) -> None:
    """Write down which features this version packs, where that was not done yet; else only read."""
    with engine.connect() as connection:
        if connection.scalar(sa.select(FEATURE_LISTS.c.names).where(FEATURE_LISTS.c.catalogue_hash == CATALOGUE_HASH)):
            return
    names = json.dumps([list(NUMBERS), list(WORDS)])
    with engine.begin() as connection:
        connection.execute(insert_new(connection, FEATURE_LISTS).values(catalogue_hash=CATALOGUE_HASH, names=names))


def score_row(
    assessment: Assessment, *, channel: str, scored_at: datetime, data_watermark: datetime | None
) -> dict[str, Any]:
    """The row of ``score_ledger`` for an assessment."""
    score, facts = assessment.score, assessment.facts
    return {
        "account_id": assessment.account_id,
        "as_of": moment_text(assessment.as_of),
        **score.columns(),
        "features_hash": assessment.known.digest,
        **_plain(facts),
        "decision_on": facts.decision_on.isoformat() if facts.decision_on else None,
        "value_at_risk": assessment.value_at_risk,
        "data_watermark": moment_text(data_watermark) if data_watermark else None,
        "channel": channel,
        "scored_at": moment_text(scored_at),
    }


def facts_of(row: Mapping[str, Any]) -> Facts:
    """The facts that a row holds."""
    return Facts(
        account_name=row["account_name"],
        segment=row["segment"],
        csm_owner_id=row["csm_owner_id"],
        annual_value=row["annual_value"],
        currency=row["currency"],
        cohort_status=row["cohort_status"],
        decision_on=date.fromisoformat(row["decision_on"]) if row["decision_on"] else None,
        campaigns_live=row["campaigns_live"],
    )


def packed_explanation(explanation: Explanation) -> bytes:
    """The explanation as compressed JSON, words included: what was told stays when the catalogue's words change.

    Nothing of one that was not told.
    """
    if explanation == UNTOLD:
        return b""
    # As `asdict` would have it, which copies every word of it one by one.
    document = {
        "lowers": [_plain(reason) for reason in explanation.lowers],
        "raises": [_plain(reason) for reason in explanation.raises],
        "subcategories": [_plain(part) for part in explanation.subcategories],
        "grounds": _plain(explanation.grounds) if explanation.grounds else None,
    }
    return zlib.compress(_COMPACT.encode(document).encode())


def explanation_of(packed: bytes) -> Explanation:
    """The explanation that was stored."""
    document = json.loads(zlib.decompress(packed))
    return Explanation(
        lowers=tuple(_reason(reason) for reason in document["lowers"]),
        raises=tuple(_reason(reason) for reason in document["raises"]),
        subcategories=tuple(_part(part) for part in document["subcategories"]),
        grounds=_grounds(document.get("grounds")),
    )


def moment_text(moment: datetime) -> str:
    """A moment as text that sorts by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _plain(told: Reason | SubcategoryPart | Grounds | Facts) -> dict[str, Any]:
    return {name: getattr(told, name) for name in told.__slots__}


def _reason(document: dict[str, Any]) -> Reason:
    kind = {"subcategory": Subcategory(document["subcategory"]), "effect": Effect(document["effect"])}
    return Reason(**(document | kind))


def _grounds(document: dict[str, Any] | None) -> Grounds | None:
    return Grounds(tuple(document["grade_reasons"]), float(document["own_weight"])) if document else None


def _part(document: dict[str, Any]) -> SubcategoryPart:
    kind = {"subcategory": Subcategory(document["subcategory"]), "gaps": tuple(document["gaps"])}
    return SubcategoryPart(**(document | kind))
